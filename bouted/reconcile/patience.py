"""What was put off and waits: the reconciler asks for it in every pass, it is not tried in every pass."""

from dataclasses import dataclass, field
from datetime import datetime

from bouted.reconcile.actions import Outcome

MOST_S = 300.0


@dataclass(slots=True)
class Patience:
    """Doubles the wait of what is put off again and again, up to 5 minutes. A restart forgets it, and so does
    a clock that is set back: whatever waited is then tried once at once. `rests` holds since when, and for
    how many seconds. Actions go by `key`, the same in every pass."""

    rests: dict[str, tuple[datetime, float]] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)

    def waits(self, key: str, now: datetime) -> bool:
        """Whether it is too early."""
        since, wait_s = self.rests.get(key, (now, 0.0))
        return 0.0 <= (now - since).total_seconds() < wait_s

    def note(self, outcome: Outcome, now: datetime) -> None:
        """Take in what came of an action."""
        key = key_of(outcome.action, outcome.subject)
        if outcome.retry_at is None:
            self.rests.pop(key, None)
            self.times.pop(key, None)
            return
        times = self.times[key] = self.times.get(key, 0) + 1
        asked_s = (outcome.retry_at - now).total_seconds()
        self.rest(key, now, max(asked_s, min(MOST_S, asked_s * 2.0 ** min(times - 1, 16))))

    def rest(self, key: str, now: datetime, wait_s: float) -> None:
        """It is not tried for so long."""
        self.rests[key] = (now, wait_s)

    def keep(self, wanted: set[str]) -> None:
        """Forget whatever nobody asks for any more."""
        self.rests = {key: rest for key, rest in self.rests.items() if key in wanted}
        self.times = {key: count for key, count in self.times.items() if key in wanted}


def key_of(action: str, subject: str) -> str:
    """What an action goes by."""
    return f"{action} {subject}"
