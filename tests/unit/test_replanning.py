"""When the daemon plans again, and what it does with a plan, a refusal and a bug."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bouted.codec import dump
from bouted.config.change import planning_hash
from bouted.config.schema import Config, Mode
from bouted.daemon.adopting import adopt, release
from bouted.daemon.parts import load, replan_policy_of
from bouted.daemon.planning import Made, OnProgress, PlanMaker
from bouted.daemon.profiling import Profiler
from bouted.daemon.replanning import RETRY_FAILED_S, Beliefs, Replanner
from bouted.errors import Infeasible, Retryable
from bouted.events import Event, EventKind, Severity
from bouted.market.offers import Offer
from bouted.perf.shapes import Engine
from bouted.planner.client import PlanningWorker
from bouted.planner.design import Frontier, Progress
from bouted.planner.plan import Plan, PlanStatus, Trigger
from bouted.planner.problem import PlanningProblem
from bouted.reconcile.adopted import Address
from bouted.reconcile.adopting import Adoption
from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.control import load_control, update_control
from bouted.store.documents import put_document
from bouted.store.events import add_events, list_events
from bouted.store.fleet import add_node, move_node
from bouted.store.open import Store
from bouted.store.plans import desired_plan, list_plans, save_plan
from bouted.store.snapshot import Snapshot, load_snapshot
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules
from bouted.testing.clock import ManualClock
from bouted.testing.deployment import Deployment
from bouted.testing.fleet import an_offer, planned
from bouted.testing.store import a_node, a_plan, fresh_store
from bouted.workload.profile import WorkloadProfile

OFFERS = (an_offer(),)
PROBLEM = a_problem(OFFERS, a_table({a_shape("small"): 5.0}), (rules("small"),))
NO_FRONTIER = Frontier(designs=(), incumbent=None, nearest=None, swept=0, simulated=0, seconds=0.0, seed=1)
Answer = str | Exception  # a plan's id, or what planning raises


class PreparedPlans(PlanMaker):
    """Gives `answers` one by one, the last one for ever; `triggers` has why it was asked each time."""

    __slots__ = ("answers", "held", "triggers")

    def __init__(self, store: Store, clock: ManualClock, *answers: Answer, held: bool = False) -> None:
        self.store, self.clock = store, clock
        self.profiler = Profiler(store=store, worker=PlanningWorker(), clock=clock)
        self.answers, self.held = list(answers), held
        self.triggers: list[Trigger] = []

    async def make(
        self,
        config: Config,
        offers: tuple[Offer, ...],
        workload: WorkloadProfile,
        trigger: Trigger,
        on_progress: OnProgress,
    ) -> Made:
        """The next answer, stored as a real maker stores it."""
        self.triggers.append(trigger)
        on_progress(Progress(stage="sweep", done=1, total=2, best_usd_per_hour=None, seconds=0.0))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        plan = replace(
            a_plan(self.store, answer, created_at=self.clock.now(), nodes=planned(OFFERS[0])),
            config_hash=planning_hash(config),
            problem_hash=put_document(self.store, "problem", dump(PlanningProblem, PROBLEM)),
            rate_per_s=workload.rate_per_s,
        )
        save_plan(self.store, plan, PlanStatus.HELD if self.held else PlanStatus.PROPOSED)
        return Made(plan=plan, held=self.held, frontier=NO_FRONTIER, problem=PROBLEM)


@dataclass
class Bench:
    """A replanner with a real store, and the beliefs that it is shown."""

    store: Store
    config: Config
    clock: ManualClock
    applied: list[tuple[str, str]] = field(default_factory=list)

    def replanner(self, *answers: Answer, held: bool = False) -> tuple[Replanner, PreparedPlans]:
        maker = PreparedPlans(self.store, self.clock, *answers, held=held)
        replanner = Replanner(
            store=self.store,
            maker=maker,
            policy=replan_policy_of,
            clock=self.clock,
            applied=self._applied,
        )
        return replanner, maker

    def consider(self, replanner: Replanner, *, mode: Mode = Mode.APPLY) -> None:
        """One pass, and the planning that it starts to its end."""

        async def pass_() -> None:
            replanner.consider(self.beliefs(mode), self.rows())
            if replanner.task is not None:
                await replanner.task
            replanner.task = None

        asyncio.run(pass_())

    def rows(self) -> Snapshot:
        return load_snapshot(self.store, self.clock.now())

    def beliefs(self, mode: Mode = Mode.APPLY) -> Beliefs:
        return Beliefs(
            config=self.config.model_copy(update={"mode": mode}),
            offers=OFFERS,
            workload=a_workload(2.0),
            targets_met=None,
        )

    def told(self, kind: EventKind) -> list[str]:
        return [event.message for event in reversed(list_events(self.store)) if event.kind is kind]

    def statuses(self) -> dict[str, PlanStatus]:
        return {row.plan.id: row.status for row in list_plans(self.store, 10)}

    def _applied(self, before: Plan | None, after: Plan) -> None:
        self.applied.append((before.id if before else "", after.id))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    deployment = Deployment(tmp_path)
    deployment.write_config()
    clock = ManualClock()
    with closing(fresh_store(tmp_path)) as store:
        yield Bench(store, load(deployment.config_path).config, clock)


def edit_the_targets(bench: Bench) -> None:
    """An edit that plans depend on."""
    bench.config = bench.config.model_copy(
        update={"targets": bench.config.targets.model_copy(update={"quality_min": 0.5})}
    )


# What becomes of a plan


def test_in_mode_apply_the_first_plan_is_in_force_at_once(bench: Bench) -> None:
    replanner, maker = bench.replanner("p1")
    bench.consider(replanner)
    plan = desired_plan(bench.store)
    assert plan is not None
    assert plan.id == "p1"
    assert maker.triggers == [Trigger.FIRST]
    assert bench.applied == [("", "p1")]
    assert bench.told(EventKind.PLAN_APPLIED) == ["plan p1 applied: $1.00/h; cheapest"]
    assert replanner.progress is None


@pytest.mark.parametrize("mode", [Mode.ADVISE, Mode.CONFIRM])
def test_in_the_other_modes_a_plan_is_only_proposed(mode: Mode, bench: Bench) -> None:
    replanner, _ = bench.replanner("p1")
    bench.consider(replanner, mode=mode)
    assert desired_plan(bench.store) is None
    assert bench.statuses() == {"p1": PlanStatus.PROPOSED}
    assert bench.applied == []
    assert bench.told(EventKind.PLAN_PROPOSED) == [
        "plan p1 is proposed: $1.00/h, cheapest; act: bouted apply"
    ]


@pytest.mark.parametrize("mode", [Mode.ADVISE, Mode.CONFIRM])
def test_a_proposal_that_a_person_accepts_is_applied_once(mode: Mode, bench: Bench) -> None:
    replanner, maker = bench.replanner("p1")
    bench.consider(replanner, mode=mode)
    update_control(bench.store, bench.clock.now(), "cli", accepted_plan_id="p1")
    bench.consider(replanner, mode=mode)
    bench.consider(replanner, mode=mode)
    assert bench.statuses() == {"p1": PlanStatus.APPLIED}
    assert bench.applied == [("", "p1")]
    assert load_control(bench.store).accepted_plan_id is None
    assert len(maker.triggers) == 1


def test_a_held_plan_leaves_the_one_in_force(bench: Bench) -> None:
    first, _ = bench.replanner("p1")
    bench.consider(first)
    second, _ = bench.replanner("p2", held=True)
    bench.consider(second)
    plan = desired_plan(bench.store)
    assert plan is not None
    assert plan.id == "p1"
    assert bench.told(EventKind.PLAN_HELD) == ["held: cheapest"]
    assert bench.statuses() == {"p1": PlanStatus.APPLIED, "p2": PlanStatus.HELD}


def test_a_held_plan_cannot_be_accepted(bench: Bench) -> None:
    replanner, _ = bench.replanner("p1", held=True)
    bench.consider(replanner)
    update_control(bench.store, bench.clock.now(), "cli", accepted_plan_id="p1")
    bench.consider(replanner)
    assert desired_plan(bench.store) is None
    assert load_control(bench.store).accepted_plan_id is None


def test_a_plan_takes_the_place_of_the_one_before(bench: Bench) -> None:
    replanner, maker = bench.replanner("p1", "p2")
    bench.consider(replanner)
    bench.clock.advance(10)
    edit_the_targets(bench)
    bench.consider(replanner)
    assert maker.triggers == [Trigger.FIRST, Trigger.CONFIG]
    assert bench.statuses() == {"p1": PlanStatus.SUPERSEDED, "p2": PlanStatus.APPLIED}
    assert bench.applied == [("", "p1"), ("p1", "p2")]


# When it plans


def test_a_rollback_is_answered_by_planning_once_also_by_the_next_daemon(bench: Bench) -> None:
    first, _ = bench.replanner("p1")
    bench.consider(first)
    bench.clock.advance(1)
    rolled_back = Event(
        at=bench.clock.now(),
        kind=EventKind.PLAN_ROLLED_BACK,
        severity=Severity.WARNING,
        subject="bad",
        message="plan bad rolled back",
    )
    add_events(bench.store, (rolled_back,))
    bench.clock.advance(1)
    after, maker = bench.replanner("p2", held=True)
    after.recall(bench.config)
    for _ in range(3):
        bench.clock.advance(1)
        bench.consider(after)
    assert maker.triggers == [Trigger.ROLLBACK]
    assert bench.told(EventKind.REPLAN)[-1] == "planning again: plan bad was rolled back"


def test_launches_that_fail_again_and_again_are_a_reason_once_also_after_a_restart(bench: Bench) -> None:
    replanner, maker = bench.replanner("p1", "p2")
    bench.consider(replanner)
    for name in ("n-1", "n-2", "n-3"):
        bench.clock.advance(60)
        add_node(bench.store, replace(a_node(name), offer=OFFERS[0]))
        move_node(bench.store, name, NodeStatus.LAUNCHING, Reason.PLAN, bench.clock.now())
        move_node(bench.store, name, NodeStatus.FAILED, Reason.ERROR, bench.clock.now(), note="no right")
        bench.consider(replanner)
    assert maker.triggers == [Trigger.FIRST, Trigger.CAPACITY]
    assert bench.told(EventKind.REPLAN)[-1] == f"planning again: launches fail of {OFFERS[0].id}: no right"
    restarted, maker = bench.replanner("p3")
    restarted.recall(bench.config)
    bench.consider(restarted)
    assert maker.triggers == []


def test_while_nothing_changes_it_plans_once(bench: Bench) -> None:
    replanner, maker = bench.replanner("p1", "p2")
    for _ in range(3):
        bench.consider(replanner)
        bench.clock.advance(3600)
    assert len(maker.triggers) == 1
    assert bench.told(EventKind.REPLAN) == ["planning again: there is no plan yet"]


def test_a_launch_that_is_given_up_is_planned_for_at_once_and_not_again_when_it_has_ended(
    bench: Bench,
) -> None:
    replanner, maker = bench.replanner("p1", "p2", "p3")
    bench.consider(replanner)
    add_node(bench.store, replace(a_node(), status=NodeStatus.LAUNCHING, since=bench.clock.now()))
    for status in (NodeStatus.STOPPING, NodeStatus.FAILED):
        bench.clock.advance(600)
        move_node(bench.store, a_node().name, status, Reason.NEVER_UP, bench.clock.now())
        bench.consider(replanner)
    assert maker.triggers == [Trigger.FIRST, Trigger.CAPACITY]


def test_after_a_restart_it_recalls_the_last_plan_and_plans_nothing(bench: Bench) -> None:
    bench.consider(bench.replanner("p1")[0])
    restarted, maker = bench.replanner("p2")
    restarted.recall(bench.config)
    bench.clock.advance(600)
    bench.consider(restarted)
    assert maker.triggers == []


def test_an_edit_made_while_it_was_down_is_planned_for(bench: Bench) -> None:
    bench.consider(bench.replanner("p1")[0])
    restarted, maker = bench.replanner("p2")
    restarted.recall(bench.config)
    edit_the_targets(bench)
    bench.consider(restarted)
    assert maker.triggers == [Trigger.CONFIG]


def test_an_endpoint_that_is_adopted_is_planned_beside_and_one_let_go_no_more(bench: Bench) -> None:
    replanner, maker = bench.replanner("p1", "p2", "p3")
    bench.consider(replanner)
    adoption = Adoption(
        address=Address(base_url="http://10.0.0.5:8000"),
        engine=Engine.VLLM,
        model="small",
        usd_per_hour=Decimal("2.50"),
    )
    name = adopt(bench.store, adoption, bench.clock.now()).name
    for _ in range(2):
        bench.consider(replanner)
    assert maker.triggers == [Trigger.FIRST, Trigger.OPERATOR]
    assert bench.told(EventKind.REPLAN)[-1].endswith("adopted endpoints cost $2.50/h, planned beside $0.00/h")
    release(bench.store, name, bench.clock.now())
    for _ in range(2):
        bench.consider(replanner)
    assert maker.triggers == [Trigger.FIRST, Trigger.OPERATOR, Trigger.OPERATOR]


def test_a_restart_knows_what_was_planned_beside(bench: Bench) -> None:
    planned_beside = replace(PROBLEM, adopted_usd_per_hour=Decimal("2.50"))
    document = put_document(bench.store, "problem", dump(PlanningProblem, planned_beside))
    save_plan(
        bench.store,
        replace(a_plan(bench.store, "p1", created_at=bench.clock.now()), problem_hash=document),
        PlanStatus.PROPOSED,
    )
    restarted, _ = bench.replanner("p2")
    restarted.recall(bench.config)
    assert restarted.previous is not None
    assert restarted.previous.adopted_usd_per_hour == Decimal("2.50")


def test_with_nothing_to_recall_it_makes_the_first_plan(bench: Bench) -> None:
    replanner, maker = bench.replanner("p1")
    replanner.recall(bench.config)
    bench.consider(replanner)
    assert maker.triggers == [Trigger.FIRST]


def test_on_the_way_down_it_plans_nothing(bench: Bench) -> None:
    update_control(bench.store, bench.clock.now(), "cli", down_requested=True)
    replanner, maker = bench.replanner("p1")
    bench.consider(replanner)
    assert maker.triggers == []


def test_one_planning_runs_at_a_time(bench: Bench) -> None:
    replanner, maker = bench.replanner("p1")

    async def two_passes() -> None:
        replanner.consider(bench.beliefs(), bench.rows())
        under_way = replanner.task
        assert replanner.planning
        replanner.consider(bench.beliefs(), bench.rows())
        assert replanner.task is under_way
        assert under_way is not None
        await under_way

    asyncio.run(two_passes())
    assert not replanner.planning
    assert len(maker.triggers) == 1


# Failures


@pytest.mark.parametrize(
    "error",
    [Retryable("the worker died", after_s=1.0), Infeasible("nothing is fast enough", hint="relax e2e")],
    ids=["retryable", "infeasible"],
)
def test_a_failure_without_a_plan_is_told_once_and_retried_after_a_while(
    error: Exception, bench: Bench
) -> None:
    replanner, maker = bench.replanner(error)
    bench.consider(replanner)
    bench.clock.advance(RETRY_FAILED_S - 1)
    bench.consider(replanner)
    assert len(maker.triggers) == 1
    bench.clock.advance(1)
    bench.consider(replanner)
    assert len(maker.triggers) == 2
    assert bench.told(EventKind.PLAN_FAILED) == [f"planning failed: {error}"]
    assert (replanner.error, replanner.failure) == (str(error), error)
    assert replanner.progress is None


def test_a_failure_is_retried_at_once_after_the_clock_was_set_back(bench: Bench) -> None:
    replanner, maker = bench.replanner(Retryable("the worker died", after_s=1.0))
    bench.consider(replanner)
    bench.clock = replanner.clock = ManualClock(bench.clock.now() - timedelta(days=1))
    bench.consider(replanner)
    assert len(maker.triggers) == 2


def test_a_success_ends_the_failure_and_a_new_one_is_told(bench: Bench) -> None:
    gone = Retryable("gone", after_s=1.0)
    replanner, _ = bench.replanner(gone, "p1", gone)
    bench.consider(replanner)
    bench.clock.advance(RETRY_FAILED_S)
    bench.consider(replanner)
    assert (replanner.error, replanner.failure) == ("", None)
    edit_the_targets(bench)
    bench.consider(replanner)
    assert len(bench.told(EventKind.PLAN_FAILED)) == 2
    assert bench.statuses() == {"p1": PlanStatus.APPLIED}


def test_an_edit_that_makes_planning_infeasible_waits_for_another_change(bench: Bench) -> None:
    replanner, maker = bench.replanner("p1", Infeasible("too slow"))
    bench.consider(replanner)
    edit_the_targets(bench)
    bench.consider(replanner)
    for _ in range(3):
        bench.clock.advance(RETRY_FAILED_S)
        bench.consider(replanner)
    assert len(maker.triggers) == 2
    assert replanner.error == "too slow"


def test_an_edit_is_planned_for_at_once_even_after_a_failure(bench: Bench) -> None:
    replanner, maker = bench.replanner("p1", Infeasible("too slow"), "p2")
    original = bench.config
    bench.consider(replanner)
    edit_the_targets(bench)
    bench.consider(replanner)
    bench.config = original
    bench.clock.advance(1)
    bench.consider(replanner)
    assert maker.triggers == [Trigger.FIRST, Trigger.CONFIG, Trigger.CONFIG]
    assert replanner.error == ""


def test_an_edit_that_a_bug_meets_is_told_in_one_line_and_not_tried_every_second(bench: Bench) -> None:
    replanner, maker = bench.replanner("p1", ValueError("6783 errors\npoints.0\npoints.1"))
    bench.consider(replanner)
    edit_the_targets(bench)
    for _ in range(10):
        bench.consider(replanner)
        bench.clock.advance(1)
    assert len(maker.triggers) == 2
    (told,) = bench.told(EventKind.PLAN_FAILED)
    assert told == "planning failed: a bug in planning: ValueError: 6783 errors"
    bench.clock.advance(RETRY_FAILED_S)
    bench.consider(replanner)
    assert len(maker.triggers) == 3


def test_where_bouted_acts_by_itself_a_plan_that_was_only_proposed_is_not_enough(bench: Bench) -> None:
    replanner, maker = bench.replanner("p1", "p2")
    bench.consider(replanner, mode=Mode.ADVISE)
    bench.consider(replanner, mode=Mode.ADVISE)
    assert bench.statuses() == {"p1": PlanStatus.PROPOSED}
    bench.consider(replanner, mode=Mode.APPLY)
    assert maker.triggers == [Trigger.FIRST, Trigger.FIRST]
    assert bench.statuses() == {"p1": PlanStatus.PROPOSED, "p2": PlanStatus.APPLIED}


def die_before_applying(bench: Bench, plan_id: str) -> None:
    """A daemon makes a plan, writes it down, and is gone."""
    beliefs, (_, maker) = bench.beliefs(), bench.replanner(plan_id)
    make = maker.make(beliefs.config, OFFERS, beliefs.workload, Trigger.CONFIG, lambda _: None)
    bench.clock.advance(60)
    asyncio.run(make)


@pytest.mark.parametrize("held", [False, True])
def test_a_plan_that_a_daemon_died_before_applying_is_made_again_once(held: bool, bench: Bench) -> None:
    bench.consider(bench.replanner("p1")[0])
    edit_the_targets(bench)
    die_before_applying(bench, "p2")
    restarted, maker = bench.replanner("p3", held=held)
    restarted.recall(bench.config)
    for _ in range(3):
        bench.clock.advance(60)
        bench.consider(restarted)
    assert maker.triggers == [Trigger.CONFIG]
    assert bench.told(EventKind.REPLAN)[-1] == "planning again: plan p2 was never applied"
    plan = desired_plan(bench.store)
    assert plan is not None
    assert plan.id == ("p1" if held else "p3")


def test_a_proposal_beside_a_plan_in_force_is_planned_anew_once_bouted_acts_by_itself(bench: Bench) -> None:
    replanner, maker = bench.replanner("p1", "p2", "p3")
    bench.consider(replanner)
    edit_the_targets(bench)
    for mode in (Mode.ADVISE, Mode.ADVISE, Mode.APPLY, Mode.APPLY):
        bench.clock.advance(60)
        bench.consider(replanner, mode=mode)
    assert maker.triggers == [Trigger.FIRST, Trigger.CONFIG, Trigger.CONFIG]
    assert bench.statuses()["p3"] is PlanStatus.APPLIED


def test_what_a_person_put_in_force_after_a_newer_proposal_stands_also_after_a_restart(bench: Bench) -> None:
    replanner, _ = bench.replanner("p1", "p2")
    bench.consider(replanner, mode=Mode.CONFIRM)
    edit_the_targets(bench)
    bench.clock.advance(60)
    bench.consider(replanner, mode=Mode.CONFIRM)
    bench.clock.advance(60)
    update_control(bench.store, bench.clock.now(), "cli", accepted_plan_id="p1")
    bench.consider(replanner, mode=Mode.CONFIRM)
    restarted, maker = bench.replanner("p3")
    restarted.recall(bench.config)
    bench.consider(restarted)
    assert maker.triggers == []
    assert bench.statuses()["p1"] is PlanStatus.APPLIED


def test_when_planning_works_again_that_is_told_once(bench: Bench) -> None:
    replanner, _ = bench.replanner(Retryable("gone", after_s=1.0), "p1", "p2")
    bench.consider(replanner)
    assert bench.told(EventKind.PLAN_RECOVERED) == []
    bench.clock.advance(RETRY_FAILED_S)
    bench.consider(replanner)
    edit_the_targets(bench)
    bench.consider(replanner)
    assert bench.told(EventKind.PLAN_RECOVERED) == ["planning works again"]


def test_a_restart_neither_ends_a_failure_nor_tells_it_again(bench: Bench) -> None:
    gone = Retryable("gone", after_s=1.0)
    failing, _ = bench.replanner("p1", gone)
    bench.consider(failing)
    bench.clock.advance(1)
    edit_the_targets(bench)
    bench.consider(failing)
    restarted, maker = bench.replanner(gone, "p2")
    restarted.recall(bench.config)
    assert restarted.error == "gone"
    bench.consider(restarted)
    assert maker.triggers == [Trigger.CONFIG]
    assert bench.told(EventKind.PLAN_FAILED) == ["planning failed: gone"]
    bench.clock.advance(RETRY_FAILED_S)
    bench.consider(restarted)
    assert restarted.error == ""
    again, _ = bench.replanner("p3")
    again.recall(bench.config)
    assert again.error == ""


def test_a_failure_before_the_newest_plan_is_over_after_a_restart(bench: Bench) -> None:
    """As databases have it that are older than the event of recovery."""
    add_events(bench.store, (failed_at(bench.clock.now()),))
    bench.clock.advance(60)
    bench.consider(bench.replanner("p1")[0])
    restarted, _ = bench.replanner("p2")
    restarted.recall(bench.config)
    assert restarted.error == ""


def test_a_failure_without_any_plan_goes_on_after_a_restart(bench: Bench) -> None:
    add_events(bench.store, (failed_at(bench.clock.now()),))
    restarted, _ = bench.replanner("p1")
    restarted.recall(bench.config)
    assert restarted.error == "no offer is allowed"


def failed_at(at: datetime) -> Event:
    return Event(
        at=at,
        kind=EventKind.PLAN_FAILED,
        severity=Severity.WARNING,
        subject="",
        message="planning failed: no offer is allowed",
    )


def test_a_problem_that_cannot_be_read_is_forgotten_and_planned_anew(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    name = put_document(bench.store, "problem", b'{"offers": [], "of": "another version"}')
    plan = replace(a_plan(bench.store, "old"), problem_hash=name)
    save_plan(bench.store, plan, PlanStatus.APPLIED)
    replanner, maker = bench.replanner("p1")
    replanner.recall(bench.config)
    assert "the problem of plan old cannot be read, planning anew" in caplog.text
    bench.consider(replanner)
    assert maker.triggers == [Trigger.FIRST]


def test_a_bug_in_planning_is_told_and_survived(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    replanner, _ = bench.replanner(TypeError("None is no number"), "p1")
    bench.consider(replanner)
    assert bench.told(EventKind.PLAN_FAILED) == [
        "planning failed: a bug in planning: TypeError: None is no number"
    ]
    assert "Traceback" in caplog.text
    bench.clock.advance(RETRY_FAILED_S)
    bench.consider(replanner)
    assert bench.statuses() == {"p1": PlanStatus.APPLIED}
