"""Cost lines summed by model, replica, cloud, market or node: parts that add up to their total."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from bouted.ledger.shares import IDLE, CostLine


class By(StrEnum):
    """What costs are summed by."""

    MODEL = "model"
    REPLICA = "replica"
    CLOUD = "cloud"
    MARKET = "market"
    NODE = "node"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """What one of the parts cost; dollars are exact. `estimated_usd` is what no provider has confirmed."""

    key: str
    usd: Fraction
    estimated_usd: Fraction
    gpu_hours: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class CostTable:
    """The parts, dearest first with idle GPUs last, and their sum."""

    by: By
    rows: tuple[CostRow, ...]
    total: CostRow


_KEYS: dict[By, Callable[[CostLine], str]] = {
    By.MODEL: lambda line: line.place.model,
    By.REPLICA: lambda line: IDLE if line.place.position is None else f"{line.replica} {line.place.model}",
    By.CLOUD: lambda line: line.offer.provider,
    By.MARKET: lambda line: line.offer.market.value,
    By.NODE: lambda line: line.node,
}


def summed(lines: Iterable[CostLine], by: By) -> CostTable:
    """The lines by one of their sides. Models and replicas leave idle GPUs apart, the others hold them."""
    parts: defaultdict[str, list[CostLine]] = defaultdict(list)
    for line in lines:
        parts[_KEYS[by](line)].append(line)
    rows = [_row(key, part) for key, part in parts.items()]
    rows.sort(key=lambda row: (by in (By.MODEL, By.REPLICA) and row.key == IDLE, -row.usd, row.key))
    return CostTable(by=by, rows=tuple(rows), total=_total(rows))


def _row(key: str, lines: Iterable[CostLine]) -> CostRow:
    usd, estimated, hours = Fraction(0), Fraction(0), Fraction(0)
    for line in lines:
        usd += line.usd
        estimated += line.usd if line.estimated else 0
        hours += line.gpu_hours
    return CostRow(key=key, usd=usd, estimated_usd=estimated, gpu_hours=hours)


def _total(rows: Sequence[CostRow]) -> CostRow:
    return CostRow(
        key="total",
        usd=sum((row.usd for row in rows), Fraction(0)),
        estimated_usd=sum((row.estimated_usd for row in rows), Fraction(0)),
        gpu_hours=sum((row.gpu_hours for row in rows), Fraction(0)),
    )


def to_cents(parts: Sequence[Fraction]) -> tuple[Decimal, ...]:
    """The parts in whole cents that sum to the rounded total: what is left goes to the largest remainders."""
    cents = [part * 100 for part in parts]
    floors = [int(part // 1) for part in cents]
    left = round(sum(cents, Fraction(0))) - sum(floors)
    for at in sorted(range(len(cents)), key=lambda at: (floors[at] - cents[at], at))[:left]:
        floors[at] += 1
    return tuple(Decimal(floor).scaleb(-2) for floor in floors)
