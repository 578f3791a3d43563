"""The offers of the simulated cloud, and the price source and the load that a daemon sees."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from bouted.daemon.traffic import Traffic
from bouted.market.notices import Notice
from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Answer, Quote
from bouted.market.source import Feed
from bouted.testing.sim.money import PriceList
from bouted.testing.sim.vtime import START
from bouted.workload.observe import Measured, measured
from bouted.workload.profile import RequestLength, WorkloadProfile, WorkloadSource

ASKED_EVERY_S = 900.0
LENGTHS = (RequestLength(prompt_tokens=100, output_tokens=40),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ware:
    """Something to rent, and how many of it there are."""

    provider: str
    gpu: str
    gpu_count: int
    market: Market
    usd_per_hour: Decimal
    stock: int

    @property
    def id(self) -> str:
        """The id of the offer."""
        return quote_of(self, self.usd_per_hour, START, None).id


WARES: tuple[Ware, ...] = tuple(
    Ware(provider=provider, gpu=gpu, gpu_count=count, market=market, usd_per_hour=Decimal(usd), stock=stock)
    for provider, gpu, count, market, usd, stock in (
        ("aws", "L4", 1, Market.SPOT, "0.40", 4),
        ("aws", "L4", 1, Market.ON_DEMAND, "0.80", 8),
        ("gcp", "L4", 2, Market.SPOT, "0.90", 3),
        ("gcp", "A100-80GB", 1, Market.SPOT, "1.60", 3),
        ("aws", "A100-80GB", 2, Market.ON_DEMAND, "6.00", 4),
        ("gcp", "A100-80GB", 1, Market.ON_DEMAND, "3.20", 6),
    )
)


def quote_of(ware: Ware, price: Decimal, now: datetime, since: datetime | None) -> Quote:
    """What the cloud says this costs."""
    return Quote(
        provider=ware.provider,
        region="us-east-1" if ware.provider == "aws" else "us-central1",
        zone="",
        instance_type=f"{ware.gpu_count}x{ware.gpu}",
        gpu=ware.gpu,
        gpu_count=ware.gpu_count,
        market=ware.market,
        price=price,
        currency="USD",
        source="sim",
        observed_at=now,
        effective_at=since,
        confidence=Confidence.HIGH,
        obtainable=ware.stock,
        hazard_per_hour=0.01,
        row=(),
    )


@dataclass(slots=True)
class SimSource:
    """The cloud's own price list; see `bouted.market.source.PriceSource`."""

    prices: PriceList
    true_now: Callable[[], datetime]
    name: str = "sim"
    rank: int = 10
    announced: list[Notice] = field(default_factory=list)

    def fetch(self, now: datetime) -> Answer:
        """Every ware at its price now, and since when."""
        quotes = []
        for ware in WARES:
            since, price = self.prices.at(ware.id, self.true_now())
            quotes.append(quote_of(ware, price, now, since))
        return Answer(quotes=tuple(quotes))

    def notices(self, wait_s: float) -> tuple[Notice, ...]:
        """What was announced and not acknowledged; never waits."""
        return tuple(self.announced)

    def acknowledge(self, notices: tuple[Notice, ...]) -> None:
        """These are not given again."""
        self.announced = [notice for notice in self.announced if notice not in notices]


def feeds_of(source: SimSource) -> tuple[Feed, ...]:
    """The one feed: what it says holds at once."""
    return (Feed(source=source, every_s=ASKED_EVERY_S, timeout_s=60.0, hand_kept=True),)


@dataclass(slots=True)
class Load:
    """How many queries a second really come."""

    rate_per_s: float


class SimTraffic(Traffic):
    """What the gateways would say: the load as it is, and no samples."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self.arrivals = deque()
        self.samples = deque()
        self.ok = 0
        self.failed = 0

    async def poll(self) -> None:
        """Nothing to fetch."""

    def workload(self, declared: WorkloadProfile, now_s: float, window_s: float) -> WorkloadProfile:
        """The load as it is, known to a tenth."""
        rate = self._load.rate_per_s
        return WorkloadProfile(
            rate_per_s=rate,
            rate_low_per_s=rate * 0.95,
            rate_high_per_s=rate * 1.05,
            arrival_cv=1.0,
            lengths=LENGTHS,
            source=WorkloadSource.OBSERVED,
            samples=100,
        )

    def measured(self, now_s: float, window_s: float) -> Measured:
        """Nothing was measured."""
        return measured((), now_s=now_s, window_s=window_s)

    async def close(self) -> None:
        """Nothing to close."""
