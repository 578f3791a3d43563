"""New kinds of replicas: how large a share, for how long, and when the old ones may go."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.perf.shapes import ReplicaShape
from bouted.reconcile.actions import DrainReplica
from bouted.reconcile.fleet import FleetState, Replica
from bouted.reconcile.rollout import (
    OnTrial,
    RolloutRules,
    RolloutState,
    Showing,
    Step,
    Trial,
    next_step,
    on_trial,
    rollout,
)
from bouted.reconcile.shares import trial_shares
from bouted.reconcile.states import Reason, ReplicaStatus
from bouted.testing.builders import a_shape
from bouted.testing.fleet import START, FleetWorld, an_offer, limits, planned

RULES = RolloutRules(canary_share=0.05, canary_s=60, canary_requests=20, soak_s=120, rollback_pct=50)
OLD, NEW, OTHER = a_shape("small", "L4"), a_shape("small", "H100-80GB"), a_shape("large", "H100-80GB")


def a_replica(
    name: str, shape: ReplicaShape, *, age_s: float = 0.0, status: ReplicaStatus = ReplicaStatus.READY
) -> Replica:
    return Replica(
        name=name,
        node=f"n-{name}",
        position=0,
        incarnation=1,
        shape=shape,
        status=status,
        reason=Reason.OBSERVED,
        since=START - timedelta(seconds=age_s),
        endpoint=f"http://{name}",
    )


def a_fleet(*replicas: Replica) -> FleetState:
    return FleetState(nodes=(), replicas=replicas, incarnations=())


def a_trial(step: Step, *, age_s: float = 0.0) -> Trial:
    return Trial(kind="k", step=step, since=START - timedelta(seconds=age_s))


def trying(shape: ReplicaShape, step: Step, *replicas: str, age_s: float = 0.0) -> OnTrial:
    return OnTrial(shape=shape, step=step, since=START - timedelta(seconds=age_s), replicas=replicas)


PROVED = {OLD.id: a_trial(Step.PROVED, age_s=9999)}


# Who is on trial


def test_a_kind_that_nobody_measured_is_on_trial_with_all_its_replicas() -> None:
    fleet = a_fleet(a_replica("old", OLD), a_replica("x", NEW, age_s=50), a_replica("y", NEW, age_s=9))
    assert on_trial(fleet, PROVED) == (trying(NEW, Step.CANARY, "x", "y", age_s=50),)


def test_a_step_counts_from_when_it_was_reached_and_somebody_was_ready() -> None:
    fleet = a_fleet(a_replica("x", NEW, age_s=50))
    (reached_lately,) = on_trial(fleet, {NEW.id: a_trial(Step.HALF, age_s=10)})
    (came_back,) = on_trial(fleet, {NEW.id: a_trial(Step.HALF, age_s=86_400)})
    assert (reached_lately.step, reached_lately.since) == (Step.HALF, START - timedelta(seconds=10))
    assert (came_back.step, came_back.since) == (Step.HALF, START - timedelta(seconds=50))


def test_what_does_not_serve_is_not_tried() -> None:
    statuses = (ReplicaStatus.STARTING, ReplicaStatus.WARMING, ReplicaStatus.DRAINING, ReplicaStatus.FAILED)
    fleet = a_fleet(*(a_replica(status, NEW, status=status) for status in statuses))
    assert rollout(fleet, {}, {}, RULES, START) == RolloutState()


# When a step ends

STEPS = [
    ("too young", 59, 500, "", Step.CANARY),
    ("old enough and enough requests", 60, 20, "", Step.QUARTER),
    ("too few requests", 60, 19, "", Step.CANARY),
    ("too few requests for too long", 180, 0, "", Step.QUARTER),
    ("worse than promised", 9999, 9999, "late", Step.CANARY),
]


@pytest.mark.parametrize(("name", "age_s", "requests", "worse", "due"), STEPS, ids=[s[0] for s in STEPS])
def test_a_step_ends_when_it_lasted_and_showed_enough(
    name: str, age_s: float, requests: int, worse: str, due: Step
) -> None:
    kind = trying(NEW, Step.CANARY, "x", age_s=age_s)
    assert next_step(kind, Showing(requests=requests, worse=worse), RULES, START) is due


def test_the_ramp_goes_from_the_canary_over_a_quarter_and_a_half() -> None:
    assert [RULES.most(step) for step in Step] == [0.05, 0.25, 0.5, 1.0]
    steps = [Step.CANARY]
    while steps[-1] is not Step.PROVED:
        steps.append(next_step(trying(NEW, steps[-1], "x", age_s=60), Showing(requests=20), RULES, START))
    assert steps == [Step.CANARY, Step.QUARTER, Step.HALF, Step.PROVED]


def test_a_large_canary_is_never_made_smaller_by_the_ramp() -> None:
    rules = RolloutRules(canary_share=0.4, canary_s=1, canary_requests=1, soak_s=1, rollback_pct=1)
    assert [rules.most(step) for step in Step] == [0.4, 0.4, 0.5, 1.0]


# Who counts when old ones are let go

COUNTED = [
    ("soaked and proved", OLD, 120, True),
    ("proved and not soaked", OLD, 119, False),
    ("soaked and on trial", NEW, 9999, False),
]


@pytest.mark.parametrize(("name", "shape", "age_s", "counts"), COUNTED, ids=[c[0] for c in COUNTED])
def test_only_what_is_proved_and_soaked_takes_the_place_of_the_old(
    name: str, shape: ReplicaShape, age_s: float, counts: bool
) -> None:
    state = rollout(a_fleet(a_replica("x", shape, age_s=age_s)), PROVED, {}, RULES, START)
    assert (state.counted == {"x"}) is counts


def test_a_model_that_the_plan_drops_serves_until_the_models_that_take_its_queries_do() -> None:
    world = FleetWorld(limits())
    small, large = planned(an_offer(), 2, small=1), planned(an_offer(gpu="H100-80GB"), large=1)
    world.converge(small)
    while not world.ready("large"):
        assert world.ready("small") == 2
        for action in world.decide(large):
            assert not isinstance(action, DrainReplica)
            world.do(action)
        world.settle()
    world.converge(large)
    assert (world.ready("small"), world.ready("large")) == (0, 1)


def test_a_trial_that_goes_badly_is_told() -> None:
    fleet = a_fleet(a_replica("x", NEW), a_replica("y", OTHER))
    state = rollout(fleet, {}, {NEW.id: Showing(requests=9, worse="late")}, RULES, START)
    assert state.worse == ((NEW.id, "late"),)
    assert [kind.shape_id for kind in state.on_trial] == sorted((NEW.id, OTHER.id))


# Shares


def shares(
    replicas: list[Replica],
    tried: tuple[OnTrial, ...],
    weights: Mapping[str, float],
    demand: Mapping[str, float] | None = None,
) -> dict[str, float]:
    return trial_shares(replicas, tried, weights, RULES, demand or {})


def test_a_canary_gets_its_share_whatever_the_number_of_siblings() -> None:
    for siblings in (1, 2, 9):
        replicas = [a_replica(f"old{n}", OLD) for n in range(siblings)] + [a_replica("x", NEW)]
        tried = (trying(NEW, Step.CANARY, "x"),)
        assert shares(replicas, tried, {OLD.id: 1.0, NEW.id: 50.0}) == {"x": 0.05}


def test_replicas_of_one_kind_divide_its_share() -> None:
    replicas = [a_replica("old", OLD), a_replica("x", NEW), a_replica("y", NEW)]
    tried = (trying(NEW, Step.QUARTER, "x", "y"),)
    assert shares(replicas, tried, {OLD.id: 1.0, NEW.id: 9.0}) == {"x": 0.125, "y": 0.125}


def test_no_share_is_above_the_planned_one() -> None:
    replicas = [a_replica(f"old{n}", OLD) for n in range(99)] + [a_replica("x", NEW)]
    found = shares(replicas, (trying(NEW, Step.HALF, "x"),), {OLD.id: 1.0, NEW.id: 1.0})
    assert found == {"x": pytest.approx(0.01)}


def test_the_only_kind_of_its_model_takes_what_must_be_taken() -> None:
    replicas = [a_replica("x", NEW), a_replica("y", NEW), a_replica("z", OTHER)]
    tried = (trying(NEW, Step.CANARY, "x", "y"), trying(OTHER, Step.QUARTER, "z"))
    assert shares(replicas, tried, {NEW.id: 1.0, OTHER.id: 1.0}) == {}


def test_where_nobody_is_proved_the_kind_that_is_farthest_carries_the_rest() -> None:
    replicas = [a_replica("x", NEW), a_replica("old", OLD)]
    tried = (trying(NEW, Step.CANARY, "x"), trying(OLD, Step.QUARTER, "old"))
    assert shares(replicas, tried, {NEW.id: 1.0, OLD.id: 1.0}) == {"x": 0.05}


RELIEF = [
    ("the old can carry all", 9.0, 0.05),
    ("the old carry 80 %", 12.5, 0.2),
    ("the old carry next to nothing", 1000.0, 0.5),
    ("nobody knows the load", 0.0, 0.05),
]


@pytest.mark.parametrize(("name", "demand_per_s", "share"), RELIEF, ids=[r[0] for r in RELIEF])
def test_what_the_others_cannot_carry_goes_to_the_canary_up_to_its_planned_share(
    name: str, demand_per_s: float, share: float
) -> None:
    replicas = [a_replica("old", OLD), a_replica("x", NEW)]
    tried = (trying(NEW, Step.CANARY, "x"),)
    found = shares(replicas, tried, {OLD.id: 10.0, NEW.id: 10.0}, {"small": demand_per_s})
    assert found == {"x": pytest.approx(share)}


KINDS = (OLD, NEW, a_shape("small", "A10G"), a_shape("small", "T4"), OTHER)
FLEETS = st.lists(st.sampled_from(KINDS), min_size=1, max_size=12)
TRIALS = st.dictionaries(
    st.sampled_from([shape.id for shape in KINDS]), st.builds(a_trial, st.sampled_from(Step)), max_size=5
)
WEIGHTS = st.fixed_dictionaries({shape.id: st.floats(0.01, 100.0) for shape in KINDS})
LOADS = st.fixed_dictionaries({"small": st.floats(0.0, 500.0), "large": st.floats(0.0, 500.0)})


@given(FLEETS, TRIALS, WEIGHTS, LOADS)
def test_shares_are_never_above_the_planned_ones_and_somebody_carries_the_rest(
    shapes: list[ReplicaShape],
    trials: dict[str, Trial],
    weights: dict[str, float],
    demand: dict[str, float],
) -> None:
    replicas = [a_replica(f"r{n}", shape) for n, shape in enumerate(shapes)]
    tried = on_trial(a_fleet(*replicas), trials)
    found = shares(replicas, tried, weights, demand)
    for model in {shape.model for shape in shapes}:
        mine = [r for r in replicas if r.shape.model == model]
        whole = sum(weights[r.shape.id] for r in mine)
        held = sum(found.get(r.name, 0.0) for r in mine)
        assert any(r.name not in found for r in mine), "somebody of each model is not held back"
        assert 0 <= held < 1
        for replica in mine:
            assert found.get(replica.name, 0.0) <= weights[replica.shape.id] / whole * (1 + 1e-9)
        # What the others carry by weight is what is left: together that is every query.
        others = sum(weights[r.shape.id] for r in mine if r.name not in found)
        carried = held + sum((1 - held) * weights[r.shape.id] / others for r in mine if r.name not in found)
        assert carried == pytest.approx(1.0)


@given(FLEETS, TRIALS, st.floats(0, 5000))
def test_the_same_rows_give_the_same_state_however_often_it_is_asked(
    shapes: list[ReplicaShape], trials: dict[str, Trial], age_s: float
) -> None:
    fleet = a_fleet(*(a_replica(f"r{n}", shape, age_s=age_s) for n, shape in enumerate(shapes)))
    states = {repr(rollout(fleet, dict(trials), {}, RULES, START)) for _ in range(3)}
    assert len(states) == 1


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 60)), min_size=1, max_size=40))
def test_a_kind_only_ever_moves_forward_and_is_proved_in_the_end(passes: list[tuple[int, int]]) -> None:
    kind, now, reached = trying(NEW, Step.CANARY, "x"), START, START
    for later_s, requests in passes:
        now += timedelta(seconds=later_s)
        due = next_step(kind, Showing(requests=requests), RULES, now)
        assert due in (kind.step, Step(min(kind.step + 1, Step.PROVED)))
        if due is not kind.step:
            assert (now - reached).total_seconds() >= RULES.canary_s
            reached = now
        if due is Step.PROVED:
            return
        kind = OnTrial(shape=NEW, step=due, since=reached, replicas=("x",))
    assert _left_alone(kind, now) <= 3 * 3 * RULES.canary_s


def _left_alone(kind: OnTrial, now: datetime) -> float:
    """Seconds until it is proved without a single request."""
    begun = now
    while kind.step is not Step.PROVED:
        now += timedelta(seconds=1)
        due = next_step(kind, Showing(), RULES, now)
        kind = kind if due is kind.step else OnTrial(shape=NEW, step=due, since=now, replicas=("x",))
    return (now - begun).total_seconds()
