"""The dumb checks that stand in front of what spends and what ends much at once. They fail closed: what they
cannot make sense of they refuse. Pure, and not pluggable."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase

from bouted.errors import Misconfigured
from bouted.market.offers import Market
from bouted.planner.problem import ModelRules
from bouted.reconcile.actions import Action, DrainReplica, Limits, StopNode
from bouted.reconcile.fleet import FleetState, Node
from bouted.reconcile.leaving import ahead_usd_per_hour, committed_ahead
from bouted.reconcile.states import NodeStatus, ReplicaStatus

FEW = 2
"""So many replicas, or nodes, may always go at once: a small fleet can move only so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a launch would make of the money: of the launch alone, of all that is committed besides, and what
    this month has cost so far."""

    launch_usd_per_hour: Decimal
    committed_usd_per_hour: Decimal
    month_usd: Decimal


def refuse_launch(
    node: Node,
    fleet: FleetState,
    limits: Limits,
    rules: tuple[ModelRules, ...],
    month_usd: Decimal,
    now: datetime,
) -> str | None:
    """Why this launch must not be made now, or None. `fleet` and `month_usd` are fresh from the store.

    What providers take back counts as far as it is paid for until then.
    """
    free = node.offer.market is Market.OWNED
    if node.usd_per_hour == 0 and not free:
        return f"{node.name} would be rented at no price, which nobody offers"
    own = (ahead_usd_per_hour(n, now) for n in fleet.nodes if n.name == node.name and n.paid)
    bill = Bill(
        launch_usd_per_hour=node.usd_per_hour,
        committed_usd_per_hour=committed_ahead(fleet, now) - sum(own, Decimal(0)),
        month_usd=month_usd,
    )
    refusal = refuse_bill(bill, limits)
    return f"launching {node.name} {refusal}" if refusal else _out_of_bounds(node, rules)


def refuse_bill(bill: Bill, limits: Limits) -> str | None:
    """Why so much must not be spent, or None: the one place where the caps are compared with a bill."""
    most = limits.most_usd_per_hour
    figures = (bill.launch_usd_per_hour, bill.committed_usd_per_hour, bill.month_usd, most)
    if not all(figure.is_finite() and figure >= 0 for figure in figures):
        return f"would cost what makes no sense: {', '.join(map(str, figures))} (launch, rest, month, cap)"
    total = bill.launch_usd_per_hour + bill.committed_usd_per_hour
    if not total <= most:
        return (
            f"would commit ${total:.2f}/h, the cap is ${most:.2f}/h "
            f"(${limits.cap_usd_per_hour:.2f} + ${limits.surge_usd_per_hour:.2f} surge)"
        )
    if bill.launch_usd_per_hour > 0 and limits.cap_usd_per_month is not None:
        ahead = bill.month_usd + total
        if not ahead <= limits.cap_usd_per_month:
            return (
                f"would take this month to ${ahead:.2f} within an hour, "
                f"the cap is ${limits.cap_usd_per_month:.2f}"
            )
    return None


def _out_of_bounds(node: Node, rules: tuple[ModelRules, ...]) -> str | None:
    """Data residency: every model on the node must be allowed where the node is."""
    by_name = {rule.name: rule for rule in rules}
    for shape in node.template.replicas:
        rule = by_name.get(shape.model)
        if rule is None:
            return f"{node.name} would run {shape.model}, which the config does not name"
        if not allowed_in(rule, node.offer.provider, node.offer.region):
            return f"{shape.model} may not run in {node.offer.provider}/{node.offer.region}"
    return None


def allowed_in(rule: ModelRules, provider: str, region: str) -> bool:
    """Whether the config lets this model run there. Empty lists allow everything."""
    cloud_ok = not rule.clouds or provider in rule.clouds
    region_ok = not rule.regions or any(fnmatchcase(region, glob) for glob in rule.regions)
    return cloud_ok and region_ok


def most_at_once(count: int, limits: Limits) -> int:
    """How many of `count` may be on their way out together."""
    share = limits.max_stop_pct
    return max(FEW, int(count * share / 100)) if 0 <= share <= 100 else FEW


def refuse_mass_stop(actions: Iterable[Action], fleet: FleetState, limits: Limits) -> str | None:
    """Why this list stops too much at once, or None. Whoever ordered it is not asked; `fleet` is fresh."""
    status = {replica.name: replica.status for replica in fleet.replicas}
    drains = {a.replica.name for a in actions if isinstance(a, DrainReplica)}
    drains = {name for name in drains if status.get(name) is ReplicaStatus.READY}
    serving = sum(now in (ReplicaStatus.READY, ReplicaStatus.DRAINING) for now in status.values())
    draining = sum(now is ReplicaStatus.DRAINING for now in status.values())
    if drains and len(drains) + draining > most_at_once(serving, limits):
        return _too_many(len(drains) + draining, serving, "serving replicas", limits)
    standing = {node.name for node in fleet.nodes if node.live and node.status is not NodeStatus.STOPPING}
    stops = {a.node.name for a in actions if isinstance(a, StopNode)} & standing
    live = sum(node.live for node in fleet.nodes)
    stopping = live - len(standing)
    if stops and len(stops) + stopping > most_at_once(live, limits):
        return _too_many(len(stops) + stopping, live, "nodes", limits)
    return None


def _too_many(count: int, total: int, what: str, limits: Limits) -> str:
    return f"{count} of {total} {what} would stop at once, changes.max_stop_pct is {limits.max_stop_pct:g}"


def prove_guards(limits: Limits) -> None:
    """Misconfigured unless the guards refuse what must never be done, and let pass what costs nothing.

    A daemon whose guards do not work does not start.
    """
    dear = limits.most_usd_per_hour + Decimal("0.01")
    nothing = Decimal(0)
    impossible = (
        (dear, nothing, nothing),
        (Decimal("0.01"), limits.most_usd_per_hour, nothing),
        (Decimal("NaN"), nothing, nothing),
        (Decimal(-1), nothing, nothing),
        (nothing, Decimal("Infinity"), nothing),
        (nothing, nothing, Decimal("NaN")),
    )
    bills = [
        Bill(launch_usd_per_hour=launch, committed_usd_per_hour=rest, month_usd=month)
        for launch, rest, month in impossible
    ]
    unlimited = replace(limits, cap_usd_per_month=None)
    passed = [bill for bill in bills if refuse_bill(bill, unlimited) is None]
    free = Bill(launch_usd_per_hour=nothing, committed_usd_per_hour=nothing, month_usd=nothing)
    strict = replace(limits, max_stop_pct=50.0)
    if passed or refuse_bill(free, limits) is not None or most_at_once(10, strict) != 5:
        raise Misconfigured(
            "", "the guards of the spend cap do not refuse what they must", hint="reinstall bouted"
        )
