"""What the simulated provider charges: its own prices, its own times, and nothing from the store."""

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

_HOUR_US = 3_600_000_000
_MICROSECOND = timedelta(microseconds=1)


@dataclass(slots=True)
class PriceList:
    """Prices per offer as steps in time; the first holds since ever."""

    steps: dict[str, list[tuple[datetime, Decimal]]] = field(default_factory=dict)

    def set(self, offer: str, at: datetime, usd_per_hour: Decimal) -> None:
        """From `at` on an instance of this offer costs this."""
        self.steps.setdefault(offer, []).append((at, usd_per_hour))

    def at(self, offer: str, at: datetime) -> tuple[datetime, Decimal]:
        """Since when which price holds at `at`."""
        steps = self.steps[offer]
        return steps[max(0, bisect_right(steps, at, key=lambda step: step[0]) - 1)]

    def usd(self, offer: str, since: datetime, until: datetime) -> Fraction:
        """Exact dollars of one instance from `since` to `until`, billed by the second, part by part."""
        steps, total = self.steps[offer], Fraction(0)
        for index, (begins, price) in enumerate(steps):
            ends = steps[index + 1][0] if index + 1 < len(steps) else until
            start = since if index == 0 else max(since, begins)
            total += Fraction(price) * max(0, (min(ends, until) - start) // _MICROSECOND)
        return total / _HOUR_US
