"""Bugs planted on purpose: each is a patch over the real code, and the simulation must catch it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from bouted.daemon.held_config import HeldConfig
from bouted.daemon.prices import MarketKeeper
from bouted.daemon.reconciling import Reconciler
from bouted.daemon.service import Service
from bouted.daemon.sweeping import Sweeper
from bouted.ledger.prices import pieces
from bouted.ledger.times import Life
from bouted.reconcile.actions import Action, DrainReplica, Limits, StartReplica, StopNode, StopReplica
from bouted.reconcile.backoff import LaunchWaits
from bouted.reconcile.execute import Context, Executor
from bouted.reconcile.fleet import Node
from bouted.reconcile.launcher import NodeOrder
from bouted.reconcile.order import _starts
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.reconcile.sweep import Findings
from bouted.store.control import update_control
from bouted.store.fleet import move_node
from bouted.store.open import Store

Planted = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One planted bug: what a careless edit might have done."""

    name: str
    plant: Planted


def _launch_without_row(self: Executor, node: Node, context: Context) -> None:
    self.launcher.launch(_order_of(node))


def _launch_before_row(self: Executor, node: Node, context: Context) -> None:
    self.launcher.launch(_order_of(node))
    move_node(self.store, node.name, NodeStatus.LAUNCHING, Reason.PLAN, self.clock.now())


def _order_of(node: Node) -> NodeOrder:
    return NodeOrder(name=node.name, offer=node.offer, instances=node.template.instances)


def _drain_at_once(seen: Any, *others: Any) -> list[Action]:
    """Old before new: everything surplus leaves as soon as it is surplus."""
    surplus = {node.name for node in seen.changes.surplus}
    return [
        DrainReplica(replica=r)
        for r in seen.fleet.replicas
        if r.node in surplus and r.status is ReplicaStatus.READY
    ]


def _stop_with_all(seen: Any, leaving: Any, *others: Any) -> list[Action]:
    """A surplus node ends, whatever lives on it."""
    return [StopNode(node=node) for node in seen.changes.surplus]


def _stop_undrained(seen: Any, leaving: Any, *others: Any) -> list[Action]:
    """Surplus engines are ended without a drain."""
    surplus = {node.name for node in seen.changes.surplus}
    live = [r for r in seen.fleet.replicas if r.node in surplus and r.live]
    empty = [node for node in seen.changes.surplus if not any(r.node == node.name for r in live)]
    return [*(StopReplica(replica=r) for r in live), *(StopNode(node=node) for node in empty)]


def _none(*_: object) -> tuple[()]:
    return ()


def _lets(*_: object) -> None:
    return None


def _nobody(*_: object) -> dict[Any, Any]:
    return {}


_limits = HeldConfig.limits


def _dear_limits(self: HeldConfig) -> Limits:
    limits = _limits(self)
    return replace(limits, cap_usd_per_hour=limits.cap_usd_per_hour * Decimal(10))


_begin = Reconciler.begin


def _forget_plan(self: Reconciler) -> None:
    _begin(self)
    update_control(self.store, self.clock.now(), "daemon", desired_plan_id=None)


async def _nothing(self: Service) -> None:
    return None


def _first_only(seen: Any, gone: Any) -> list[Action]:
    """An engine that died is not started again."""
    starts = [action for action in _starts(seen, gone) if isinstance(action, StartReplica)]
    return [action for action in starts if action.replica.incarnation == 1]


def _first_twice(*given: Any, **named: Any) -> tuple[Any, ...]:
    """A node whose price changed pays twice for the time before."""
    found = tuple(pieces(*given, **named))
    return (*found, *(found[:1] if len(found) > 1 else ()))


def _end_unwritten(self: Sweeper, found: Findings) -> None:
    """What runs without a row ends, and nobody ever knows what it cost."""
    for node in found.orphans:
        self.launcher.stop_node(node.name)


_KEPT = frozenset({NodeStatus.UP})
_NOTICED = property(lambda life: life.noticed_end)

MUTATIONS: tuple[Mutation, ...] = tuple(
    Mutation(name=name, plant=plant)
    for name, plant in (
        ("drop the intent row", lambda: patch.object(Executor, "_launch", _launch_without_row)),
        ("launch before the row", lambda: patch.object(Executor, "_launch", _launch_before_row)),
        ("drain old before new", lambda: patch("bouted.reconcile.order.drains", _drain_at_once)),
        ("stop nodes with what lives on them", lambda: patch("bouted.reconcile.order.stops", _stop_with_all)),
        ("stop engines undrained", lambda: patch("bouted.reconcile.order.stops", _stop_undrained)),
        ("forget the fencing token", lambda: patch.object(Store, "fenced", lambda self, *_: self)),
        ("believe what was noticed, not the provider", lambda: patch.object(Life, "said_end", _NOTICED)),
        ("double-count an interval", lambda: patch("bouted.ledger.charge.pieces", _first_twice)),
        ("do not reprice", lambda: patch.object(MarketKeeper, "_reprice", lambda *_: None)),
        ("ignore the cap", lambda: patch.object(HeldConfig, "limits", _dear_limits)),
        ("no guard before spending", lambda: patch("bouted.reconcile.execute.refuse_launch", _lets)),
        ("no guard before stopping much", lambda: patch("bouted.reconcile.execute.refuse_mass_stop", _lets)),
        ("reuse an incarnation", lambda: patch("bouted.store.read_fleet._incarnations", _none)),
        ("end orphans without a row", lambda: patch.object(Sweeper, "end", _end_unwritten)),
        ("skip the sweep", lambda: patch.object(Service, "sweep", _nothing)),
        ("forget back-off of offers", lambda: _no_backoff()),
        ("lose the plan in force at a restart", lambda: patch.object(Reconciler, "begin", _forget_plan)),
        ("launch again what is launching", lambda: patch("bouted.reconcile.diff.KEEPABLE", _KEPT)),
        ("ignore notices", lambda: patch("bouted.store.read_fleet.leaving_in", _nobody)),
        ("start no engine twice", lambda: patch("bouted.reconcile.order._starts", _first_only)),
    )
)


def _no_backoff() -> AbstractContextManager[Any]:
    free: dict[str, Any] = {name: lambda *_: False for name in ("slot", "offer")}
    patched: AbstractContextManager[Any] = patch.multiple(LaunchWaits, **free)
    return patched
