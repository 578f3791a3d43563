"""A pass that decides what no pass should: only the guards stand between that and the cloud."""

from dataclasses import dataclass, replace
from decimal import Decimal

from bouted.reconcile.actions import Action, DrainReplica, LaunchNode, Limits, Outcome
from bouted.reconcile.execute import Context, Executor
from bouted.reconcile.fleet import FleetState, Node
from bouted.reconcile.guards import most_at_once
from bouted.reconcile.names import node_name
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.fleet import load_fleet


@dataclass(slots=True)
class RashExecutor(Executor):
    """An executor like any other. Once `rash` is set, the next decision also launches a node that costs more
    than the cap, and drains all that serves where that is more than may go at once."""

    rash: bool = False

    async def carry_out(
        self, actions: tuple[Action, ...], context: Context, *, wait_s: float
    ) -> tuple[Outcome, ...]:
        """See `Executor`."""
        if self.rash and context.plan_id:
            self.rash = False
            fleet = load_fleet(self.store, self.clock.now())
            actions = (*actions, *_too_dear(fleet, context.limits), *_too_many(fleet, context))
        return await Executor.carry_out(self, actions, context, wait_s=wait_s)


def _too_dear(fleet: FleetState, limits: Limits) -> tuple[LaunchNode, ...]:
    """Of an offer of its own, so that no plan makes anything of the row that stays behind."""
    like = next((node for node in fleet.nodes if node.live), None)
    if like is None:
        return ()
    dear = limits.most_usd_per_hour + Decimal(1)
    offer = replace(like.offer, instance_type="rash", usd_per_hour=dear, quoted_usd_per_hour=None)
    slot = f"{offer.id}#{like.template.id}#0"
    node = Node(
        name=node_name("sim", slot, 1),
        slot=slot,
        incarnation=1,
        plan_id=like.plan_id,
        offer=offer,
        template=like.template,
        launcher=like.launcher,
        status=NodeStatus.PLANNED,
        reason=Reason.PLAN,
        since=like.since,
        launched_at=None,
    )
    return (LaunchNode(node=node),)


def _too_many(fleet: FleetState, context: Context) -> tuple[DrainReplica, ...]:
    """A few may always go, and more when somebody said yes to it."""
    ready = tuple(r for r in fleet.replicas if r.status is ReplicaStatus.READY)
    draining = sum(r.status is ReplicaStatus.DRAINING for r in fleet.replicas)
    all_of_them = len(ready) + draining
    if context.agreed or all_of_them <= most_at_once(all_of_them, context.limits):
        return ()
    return tuple(DrainReplica(replica=replica) for replica in ready)
