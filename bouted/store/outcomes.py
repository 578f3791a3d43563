"""What the fleet's nodes teach about their offers: every outcome counts once. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bouted.market.odds import Odds, failed, granted, lost, refused, survived
from bouted.reconcile.fleet import Node
from bouted.reconcile.states import NodeStatus, Reason

HOURS_STEP = timedelta(hours=1)  # a running node's hours are counted in such pieces: no write per pass

_REFUSED = {Reason.NO_CAPACITY: refused, Reason.QUOTA: refused, Reason.ERROR: failed}
_ENDED = frozenset({NodeStatus.GONE, NodeStatus.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How far a node has been counted: whether its launch was, its hours until when, whether its end."""

    launch: bool = False
    hours_to: datetime | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """What is new: the odds by offer id and the counts by node that have changed, nothing else."""

    odds: Mapping[str, Odds]
    counted: Mapping[str, Counted]


def odds_from_fleet(
    odds: Mapping[str, Odds], counted: Mapping[str, Counted], nodes: Iterable[Node], now: datetime
) -> Lessons:
    """Counts what these nodes went through since `counted`, which says how far each has been counted.

    A launch was refused when its node failed for want of capacity or quota, or because its launcher or cloud
    refused, without having come up, and granted when it came up. A node that is LOST is a loss, and so is one
    that was given up because its provider had said it would take it. Hours run from launch to the node's end.
    """
    changed: dict[str, Odds] = {}
    news: dict[str, Counted] = {}
    for node in sorted(nodes, key=lambda node: (node.since, node.name)):
        before = counted.get(node.name, Counted())
        if before.ended:
            continue
        known = changed.get(node.offer.id) or odds.get(node.offer.id)
        after, learned = _count(node, before, known, now)
        if after != before:
            news[node.name] = after
        if learned is not None and learned is not known:
            changed[node.offer.id] = learned
    return Lessons(odds=changed, counted=news)


def _count(node: Node, done: Counted, odds: Odds | None, now: datetime) -> tuple[Counted, Odds | None]:
    ended = node.status in _ENDED
    broke = node.status is NodeStatus.FAILED
    up_at = node.launched_at or (node.since if node.status is NodeStatus.UP else None)
    if up_at is not None and not done.launch:
        odds, done = granted(odds, min(up_at, now)), replace(done, launch=True)
    elif up_at is None and broke and node.reason in _REFUSED and not done.launch:
        odds, done = _REFUSED[node.reason](odds, node.since), replace(done, launch=True)
    if up_at is not None:
        start, until = done.hours_to or up_at, node.since if ended else now
        if until - start >= HOURS_STEP or (ended and until > start):
            odds = survived(odds, (until - start) / timedelta(hours=1), until)
            done = replace(done, hours_to=until)
    if (broke and node.reason is Reason.LOST) or (ended and node.reason is Reason.NOTICED):
        odds = lost(odds, node.since)
    return replace(done, ended=ended), odds
