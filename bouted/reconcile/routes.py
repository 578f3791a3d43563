"""What the gateways should follow now: the split in force and the replicas that serve. Pure."""

from collections import Counter
from dataclasses import replace
from datetime import datetime

from bouted.gateway.table import Route, RouteTable
from bouted.planner.plan import Plan
from bouted.quality.route_split import RouteSplit
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.states import NodeStatus, ReplicaStatus


def ready_by_model(fleet: FleetState) -> Counter[str]:
    """Replicas that serve, per model."""
    return Counter(r.shape.model for r in fleet.replicas if r.status is ReplicaStatus.READY)


def wanted_by_model(plan: Plan) -> Counter[str]:
    """Replicas the plan wants, per model."""
    return Counter(shape.model for node in plan.design.nodes for shape in node.template.replicas)


def split_in_force(plan: Plan, previous: RouteSplit | None, fleet: FleetState) -> RouteSplit:
    """The plan's split once its replicas can carry it, until then the previous one.

    Moving the thresholds before the hardware is there would send a share of queries to replicas that do
    not exist yet. Models with no ready replica are absent either way: the next abler one answers for them,
    so quality never drops because a replica is missing while an abler model serves.
    """
    ready, wanted = ready_by_model(fleet), wanted_by_model(plan)
    carried = all(ready[model] >= count for model, count in wanted.items())
    usable = previous is not None and any(ready[model] for model in previous.models)
    split = previous if previous is not None and usable and not carried else plan.split
    absent = tuple(model for model in split.models if not ready[model])
    return replace(split, absent=absent if len(absent) < len(split.models) else ())


def routes(plan: Plan, fleet: FleetState) -> tuple[Route, ...]:
    """Ready replicas on nodes that are up, weighted by the load each is planned to carry."""
    rates = {item.shape.id: item.rate_per_s for item in plan.shapes}
    fallback = min(rates.values(), default=1.0)
    up = {node.name for node in fleet.nodes if node.status is NodeStatus.UP}
    return tuple(
        Route(
            replica=replica.name,
            model=replica.shape.model,
            endpoint=replica.endpoint,
            weight=rates.get(replica.shape.id, fallback),
        )
        for replica in fleet.replicas
        if replica.status is ReplicaStatus.READY and replica.node in up and replica.endpoint
    )


def route_table(
    plan: Plan, split: RouteSplit, fleet: FleetState, *, version: int, now: datetime, scorer_file: str
) -> RouteTable:
    """The table to publish."""
    return RouteTable(
        version=version,
        plan_id=plan.id,
        published_at=now,
        split=split,
        routes=routes(plan, fleet),
        scorer_file=scorer_file,
    )


def same_routing(a: RouteTable, b: RouteTable) -> bool:
    """Whether two tables steer alike, whatever their version and time."""
    return (a.plan_id, a.split, a.routes, a.scorer_file) == (
        b.plan_id,
        b.split,
        b.routes,
        b.scorer_file,
    )
