"""What goes into judging prices, and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from bouted.market.doubt import Outvoted, Quarantined
from bouted.market.memory import Memory
from bouted.market.offers import Market, Offer
from bouted.market.quotes import Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The rules' settings. `usd_per` has a rate for each currency taken besides USD.

    The limits say how long a price that nobody confirms is believed. They do not hold for sources of
    rank 0, which are dated on purpose (something must always be believed), nor for files kept by hand.
    """

    usd_per: Mapping[str, Decimal] = field(default_factory=dict)
    spot_limit: timedelta = timedelta(hours=24)
    on_demand_limit: timedelta = timedelta(days=14)

    def limit(self, market: Market, rank: int) -> timedelta | None:
        """How old a price on `market` may be, from a source of this rank; None for any age."""
        if rank <= 0:
            return None
        return self.spot_limit if market is Market.SPOT else self.on_demand_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one source claims now. `whole` says that what it does not mention is no longer offered.

    A source that failed says nothing: no quotes, and not whole. `hand_kept` as in `Feed`.
    """

    name: str
    rank: int
    quotes: tuple[Quote, ...]
    whole: bool
    hand_kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What is believed, what is set aside and why, who lost to whom, and what to remember until next time."""

    offers: tuple[Offer, ...]
    quarantined: tuple[Quarantined, ...]
    outvoted: tuple[Outvoted, ...]
    memory: Memory
