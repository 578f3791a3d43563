"""The daemon tries new kinds: what it measures, teaches and tells; a restart changes nothing of it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bouted.codec import dump
from bouted.config.schema import Config
from bouted.daemon.adopting import adopt
from bouted.daemon.parts import load
from bouted.daemon.promises import Promises
from bouted.daemon.replanning import Beliefs
from bouted.daemon.rolling_back import RollBack
from bouted.daemon.rollouts import Rollouts, record_of
from bouted.daemon.routing import Routing
from bouted.events import Event, EventKind, Severity
from bouted.gateway.table import RouteTable
from bouted.perf.belief import unlearned
from bouted.perf.learn import Correction, correction_key
from bouted.perf.profile import ProfileTable
from bouted.perf.shapes import Engine
from bouted.planner.plan import Plan, PlannedShape, PlanStatus
from bouted.planner.planned import PlannedNode
from bouted.planner.problem import PlanningProblem
from bouted.reconcile.adopted import Address
from bouted.reconcile.adopting import Adoption
from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.rollout import RolloutRules, Step, Trial
from bouted.reconcile.routes import same_routing
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.control import update_control
from bouted.store.corrections import load_corrections, save_corrections
from bouted.store.documents import put_document
from bouted.store.events import list_events
from bouted.store.fleet import add_node, add_replica, load_fleet, move_node, move_replica
from bouted.store.keeping import mend_future
from bouted.store.open import Store
from bouted.store.plans import desired_plan, list_plans, save_plan, set_desired_plan
from bouted.store.snapshot import load_snapshot
from bouted.store.trials import load_trials, save_trial
from bouted.testing.builders import a_problem, a_profile, rules, targets
from bouted.testing.clock import ManualClock
from bouted.testing.deployment import Deployment
from bouted.testing.fleet import START, an_offer, planned
from bouted.testing.orders import EASY_COSTS
from bouted.testing.store import a_plan, fresh_store
from bouted.workload.declared import declared_profile
from bouted.workload.profile import RequestSample

RULES = RolloutRules(canary_share=0.05, canary_s=60, canary_requests=20, soak_s=120, rollback_pct=50)
OLD_OFFER, NEW_OFFER = an_offer(gpu="L40S", usd_per_hour="3.00"), an_offer(gpu="L4", usd_per_hour="1.00")
OLD, NEW = planned(OLD_OFFER, small=1), planned(NEW_OFFER, small=1)
OLD_SHAPE, NEW_SHAPE = (nodes[0].template.replicas[0] for nodes in (OLD, NEW))
SPECS = {"small": "llama-3.1-8b"}
OLD_KEY, NEW_KEY = (correction_key(shape, SPECS["small"]) for shape in (OLD_SHAPE, NEW_SHAPE))
MIX = declared_profile(
    rate_per_s=2, prompt_tokens=100, output_tokens=20, arrival_cv=1.0, most_tokens=4096, seed=1
)
PROMPT, OUTPUT = 100, 20


@dataclass
class Bench:
    """A store with an old plan whose replica has long served, and a new one whose replica has just come."""

    store: Store
    folder: Path
    config: Config
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    samples: list[RequestSample] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rollouts = self.started()

    def started(self) -> Rollouts:
        """The part as a daemon that has just started has it."""
        self.rollouts = Rollouts(
            store=self.store,
            clock=self.clock,
            rules=lambda: RULES,
            specs=lambda: SPECS,
            samples=lambda: self.samples,
            promises=Promises(self.store),
        )
        return self.rollouts

    def apply(self, plan_id: str, nodes: tuple[PlannedNode, ...]) -> Plan:
        profiles = tuple(a_profile(shape, idle_s=0.1, max_rate=10.0) for shape in (OLD_SHAPE, NEW_SHAPE))
        problem = a_problem(
            (OLD_OFFER, NEW_OFFER), ProfileTable(profiles=profiles), (rules("small"),), workload=MIX,
            wanted=targets(ttft=1.0),
        )  # fmt: skip
        shape = nodes[0].template.replicas[0]
        plan = replace(
            a_plan(self.store, plan_id, created_at=self.clock.now(), nodes=nodes),
            problem_hash=put_document(self.store, "problem", dump(PlanningProblem, problem)),
            shapes=(PlannedShape(shape=shape, costs=EASY_COSTS, rate_per_s=10.0),),
            rate_per_s=2.0,
        )
        save_plan(self.store, plan, PlanStatus.PROPOSED)
        told = Event(
            at=self.clock.now(),
            kind=EventKind.PLAN_APPLIED,
            severity=Severity.NOTICE,
            subject=plan_id,
            message=f"plan {plan_id} applied",
        )
        set_desired_plan(self.store, plan_id, told=told)
        return plan

    def serve(self, name: str, planned_node: PlannedNode, plan_id: str) -> None:
        """A node of the plan with its replica, ready now."""
        now, shape = self.clock.now(), planned_node.template.replicas[0]
        add_node(
            self.store,
            Node(
                name=name, slot=planned_node.slot, incarnation=1, plan_id=plan_id, offer=planned_node.offer,
                template=planned_node.template, launcher="memory", status=NodeStatus.PLANNED,
                reason=Reason.PLAN, since=now, launched_at=None,
            ),
        )  # fmt: skip
        for status in (NodeStatus.LAUNCHING, NodeStatus.UP):
            move_node(self.store, name, status, Reason.OBSERVED, now, launched_at=now)
        add_replica(
            self.store,
            Replica(
                name=f"{name}-r0", node=name, position=0, incarnation=1, shape=shape,
                status=ReplicaStatus.PLANNED, reason=Reason.PLAN, since=now,
            ),
        )  # fmt: skip
        for moved in (ReplicaStatus.STARTING, ReplicaStatus.READY):
            move_replica(self.store, f"{name}-r0", moved, Reason.OBSERVED, now, endpoint=f"http://{name}")

    def fleet(self) -> FleetState:
        return load_fleet(self.store, self.clock.now())

    def look(self, later_s: float = 0.0) -> dict[str, Step]:
        """A pass, after a while: the steps of what is on trial."""
        self.clock.advance(later_s)
        plan = desired_plan(self.store)
        assert plan is not None
        state = self.rollouts.look(plan, self.fleet())
        return {kind.shape.gpu: kind.step for kind in state.on_trial}

    def table(self) -> RouteTable:
        plan = desired_plan(self.store)
        assert plan is not None
        routing = Routing(
            store=self.store, clock=self.clock, path=self.folder / "routes.json", rules=lambda: RULES
        )
        routing.publish(plan, self.fleet(), self.rollouts.look(plan, self.fleet()))
        assert routing.table is not None
        return routing.table

    def ask(
        self,
        replica: str,
        count: int,
        *,
        ttft_s: float = 0.1,
        tpot_s: float = 0.011,
        ok: bool = True,
        failed_by: tuple[str, ...] = (),
        over_s: float = 30.0,
    ) -> None:
        """Requests that came in the last seconds and have finished."""
        now_s = self.clock.now().timestamp()
        e2e_s = ttft_s + (OUTPUT - 1) * tpot_s
        self.samples += [
            RequestSample(
                seq=0, arrived_s=now_s - over_s + over_s * n / count, model="small", replica=replica,
                score=0.5, prompt_tokens=PROMPT, output_tokens=OUTPUT, ttft_s=ttft_s, e2e_s=e2e_s, ok=ok,
                failed_by=failed_by,
            )
            for n in range(count)
        ]  # fmt: skip
        self.samples.sort(key=lambda sample: sample.arrived_s + sample.e2e_s)

    def judge(self, **changes: object) -> None:
        """What the daemon does about the plan in force."""
        back = RollBack(
            store=self.store,
            clock=self.clock,
            rollouts=self.rollouts,
            told=lambda bad, good, why: self.told.append((bad.id, good.id, why)),
        )
        beliefs = Beliefs(config=self.config, offers=(OLD_OFFER, NEW_OFFER), workload=MIX, targets_met=None)
        rows = load_snapshot(self.store, self.clock.now())
        back.consider(replace(beliefs, **changes), self.samples, rows)  # type: ignore[arg-type]

    def statuses(self) -> dict[str, PlanStatus]:
        return {row.plan.id: row.status for row in list_plans(self.store, 10)}

    def messages(self, kind: EventKind) -> list[str]:
        return [event.message for event in reversed(list_events(self.store)) if event.kind is kind]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    deployment = Deployment(tmp_path)
    deployment.write_config()
    config = load(deployment.config_path).config
    only_ttft = config.targets.model_copy(update={"e2e_p95_s": None, "ttft_p95_ms": 1000.0})
    with closing(fresh_store(tmp_path)) as store:
        yield Bench(store, tmp_path, config.model_copy(update={"targets": only_ttft}))


@pytest.fixture
def midway(bench: Bench) -> Bench:
    """The old replica is proved; the new plan has just been applied and its replica is ready."""
    bench.apply("old", OLD)
    bench.serve("a", OLD[0], "old")
    save_trial(bench.store, Trial(kind=OLD_KEY, step=Step.PROVED, since=START))
    bench.clock.advance(3600)
    bench.apply("new", NEW)
    bench.look()
    bench.serve("b", NEW[0], "new")
    bench.look()
    return bench


def steps_until_proved(bench: Bench, *, requests: int) -> list[Step]:
    seen = []
    while "L4" in (trying := bench.look()):
        seen.append(trying["L4"])
        bench.clock.advance(61)
        if requests:
            bench.ask("b-r0", requests)
    return list(dict.fromkeys(seen))


# On trial


def test_a_kind_with_a_correction_or_a_proof_is_not_tried_again(bench: Bench) -> None:
    bench.apply("old", OLD)
    belief = unlearned(0.1, START)
    save_corrections(bench.store, {OLD_KEY: Correction(tempo=belief, first=belief, windows=1)}, START)
    bench.serve("a", OLD[0], "old")
    assert bench.look() == {}
    assert load_trials(bench.store)[OLD_KEY].step is Step.PROVED


def test_a_clock_that_is_set_back_amid_a_trial_delays_it_by_no_more_than_a_step(midway: Bench) -> None:
    before = midway.clock.now()
    midway.clock.advance(5 * 3600)
    assert midway.look() == {"L4": Step.QUARTER}
    midway.clock = midway.rollouts.clock = ManualClock(before)
    assert mend_future(midway.store, midway.clock.now()) == 1
    assert steps_until_proved(midway, requests=25) == [Step.QUARTER, Step.HALF]
    assert load_trials(midway.store)[NEW_KEY].since == midway.clock.now()


def test_what_is_learned_in_the_middle_of_a_trial_does_not_end_it(midway: Bench) -> None:
    belief = unlearned(0.1, START)
    save_corrections(midway.store, {NEW_KEY: Correction(tempo=belief, first=belief, windows=1)}, START)
    assert midway.look(30) == {"L4": Step.CANARY}
    midway.started()
    assert midway.look() == {"L4": Step.CANARY}


def test_the_ramp_is_told_and_what_it_taught_is_kept(midway: Bench) -> None:
    midway.ask("a-r0", 50)
    seen = steps_until_proved(midway, requests=25)
    assert seen == [Step.CANARY, Step.QUARTER, Step.HALF]
    assert midway.messages(EventKind.ROLLOUT) == [
        f"{NEW_SHAPE.id} may take 25% of small's queries: 25 requests answered as promised",
        f"{NEW_SHAPE.id} may take 50% of small's queries: 25 requests answered as promised",
        f"{NEW_SHAPE.id} is proved: 25 requests answered as promised",
    ]
    assert NEW_KEY in load_corrections(midway.store)
    assert load_trials(midway.store)[NEW_KEY].step is Step.PROVED


def test_without_requests_a_kind_is_proved_in_nine_minutes_and_says_so(midway: Bench) -> None:
    begun = midway.clock.now()
    assert steps_until_proved(midway, requests=0) == [Step.CANARY, Step.QUARTER, Step.HALF]
    assert midway.clock.now() - begun <= timedelta(minutes=10)
    assert midway.messages(EventKind.ROLLOUT)[-1] == f"{NEW_SHAPE.id} is proved: no requests came to tell"
    assert NEW_KEY not in load_corrections(midway.store)


def test_the_old_replica_counts_and_the_new_one_only_once_proved_and_soaked(midway: Bench) -> None:
    assert midway.rollouts.state.counted == {"a-r0"}
    steps_until_proved(midway, requests=25)
    midway.look()
    assert midway.rollouts.state.counted == {"a-r0", "b-r0"}


def in_the_canary(bench: Bench) -> None:
    bench.look(30)
    bench.ask("b-r0", 9)


def after_steps(count: int) -> Callable[[Bench], None]:
    def act(bench: Bench) -> None:
        for _ in range(count):
            bench.look(181)

    return act


def going_badly(bench: Bench) -> None:
    bench.clock.advance(61)
    bench.ask("b-r0", 30, ttft_s=9.0)


MOMENTS: list[tuple[str, Callable[[Bench], None]]] = [
    ("just begun", after_steps(0)),
    ("in the canary", in_the_canary),
    ("at a quarter", after_steps(1)),
    ("at a half", after_steps(2)),
    ("proved", after_steps(3)),
    ("going badly", going_badly),
]


@pytest.mark.parametrize(("name", "act"), MOMENTS, ids=[m[0] for m in MOMENTS])
def test_a_restart_at_any_moment_gives_the_same_table(
    name: str, act: Callable[[Bench], None], midway: Bench
) -> None:
    act(midway)
    before, state = midway.table(), midway.rollouts.state
    midway.started()
    after = midway.table()
    assert same_routing(before, after)
    assert midway.rollouts.state == state


def test_queries_that_a_canary_failed_count_against_it_whoever_answered_them(midway: Bench) -> None:
    midway.clock.advance(61)
    midway.ask("a-r0", 25, failed_by=("b-r0",))
    assert midway.look() == {"L4": Step.CANARY}
    assert midway.rollouts.state.worse == ((NEW_SHAPE.id, "failed 25 of 25 requests"),)
    assert record_of(None, midway.samples, START, midway.clock.now()).failed == 0, "clients saw none of it"


# Rolled back


def slow_canary(bench: Bench) -> None:
    bench.clock.advance(61)
    bench.ask("b-r0", 25, ttft_s=2.0)
    bench.look()


def test_a_slow_canary_puts_the_plan_before_back_in_force(midway: Bench) -> None:
    slow_canary(midway)
    midway.judge()
    assert midway.statuses() == {"old": PlanStatus.APPLIED, "new": PlanStatus.ROLLED_BACK}
    plan = desired_plan(midway.store)
    assert plan is not None
    assert plan.id == "old"
    (message,) = midway.messages(EventKind.PLAN_ROLLED_BACK)
    assert message.startswith(f"plan new rolled back: {NEW_SHAPE.id}: p95 ttft is 2 s at ")
    assert "plan old is in force again, at $3.00/h; planning starts anew" in message
    ((bad, back, why),) = midway.told
    assert (bad, back) == ("new", "old")
    assert NEW_SHAPE.id in why


def test_a_slow_canary_is_not_promised_more_from_then_on(midway: Bench) -> None:
    slow_canary(midway)
    midway.judge()
    correction = load_corrections(midway.store)[NEW_KEY]
    assert correction.windows == 2
    assert load_trials(midway.store)[NEW_KEY].step is Step.CANARY, "when it comes again it begins anew"


def test_there_is_one_rollback_a_plan_also_over_restarts(midway: Bench) -> None:
    slow_canary(midway)
    midway.judge()
    for _ in range(3):
        midway.started()
        midway.look(30)
        midway.ask("a-r0", 60, ttft_s=9.0)
        midway.judge()
    assert midway.statuses() == {"old": PlanStatus.APPLIED, "new": PlanStatus.ROLLED_BACK}
    assert len(midway.messages(EventKind.PLAN_ROLLED_BACK)) == 1


@pytest.mark.parametrize("switch", ["paused", "down_requested"])
def test_nothing_is_rolled_back_while_an_operator_holds_the_switch(switch: str, midway: Bench) -> None:
    slow_canary(midway)
    update_control(midway.store, START, "test", **{switch: True})  # type: ignore[arg-type]
    midway.judge()
    assert midway.statuses()["new"] is PlanStatus.APPLIED


def test_where_there_is_no_way_back_the_canary_is_taken_as_it_is(midway: Bench) -> None:
    slow_canary(midway)
    midway.judge(workload=replace(MIX, rate_per_s=9.0))
    assert midway.statuses()["new"] is PlanStatus.APPLIED
    said = midway.messages(EventKind.ROLLOUT)[-1]
    assert "it stays: the load has left what plan old can carry: 9 queries/s, it was made for 2" in said
    assert midway.look() == {}, "it holds nobody back any more, so that the old replica may go"
    midway.judge(workload=replace(MIX, rate_per_s=9.0))
    assert midway.messages(EventKind.ROLLOUT)[-1] == said
    assert len([m for m in midway.messages(EventKind.ROLLOUT) if "it stays" in m]) == 1


def test_there_is_no_way_back_to_a_plan_that_costs_more_than_adopted_endpoints_leave(midway: Bench) -> None:
    slow_canary(midway)
    theirs = Adoption(
        address=Address(base_url="http://10.0.0.5:8000"),
        engine=Engine.VLLM,
        model="small",
        usd_per_hour=Decimal("37.50"),
    )
    adopt(midway.store, theirs, midway.clock.now())
    midway.judge()
    assert midway.statuses()["new"] is PlanStatus.APPLIED
    assert "it stays: plan old would cost $3.00/h by now" in midway.messages(EventKind.ROLLOUT)[-1]


def test_a_plan_that_misses_what_was_met_before_is_rolled_back_after_its_soak(midway: Bench) -> None:
    midway.ask("a-r0", 150, ttft_s=0.1, over_s=15.0)
    steps_until_proved(midway, requests=25)
    midway.clock.advance(121)
    midway.look()
    midway.clock.advance(100)
    midway.ask("b-r0", 150, ttft_s=1.6, over_s=99.0)
    midway.look()
    midway.judge()
    (message,) = midway.messages(EventKind.PLAN_ROLLED_BACK)
    assert "p95 ttft is 1.6 s, promised 0.3 s, the target is 1 s" in message


def test_a_plan_that_keeps_its_promise_stands(midway: Bench) -> None:
    steps_until_proved(midway, requests=25)
    for _ in range(20):
        midway.clock.advance(60)
        midway.ask("b-r0", 60, over_s=59.0)
        midway.look()
        midway.judge()
    assert midway.statuses() == {"old": PlanStatus.SUPERSEDED, "new": PlanStatus.APPLIED}
    assert midway.messages(EventKind.PLAN_ROLLED_BACK) == []


def test_a_plan_whose_promise_cannot_be_read_is_not_judged_by_latency(midway: Bench) -> None:
    plan = desired_plan(midway.store)
    assert plan is not None
    unread = replace(plan, id="x", problem_hash=put_document(midway.store, "problem", b"{}"))
    assert Promises(midway.store).of(unread).profiles == {}
    assert Promises(midway.store).of(replace(plan, problem_hash="none")).lengths == ()
