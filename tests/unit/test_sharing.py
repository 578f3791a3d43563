"""How the replicas of a model share its queries: by what they carry, slow ones spared while there is room."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.catalog.gpus import Evidence
from bouted.perf.build import build_profiles
from bouted.perf.costs import StepCosts, roofline
from bouted.perf.loads import Detail
from bouted.perf.profile import ProfileTable
from bouted.planner.capacity import SHARES_OF_TARGET, Capacities
from bouted.planner.design import Design
from bouted.planner.goals import Robustness
from bouted.planner.latency import replica_loads
from bouted.planner.planned import ModelShare
from bouted.planner.rehearse import Rehearsal
from bouted.planner.sharing import LEAST, weights
from bouted.testing.builders import a_problem, a_profile, a_shape, a_workload, rules, targets
from bouted.testing.fleet import an_offer, planned

SLOW, FAST = a_shape("one", "L4"), a_shape("one", "H100")
TABLE = ProfileTable(
    profiles=(a_profile(SLOW, idle_s=0.4, max_rate=4.0), a_profile(FAST, idle_s=0.1, max_rate=16.0))
)
FLEET = Design(
    nodes=(*planned(an_offer(), 3, one=1), *planned(an_offer(gpu="H100"), 1, one=1)),
    shares=(ModelShare(model="one", share=1.0),),
)
MOST = 3 * 4.0 + 16.0


def capacities(ttft: float = 2.0) -> Capacities:
    return Capacities(TABLE, targets(ttft=ttft))


def part_of_slow(load: float, high: float | None = None) -> float:
    """The share of queries that the three slow replicas get."""
    found = weights(FLEET, a_workload(load, high=high), capacities())
    return 3 * found[SLOW.id] / (3 * found[SLOW.id] + found[FAST.id])


@given(st.floats(0.1, MOST))
def test_the_loads_of_all_replicas_are_the_load(load: float) -> None:
    loads = replica_loads(FLEET, a_workload(load), capacities())
    assert sum(item.rate_per_s * item.count for item in loads) == pytest.approx(load)
    assert all(item.rate_per_s > 0 for item in loads)


def test_near_their_targets_replicas_share_by_what_they_carry_there() -> None:
    found, carried = weights(FLEET, a_workload(20.0), capacities()), capacities()
    for shape in (SLOW, FAST):
        assert found[shape.id] == pytest.approx(carried.rate(shape.id, 1.0))


def test_slow_replicas_are_spared_while_fast_ones_have_room() -> None:
    parts = [part_of_slow(load) for load in (0.5, 4.0, 8.0, 12.0, 20.0)]
    assert all(later >= earlier * (1 - 1e-9) for earlier, later in pairwise(parts))
    assert parts[0] < 0.6 * parts[-1]


def test_shares_have_room_for_the_high_end_of_the_load() -> None:
    assert part_of_slow(4.0, high=16.8) == pytest.approx(part_of_slow(12.0))
    assert part_of_slow(4.0, high=16.8) > part_of_slow(4.0)


@given(st.floats(0.1, 40.0), st.floats(0.05, 5.0))
def test_no_replica_is_left_without_a_part_whatever_the_target(load: float, ttft: float) -> None:
    found = weights(FLEET, a_workload(load), capacities(ttft))
    for shape, most in ((SLOW, 4.0), (FAST, 16.0)):
        assert 0 < found[shape.id] <= most * (1 + 1e-9)
    assert found[SLOW.id] / 4.0 >= LEAST * found[FAST.id] / 16.0 * (1 - 1e-9)


def test_replicas_alike_share_alike_at_any_load() -> None:
    alike = replace(FLEET, nodes=planned(an_offer(), 3, one=1))
    (item,) = replica_loads(alike, a_workload(6.0), capacities())
    assert item.count == 3
    assert item.rate_per_s == pytest.approx(2.0)


def test_the_rates_at_shares_of_the_target_ascend() -> None:
    for shape in (SLOW, FAST):
        curve = capacities().curve(shape.id)
        assert len(curve) == len(SHARES_OF_TARGET)
        assert all(later >= earlier for earlier, later in pairwise(curve))


def costs(step_s: float) -> StepCosts:
    return roofline(
        overhead_s=step_s,
        weights_s=step_s,
        compute_s_per_token=step_s / 60,
        kv_s_per_token=0.0,
        kv_capacity_tokens=200_000,
        max_batch=48,
        max_step_tokens=2048,
        evidence=Evidence.ROOFLINE,
        spread=0.1,
    )


def test_sparing_slow_replicas_lowers_the_tail_of_a_lightly_loaded_fleet() -> None:
    workload = a_workload(1.0)
    table = build_profiles(
        ((SLOW, costs(0.02)), (FAST, costs(0.005))), workload.lengths, 1.0, 1, detail=Detail(most_points=8)
    )
    wanted = targets(e2e=3.0 * table.by_shape[SLOW.id].points[0].e2e_s[13])
    capacities = Capacities(table, wanted)
    at_targets = {shape.id: capacities.weight(shape.id) for shape in (SLOW, FAST)}
    load = 0.4 * (3 * at_targets[SLOW.id] + at_targets[FAST.id])
    problem = a_problem(
        [an_offer()], table, (rules("one"),), workload=replace(a_workload(load)), wanted=wanted
    )
    problem = replace(problem, robustness=Robustness(scenarios=3))
    spared, even = (
        max(
            float(np.quantile(seconds[2], 0.95))
            for run in Rehearsal(problem, each).runs(FLEET)
            if (seconds := run.answered()) is not None
        )
        for each in (capacities, _Even(table, wanted))
    )
    assert spared < 0.9 * even


class _Even(Capacities):
    """Capacities by which replicas share as they would right at the targets, whatever the load."""

    def curve(self, shape_id: str) -> npt.NDArray[np.float64]:
        return np.full(len(SHARES_OF_TARGET), self.weight(shape_id))
