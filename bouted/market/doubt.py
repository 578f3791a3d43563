"""Why a quote is not believed: a reason from one list, and the arithmetic in a line."""

from dataclasses import dataclass
from enum import StrEnum

from bouted.market.quotes import Quote


class Doubt(StrEnum):
    """The reasons. Each quarantined quote has one; UNREAD and OUTVOTED stand beside them in what is shown."""

    NOT_POSITIVE = "not_positive"
    CURRENCY = "currency"
    UNIT = "unit"
    PER_GPU = "per_gpu"
    STALE = "stale"
    DATED = "dated"
    SPOT_ABOVE_ON_DEMAND = "spot_above_on_demand"
    FAR_UNDER_REGIONS = "far_under_regions"
    ABOVE_SIBLINGS = "above_siblings"
    UNCONFIRMED_STEP = "unconfirmed_step"
    FLIPS = "flips"
    DISAGREES = "disagrees"


MEANING: dict[Doubt, str] = {
    Doubt.NOT_POSITIVE: "a price of nothing is no price",
    Doubt.CURRENCY: "in a currency without a rate in prices.usd_per",
    Doubt.UNIT: "far off what everybody asks for that GPU: cents, a month, or another unit",
    Doubt.PER_GPU: "an instance of several GPUs at the price of one",
    Doubt.STALE: "not confirmed for longer than its limit",
    Doubt.DATED: "dated on purpose, where a source that is asked now answers for that provider",
    Doubt.SPOT_ABOVE_ON_DEMAND: "spot dearer than on-demand in the same place",
    Doubt.FAR_UNDER_REGIONS: "far under the same type's other regions: a commitment or another meter",
    Doubt.ABOVE_SIBLINGS: "above what the region's other types with that GPU imply: another meter",
    Doubt.UNCONFIRMED_STEP: "a step that nothing confirms yet",
    Doubt.FLIPS: "a meter that flips between two prices",
    Doubt.DISAGREES: "far under what an independent source says",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A quote that is set aside. `detail` gives the arithmetic, in one line."""

    quote: Quote
    doubt: Doubt
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outvoted:
    """A sound quote that lost to another source's for the same offer."""

    quote: Quote
    winner: Quote
