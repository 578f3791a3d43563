"""How the paper's harness allocates replicas, on four shapes with hand-made profiles."""

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planner_paper_allocate import Means, cheap_fleet, quick_fleets
from planner_paper_judge import Fleet, Rates, fleet
from planner_paper_lists import candidates
from planner_paper_parameters import LARGE, SMALL, USD_PER_HOUR
from planner_paper_problem import straight

from bouted.perf.shapes import ReplicaShape
from bouted.quality.curve import QualityCurve
from bouted.testing.builders import a_shape, a_table

SHAPES = {
    a_shape(SMALL, "RTX5090"): 20.0,
    a_shape(SMALL, "H100-80GB"): 40.0,
    a_shape(LARGE, "RTXPRO6000", tp=2): 8.0,
    a_shape(LARGE, "H100-80GB", tp=4): 40.0,
}
RATES = Rates(a_table(SHAPES, idle_s=1.0).profiles)
MEANS = Means.of(Decimal(60), 8)
LOADS = (70.0, 30.0)
SLOW_S = 100.0


def bill(replicas: tuple[ReplicaShape, ...]) -> Decimal:
    """What replicas cost by the hour."""
    return fleet(replicas, 0.5).usd_per_hour


def used(replicas: tuple[ReplicaShape, ...]) -> dict[str, int]:
    """GPUs by type."""
    counts: dict[str, int] = defaultdict(int)
    for shape in replicas:
        counts[shape.gpu] += shape.gpu_count
    return dict(counts)


@pytest.mark.parametrize("shape", list(SHAPES), ids=lambda shape: shape.id)
def test_more_time_never_means_less_rate(shape: ReplicaShape) -> None:
    rates = [RATES.rate(shape, seconds) for seconds in (1.0, 10.5, 11.0, 15.0, 100.0)]
    assert rates == sorted(rates)
    assert rates[0] == 0.0 < rates[-1]


@given(st.floats(1.0, 60.0))
def test_replicas_that_take_as_long_carry_just_the_load(load: float) -> None:
    replicas = [(shape, 2) for shape in SHAPES if shape.model == SMALL]
    seconds = RATES.balanced_s(replicas, load)
    carried = sum(count * RATES.rate(shape, seconds) for shape, count in replicas)
    assert carried >= load * (1 - 1e-6)
    assert sum(count * RATES.rate(shape, seconds * 0.99) for shape, count in replicas) < load * (1 + 1e-6)


def test_the_quickest_fleet_is_within_the_money_and_the_gpus() -> None:
    found = quick_fleets(RATES, LOADS, MEANS)
    assert found
    for replicas in found:
        assert bill(replicas) <= MEANS.usd_per_hour
        assert all(count <= 8 for count in used(replicas).values())
        assert {shape.model for shape in replicas} == {SMALL, LARGE}


def test_a_later_target_is_never_dearer_and_always_met() -> None:
    costs: list[Decimal] = []
    for seconds in (11.0, 12.0, 15.0, SLOW_S):
        replicas = cheap_fleet(RATES, LOADS, MEANS, seconds)
        assert replicas is not None
        for model, load in zip((SMALL, LARGE), LOADS, strict=True):
            assert sum(RATES.rate(s, seconds) for s in replicas if s.model == model) >= load * (1 - 1e-6)
        costs.append(bill(replicas))
    assert costs == sorted(costs, reverse=True)


def test_a_type_that_may_not_be_had_is_in_no_fleet() -> None:
    found = quick_fleets(RATES, LOADS, MEANS.only("H100-80GB"))
    assert found
    assert all(set(used(replicas)) == {"H100-80GB"} for replicas in found)


@pytest.mark.parametrize("model", [SMALL, LARGE])
def test_candidates_take_one_layout_of_a_type_and_keep_to_the_budget(model: str) -> None:
    found = candidates(RATES, model, MEANS)
    assert found
    assert [one.usd_per_hour for one in found] == sorted(one.usd_per_hour for one in found)
    for one in found:
        assert one.usd_per_hour <= float(MEANS.usd_per_hour) + 1e-9
        assert one.usd_per_hour == pytest.approx(float(bill(one.replicas)))
        assert len(set(one.replicas)) == len({shape.gpu for shape in one.replicas})
        assert all(count <= 8 for count in one.gpus)


def test_a_straight_router_is_worth_the_line_and_that_is_certain() -> None:
    curve = QualityCurve.from_model(straight(((0.0, 0.845), (0.2655, 0.87))), seed=1)
    split = [1 - 0.2655, 0.2655]
    assert curve.mean(split) == pytest.approx(0.87, abs=1e-6)
    assert curve.low(split) == pytest.approx(0.87, abs=1e-6)


def test_a_fleet_costs_what_its_gpus_do_and_says_what_it_is() -> None:
    (small, _, _, large) = SHAPES
    found = fleet((small, small, large), 0.25)
    assert found.usd_per_hour == 2 * USD_PER_HOUR["RTX5090"] + 4 * USD_PER_HOUR["H100-80GB"]
    assert found.shares == (0.75, 0.25)
    assert str(found) == "$13.20: 8B 2x RTX5090 tp1; 70B 1x H100-80GB tp4 (25.0 % on 70B)"
    assert isinstance(found, Fleet)
