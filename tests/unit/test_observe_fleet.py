"""What the launcher and the engines say, turned into moves: a table of evidence and conclusions."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bouted.reconcile.adopted import ADOPTED, Address, with_adopted
from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.launcher import Seen, SeenNode, SeenReplica
from bouted.reconcile.observe import Observation, observe
from bouted.reconcile.observe_replica import START_GRACE_S, UNHEALTHY_AFTER_S, Health
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
    node: str = "up",
    engines: tuple[str, ...] = (),
    ok: bool = True,
    failing_s: float | None = None,
    later_s: float = 1.0,
    refusing: tuple[str, ...] = (),
    gone: tuple[str, ...] = (),
) -> Observation:
    """Observe with the node up, booting, ended, missing or surely gone, and these engines listening."""
    now = START + timedelta(seconds=later_s)
    (row,) = state.nodes
    ended_at = now if node == "ended" else None
    listing = SeenNode(name=row.name, up=node == "up", started_at=START, ended_at=ended_at)
    seen = Seen(
        nodes=() if node in ("missing", "gone") else (listing,),
        replicas=tuple(SeenReplica(name=name, node=row.name, endpoint=URL) for name in engines),
    )
    since = None if failing_s is None else now - timedelta(seconds=failing_s)
    health = (
        *(Health(replica=name, ok=ok, running=0, waiting=0, failing_since=since) for name in engines),
        *(Health(replica=name, ok=False, running=0, waiting=0, refused=True) for name in refusing),
    )
    confirmed = frozenset(gone) | (frozenset({row.name}) if node == "gone" else frozenset())
    bounds = limits(launch_timeout_s=600, ready_timeout_s=600, stop_timeout_s=600)
    return observe(state, seen, health, bounds, now, confirmed)


NODES = [
    ("an intent whose launch happened", N.PLANNED, "up", 1.0, N.LAUNCHING, Reason.OBSERVED),
    ("an intent that was never carried out", N.PLANNED, "missing", 1.0, None, None),
    ("a launch that came up", N.LAUNCHING, "up", 1.0, N.UP, Reason.OBSERVED),
    ("a launch that still boots", N.LAUNCHING, "booting", 1.0, None, None),
    ("a launch past its time", N.LAUNCHING, "booting", 700.0, N.STOPPING, Reason.NEVER_UP),
    ("a launch past its time that nobody sees", N.LAUNCHING, "missing", 700.0, N.STOPPING, Reason.NEVER_UP),
    ("a launch that ended while it booted", N.LAUNCHING, "ended", 1.0, N.FAILED, Reason.LOST),
    ("a node that one list lacks", N.UP, "missing", 1.0, None, None),
    ("a node that lists have lacked for long", N.UP, "gone", 1.0, N.FAILED, Reason.LOST),
    ("a node that its provider ended", N.UP, "ended", 1.0, N.FAILED, Reason.LOST),
    ("a node that stopped", N.STOPPING, "ended", 1.0, N.GONE, Reason.PLAN),
    ("a node that stopped and is not listed any more", N.STOPPING, "gone", 1.0, N.GONE, Reason.PLAN),
    ("a stopping node that one list lacks", N.STOPPING, "missing", 1.0, None, None),
    ("a node that is still stopping", N.STOPPING, "up", 1.0, None, None),
    ("a node that does not stop", N.STOPPING, "up", 700.0, N.NEEDS_ATTENTION, Reason.TIMEOUT),
    ("a doubtful node that ended", N.NEEDS_ATTENTION, "ended", 1.0, N.FAILED, Reason.LOST),
    ("a doubtful node that runs on", N.NEEDS_ATTENTION, "up", 1.0, None, None),
    ("a node that ended", N.GONE, "ended", 1.0, None, None),
]


@pytest.mark.parametrize(
    ("what", "status", "there", "later_s", "after", "reason"), NODES, ids=[row[0] for row in NODES]
)
def test_a_node_moves_as_the_evidence_says(
    what: str, status: N, there: str, later_s: float, after: N | None, reason: Reason | None
) -> None:
    saw = look(fleet(replace(a_node(), status=status)), node=there, later_s=later_s)
    moves = [(move.status, move.reason) for move in saw.nodes]
    assert moves == ([] if after is None else [(after, reason)])


def test_a_row_that_cannot_be_is_set_right_when_its_node_is_seen_up() -> None:
    node = replace(a_node(), status=N.NEEDS_ATTENTION, reason=Reason.UNEXPECTED)
    assert [move.status for move in look(fleet(node)).nodes] == [N.UP]


def test_a_node_that_did_not_stop_in_time_is_gone_once_it_ends() -> None:
    node = replace(a_node(), status=N.NEEDS_ATTENTION, reason=Reason.TIMEOUT)
    assert [move.status for move in look(fleet(node), node="ended").nodes] == [N.GONE]


def test_a_launch_that_is_given_up_has_failed_once_it_has_ended_however_long_that_takes() -> None:
    node = replace(a_node(), status=N.LAUNCHING)
    (given_up,) = look(fleet(node), node="booting", later_s=601.0).nodes
    assert given_up.note == "not up after 600 s"
    node = replace(node, status=N.STOPPING, reason=given_up.reason, note=given_up.note)
    assert look(fleet(node), node="up").nodes == ()
    for there in ("ended", "gone"):
        (ended,) = look(fleet(node), node=there).nodes
        assert (ended.status, ended.reason, ended.note) == (N.FAILED, Reason.NEVER_UP, node.note)
    (late,) = look(fleet(node), node="booting", later_s=601.0).nodes
    assert (late.status, late.reason) == (N.NEEDS_ATTENTION, Reason.NEVER_UP)
    assert late.note.startswith("not up after 600 s; still there 600 s after it was asked to end")
    (ended,) = look(fleet(replace(node, status=late.status)), node="ended").nodes
    assert (ended.status, ended.reason) == (N.FAILED, Reason.NEVER_UP)


def test_moves_carry_the_providers_own_times() -> None:
    (came,) = look(fleet(replace(a_node(), status=N.LAUNCHING))).nodes
    assert (came.launched_at, came.ended_at) == (START, None)
    (went,) = look(fleet(replace(a_node(), status=N.UP)), node="ended", later_s=7.0).nodes
    assert (went.launched_at, went.ended_at) == (START, START + timedelta(seconds=7))


def test_times_of_a_node_that_ended_are_told_again() -> None:
    saw = look(fleet(replace(a_node(), status=N.GONE)), node="ended", later_s=7.0)
    assert [(t.started_at, t.ended_at) for t in saw.times] == [(START, START + timedelta(seconds=7))]


def test_of_two_listings_of_one_name_the_one_that_runs_counts() -> None:
    node = replace(a_node(), status=N.UP)
    old = SeenNode(name=node.name, up=False, started_at=START, ended_at=START)
    new = SeenNode(name=node.name, up=True, started_at=START)
    for both in ((old, new), (new, old)):
        saw = observe(fleet(node), Seen(nodes=both, replicas=()), (), limits(), START)
        assert saw.nodes == ()
        assert {(t.started_at, t.ended_at) for t in saw.times} == {(START, START), (START, None)}, "both cost"


def test_an_engine_that_answers_keeps_its_node_whatever_the_list_lacks() -> None:
    node = replace(a_node(), status=N.UP)
    replica = replace(a_replica(node), status=R.READY, endpoint=URL)
    answer = Health(replica=replica.name, ok=True, running=1, waiting=0)
    gone = frozenset({node.name, replica.name})
    saw = observe(fleet(node, replica), Seen(nodes=(), replicas=()), (answer,), limits(), START, gone)
    assert (saw.nodes, saw.replicas) == ((), ())


GONE = "gone"
REFUSES = "refuses"
REPLICAS = [
    ("an intent whose engine runs", R.PLANNED, "listed", True, None, 1.0, R.STARTING),
    ("an engine that answers well", R.STARTING, "listed", True, None, 1.0, R.READY),
    ("an engine that listens but warms", R.STARTING, "listed", False, 0.5, 1.0, R.WARMING),
    ("an engine that died while starting", R.STARTING, GONE, True, None, START_GRACE_S + 1, R.FAILED),
    ("an engine whose process is not seen yet", R.STARTING, GONE, True, None, 1.0, None),
    ("an engine never ready", R.WARMING, "listed", False, 650.0, 700.0, R.FAILED),
    ("a ready engine that one list lacks", R.READY, "missing", True, None, 1.0, None),
    ("a ready engine that lists have lacked for long", R.READY, GONE, True, None, 1.0, R.FAILED),
    ("a ready engine that is not listed and refuses", R.READY, REFUSES, True, None, 1.0, R.FAILED),
    ("a ready engine that failed one probe", R.READY, "listed", False, 1.0, 1.0, None),
    ("a ready engine sick for long", R.READY, "listed", False, UNHEALTHY_AFTER_S + 1, 1.0, R.FAILED),
    ("a draining engine that one list lacks", R.DRAINING, "missing", True, None, 1.0, None),
    ("a draining engine that ended", R.DRAINING, GONE, True, None, 1.0, R.STOPPED),
    ("a draining engine that refuses", R.DRAINING, REFUSES, True, None, 1.0, R.STOPPED),
    ("a draining engine within its time", R.DRAINING, "listed", True, None, 630.0, None),
    ("a draining engine that does not end", R.DRAINING, "listed", True, None, 631.0, R.NEEDS_ATTENTION),
    ("one that does not end, of a silent node", R.DRAINING, "missing", True, None, 631.0, R.NEEDS_ATTENTION),
    ("a draining engine that ended late", R.DRAINING, GONE, True, None, 700.0, R.STOPPED),
    ("a doubtful engine that is gone", R.NEEDS_ATTENTION, GONE, True, None, 1.0, R.FAILED),
]


@pytest.mark.parametrize(
    ("what", "status", "there", "ok", "failing_s", "later_s", "after"), REPLICAS, ids=[r[0] for r in REPLICAS]
)
def test_a_replica_moves_as_the_evidence_says(
    what: str, status: R, there: str, ok: bool, failing_s: float | None, later_s: float, after: R | None
) -> None:
    node = replace(a_node(), status=N.UP)
    replica = replace(a_replica(node), status=status, endpoint=URL)
    name = (replica.name,)
    saw = look(
        fleet(node, replica),
        engines=name if there == "listed" else (),
        refusing=name if there == REFUSES else (),
        gone=name if there == GONE else (),
        ok=ok,
        failing_s=failing_s,
        later_s=later_s,
    )
    assert [move.status for move in saw.replicas] == ([] if after is None else [after])


def test_an_engine_found_at_another_address_is_followed() -> None:
    node = replace(a_node(), status=N.UP)
    replica = replace(a_replica(node), status=R.READY, endpoint="http://127.0.0.1:1")
    (move,) = look(fleet(node, replica), engines=(replica.name,)).replicas
    assert (move.status, move.endpoint) == (R.READY, URL)


def test_replicas_end_with_their_node() -> None:
    node = replace(a_node(small=2), status=N.UP)
    ready = replace(a_replica(node), status=R.READY)
    draining = replace(a_replica(node, position=1), status=R.DRAINING)
    saw = look(fleet(node, ready, draining), node="gone")
    assert [(move.status, move.reason) for move in saw.replicas] == [
        (R.FAILED, Reason.NODE_ENDED),
        (R.STOPPED, Reason.NODE_ENDED),
    ]


def late(node: Node) -> Replica:
    """An engine that was asked to end and did not."""
    replica = replace(a_replica(node), endpoint=URL)
    return replace(replica, status=R.NEEDS_ATTENTION, reason=Reason.TIMEOUT)


def test_a_drain_that_does_not_end_says_so_with_a_hint() -> None:
    node = replace(a_node(), status=N.UP)
    replica = replace(a_replica(node), status=R.DRAINING, endpoint=URL)
    (move,) = look(fleet(node, replica), engines=(replica.name,), later_s=631.0).replicas
    assert (move.status, move.reason) == (R.NEEDS_ATTENTION, Reason.TIMEOUT)
    assert move.note.startswith("still there 630 s after it began to drain")
    assert f"bouted reap {replica.name}" in move.note


def test_a_late_engine_does_not_serve_again_because_it_answers() -> None:
    node = replace(a_node(), status=N.UP)
    replica = late(node)
    assert look(fleet(node, replica), engines=(replica.name,), later_s=9000.0).replicas == ()


@pytest.mark.parametrize(
    ("there", "reason"), [("up", Reason.DRAINED), ("gone", Reason.NODE_ENDED)], ids=["alone", "with its node"]
)
def test_a_late_engine_that_ends_at_last_has_stopped_and_not_failed(there: str, reason: Reason) -> None:
    node = replace(a_node(), status=N.UP)
    replica = late(node)
    (move,) = look(fleet(node, replica), node=there, gone=(replica.name,)).replicas
    assert (move.status, move.reason) == (R.STOPPED, reason)


@pytest.mark.parametrize(("unprepared", "reason"), [(False, Reason.LOST), (True, Reason.ERROR)])
def test_an_engine_that_never_began_is_told_apart_from_one_that_died(
    unprepared: bool, reason: Reason
) -> None:
    node = replace(a_node(), status=NodeStatus.UP)
    row = replace(a_replica(node), status=ReplicaStatus.STARTING)
    told = SeenReplica(
        name=row.name, node=node.name, endpoint="", last_word="fetching: 401", unprepared=unprepared
    )
    listing = SeenNode(name=node.name, up=True, started_at=START)
    observed = observe(fleet(node, row), Seen(nodes=(listing,), replicas=(told,)), (), limits(), START)
    (move,) = observed.replicas
    assert (move.status, move.reason, move.note) == (ReplicaStatus.FAILED, reason, "fetching: 401")


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
    assert look(fleet(node), node="missing").unseen == frozenset({node.name})


def adopted(status: R = R.READY, reason: Reason = Reason.ADOPTED) -> FleetState:
    """An endpoint that somebody else runs, called `ours` there."""
    node = replace(a_node(), status=N.UP, launcher=ADOPTED)
    return fleet(node, replace(a_replica(node), status=status, reason=reason, endpoint=f"{URL}#ours"))


def hear(state: FleetState, *, ok: bool, failing_s: float = 0.0) -> Observation:
    """Observe adopted endpoints with an empty list, for a minute now."""
    since = None if ok else START - timedelta(seconds=failing_s)
    names = [replica.name for replica in state.replicas]
    health = tuple(Health(replica=n, ok=ok, running=0, waiting=0, failing_since=since) for n in names)
    gone = frozenset({*names, *(node.name for node in state.nodes)})
    return observe(state, Seen(nodes=(), replicas=()), health, limits(), START, gone)


def test_an_adopted_endpoint_exists_as_long_as_its_row_says_so() -> None:
    saw = hear(adopted(), ok=True)
    assert (saw.nodes, saw.replicas, saw.unknown, saw.unseen) == ((), (), (), frozenset())


def test_a_sick_adopted_endpoint_leaves_the_route_and_comes_back() -> None:
    (left,) = hear(adopted(), ok=False, failing_s=UNHEALTHY_AFTER_S + 1).replicas
    assert (left.status, left.reason) == (R.NEEDS_ATTENTION, Reason.UNHEALTHY)
    (back,) = hear(adopted(left.status, left.reason), ok=True).replicas
    assert back.status is R.READY


def test_a_released_endpoint_is_no_stray() -> None:
    state = adopted()
    released = replace(state.nodes[0], status=N.GONE, reason=Reason.RELEASED)
    saw = observe(fleet(released), Seen(nodes=(), replicas=()), (), limits(), START)
    assert (saw.nodes, saw.stray_nodes) == ((), ())


def test_engines_are_asked_at_the_base_of_their_address() -> None:
    state = adopted()
    assert [r.endpoint for r in with_adopted(Seen(nodes=(), replicas=()), state).replicas] == [URL]
    assert Address.parse(f"{URL}#a/b") == Address(base_url=URL, served_model="a/b")
    assert str(Address.parse(f"{URL}#a/b")) == f"{URL}#a/b"
    assert str(Address.parse(URL)) == URL


@pytest.mark.parametrize(
    ("known", "told", "new"),
    [("", "i-1", {"t-1": "i-1"}), ("i-1", "i-1", {}), ("i-1", "", {}), ("i-1", "i-2", {"t-1": "i-2"})],
)
def test_what_the_provider_calls_a_node_is_learned_once(known: str, told: str, new: dict[str, str]) -> None:
    node = replace(a_node(), status=N.UP, instance_id=known)
    seen = Seen(nodes=(SeenNode(name=node.name, up=True, started_at=START, instance_id=told),), replicas=())
    assert observe(fleet(node), seen, (), limits(), START).instances == new
