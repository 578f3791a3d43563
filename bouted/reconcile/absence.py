"""What a list has lacked, and for how long: absence is evidence only once it is confirmed. Pure.

A provider's list may be stale, or cut short. One that lacks everything at once says more about itself than
about the fleet: credentials, or trouble at the provider.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

LOOKS = 2
MANY = 3
"""Things that vanish together, and are all there was, are waited for longer."""
ALL_FACTOR = 24
"""How many times longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One name that a list lacks: since when, and in how many looks."""

    since: datetime
    looks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """The names that the last list lacked. `expected` is how many names it was looked through for."""

    missing: Mapping[str, Missing] = field(default_factory=dict)
    expected: int = 0

    def after(self, expected: frozenset[str], listed: frozenset[str], now: datetime) -> "Absence":
        """The same, after one more look."""
        return Absence(
            missing={name: self._once_more(name, now) for name in sorted(expected - listed)},
            expected=len(expected),
        )

    @property
    def is_all(self) -> bool:
        """The list lacks everything, and that is a lot."""
        return len(self.missing) == self.expected >= MANY

    def confirmed(self, now: datetime, absent_s: float) -> frozenset[str]:
        """The names that have been missing for long enough to be believed gone."""
        wait_s = absent_s * ALL_FACTOR if self.is_all else absent_s
        return frozenset(
            name
            for name, missing in self.missing.items()
            if missing.looks >= LOOKS and (now - missing.since).total_seconds() >= wait_s
        )

    def _once_more(self, name: str, now: datetime) -> Missing:
        before = self.missing.get(name)
        if before is None or before.since > now:  # the clock was set back
            return Missing(since=now, looks=1 if before is None else before.looks + 1)
        return Missing(since=before.since, looks=before.looks + 1)
