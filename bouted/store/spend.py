"""What was spent: per node, intervals of one price each. Sums are exact up to one last division."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bouted.store.session import Store
from bouted.store.tables import Nodes, SpendIntervals

_HOUR_US = 3_600_000_000
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpend:
    """Dollars one node cost in the time that was asked about."""

    node: str
    usd: Decimal


def spend_usd(store: Store, since: datetime, until: datetime) -> Decimal:
    """Dollars spent from `since` to `until`; running nodes count up to `until`."""
    return _usd(_usd_us(row, since, until) for row in _overlapping(store, since, until))


def spend_by_node(store: Store, since: datetime, until: datetime) -> tuple[NodeSpend, ...]:
    """Dollars spent from `since` to `until` for each node that was paid for then, sorted by name."""
    parts: defaultdict[str, list[Fraction]] = defaultdict(list)
    for row in _overlapping(store, since, until):
        parts[row.node].append(_usd_us(row, since, until))
    return tuple(NodeSpend(node=node, usd=_usd(parts[node])) for node in sorted(parts))


def committed_usd_per_hour(store: Store) -> Decimal:
    """What is or may be paid now, at the prices believed now: the open intervals."""
    running = select(SpendIntervals.usd_per_hour).where(SpendIntervals.ended_at.is_(None))
    with store.reading() as session:
        return sum(session.scalars(running), Decimal(0))


def reprice(store: Store, node: str, usd_per_hour: Decimal, now: datetime) -> None:
    """From `now` on each instance of the node costs this, and its offer says so: caps count what is believed.

    Nothing changes when it costs that already, or is not paid for.
    """
    with store.writing() as session:
        running = _running(session, node)
        if running is None:
            return
        row = session.get_one(Nodes, node)
        total = usd_per_hour * row.template.instances
        if running.usd_per_hour == total:
            return
        row.offer = replace(row.offer, usd_per_hour=usd_per_hour)
        if running.started_at >= now:
            running.usd_per_hour = total
            return
        running.ended_at = now
        session.flush()
        open_interval(session, node, now, total, estimated=running.estimated)


def open_interval(
    session: Session, node: str, at: datetime, usd_per_hour: Decimal, *, estimated: bool
) -> None:
    """Starts paying for a node. A node that was paid for before goes on from where that ended, so that a
    failed node which proves to run on leaves no gap."""
    ended = select(SpendIntervals.ended_at).where(SpendIntervals.node == node)
    last = session.scalar(ended.order_by(SpendIntervals.ended_at.desc()).limit(1))
    session.add(
        SpendIntervals(
            node=node,
            started_at=last or at,
            ended_at=None,
            usd_per_hour=usd_per_hour,
            estimated=estimated,
        )
    )


def close_interval(session: Session, node: str, at: datetime, *, refused: bool) -> None:
    """Stops paying for a node; a launch that was `refused` cost nothing."""
    running = _running(session, node)
    if running is not None:
        running.ended_at = running.started_at if refused else max(at, running.started_at)


def correct_start(session: Session, node: str, launched_at: datetime) -> None:
    """Replaces the time the launch was asked for by the time the provider says the node started."""
    of_node = select(SpendIntervals).where(SpendIntervals.node == node).order_by(SpendIntervals.id)
    first = session.scalar(of_node.limit(1))
    if first is not None and first.estimated:
        first.started_at = min(launched_at, first.ended_at or launched_at)
        first.estimated = False


def _running(session: Session, node: str) -> SpendIntervals | None:
    return session.scalar(
        select(SpendIntervals)
        .where(SpendIntervals.node == node, SpendIntervals.ended_at.is_(None))
        .with_for_update()
    )


def _overlapping(store: Store, since: datetime, until: datetime) -> tuple[SpendIntervals, ...]:
    overlap = select(SpendIntervals).where(
        SpendIntervals.started_at < until,
        or_(SpendIntervals.ended_at.is_(None), SpendIntervals.ended_at > since),
    )
    with store.reading() as session:
        return tuple(session.scalars(overlap))


def _usd_us(row: SpendIntervals, since: datetime, until: datetime) -> Fraction:
    """Dollars per hour times the microseconds that the interval has in common with the question."""
    start, end = max(row.started_at, since), min(row.ended_at or until, until)
    return Fraction(row.usd_per_hour) * max(0, (end - start) // _MICROSECOND)


def _usd(parts: Iterable[Fraction]) -> Decimal:
    """The sum in dollars, rounded once, to 28 digits."""
    total = sum(parts, Fraction(0)) / _HOUR_US
    return Decimal(total.numerator) / Decimal(total.denominator)
