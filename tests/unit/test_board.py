"""The board: one verdict with its reason, and figures as people read them."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bouted.board import Board, board_from_json
from bouted.daemon.board import EVENTS_SHOWN, BoardInputs, Spend, compose_board
from bouted.events import Event, EventKind, Severity
from bouted.planner.design import Progress
from bouted.planner.plan import Plan
from bouted.planner.planned import PlannedNode
from bouted.quality.route_split import RouteRule, RouteSplit
from bouted.reconcile.diff import diff
from bouted.reconcile.launcher import Seen, SeenReplica
from bouted.store.control import Control
from bouted.store.open import Store
from bouted.testing.builders import targets
from bouted.testing.fleet import START, FleetWorld, an_offer, limits, planned
from bouted.testing.store import a_plan, fresh_store
from bouted.workload.observe import Measured

SMALL = planned(an_offer(usd_per_hour="1.005"), 2, small=1)
LARGE = planned(an_offer(gpu="L40S", usd_per_hour="3.00"), 1, large=1)
UNSEEN = Measured(
    rate_per_s=None,
    ok=0,
    failed=0,
    ttft_p95_s=None,
    tpot_p95_s=None,
    e2e_p95_s=None,
    share_by_model=(),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(fresh_store(tmp_path)) as store:
        yield store


@pytest.fixture
def plan(store: Store) -> Plan:
    """Two nodes of `small`, one of `large`."""
    split = RouteSplit(
        models=("small", "large"), shares=(0.7, 0.3), rules=(RouteRule(thresholds=(0.6,)),), scorer_hash="s"
    )
    return replace(a_plan(store, "p1", nodes=SMALL + LARGE), split=split)


@pytest.fixture
def world() -> FleetWorld:
    return FleetWorld(limits=limits())


def board(world: FleetWorld, plan: Plan | None, **changes: Any) -> Board:
    """The board of a healthy deployment in this state, but for `changes`."""
    inputs = BoardInputs(
        now=world.now,
        deployment="t",
        mode="apply",
        pid=7,
        control=Control(),
        plan=plan,
        proposed=None,
        held=None,
        fleet=world.fleet(),
        changes=diff(plan.design.nodes if plan is not None else (), world.fleet(), "memory"),
        seen=Seen(nodes=(), replicas=()),
        targets=targets(ttft=1.0, e2e=10.0, quality=0.75),
        budget_usd_per_hour=Decimal(40),
        spend=Spend(today_usd=Decimal(0), month_usd=Decimal(0), forecast_month_usd=Decimal(0)),
        measured=UNSEEN,
        requests_ok=0,
        requests_failed=0,
        events=(),
        progress=None,
        plan_error="",
        config_error="",
        stale_sources=(),
    )
    return compose_board(replace(inputs, **changes))


def said(board: Board) -> tuple[str, str]:
    return board.verdict, board.note


def nodes_of(world: FleetWorld, model: str) -> list[str]:
    return [r.node for r in world.fleet().replicas if r.shape.model == model]


def an_event(kind: EventKind, severity: Severity = Severity.INFO, message: str = "m") -> Event:
    return Event(at=START, kind=kind, severity=severity, subject="", message=message)


# The verdict


def test_before_the_first_plan_it_is_starting(world: FleetWorld) -> None:
    assert said(board(world, None)) == ("STARTING", "making the first plan")


def test_without_a_plan_a_planning_error_is_degraded(world: FleetWorld) -> None:
    assert said(board(world, None, plan_error="no offer")) == ("DEGRADED", "no plan: no offer")


def test_a_proposal_that_waits_for_a_person_is_fine(world: FleetWorld, plan: Plan) -> None:
    waiting = board(world, None, proposed=plan, mode="advise")
    assert said(waiting) == ("OK", "plan p1 is proposed, nothing runs; act on it: bouted apply")
    assert waiting.plan is None
    assert waiting.proposed is not None
    assert waiting.proposed.usd_per_hour == "5.01"


def test_while_nothing_serves_yet_it_is_starting(world: FleetWorld, plan: Plan) -> None:
    assert said(board(world, plan)) == ("STARTING", "0 of 3 replicas ready")


def test_a_fleet_as_planned_is_ok(world: FleetWorld, plan: Plan) -> None:
    world.converge(plan.design.nodes)
    assert said(board(world, plan)) == ("OK", "")


def test_a_node_that_its_provider_takes_back_says_how_long_it_stays(world: FleetWorld, plan: Plan) -> None:
    world.converge(plan.design.nodes)
    name = min(world.nodes)
    world.notice(name, left_s=100)
    shown = board(world, plan)
    notes = {node.name: node.note for node in shown.nodes if node.note}
    assert notes == {name: "leaves in 1 min 40 s: its provider takes it back"}
    assert shown.verdict == "CONVERGING"
    assert shown.note.endswith("1 node to leave")


def test_a_plan_that_is_being_made_is_shown_with_the_time_it_has_left(world: FleetWorld, plan: Plan) -> None:
    world.converge(plan.design.nodes)
    early = Progress(stage="sweep", done=3, total=64, best_usd_per_hour=None, seconds=1.5)
    late = replace(early, best_usd_per_hour=5.0, bound_usd_per_hour=4.5, seconds=70.0, deadline_s=60.0)
    shown = board(world, plan, progress=early)
    assert said(shown) == ("OK", "")
    assert shown.planning is not None
    assert (shown.planning.done, shown.planning.best_usd_per_hour, shown.planning.left_s) == (3, None, None)
    assert board_from_json(shown.to_json()) == shown
    over = board(world, plan, progress=late).planning
    assert over is not None
    assert (over.bound_usd_per_hour, over.left_s) == (4.5, 0.0)


def test_a_missing_replica_is_converging(world: FleetWorld, plan: Plan) -> None:
    world.converge(plan.design.nodes)
    world.lose(nodes_of(world, "small")[0])
    assert said(board(world, plan)) == ("CONVERGING", "2 of 3 planned replicas ready")


@pytest.mark.parametrize(
    ("more", "leaving"), [(1, "1 node to leave"), (2, "2 nodes to leave")], ids=["one", "two"]
)
def test_nodes_that_are_to_leave_are_converging(
    more: int, leaving: str, world: FleetWorld, plan: Plan
) -> None:
    extra: tuple[PlannedNode, ...] = planned(an_offer(region="eu-west-1"), more, small=1)
    world.converge(plan.design.nodes + extra)
    assert said(board(world, plan)) == ("CONVERGING", f"3 of 3 planned replicas ready, {leaving}")


def test_replicas_of_the_last_plan_do_not_count_as_planned(world: FleetWorld, plan: Plan) -> None:
    before = planned(an_offer(region="eu-west-1"), 2, small=1) + planned(
        an_offer(region="eu-west-1", gpu="L40S"), 1, large=1
    )
    world.converge(before)
    moving = board(world, plan)
    assert said(moving) == ("CONVERGING", "0 of 3 planned replicas ready, 3 nodes to leave")
    assert [route.ready for route in moving.routes] == [0, 0]


def test_a_model_that_no_replica_serves_is_degraded_and_named(world: FleetWorld, plan: Plan) -> None:
    world.converge(plan.design.nodes)
    world.lose(nodes_of(world, "large")[0])
    verdict, note = said(board(world, plan))
    assert verdict == "DEGRADED"
    assert note.startswith("no replica of large serves")


def test_a_failed_planning_is_degraded_while_the_last_plan_serves(world: FleetWorld, plan: Plan) -> None:
    world.converge(plan.design.nodes)
    failed = board(world, plan, plan_error="too dear")
    assert said(failed) == ("DEGRADED", "planning failed, plan p1 stays in force")
    assert failed.plan_error == "too dear"


@pytest.mark.parametrize(
    ("seen", "verdict", "note"),
    [
        ({"ttft_p95_s": 1.0, "e2e_p95_s": 10.0}, "OK", ""),
        ({"ttft_p95_s": 1.01, "e2e_p95_s": 9.0}, "DEGRADED", "missing its target: p95 ttft"),
        ({"ttft_p95_s": 2.0, "e2e_p95_s": 11.0}, "DEGRADED", "missing its target: p95 ttft, p95 e2e"),
        ({"tpot_p95_s": 9.0}, "OK", ""),
    ],
    ids=["exactly at them", "one", "two", "a metric without a target"],
)
def test_a_missed_target_is_degraded_and_named(
    seen: dict[str, float], verdict: str, note: str, world: FleetWorld, plan: Plan
) -> None:
    world.converge(plan.design.nodes)
    got = board(world, plan, measured=replace(UNSEEN, **seen))  # type: ignore[arg-type]
    assert said(got) == (verdict, note)


def test_a_settled_fleet_over_the_hourly_budget_is_degraded(world: FleetWorld, plan: Plan) -> None:
    world.converge(plan.design.nodes)
    seen = board(world, plan, budget_usd_per_hour=Decimal("0.50"))
    assert seen.verdict == "DEGRADED"
    assert "the budget is $0.50/h" in seen.note


def test_paused_is_said_before_anything_about_the_fleet(world: FleetWorld, plan: Plan) -> None:
    paused = board(world, plan, control=Control(paused=True), plan_error="x")
    assert said(paused) == ("PAUSED", "nothing is launched or stopped until: bouted resume")
    assert paused.paused


def test_down_is_said_before_everything_and_counts_what_is_left(world: FleetWorld, plan: Plan) -> None:
    down = Control(paused=True, down_requested=True)
    assert said(board(world, plan, control=down)) == ("DOWN", "everything is stopped")
    world.converge(plan.design.nodes)
    assert said(board(world, plan, control=down)) == ("DOWN", "stopping everything, 3 nodes left")
    world.converge(plan.design.nodes[:1])
    assert said(board(world, plan, control=down)) == ("DOWN", "stopping everything, 1 node left")


# The figures


def test_money_is_to_the_cent(world: FleetWorld, plan: Plan) -> None:
    world.converge(plan.design.nodes)
    spend = Spend(
        today_usd=Decimal("0.004"),
        month_usd=Decimal("1234.567"),
        forecast_month_usd=Decimal(5000),
    )
    got = board(world, plan, spend=spend, budget_usd_per_hour=Decimal("40.5"))
    assert (got.usd_per_hour, got.budget_usd_per_hour) == ("5.01", "40.50")
    assert (got.spent_today_usd, got.spent_month_usd) == ("0.00", "1234.57")
    assert got.forecast_month_usd == "5000.00"
    assert sorted(node.usd_per_hour for node in got.nodes) == ["1.00", "1.00", "3.00"]


def test_only_what_may_cost_money_counts_as_the_rate(world: FleetWorld, plan: Plan) -> None:
    world.converge(plan.design.nodes)
    world.lose(nodes_of(world, "large")[0])
    got = board(world, plan)
    assert got.usd_per_hour == "2.01"
    assert len(got.nodes) == 2
    assert [replica.model for replica in got.replicas] == ["small", "small"]


def test_a_route_has_its_planned_share_and_what_was_seen(world: FleetWorld, plan: Plan) -> None:
    world.converge(plan.design.nodes)
    quiet = board(world, plan)
    assert [(r.model, r.planned_share, r.seen_share, r.ready, r.wanted) for r in quiet.routes] == [
        ("small", 0.7, None, 2, 2),
        ("large", 0.3, None, 1, 1),
    ]
    busy = board(world, plan, measured=replace(UNSEEN, share_by_model=(("small", 1.0),)))
    assert [route.seen_share for route in busy.routes] == [1.0, None]


def test_targets_are_listed_with_plan_and_measure(world: FleetWorld, plan: Plan) -> None:
    got = board(world, plan, measured=replace(UNSEEN, ttft_p95_s=0.5))
    by_name = {t.name: (t.target, t.planned, t.measured, t.at_least) for t in got.targets}
    assert by_name == {
        "p95 ttft": (1.0, plan.estimate.ttft_p95_s, 0.5, False),
        "p95 e2e": (10.0, 3.0, None, False),
        "quality": (0.75, 0.79, None, True),
    }


def test_replicas_show_their_process_and_layout(world: FleetWorld, plan: Plan) -> None:
    world.converge(plan.design.nodes)
    first = world.fleet().replicas[0]
    seen = Seen(nodes=(), replicas=(SeenReplica(name=first.name, node=first.node, endpoint="", pid=42),))
    got = board(world, plan, seen=seen)
    assert [replica.pid for replica in got.replicas] == [42, None, None]
    assert {replica.shape for replica in got.replicas} == {"1xL4 tp1", "1xL40S tp1"}


def test_ordinary_moves_are_left_out_of_the_events_and_the_rest_is_cut(world: FleetWorld) -> None:
    events = (
        an_event(EventKind.NODE_STATUS),
        an_event(EventKind.REPLICA_STATUS, Severity.WARNING, "lost"),
        *(an_event(EventKind.PRICE_STEP) for _ in range(EVENTS_SHOWN)),
    )
    shown = board(world, None, events=events).events
    assert len(shown) == EVENTS_SHOWN
    assert (shown[0].kind, shown[0].message) == ("replica_status", "lost")


def test_a_plan_that_planning_held_on_to_says_at_which_load(world: FleetWorld, plan: Plan) -> None:
    assert board(world, plan).held_rate_per_s is None
    assert board(world, plan, held=replace(plan, rate_per_s=40.0)).held_rate_per_s == 40.0


def test_a_board_survives_its_document(world: FleetWorld, plan: Plan) -> None:
    world.converge(plan.design.nodes)
    got = board(world, plan, proposed=plan, config_error="broken", stale_sources=("aws",))
    assert board_from_json(got.to_json()) == got
