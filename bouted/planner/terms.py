"""On what terms instances are had: dollars, spot, quota, how long prices hold, and what moving costs."""

from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase

from bouted.market.egress import Place
from bouted.market.offers import Market, Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Dollars an hour a plan may cost, and how much more may be committed while moving."""

    usd_per_hour: Decimal
    surge_usd_per_hour: Decimal

    def beside(self, usd_per_hour: Decimal) -> "Budget":
        """What is left where so much is paid already, never below nothing; the surge goes last."""
        left = max(Decimal(0), self.usd_per_hour - usd_per_hour)
        most = max(Decimal(0), self.usd_per_hour + self.surge_usd_per_hour - usd_per_hour)
        return Budget(usd_per_hour=left, surge_usd_per_hour=most - left)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchingCosts:
    """What moving costs, in hours of the node's price: started nodes pay `start_h`, dropped ones
    `overlap_h` (both run until the new one is ready). Each GiB of weights that a node fetches adds
    `fetch_h_per_gib` to its start. They were learned from so many `starts` and `fetches` here; 0: the config
    says so."""

    start_h: float
    overlap_h: float
    fetch_h_per_gib: float = 0.0
    starts: int = 0
    fetches: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UsualStart:
    """What starts took here: medians from asking for a node to its first token, over `starts` of them.

    With some `fetches` known apart, `hours` are without the fetching, which adds `fetch_h_per_gib`.
    """

    hours: float
    starts: int
    fetch_h_per_gib: float = 0.0
    fetches: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotRules:
    """The largest share of each model's need that may stand on spot: in all, in one pool (an instance type
    in a zone), and in one zone."""

    max_share: float
    pool_max_share: float = 1.0
    zone_max_share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """At most `gpus` GPUs of this type may be held at once over the offers it covers. `region` is a glob."""

    provider: str
    region: str
    gpu: str
    market: Market
    gpus: int

    def covers(self, offer: Offer) -> bool:
        """Whether nodes of the offer count against it."""
        mine = (offer.provider, offer.gpu, offer.market) == (self.provider, self.gpu, self.market)
        return mine and fnmatchcase(offer.region, self.region)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLife:
    """How long a price of this offer is expected to hold from now, in hours, learned from its history."""

    offer_id: str
    hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWeights:
    """How many GiB a started node fetches for a model, and from where. `measured`: starts here fetched so
    much; else all of its weights are taken for it."""

    model: str
    place: Place
    gib: float
    measured: bool = False
