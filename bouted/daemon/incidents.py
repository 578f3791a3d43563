"""What is wrong outside the daemon now, for the board and for whoever gets alerts."""

from bouted.alerts.incident import (
    Alert,
    deadman_failing,
    launcher_failing,
    list_failing,
    needs_attention,
    routes_failing,
    rows_lost,
)
from bouted.daemon.deadman import DeadMan
from bouted.daemon.routing import Routing
from bouted.daemon.sight import Sight
from bouted.daemon.sweeping import Sweeper
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.launcher import Launcher, Worried
from bouted.reconcile.states import NodeStatus, ReplicaStatus


def standing_incidents(
    fleet: FleetState, plan_id: str, *, deadman: DeadMan, routing: Routing, sight: Sight, sweeper: Sweeper
) -> tuple[Alert, ...]:
    """Every incident that holds now."""
    found = (
        deadman_failing(deadman.trouble, plan_id),
        routes_failing(routing.trouble, plan_id),
        list_failing(sight.blindness.trouble, plan_id),
        rows_lost(sweeper.trouble, plan_id),
        launcher_failing(_worry(sweeper.launcher), plan_id),
        needs_attention(_doubtful(fleet), plan_id),
    )
    return tuple(alert for alert in found if alert is not None)


def _worry(launcher: Launcher) -> str:
    return launcher.trouble if isinstance(launcher, Worried) else ""


def _doubtful(fleet: FleetState) -> tuple[str, ...]:
    nodes = [node.name for node in fleet.nodes if node.status is NodeStatus.NEEDS_ATTENTION]
    replicas = [r.name for r in fleet.replicas if r.status is ReplicaStatus.NEEDS_ATTENTION]
    return (*nodes, *replicas, *(row.name for row in fleet.unreadable))
