"""What the launcher and the engines say, turned into moves: a table of evidence and conclusions."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.launcher import Seen, SeenNode, SeenReplica
from bouted.reconcile.observe import START_GRACE_S, UNHEALTHY_AFTER_S, Health, Observation, observe
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.testing.fleet import START, limits
from bouted.testing.store import a_node, a_replica

N = NodeStatus
R = ReplicaStatus
URL = "http://127.0.0.1:9"


def fleet(node: Node, *replicas: Replica) -> FleetState:
    return FleetState(nodes=(node,), replicas=replicas, incarnations=())


def look(
    state: FleetState,
    *,
    node_up: bool | None = True,
    engines: tuple[str, ...] = (),
    ok: bool = True,
    failing_s: float | None = None,
    later_s: float = 1.0,
) -> Observation:
    """Observe with the node up, booting (False) or absent (None), and these engines listening."""
    now = START + timedelta(seconds=later_s)
    (node,) = state.nodes
    seen = Seen(
        nodes=() if node_up is None else (SeenNode(name=node.name, up=node_up, started_at=START),),
        replicas=tuple(SeenReplica(name=name, node=node.name, endpoint=URL) for name in engines),
    )
    since = None if failing_s is None else now - timedelta(seconds=failing_s)
    health = tuple(Health(replica=name, ok=ok, running=0, waiting=0, failing_since=since) for name in engines)
    return observe(state, seen, health, limits(launch_timeout_s=600, ready_timeout_s=600), now)


NODES = [
    ("an intent whose launch happened", N.PLANNED, True, 1.0, N.LAUNCHING, Reason.OBSERVED),
    ("an intent that was never carried out", N.PLANNED, None, 1.0, None, None),
    ("a launch that came up", N.LAUNCHING, True, 1.0, N.UP, Reason.OBSERVED),
    ("a launch that still boots", N.LAUNCHING, False, 1.0, None, None),
    ("a launch past its time", N.LAUNCHING, False, 700.0, N.FAILED, Reason.TIMEOUT),
    ("a node that vanished", N.UP, None, 1.0, N.FAILED, Reason.LOST),
    ("a node that stopped", N.STOPPING, None, 1.0, N.GONE, Reason.PLAN),
    ("a node that is still stopping", N.STOPPING, True, 1.0, None, None),
]


@pytest.mark.parametrize(
    ("what", "status", "up", "later_s", "after", "reason"), NODES, ids=[row[0] for row in NODES]
)
def test_a_node_moves_as_the_evidence_says(
    what: str, status: N, up: bool | None, later_s: float, after: N | None, reason: Reason | None
) -> None:
    saw = look(fleet(replace(a_node(), status=status)), node_up=up, later_s=later_s)
    moves = [(move.status, move.reason) for move in saw.nodes]
    assert moves == ([] if after is None else [(after, reason)])


REPLICAS = [
    ("an intent whose engine runs", R.PLANNED, True, True, None, 1.0, R.STARTING),
    ("an engine that answers well", R.STARTING, True, True, None, 1.0, R.READY),
    ("an engine that listens but warms", R.STARTING, True, False, 0.5, 1.0, R.WARMING),
    ("an engine that died while starting", R.STARTING, False, True, None, START_GRACE_S + 1, R.FAILED),
    ("an engine whose process is not seen yet", R.STARTING, False, True, None, 1.0, None),
    ("an engine never ready", R.WARMING, True, False, 650.0, 700.0, R.FAILED),
    ("a ready engine that is gone", R.READY, False, True, None, 1.0, R.FAILED),
    ("a ready engine that failed one probe", R.READY, True, False, 1.0, 1.0, None),
    ("a ready engine sick for long", R.READY, True, False, UNHEALTHY_AFTER_S + 1, 1.0, R.FAILED),
    ("a draining engine that ended", R.DRAINING, False, True, None, 1.0, R.STOPPED),
]


@pytest.mark.parametrize(
    ("what", "status", "seen", "ok", "failing_s", "later_s", "after"), REPLICAS, ids=[r[0] for r in REPLICAS]
)
def test_a_replica_moves_as_the_evidence_says(
    what: str, status: R, seen: bool, ok: bool, failing_s: float | None, later_s: float, after: R | None
) -> None:
    node = replace(a_node(), status=N.UP)
    replica = replace(a_replica(node), status=status)
    engines = (replica.name,) if seen else ()
    saw = look(fleet(node, replica), engines=engines, ok=ok, failing_s=failing_s, later_s=later_s)
    assert [move.status for move in saw.replicas] == ([] if after is None else [after])


def test_replicas_end_with_their_node() -> None:
    node = replace(a_node(small=2), status=N.UP)
    ready = replace(a_replica(node), status=R.READY)
    draining = replace(a_replica(node, position=1), status=R.DRAINING)
    saw = look(fleet(node, ready, draining), node_up=None)
    assert [(move.status, move.reason) for move in saw.replicas] == [
        (R.FAILED, Reason.NODE_ENDED),
        (R.STOPPED, Reason.NODE_ENDED),
    ]


def test_what_runs_although_its_row_has_ended_is_stopped_again() -> None:
    node = replace(a_node(), status=N.FAILED)
    replica = replace(a_replica(node), status=R.FAILED)
    saw = look(fleet(node, replica), engines=(replica.name,))
    assert [n.name for n in saw.stray_nodes] == [node.name]
    assert [r.name for r in saw.stray_replicas] == [replica.name]


def test_what_runs_without_a_row_is_named_and_left_alone() -> None:
    node = replace(a_node(), status=N.UP)
    saw = look(fleet(node), engines=("somebody-elses",))
    assert saw.unknown == ("somebody-elses",)
    assert saw.stray_replicas == ()


def test_a_launch_that_nobody_sees_is_asked_for_again() -> None:
    node = replace(a_node(), status=N.LAUNCHING)
    assert look(fleet(node), node_up=None).unseen == frozenset({node.name})
