"""What may be done while gateways may follow a route table that is not the present one. Pure.

They go on by the last one that was published, so a query may come at any moment to whatever that holds. It is
not drained, because its time would run out while queries go on coming, and neither it nor its node is ended.
All else goes on: nobody is sent to what is launched or started meanwhile, nor to what has left that table.
"""

from collections.abc import Collection

from bouted.reconcile.actions import Action, DrainReplica, StopNode, StopReplica
from bouted.reconcile.fleet import FleetState


def without_cuts(
    actions: tuple[Action, ...], fleet: FleetState, reached: Collection[str]
) -> tuple[Action, ...]:
    """The actions but for those that would cut queries. `reached` names the replicas that gateways may send
    some."""
    nodes = {replica.node for replica in fleet.replicas if replica.live and replica.name in reached}
    return tuple(action for action in actions if not _cuts(action, nodes, reached))


def _cuts(action: Action, nodes: Collection[str], reached: Collection[str]) -> bool:
    match action:
        case DrainReplica(replica=replica) | StopReplica(replica=replica):
            return replica.name in reached
        case StopNode(node=node):
            return node.name in nodes
    return False
