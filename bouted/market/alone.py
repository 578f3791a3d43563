"""What can be said against a quote from its own figures and what everybody asks for that GPU."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median

from bouted.market.doubt import Doubt
from bouted.market.offers import Market
from bouted.market.quotes import Quote

USD = "USD"
MOST_USD_PER_GPU_HOUR = Decimal(100)  # above any price seen: a month's price or cents are caught
ODD_FACTOR = 25.0  # cents are 100 times off, a month 730; honest markets differ by less
ENOUGH_PEERS = 5
ONE_GPU_SLACK = Decimal("1.1")
SEVERAL_GPUS = 4

Verdict = tuple[Doubt, str]


class Peers:
    """What a GPU costs per hour by market over all quotes, and what one-GPU instances cost by region."""

    def __init__(self, quotes: Iterable[Quote], rates: Mapping[str, Decimal]) -> None:
        per_gpu: dict[tuple[str, Market], list[float]] = defaultdict(list)
        single: dict[tuple[str, str, str], list[Decimal]] = defaultdict(list)
        for quote in quotes:
            usd = in_usd(quote, rates)
            if usd is None or usd <= 0 or quote.gpu_count < 1:
                continue
            per_gpu[quote.gpu, quote.market].append(float(usd) / quote.gpu_count)
            if quote.gpu_count == 1 and quote.market is Market.ON_DEMAND:
                single[quote.provider, quote.region, quote.gpu].append(usd)
        self._usual = {key: median(found) for key, found in per_gpu.items() if len(found) >= ENOUGH_PEERS}
        self._single = {key: min(found) for key, found in single.items()}

    def usual(self, quote: Quote) -> float | None:
        """The middle price of the quote's GPU on its market, $/GPU-h; None where too few quote it."""
        return self._usual.get((quote.gpu, quote.market))

    def one_gpu(self, quote: Quote) -> Decimal | None:
        """The cheapest on-demand instance with one such GPU in the same region."""
        return self._single.get((quote.provider, quote.region, quote.gpu))


def in_usd(quote: Quote, rates: Mapping[str, Decimal]) -> Decimal | None:
    """The price in dollars; None when there is no rate for its currency."""
    if quote.currency == USD:
        return quote.price
    rate = rates.get(quote.currency)
    return None if rate is None else quote.price * rate


def doubt_alone(quote: Quote, usd: Decimal | None, peers: Peers) -> Verdict | None:
    """Price of nothing, foreign currency, wrong unit, one GPU's price for several."""
    if quote.price <= 0:
        return Doubt.NOT_POSITIVE, f"{quote.price} is not above 0"
    if usd is None:
        return Doubt.CURRENCY, f"{quote.currency} has no rate; set prices.usd_per.{quote.currency}"
    if quote.gpu_count < 1:
        return Doubt.UNIT, f"{quote.gpu_count} GPUs"
    per_gpu = usd / quote.gpu_count
    if per_gpu > MOST_USD_PER_GPU_HOUR:
        return Doubt.UNIT, f"${per_gpu:.2f} per GPU and hour: cents, or a price per month?"
    usual = peers.usual(quote)
    if usual is not None and not 1 / ODD_FACTOR <= float(per_gpu) / usual <= ODD_FACTOR:
        return Doubt.UNIT, f"${per_gpu:.4f} per GPU and hour, others ask ${usual:.2f} for {quote.gpu}"
    one = peers.one_gpu(quote)
    several = quote.gpu_count >= SEVERAL_GPUS and quote.market is Market.ON_DEMAND
    if several and one is not None and usd <= one * ONE_GPU_SLACK:
        return Doubt.PER_GPU, f"${usd} for {quote.gpu_count} GPUs, one alone costs ${one} in {quote.region}"
    return None


def doubt_age(seen_at: datetime, limit: timedelta | None, now: datetime) -> Verdict | None:
    """Not confirmed for longer than `limit`; None means that age does not matter."""
    if limit is None or now - seen_at <= limit:
        return None
    hours = (now - seen_at).total_seconds() / 3600
    return Doubt.STALE, f"last confirmed {hours:.0f} h ago, the limit is {limit.total_seconds() / 3600:.0f} h"
