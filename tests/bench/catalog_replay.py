"""The catalogue feed of April 2026, replayed look by look: what is caught, what is caught in vain."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter

import pyarrow.parquet as pq
from bouted.providers.pricefile import PriceFile

from bouted.market.belief import Trust
from bouted.market.doubt import Quarantined
from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Answer, Quote, Row
from bouted.market.replay import Replayed, replay

DERIVED = ("price_is_modal", "spot_gt_on_demand", "is_host_only_row")
FAR_UNDER = 0.9
TRUST = Trust(spot_limit=timedelta(days=60), on_demand_limit=timedelta(days=60))

Key = tuple[str, ...]
Labels = dict[Key, dict[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Shares of known-wrong rows caught, of other rows set aside in vain; and counts to read them by."""

    flips: float
    spot_above: float
    far_under: float
    in_vain: float
    rows: int
    in_vain_by: Counter[str]
    counts: dict[str, int]


def key_of(row: dict[str, object]) -> Key:
    """What names a row of the catalogue: when, where, what."""
    names = (
        "snapshot_utc",
        "cloud",
        "InstanceType",
        "AcceleratorName",
        "AcceleratorCount",
        "Region",
        "AvailabilityZone",
    )
    return tuple(_text(row.get(name)) for name in names)


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The feed as it was heard, what came of it, and how long judging took."""

    heard: tuple[Quote, ...]
    replayed: Replayed
    seconds: float


def judged(catalogue: Path) -> Judged:
    """The feed without its derived columns, judged with nothing beside it."""
    looks = feed_of(catalogue)
    began = perf_counter()
    found = replay(looks, TRUST)
    seconds = perf_counter() - began
    return Judged(
        heard=tuple(q for _, answer in looks for q in answer.quotes), replayed=found, seconds=seconds
    )


def scores(catalogue: Path, history: Path, judged: Judged) -> Scores:
    """How the replay did, by the derived columns and by the newest price of the GCP history."""
    rows = pq.read_table(catalogue).to_pylist()
    found = judged.replayed
    labels = {key_of(row): row for row in rows}
    caught: dict[Key, str] = {}
    for one in found.quarantined:
        caught.setdefault(_key_of_row(one.quote.row), one.doubt.value)
    for unread in found.unread:
        caught.setdefault(_key_of_row(unread.row), "unread")
    totals = _wrong_totals(judged.heard, history)
    wrong_parts = {_key_of_row(quote.row) for quote in totals}
    caught_totals = {(q.id, q.observed_at) for q in _on_demand(found.quarantined)}
    flips = [key for key, row in labels.items() if row["cloud"] == "azure" and not row["price_is_modal"]]
    above = [key for key, row in labels.items() if row["spot_gt_on_demand"]]
    known = {*flips, *above, *wrong_parts}
    others = [key for key in labels if key not in known]
    vain = [key for key in others if key in caught]
    return Scores(
        flips=_share(key in caught for key in flips),
        spot_above=_share(key in caught for key in above),
        far_under=_share((quote.id, quote.observed_at) in caught_totals for quote in totals),
        in_vain=len(vain) / len(others),
        rows=len(rows),
        in_vain_by=Counter(f"{key[1]} {key[3]}x{key[4]} {caught[key]}" for key in vain),
        counts={
            "flips": len(flips),
            "spot above on-demand": len(above),
            "far under": len(totals),
            "others": len(others),
        },
    )


def _on_demand(quarantined: tuple[Quarantined, ...]) -> Iterator[Quote]:
    return (one.quote for one in quarantined if one.quote.market is Market.ON_DEMAND)


def _key_of_row(row: Row) -> Key:
    cells: dict[str, object] = dict(row)
    count = str(cells.get("AcceleratorCount", ""))
    return key_of({**cells, "AcceleratorCount": float(count) if count else None})


def _wrong_totals(heard: tuple[Quote, ...], history: Path) -> list[Quote]:
    """Composed GCP on-demand quotes under 0.9 of the newest price of their type and region in the history."""
    newest: dict[tuple[str, str], tuple[str, float]] = {}
    table = pq.read_table(history, columns=["date", "instance_type", "region", "usd_per_hour"])
    for row in table.to_pylist():
        kind, usd = (row["instance_type"], row["region"]), row["usd_per_hour"]
        if usd is not None and (kind not in newest or str(row["date"]) >= newest[kind][0]):
            newest[kind] = (str(row["date"]), usd)
    wrong = []
    for quote in heard:
        true = newest.get((quote.instance_type, quote.region))
        firm = quote.provider == "gcp" and quote.market is Market.ON_DEMAND
        if firm and true is not None and float(quote.price) < FAR_UNDER * true[1]:
            wrong.append(quote)
    return wrong


def _share(hits: Iterator[bool]) -> float:
    seen = list(hits)
    return sum(seen) / len(seen) if seen else 1.0


def looks_until_believed(
    prices: list[tuple[datetime, str]], market: Market, region: str = "us-east-1"
) -> int:
    """How many looks at the last price it takes until it is believed; the first look at it is 1."""
    last = Decimal(prices[-1][1])
    first = next(at for at, (_, usd) in enumerate(prices) if all(Decimal(p) == last for _, p in prices[at:]))
    for count in range(first + 1, len(prices) + 1):
        found = replay(
            ((at, Answer(quotes=(_quote(usd, at, market, region),))) for at, usd in prices[:count]), TRUST
        )
        if [offer.usd_per_hour for offer in found.belief.offers] == [last]:
            return count - first
    return len(prices) - first + 1


def _quote(usd: str, at: datetime, market: Market, region: str) -> Quote:
    return Quote(
        provider="feed", region=region, zone="", instance_type="one", gpu="H100-80GB", gpu_count=8,
        market=market, price=Decimal(usd), currency="USD", source="feed", observed_at=at, effective_at=None,
        confidence=Confidence.MEDIUM, obtainable=None, hazard_per_hour=None, row=(("price", usd),),
    )  # fmt: skip


def feed_of(catalogue: Path) -> list[tuple[datetime, Answer]]:
    """Every look of the feed."""
    return list(PriceFile(catalogue).feed(datetime(2030, 1, 1, tzinfo=UTC)))


def lambda_looks(looks: list[tuple[datetime, Answer]]) -> int:
    """How many looks at Lambda's raised prices it takes until every one of them is believed."""
    mine = [
        (at, Answer(quotes=tuple(quote for quote in answer.quotes if quote.provider == "lambda")))
        for at, answer in looks
    ]
    mine = [(at, answer) for at, answer in mine if answer.quotes]
    last = {quote.id: quote.price for quote in mine[-1][1].quotes}
    for count in range(2, len(mine) + 1):
        believed = replay(mine[:count], TRUST).belief.offers
        if all(offer.usd_per_hour == last[offer.id] for offer in believed):
            return count - 1
    return len(mine)
