"""Whole passes over a real store: what waits is told once, what an operator says counts, a start is clean."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bouted.alerts.incident import Alert
from bouted.cli.accept import agree
from bouted.daemon.deadman import DeadMan
from bouted.daemon.incidents import standing_incidents
from bouted.daemon.sweeping import Sweeper
from bouted.errors import Misconfigured
from bouted.events import Event, EventKind
from bouted.market.notices import Notice, NoticeKind
from bouted.reconcile import guards
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.actions import begin_action, list_actions
from bouted.store.control import update_control
from bouted.store.events import list_events
from bouted.store.fleet import load_fleet
from bouted.store.kinds import ActionState
from bouted.store.notices import keep_notices
from bouted.store.recut import recut_node
from bouted.testing.clock import ManualClock
from bouted.testing.fleet import a_template, an_offer, planned
from bouted.testing.launcher import MemoryCloud, MemoryLauncher
from bouted.testing.passes import Passes, passes_over
from bouted.testing.store import fresh_store

L4 = an_offer(gpu="L4", usd_per_hour="0.80", obtainable=20)
T4 = an_offer(gpu="T4", usd_per_hour="0.90")
A100 = an_offer(gpu="A100-80GB", gpu_count=4, usd_per_hour="8.00", obtainable=1)


@pytest.fixture
def passes(tmp_path: Path) -> Passes:
    return passes_over(fresh_store(tmp_path), tmp_path)


def go(passes: Passes, seconds: int) -> None:
    asyncio.run(passes.go(seconds))


def prove(passes: Passes) -> None:
    """Let every kind of replica pass its trial and soak."""
    for _ in range(6):
        go(passes, 15)
        passes.clock.advance(200)
    go(passes, 1)


def fleet_of(passes: Passes) -> FleetState:
    return load_fleet(passes.store, passes.clock.now())


def ready(passes: Passes, model: str) -> int:
    replicas = fleet_of(passes).replicas
    return sum(r.status is ReplicaStatus.READY and r.shape.model == model for r in replicas)


def told(passes: Passes, kind: EventKind) -> list[Event]:
    return [event for event in list_events(passes.store, limit=500) if event.kind is kind]


def test_a_lost_plan_empties_no_fleet_and_is_told_once(passes: Passes) -> None:
    passes.want("p1", planned(L4, 2, small=1))
    go(passes, 20)
    update_control(passes.store, passes.clock.now(), "somebody", desired_plan_id=None)
    go(passes, 60)
    assert ready(passes, "small") == 2
    (event,) = told(passes, EventKind.HELD)
    assert event.message == "2 nodes run and no plan is in force: nothing is changed"


def test_a_plan_that_stops_most_of_the_fleet_waits_for_a_yes_and_says_so_once(passes: Passes) -> None:
    passes.want("p1", planned(L4, 6, small=1))
    prove(passes)
    passes.want("p2", planned(L4, small=1))
    go(passes, 60)
    assert ready(passes, "small") == 6
    (event,) = told(passes, EventKind.HELD)
    assert "would stop 5 of 6 serving replicas at once" in event.message
    assert "bouted apply --yes p2" in event.message
    agree(passes.store, "p1", "ana@host", passes.clock.now())
    go(passes, 5)
    assert ready(passes, "small") == 6
    agree(passes.store, "p2", "ana@host", passes.clock.now())
    go(passes, 30)
    assert ready(passes, "small") == 1


def test_a_node_is_cut_anew_in_place_and_goes_on_being_paid_for(passes: Passes) -> None:
    passes.want("p1", planned(A100, small=4) + planned(L4, 4, small=1))
    prove(passes)
    before = {node.name for node in fleet_of(passes).nodes if node.live}
    passes.want("p2", planned(A100, large=1) + planned(L4, 4, small=1))
    go(passes, 40)
    assert {node.name for node in fleet_of(passes).nodes if node.live} == before
    assert (ready(passes, "large"), ready(passes, "small")) == (1, 4)
    assert len(passes.launches()) == 5
    (cut,) = [node for node in fleet_of(passes).nodes if node.offer.id == A100.id]
    assert (cut.template, cut.plan_id) == (a_template("A100-80GB", 4, large=1), "p2")
    assert any("is cut anew" in event.message for event in told(passes, EventKind.NODE_STATUS))


def test_a_node_on_its_way_out_or_of_other_machines_cannot_be_cut(passes: Passes) -> None:
    passes.want("p1", planned(L4, small=1))
    go(passes, 10)
    (node,) = fleet_of(passes).nodes
    group = replace(node.template, instances=2)
    with pytest.raises(ValueError, match="is 1 machines, not 2"):
        recut_node(passes.store, node.name, group, "p2", passes.clock.now())
    recut_node(passes.store, node.name, node.template, "p2", passes.clock.now())
    assert fleet_of(passes).nodes[0].plan_id == "p2"


def test_what_a_dead_daemon_began_is_closed_as_interrupted_before_anything_else(passes: Passes) -> None:
    begin_action(passes.store, "p0", "LaunchNode", "n1", passes.clock.now())
    passes.want("p1", planned(L4, small=1))
    go(passes, 10)
    first, *later = reversed(list_actions(passes.store, 50))
    assert (first.subject, first.state) == ("n1", ActionState.INTERRUPTED)
    assert first.finished_at is not None
    assert {row.state for row in later} == {ActionState.DONE}


@pytest.mark.parametrize("broken", ["refuse_bill", "most_at_once"])
def test_a_daemon_whose_guards_let_everything_pass_does_not_start(
    passes: Passes, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    answers = {"refuse_bill": lambda bill, limits: None, "most_at_once": lambda count, limits: count}
    monkeypatch.setattr(guards, broken, answers[broken])
    passes.want("p1", planned(L4, small=1))
    with pytest.raises(Misconfigured, match="guards"):
        go(passes, 1)
    assert passes.launches() == []


def test_what_does_not_end_is_asked_less_and_less_often(tmp_path: Path) -> None:
    cloud = MemoryCloud(ManualClock(), boot_s=2, listen_s=2, end_s=10_000)
    passes = passes_over(fresh_store(tmp_path), tmp_path, cloud=cloud)
    passes.want("p1", planned(L4, small=1))
    go(passes, 10)
    update_control(passes.store, passes.clock.now(), "ana@host", down_requested=True)
    go(passes, 120)
    asked = [method for method, _ in cloud.calls if method in ("stop_replica", "stop_node")]
    assert 4 <= len(asked) <= 9


def test_a_node_whose_engine_cannot_be_ended_is_paid_for_no_longer_than_that_may_take(
    tmp_path: Path,
) -> None:
    cloud = MemoryCloud(ManualClock(), boot_s=2, listen_s=2)
    passes = passes_over(fresh_store(tmp_path), tmp_path, cloud=cloud)
    passes.want("p1", planned(L4, 2, small=1))
    prove(passes)
    cloud.never_end("*")
    passes.want("p2", planned(L4, 1, small=1))
    go(passes, 5)
    (replica,) = [r for r in fleet_of(passes).replicas if r.status is ReplicaStatus.DRAINING]
    bounds = passes.reconciler.limits()
    passes.clock.advance(bounds.drain_s + bounds.stop_timeout_s - 10)
    go(passes, 1)
    assert [node.status for node in fleet_of(passes).nodes] == [NodeStatus.UP, NodeStatus.UP]
    go(passes, 15)
    assert ready(passes, "small") == 1
    node = next(node for node in fleet_of(passes).nodes if node.name == replica.node)
    engine = next(r for r in fleet_of(passes).replicas if r.name == replica.name)
    assert (node.status, engine.status) == (NodeStatus.GONE, ReplicaStatus.STOPPED)
    assert any(
        "draining -> needs_attention (timeout): still there 605 s" in event.message
        for event in told(passes, EventKind.REPLICA_STATUS)
    )


def test_a_launch_that_is_given_up_is_paid_for_until_it_has_ended_and_nothing_takes_its_room(
    tmp_path: Path,
) -> None:
    cloud = MemoryCloud(ManualClock(), boot_s=2, listen_s=2, end_s=20)
    passes = passes_over(fresh_store(tmp_path), tmp_path, cloud=cloud)
    cloud.slow_launch("*")
    roomy = passes.reconciler.limits
    passes.reconciler.limits = lambda: replace(
        roomy(), cap_usd_per_hour=Decimal(1), surge_usd_per_hour=Decimal(0), launch_timeout_s=30.0
    )
    passes.reconciler.sight.limits = passes.reconciler.limits
    passes.want("p1", planned(L4, small=1) + planned(T4, small=1))
    first = None
    for _ in range(70):
        go(passes, 1)
        first = first or passes.launches()[0]
        seen = MemoryLauncher(cloud, name="local").seen()
        fleet = fleet_of(passes)
        prices = {node.name: node.usd_per_hour for node in fleet.nodes}
        runs = sum((prices[n.name] for n in seen.nodes if n.ended_at is None), Decimal(0))
        assert runs <= fleet.committed_usd_per_hour() <= 1
    assert len(set(passes.launches())) == 2
    (node,) = [node for node in fleet.nodes if node.name == first]
    assert (node.status, node.reason) == (NodeStatus.FAILED, Reason.NEVER_UP)
    assert node.note == "not up after 30 s"


def block(passes: Passes) -> None:
    """From now on no route table can be written: a folder lies in the way."""
    passes.reconciler.routing.path.unlink(missing_ok=True)
    passes.reconciler.routing.path.mkdir()


def unblock(passes: Passes) -> None:
    passes.reconciler.routing.path.rmdir()


def incidents(passes: Passes) -> tuple[Alert, ...]:
    """What is wrong outside the daemon now."""
    store, clock, launcher = passes.store, passes.clock, passes.reconciler.sight.launcher
    return standing_incidents(
        fleet_of(passes),
        "p",
        deadman=DeadMan(store=store, launcher=launcher, clock=clock, span_s=lambda: 3600.0),
        routing=passes.reconciler.routing,
        sight=passes.reconciler.sight,
        sweeper=Sweeper(
            store=store, launcher=launcher, clock=clock, deployment="test", grace_s=lambda: 600.0
        ),
    )


def stopped(passes: Passes) -> list[str]:
    """What the launcher was asked to end."""
    return [name for method, name in passes.cloud.calls if method in ("stop_replica", "stop_node")]


def test_while_no_route_table_can_be_written_new_ones_start_and_none_that_gateways_know_is_stopped(
    passes: Passes, caplog: pytest.LogCaptureFixture
) -> None:
    passes.want("p1", planned(L4, 2, small=1))
    prove(passes)
    block(passes)
    passes.want("p2", planned(T4, 2, small=1))
    prove(passes)
    assert (len(passes.launches()), ready(passes, "small"), stopped(passes)) == (4, 4, [])
    trouble = passes.reconciler.routing.trouble
    assert trouble.startswith(f"the route table {passes.reconciler.routing.path} cannot be written: ")
    assert "let bouted write there" in trouble
    assert trouble in {event.message for event in told(passes, EventKind.HELD)}
    assert [(alert.key, alert.what) for alert in incidents(passes)] == [("routes_failing", f"T{trouble[1:]}")]
    assert not [record for record in caplog.records if record.exc_info]
    unblock(passes)
    go(passes, 60)
    assert incidents(passes) == ()
    assert {node.offer.id for node in fleet_of(passes).nodes if node.live} == {T4.id}


def test_a_replica_that_drains_by_a_table_that_comes_late_has_its_time_from_then_on(
    passes: Passes,
) -> None:
    passes.want("p1", planned(L4, 2, small=1))
    prove(passes)
    passes.want("p2", planned(L4, 1, small=1))
    go(passes, 1)
    (leaving,) = [r for r in fleet_of(passes).replicas if r.status is ReplicaStatus.DRAINING]
    block(passes)
    go(passes, 1000)  # longer than a drain and an end may take together
    assert stopped(passes) == []
    unblock(passes)
    drain_s = int(passes.reconciler.limits().drain_s)
    go(passes, drain_s)
    assert stopped(passes) == []
    go(passes, 2)
    assert stopped(passes) == [leaving.name, leaving.node]


def test_what_had_left_the_last_table_ends_although_no_other_can_be_written(passes: Passes) -> None:
    passes.want("p1", planned(L4, 2, small=1))
    prove(passes)
    passes.want("p2", planned(L4, 1, small=1))
    passes.cloud.end_s = 3.0
    while not stopped(passes):
        go(passes, 1)
    block(passes)
    go(passes, 30)
    assert [node.status for node in fleet_of(passes).nodes if node.live] == [NodeStatus.UP]
    assert ready(passes, "small") == 1


def test_a_daemon_that_finds_no_table_that_can_be_read_ends_nothing_that_has_an_address(
    passes: Passes, tmp_path: Path
) -> None:
    passes.want("p1", planned(L4, 2, small=1))
    prove(passes)
    block(passes)
    passes.want("p2", planned(L4, 1, small=1))
    after = passes_over(passes.store, tmp_path, cloud=passes.cloud)
    go(after, 60)
    assert stopped(after) == []
    unblock(after)
    go(after, 60)
    assert len(stopped(after)) == 2


def test_a_fleet_that_is_to_end_altogether_ends_without_a_route_table(passes: Passes) -> None:
    passes.want("p1", planned(L4, 2, small=1))
    prove(passes)
    block(passes)
    update_control(passes.store, passes.clock.now(), "ana@host", down_requested=True)
    go(passes, 60)
    assert not [node for node in fleet_of(passes).nodes if node.live]


def test_a_node_that_is_taken_with_a_notice_leaves_nobody_unserved(passes: Passes) -> None:
    passes.want("p1", planned(L4, small=1))
    prove(passes)
    (node,) = fleet_of(passes).nodes
    assert node.instance_id == f"i-{node.name}"
    now = passes.clock.now()
    notice = Notice(
        provider="aws",
        region="us-east-1",
        zone="",
        instance=node.instance_id,
        kind=NoticeKind.INTERRUPTION,
        at=now,
        deadline=now + timedelta(minutes=2),
        receipt="r",
    )
    keep_notices(passes.store, (notice,), (), now)
    for _ in range(125):
        go(passes, 1)
        assert ready(passes, "small") >= 1
    live = [n for n in fleet_of(passes).nodes if n.live]
    assert [n.leaves_at for n in live] == [None]
    assert (passes.launches()[0], len(passes.launches())) == (node.name, 2)
    ended = next(n for n in fleet_of(passes).nodes if n.name == node.name)
    assert (ended.status, ended.reason) == (NodeStatus.GONE, Reason.NOTICED)


def test_a_price_rise_opens_one_incident_and_ends_it(passes: Passes) -> None:
    passes.want("p1", planned(L4, 4, small=1))
    go(passes, 20)
    roomy = passes.reconciler.limits
    passes.reconciler.limits = lambda: replace(
        roomy(), cap_usd_per_hour=Decimal("1.60"), surge_usd_per_hour=Decimal(0)
    )
    go(passes, 60)
    assert fleet_of(passes).committed_usd_per_hour() == Decimal("1.60")
    messages = [event.message for event in told(passes, EventKind.BUDGET)]
    (over,) = [message for message in messages if "prices of now" in message]
    assert over.startswith("$3.20/h is committed at the prices of now, the cap is $1.60/h; 2 nodes go")
    assert messages.count("what is committed is within the caps again") == 1
    assert len(messages) == 3  # and once that two nodes of the plan find no room


def test_a_month_that_is_spent_refuses_at_the_last_look_too(passes: Passes) -> None:
    roomy, spent = passes.reconciler.limits, [Decimal(0)]
    passes.reconciler.limits = lambda: replace(roomy(), cap_usd_per_month=Decimal(10))

    def month_usd() -> Decimal:
        spent.append(spent[-1] + Decimal("9.50"))
        return spent[-1] - Decimal("9.50")

    passes.reconciler.month_usd = month_usd
    passes.want("p1", planned(L4, small=1))
    go(passes, 1)
    (node,) = fleet_of(passes).nodes
    assert (node.status, node.reason) == (NodeStatus.FAILED, Reason.BUDGET)
    assert "would take this month to $10.30 within an hour, the cap is $10.00" in node.note
    assert passes.launches() == []
