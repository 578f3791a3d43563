"""Fleet and split by one integer programme: the bound holds, and what it finds is as good as anything."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from bouted.market.offers import Market
from bouted.perf.profile import QUANTILES, Metric, ProfileTable
from bouted.planner.capacity import Capacities
from bouted.planner.design import Design, ScoredDesign
from bouted.planner.inside import Ask, Fleet, Inside
from bouted.planner.joined import Joined
from bouted.planner.joint_fleet import Joint, JointFleet, grouped, packed
from bouted.planner.judge import ProfilesJudge
from bouted.planner.lattice import lattice
from bouted.planner.ontime import on_time_lines
from bouted.planner.planned import ModelShare, PlannedNode, Template
from bouted.planner.problem import PlanningProblem
from bouted.planner.terms import Quota
from bouted.quality.curve import QualityCurve
from bouted.testing.builders import a_problem, a_profile, a_shape, a_table, a_workload, rules, targets
from bouted.testing.fleet import an_offer

SMALL, LARGE = a_shape("small"), a_shape("large", tp=2)
STEADY = Market.ON_DEMAND
OFFERS = (
    an_offer("one", usd_per_hour="1.00", market=STEADY, obtainable=4),
    an_offer("two", gpu_count=2, usd_per_hour="2.40", market=STEADY, obtainable=4),
)


def a_case(**changes: object) -> PlanningProblem:
    return a_problem(
        OFFERS,
        a_table({SMALL: 4.0, LARGE: 3.0}),
        (rules("small"), rules("large")),
        **{"wanted": targets(e2e=3.0, quality=0.7), "workload": a_workload(8.0), **changes},  # type: ignore[arg-type]
    )


def cheapest(problem: PlanningProblem, factor: float, floor: float) -> JointFleet | None:
    curve = QualityCurve.from_model(problem.quality, problem.seed)
    joint = Joint(problem, Capacities(problem.profiles, problem.targets))
    return joint.cheapest(factor, floor, lattice(curve, problem.seed))


def judged(problem: PlanningProblem, designs: Iterator[Design]) -> list[ScoredDesign]:
    curve = QualityCurve.from_model(problem.quality, problem.seed)
    judge = ProfilesJudge(problem, Capacities(problem.profiles, problem.targets), curve)
    return [scored for design in designs if (scored := judge.score(design)) is not None]


def every_design(problem: PlanningProblem, most: int, steps: int) -> Iterator[Design]:
    """Up to `most` nodes of each useful cut of the two offers, with every split on a grid."""
    one, two = problem.offers
    cuts = (
        (one, Template(gpu="L4", gpu_count=1, replicas=(SMALL,))),
        (two, Template(gpu="L4", gpu_count=2, replicas=(SMALL, SMALL))),
        (two, Template(gpu="L4", gpu_count=2, replicas=(LARGE,))),
    )
    for counts in product(range(most + 1), repeat=len(cuts)):
        nodes = tuple(
            PlannedNode(offer=offer, template=template, ordinal=n)
            for (offer, template), count in zip(cuts, counts, strict=True)
            for n in range(count)
        )
        for share in np.linspace(0, 1, steps + 1):
            shares = (ModelShare(model="small", share=1 - share), ModelShare(model="large", share=share))
            yield Design(nodes=nodes, shares=shares)


def test_no_design_that_meets_everything_is_cheaper_than_the_bound() -> None:
    problem = a_case()
    found = cheapest(problem, 1.0, 0.7)
    assert found is not None
    good = [item for item in judged(problem, every_design(problem, 4, 16)) if not item.violated]
    least = min(float(item.design.usd_per_hour) for item in good)
    assert found.bound_usd_per_hour <= least + 1e-6
    assert found.bound_usd_per_hour >= 0.9 * least


@given(
    small=st.floats(1.0, 6.0),
    large=st.floats(1.0, 6.0),
    rate=st.floats(3.0, 9.0),
    limit=st.floats(1.5, 4.0),
    floor=st.floats(0.62, 0.85),
)
@settings(max_examples=6, deadline=None)
def test_the_bound_holds_whatever_the_replicas_carry(
    small: float, large: float, rate: float, limit: float, floor: float
) -> None:
    problem = replace(
        a_case(wanted=targets(e2e=limit, quality=floor), workload=a_workload(rate)),
        profiles=a_table({SMALL: small, LARGE: large}),
    )
    found = cheapest(problem, 1.0, floor)
    good = [item for item in judged(problem, every_design(problem, 3, 12)) if not item.violated]
    if good:
        assert found is not None
        assert found.bound_usd_per_hour <= min(float(item.design.usd_per_hour) for item in good) + 1e-6


def test_the_fleet_found_serves_its_split_within_the_targets() -> None:
    problem = a_case()
    found = cheapest(problem, 0.97, 0.71)
    assert found is not None
    shares = tuple(
        ModelShare(model=rules.name, share=share)
        for rules, share in zip(problem.models, found.shares, strict=True)
    )
    (scored,) = judged(problem, iter([Design(nodes=found.nodes, shares=shares)]))
    assert scored.estimate.e2e_p95_s <= 3.0
    assert float(scored.design.usd_per_hour) <= found.bound_usd_per_hour * 1.01


def test_a_fleet_near_a_split_has_room_for_the_rounding_of_its_shares() -> None:
    """Loads at the brim, at many rates: rounding adds a little to some of them."""
    for rate in np.linspace(5.0, 9.0, 9):
        problem = a_case(workload=a_workload(float(rate)), wanted=targets(e2e=60.0, quality=0.7))
        capacities = Capacities(problem.profiles, problem.targets)
        joined = Joined(problem, capacities, QualityCurve.from_model(problem.quality, problem.seed))
        first = joined.fleet(1.0, 0.7)
        assert first is not None
        found = joined.fleet(1.0, 0.7, first.shares)
        assert found is not None
        names = [item.name for item in problem.models]
        shares = tuple(ModelShare(model=n, share=x) for n, x in zip(names, found.shares, strict=True))
        design = Design(nodes=found.nodes, shares=shares, sharing=found.sharing)
        [scored] = judged(problem, iter([design]))
        assert "capacity" not in scored.violated


def test_it_is_no_dearer_than_the_best_of_every_split_on_a_grid() -> None:
    problem = a_case()
    curve = QualityCurve.from_model(problem.quality, problem.seed)
    inside = Inside(problem, Capacities(problem.profiles, problem.targets))
    asks = [
        Ask(shares=(1 - x, x), factors=(1.0, 1.0), headroom=0.0, spot_share=1.0, switching=False)
        for x in np.round(np.linspace(0, 1, 41), 3)
        if curve.low([1 - x, x]) >= 0.7
    ]
    fleets = [inside.cheapest_fleet(ask) for ask in asks]
    found = cheapest(problem, 1.0, 0.7)
    assert found is not None
    usd = float(sum(node.usd_per_hour for node in found.nodes))
    assert usd <= 1.005 * min(float(fleet.usd_per_hour) for fleet in fleets if isinstance(fleet, Fleet))


def test_a_slow_model_with_few_queries_may_use_up_the_five_percent() -> None:
    """Replicas that never answer in time serve 4 % of the queries: no replica-by-replica target allows it."""
    fast, slow = a_profile(SMALL, idle_s=0.1, max_rate=4.0), a_profile(LARGE, idle_s=0.6, max_rate=4.0)
    floor = QualityCurve.from_model(a_case().quality, 1).low([0.97, 0.03])
    problem = replace(
        a_case(wanted=targets(e2e=3.0, quality=floor)), profiles=ProfileTable(profiles=(fast, slow))
    )
    late = on_time_lines(slow, Metric.E2E, 3.0)
    assert [(line.slope, line.most_per_s) for line in late] == [(0.0, 0.0)]
    found = cheapest(problem, 1.0, floor)
    assert found is not None
    assert 0 < found.shares[1] <= 0.05


def test_impossible_floors_and_targets_have_no_answer() -> None:
    assert cheapest(a_case(), 1.0, 0.99) is None
    assert cheapest(a_case(wanted=targets(e2e=0.5, quality=0.7)), 1.0, 0.7) is None


def test_a_quota_is_kept() -> None:
    quota = Quota(provider=OFFERS[1].provider, region="*", gpu="L4", market=STEADY, gpus=9)
    free, bound = (cheapest(replace(a_case(), quotas=quotas), 1.0, 0.7) for quotas in ((), (quota,)))
    assert free is not None
    used = 0 if bound is None else sum(node.offer.gpu_count for node in bound.nodes)
    assert used <= 9
    assert bound is None or bound.bound_usd_per_hour >= free.bound_usd_per_hour - 1e-6


def test_the_lines_are_above_the_curve_and_close_to_it() -> None:
    profile = a_profile(SMALL, idle_s=0.1, max_rate=4.0)
    lines = on_time_lines(profile, Metric.E2E, 1.3)
    for load in np.linspace(0.2, 4.0, 30):
        quantiles = profile.quantiles_at(Metric.E2E, float(load))
        share = float(np.interp(1.3, quantiles, QUANTILES, left=0.0, right=1.0))
        least = min(line.slope * load + line.most_per_s for line in lines)
        assert load * share - 1e-3 <= least <= load * share + 0.1


@pytest.mark.parametrize("models", [("a",), ("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d")])
def test_the_envelope_is_nowhere_below_the_curve(models: tuple[str, ...]) -> None:
    problem = a_problem([OFFERS[0]], a_table({SMALL: 4.0}), tuple(rules(name) for name in models))
    curve = QualityCurve.from_model(problem.quality, 1)
    found = lattice(curve, 1)
    splits = np.random.default_rng(3).dirichlet(np.ones(len(models)), 20)
    for split in splits:
        best = linprog(
            -found.low, A_eq=np.vstack([found.splits.T, np.ones(len(found.low))]), b_eq=np.append(split, 1.0)
        )
        assert -best.fun + found.excess >= curve.low(split) - 0.01


def test_a_replica_on_two_instances_takes_two_equal_ones() -> None:
    wide = replace(a_shape("large", tp=2, pp=2), instances=2)
    one, two = OFFERS
    groups, left = grouped([wide], [one, two, two, two])
    assert groups == [(two, wide)]
    assert left == [one, two]


def test_replicas_of_sizes_that_divide_each_other_always_fit() -> None:
    two, four = a_shape("large", tp=2), a_shape("large", tp=4)
    cuts = packed([SMALL, SMALL, two, four, four, two, two], 8, 2)
    assert sum(len(cut) for cut in cuts) == 7
    assert all(sum(shape.gpu_count for shape in cut) <= 8 for cut in cuts)
