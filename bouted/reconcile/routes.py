"""What the gateways should follow now: the split in force and the replicas that serve. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from bouted.gateway.table import Route, RouteTable
from bouted.planner.plan import Plan
from bouted.quality.route_split import RouteSplit
from bouted.reconcile.adopted import Address
from bouted.reconcile.fleet import FleetState, Replica
from bouted.reconcile.rollout import OnTrial, RolloutRules
from bouted.reconcile.shares import trial_shares
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


def serving(fleet: FleetState) -> tuple[Replica, ...]:
    """Ready replicas with an address, on nodes that are up."""
    up = {node.name for node in fleet.nodes if node.status is NodeStatus.UP}
    return tuple(
        replica
        for replica in fleet.replicas
        if replica.status is ReplicaStatus.READY and replica.node in up and replica.endpoint
    )


def weights(plan: Plan, earlier: Iterable[Plan], replicas: Iterable[Replica]) -> dict[str, float]:
    """The requests/s that one replica of each shape is planned to carry, by shape id.

    What `plan` does not know goes by the plan it is from; what no plan knows, by the least of `plan`.
    """
    of_plan = {item.shape.id: item.rate_per_s for item in plan.shapes}
    before = {item.shape.id: item.rate_per_s for one in earlier for item in one.shapes}
    fallback = min(of_plan.values(), default=1.0)
    ids = {replica.shape.id for replica in replicas}
    return {shape_id: of_plan.get(shape_id, before.get(shape_id, fallback)) for shape_id in sorted(ids)}


def routes(
    replicas: Iterable[Replica], weights: Mapping[str, float], shares: Mapping[str, float]
) -> tuple[Route, ...]:
    """A route to each, weighted by the load it is planned to carry; `shares`, by name, hold some back."""
    return tuple(
        Route(
            replica=replica.name,
            model=replica.shape.model,
            endpoint=address.base_url,
            weight=weights[replica.shape.id],
            share=shares.get(replica.name),
            served_model=address.served_model,
        )
        for replica in replicas
        if (address := Address.parse(replica.endpoint))
    )


def demand(plan: Plan, split: RouteSplit) -> dict[str, float]:
    """The queries/s that each served model gets of the planned load."""
    return {
        model: share * plan.rate_per_s for model, share in zip(split.served, split.served_shares, strict=True)
    }


def route_table(
    plan: Plan,
    previous: RouteTable | None,
    fleet: FleetState,
    *,
    earlier: Iterable[Plan] = (),
    trying: tuple[OnTrial, ...] = (),
    rules: RolloutRules,
    now: datetime,
) -> RouteTable:
    """The table to publish after `previous`: split, routes, weights and shares move in one version.

    `earlier` are plans that nodes of the fleet are from, `trying` the kinds that are on trial.
    """
    split = split_in_force(plan, previous.split if previous is not None else None, fleet)
    replicas = serving(fleet)
    carried = weights(plan, earlier, replicas)
    shares = trial_shares(replicas, trying, carried, rules, demand(plan, split))
    return RouteTable(
        version=previous.version + 1 if previous is not None else 1,
        plan_id=plan.id,
        published_at=now,
        split=split,
        routes=routes(replicas, carried, shares),
        scorer_file=scorer_file(split),
    )


def scorer_file(split: RouteSplit) -> str:
    """Name, in the state folder, of the file of the router that the split's rules belong to."""
    return f"scorer-{split.scorer_hash[:12]}.json"


def same_routing(a: RouteTable, b: RouteTable) -> bool:
    """Whether two tables steer alike, whatever their version and time."""
    return (a.plan_id, a.split, a.routes, a.scorer_file) == (
        b.plan_id,
        b.split,
        b.routes,
        b.scorer_file,
    )
