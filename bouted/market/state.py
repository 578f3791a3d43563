"""The market between two looks: what is believed, what is not and why, and how the sources fare."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bouted.market.course import Course
from bouted.market.doubt import Outvoted, Quarantined
from bouted.market.memory import Memory
from bouted.market.offers import Offer
from bouted.market.quotes import Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketState:
    """`offers` are sorted by id, ids are unique. `courses` has each source that was asked, by name."""

    taken_at: datetime
    offers: tuple[Offer, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    outvoted: tuple[Outvoted, ...] = ()
    unread: tuple[Unread, ...] = ()
    memory: Memory = field(default_factory=dict)
    courses: Mapping[str, Course] = field(default_factory=dict)

    def by_id(self) -> dict[str, Offer]:
        """Offers by id."""
        return {offer.id: offer for offer in self.offers}

    def troubled(self) -> tuple[Course, ...]:
        """The sources that gave nothing the last time they were asked, by name."""
        return tuple(
            self.courses[name] for name in sorted(self.courses) if self.courses[name].since is not None
        )
