"""What is on record of a node of this machine that a keeper keeps, and how the reconciler sees it."""

from dataclasses import dataclass
from datetime import datetime

from bouted.market.offers import Offer
from bouted.reconcile.launcher import SeenNode


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRecord:
    """One node. It is up once its keeper answered, from `boot_until` on at the earliest. `hold_until` is how
    far its lease was moved last, whether its keeper was reached or not."""

    name: str
    deployment: str
    offer: Offer
    launched_at: datetime
    boot_until: datetime
    hold_until: datetime
    up_at: datetime | None = None
    stopping_at: datetime | None = None
    ended_at: datetime | None = None

    def seen(self, ended_at: datetime | None) -> SeenNode:
        """The node, which ended then."""
        up = self.up_at is not None and self.stopping_at is None and ended_at is None
        begun = "reaching its keeper" if self.stopping_at is None else "ending"
        return SeenNode(
            name=self.name,
            up=up,
            started_at=self.launched_at,
            ended_at=ended_at,
            offer_id=self.offer.id,
            progress="" if up or ended_at is not None else begun,
        )
