"""What a cloud says about a machine it is about to take, or has taken."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class NoticeKind(StrEnum):
    """INTERRUPTION: it goes at `deadline`. REBALANCE: it may go soon. PREEMPTED: it is gone."""

    INTERRUPTION = "interruption"
    REBALANCE = "rebalance"
    PREEMPTED = "preempted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One such message. `instance` is the cloud's own id; `receipt` is what acknowledging it takes."""

    provider: str
    region: str
    zone: str
    instance: str
    kind: NoticeKind
    at: datetime
    deadline: datetime | None
    receipt: str

    @property
    def leaves_at(self) -> datetime | None:
        """When it goes, or went; None where that is only feared."""
        return None if self.kind is NoticeKind.REBALANCE else (self.deadline or self.at)
