"""Cuts of an instance: all that could matter are kept, and no more."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt
from hypothesis import event, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from bouted.market.offers import Offer
from bouted.perf.shapes import ReplicaShape
from bouted.planner.capacity import Capacities
from bouted.planner.cheapest import GAP
from bouted.planner.columns import ColumnSource
from bouted.planner.covering import covering
from bouted.planner.inside import Ask, Fleet, Inside
from bouted.planner.pooling import worth_having
from bouted.planner.problem import PlanningProblem
from bouted.planner.programme import Programme, solve
from bouted.planner.templates import Cuts, cuts, group_layouts, layouts, part, undominated
from bouted.planner.terms import Quota
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules
from bouted.testing.fleet import an_offer

Offered = list[tuple[ReplicaShape, float]]


def every_cut(offered: list[Offered], gpu_count: int) -> Iterator[tuple[tuple[float, ...], tuple[int, ...]]]:
    """Rates and replica counts per model of all multisets of replicas that fit."""
    pieces = [(m, shape, rate) for m, rates in enumerate(offered) for shape, rate in rates]
    for n in range(1, gpu_count + 1):
        for chosen in combinations_with_replacement(pieces, n):
            if sum(shape.gpu_count for _, shape, _ in chosen) <= gpu_count:
                models = range(len(offered))
                rates = tuple(sum(rate for k, _, rate in chosen if k == m) for m in models)
                yield rates, tuple(sum(1 for k, _, rate in chosen if k == m and rate > 0) for m in models)


def cut(offered: list[Offered], gpu_count: int, wanted: int = 1) -> Cuts:
    return cuts([part(layouts(found, gpu_count, wanted), wanted) for found in offered], gpu_count)


sizes = st.sampled_from([(1, 1), (2, 1), (1, 2), (4, 1)])
models_offered = st.lists(st.dictionaries(sizes, st.integers(0, 9), max_size=3), min_size=1, max_size=3)


@given(models_offered, st.sampled_from([1, 2, 4]), st.integers(0, 2))
def test_every_possible_cut_is_matched_or_beaten_by_a_kept_one(
    found: list[dict[tuple[int, int], int]], gpu_count: int, wanted: int
) -> None:
    offered = [
        [(a_shape(f"m{m}", tp=tp, pp=pp), float(rate)) for (tp, pp), rate in rates.items()]
        for m, rates in enumerate(found)
    ]
    kept = cut(offered, gpu_count, wanted)
    for rates, counts in every_cut(offered, gpu_count):
        if any(rates):
            enough = np.minimum(counts, wanted)
            assert np.any(
                np.all(kept.rates >= np.array(rates) - 1e-9, axis=1) & np.all(kept.replicas >= enough, axis=1)
            )


@given(models_offered, st.sampled_from([1, 2, 4, 8]))
def test_a_kept_cut_fits_and_carries_what_it_says(
    found: list[dict[tuple[int, int], int]], gpu_count: int
) -> None:
    offered = [
        [(a_shape(f"m{m}", tp=tp, pp=pp), float(rate)) for (tp, pp), rate in rates.items()]
        for m, rates in enumerate(found)
    ]
    rate_of = {shape: rate for rates in offered for shape, rate in rates}
    kept = cut(offered, gpu_count)
    for i in range(len(kept.rates)):
        shapes = kept.shapes(i)
        assert 0 < sum(shape.gpu_count for shape in shapes) <= gpu_count
        assert shapes == tuple(sorted(shapes))
        for m in range(len(offered)):
            assert kept.rates[i, m] == sum(rate_of[s] for s in shapes if s.model == f"m{m}")


def test_an_eight_gpu_node_has_few_cuts_worth_considering() -> None:
    offered = [
        [(a_shape(name, tp=tp), tp * rate * 0.95**tp) for tp in (1, 2, 4, 8)]
        for name, rate in (("small", 9.0), ("medium", 3.0), ("large", 1.0))
    ]
    kept = cut(offered, 8)
    assert len(kept.rates) == 45  # one for each way to share eight GPUs among three models
    assert all(sum(shape.gpu_count for shape in kept.shapes(i)) == 8 for i in range(45))


def test_a_large_model_and_small_ones_share_a_node() -> None:
    large = [(a_shape("large", tp=4), 2.0)]
    small = [(a_shape("small"), 5.0)]
    kept = cut([small, large], 8)
    mixed = [kept.shapes(i) for i in range(len(kept.rates)) if kept.rates[i].min() > 0]
    assert mixed == [(a_shape("large", tp=4), *[a_shape("small")] * 4)]


def test_of_equal_rows_the_first_is_kept() -> None:
    values = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0], [0.5, 2.0]])
    assert undominated(values).tolist() == [0, 1]


def test_a_group_is_cut_for_one_model_at_a_time() -> None:
    over = {m: replace(a_shape(m, tp=2, pp=2), instances=2) for m in ("small", "large")}
    other = replace(a_shape("small", pp=4), instances=2)
    offered = ([(over["small"], 3.0), (other, 5.0)], [(over["large"], 2.0)])
    kept = cuts([part(group_layouts(found), 1) for found in offered], 2, instances=2)
    assert [kept.shapes(i) for i in range(len(kept.rates))] == [(over["large"],), (other,)]
    assert kept.rates.tolist() == [[0.0, 2.0], [5.0, 0.0]]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[PlanningProblem, dict[ReplicaShape, float]]:
    """One or two offers, two or three models with random rates, minimum replicas, perhaps a quota, groups."""
    names = ["small", "medium", "large"][: draw(st.integers(2, 3))]
    rates: dict[ReplicaShape, float] = {}
    for name in names:
        for tp in draw(st.sets(st.sampled_from([1, 2, 4]), min_size=1, max_size=2)):
            rates[a_shape(name, tp=tp)] = float(draw(st.integers(1, 9)))
    rates[replace(a_shape(names[-1], tp=2, pp=2), instances=2)] = float(draw(st.integers(1, 30)))
    sold = [
        an_offer(
            cloud,
            gpu_count=draw(st.sampled_from([1, 2, 4, 8])),
            usd_per_hour=str(Decimal(draw(st.integers(50, 900))) / 100),
            obtainable=draw(st.integers(1, 4)),
        )
        for cloud in ("aws", "gcp")[: draw(st.integers(1, 2))]
    ]
    quota = Quota(provider="aws", region="*", gpu="L4", market=sold[0].market, gpus=draw(st.integers(2, 12)))
    models = [rules(name, least=draw(st.integers(0, 2))) for name in names]
    problem = a_problem(sold, a_table(rates), models, workload=a_workload(draw(st.floats(1.0, 12.0))))
    quotas = (quota,) if draw(st.booleans()) else ()
    return replace(problem, quotas=quotas, groups=draw(st.sampled_from([1, 2]))), rates


def cheapest_of_all_cuts(
    problem: PlanningProblem, rates: dict[ReplicaShape, float], shares: tuple[float, ...]
) -> float | None:
    """The least $/h with every cut of every offer as a column of its own, none left out."""
    names = [item.name for item in problem.models]
    columns = [
        (offer, instances, carried, counts)
        for offer in problem.offers
        for instances, carried, counts in cuts_of(offer, problem, rates, names)
    ]
    if not columns:
        return None
    carried = np.array([item[2] for item in columns]).T
    counts = np.array([item[3] for item in columns]).T
    takes = np.array([float(item[1]) for item in columns])
    where = np.array([[float(item[0] is offer) for item in columns] for offer in problem.offers])
    covered = [
        [item[0].gpu_count * float(quota.covers(item[0])) for item in columns] for quota in problem.quotas
    ]
    limited = np.vstack([where, np.array(covered).reshape(len(problem.quotas), len(columns))]) * takes
    least = [*(s * problem.workload.rate_per_s for s in shares), *(m.min_replicas for m in problem.models)]
    most = [*(offer.obtainable for offer in problem.offers), *(quota.gpus for quota in problem.quotas)]
    found = solve(
        Programme(
            cost=takes * np.array([float(item[0].usd_per_hour) for item in columns]),
            low=np.zeros(len(columns)),
            high=np.full(len(columns), 99.0),
            whole=np.ones(len(columns), dtype=np.bool_),
            matrix=csr_array(np.vstack([carried, counts, limited])),
            row_low=np.array([*least, *(-np.inf for _ in most)]),
            row_high=np.array([*(np.inf for _ in least), *most]),
        ),
        gap=0.0,
    )
    return None if found is None else found.bound


def cuts_of(
    offer: Offer, problem: PlanningProblem, rates: dict[ReplicaShape, float], names: list[str]
) -> Iterator[tuple[int, tuple[float, ...], tuple[int, ...]]]:
    """Instances, requests/s and replicas per model of every cut of one instance, then of every group."""
    alone = [[(s, r) for s, r in rates.items() if s.model == name and s.instances == 1] for name in names]
    for carried, counts in every_cut(alone, offer.gpu_count):
        yield 1, carried, counts
    for shape, rate in rates.items():
        if 1 < shape.instances <= problem.groups and shape.gpu_count == shape.instances * offer.gpu_count:
            mine = tuple(int(shape.model == name) for name in names)
            yield shape.instances, tuple(rate * one for one in mine), mine


@settings(max_examples=60, deadline=None)
@given(worlds(), st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_no_fleet_of_cuts_that_were_left_out_is_cheaper(
    world: tuple[PlanningProblem, dict[ReplicaShape, float]], weights: list[int]
) -> None:
    problem, rates = world
    some = np.array(weights[: len(problem.models)]) + 1e-3
    shares = tuple(float(x) for x in some / some.sum())
    ask = Ask(shares=shares, factors=(1.0,) * len(shares), headroom=0.0, spot_share=1.0, switching=False)
    best, found = cheapest_of_all_cuts(problem, rates, shares), Inside(problem).cheapest_fleet(ask)
    event("no fleet" if best is None else "some fleet")
    if best is None:
        assert found is None
    else:
        assert isinstance(found, Fleet)
        assert best - 1e-6 <= float(found.usd_per_hour) <= best * (1 + GAP) + 1e-6


@settings(max_examples=60, deadline=None)
@given(worlds(), st.floats(0.05, 0.95))
def test_a_column_left_out_is_matched_by_a_kept_one_of_its_offer_for_no_more_money(
    world: tuple[PlanningProblem, dict[ReplicaShape, float]], share: float
) -> None:
    problem, _ = world
    models = len(problem.models)
    needs: npt.NDArray[np.float64] = np.array([share] + [(1 - share) / (models - 1)] * (models - 1)) * 5.0
    source = ColumnSource(problem, Capacities(problem.profiles, problem.targets))
    columns = source.build(needs, (1.0,) * models, switching=False)
    cover = covering(columns, needs, 0.5, [item.min_replicas for item in problem.models], ()).matrix
    kept = worth_having(columns, cover.T)
    for column in set(range(len(columns.usd))) - set(kept.tolist()):
        assert any(
            columns.offer[k] == columns.offer[column]
            and columns.usd[k] <= columns.usd[column]
            and columns.takes[k] <= columns.takes[column]
            and np.all(cover[:, k] >= cover[:, column])
            for k in kept
        )
