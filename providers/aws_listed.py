"""On-demand prices as AWS lists them, and how they become quotes once the GPUs are known."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Quote, Row, Unread

from .aws_specs import SLICED, Spec, family_gpu


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An instance type's list price in a region. `gpus` is AWS's own count as text, "" where it gave none."""

    instance_type: str
    gpus: str
    price: Decimal
    currency: str
    since: datetime | None
    row: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """What was read of a region's list, and when."""

    region: str
    at: datetime
    listed: tuple[Listed, ...]
    unread: tuple[Unread, ...]


def quotes_of(
    prices: PriceList, specs: Mapping[str, Spec] | None, source: str
) -> tuple[tuple[Quote, ...], tuple[Unread, ...]]:
    """The list as quotes: with `specs`, of those types alone; without, of families known here."""
    quotes: list[Quote] = []
    unread = list(prices.unread)
    for listed in prices.listed:
        spec = _by_family(listed) if specs is None else specs.get(listed.instance_type)
        if isinstance(spec, Spec):
            quotes.append(_quote(listed, spec, prices, source))
        elif spec:
            unread.append(Unread(source=source, row=listed.row, reason=spec))
    return tuple(quotes), tuple(unread)


def _by_family(listed: Listed) -> Spec | str | None:
    """The spec; None where there is no whole GPU; what is not known, in a line."""
    if listed.gpus in ("", "NA", "0") or listed.instance_type.partition(".")[0] in SLICED:
        return None
    gpu = family_gpu(listed.instance_type)
    if not gpu:
        return "which GPU this family has is not known without credentials"
    if not (listed.gpus.isascii() and listed.gpus.isdigit() and len(listed.gpus) < 5):
        return f"{listed.gpus[:20]!r} is no number of GPUs"
    return Spec(instance_type=listed.instance_type, gpu=gpu, gpu_count=int(listed.gpus))


def _quote(listed: Listed, spec: Spec, prices: PriceList, source: str) -> Quote:
    return Quote(
        provider="aws", region=prices.region, zone="", instance_type=listed.instance_type, gpu=spec.gpu,
        gpu_count=spec.gpu_count, market=Market.ON_DEMAND, price=listed.price, currency=listed.currency,
        source=source, observed_at=prices.at, confidence=Confidence.HIGH, obtainable=None,
        effective_at=min(listed.since, prices.at) if listed.since else None,
        hazard_per_hour=None, row=listed.row,
    )  # fmt: skip


def wanted_type(instance_type: str, patterns: Iterable[str]) -> bool:
    """Whether a type is one of those asked for, with EC2's own wildcard `*`."""
    from fnmatch import fnmatchcase

    return any(fnmatchcase(instance_type, pattern) for pattern in patterns)
