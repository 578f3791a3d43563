"""Cuts of an instance: all that could matter are kept, and no more."""

from collections.abc import Iterator
from itertools import combinations_with_replacement

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bouted.perf.shapes import ReplicaShape
from bouted.planner.templates import Cuts, cuts, layouts, part, undominated
from bouted.testing.builders import a_shape

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
