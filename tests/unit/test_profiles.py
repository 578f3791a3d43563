"""Profiles: latency grows with load, capacity is real, and the same input gives the same table."""

from itertools import pairwise

import numpy as np
import pytest

from bouted.catalog.load import Catalog, load_catalog
from bouted.catalog.precision import Precision
from bouted.perf.build import build_profiles, candidate_shapes, refusals
from bouted.perf.costs import StepCosts
from bouted.perf.profile import QUANTILES, Metric, ProfileTable
from bouted.perf.shapes import Engine, ReplicaShape
from bouted.perf.simulate import arrivals, simulate_replica
from bouted.workload.declared import declared_profile

LENGTHS = declared_profile(
    rate_per_s=1, prompt_tokens=260, output_tokens=110, arrival_cv=1.0, most_tokens=4096, seed=1
).lengths
P95 = QUANTILES.index(0.95)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def shapes(catalog: Catalog, model: str, *gpus: str) -> tuple[tuple[ReplicaShape, StepCosts], ...]:
    return candidate_shapes(
        "m", catalog.model(model), tuple(catalog.gpu(g) for g in gpus),
        Precision.BF16, Engine.VLLM, 4096,
    )  # fmt: skip


@pytest.fixture(scope="module")
def table(catalog: Catalog) -> ProfileTable:
    found = shapes(catalog, "llama-3.1-8b", "L4", "A100-80GB") + shapes(catalog, "llama-3.1-70b", "H100-80GB")
    return build_profiles(found, LENGTHS, 1.0, seed=1)


def test_p95_never_falls_as_load_grows(table: ProfileTable) -> None:
    for profile in table.profiles:
        for metric in Metric:
            p95 = [point.of(metric)[P95] for point in profile.points]
            assert all(b >= a * 0.97 for a, b in pairwise(p95)), profile.shape.id


def test_rates_ascend_and_quantiles_ascend(table: ProfileTable) -> None:
    for profile in table.profiles:
        rates = [point.rate_per_s for point in profile.points]
        assert rates == sorted(rates)
        for point in profile.points:
            for metric in Metric:
                assert list(point.of(metric)) == sorted(point.of(metric))


def test_the_highest_rate_is_stable_and_a_quarter_more_is_not(table: ProfileTable) -> None:
    rng = np.random.default_rng(3)
    picks = rng.integers(0, len(LENGTHS), 4000)
    prompt = np.array([LENGTHS[i].prompt_tokens for i in picks])
    output = np.array([LENGTHS[i].output_tokens for i in picks])
    for profile in table.profiles:
        for factor, grows in ((1.0, False), (1.25, True)):
            times = arrivals(profile.max_rate_per_s * factor, 1.0, 4000, seed=9)
            ttft = simulate_replica(profile.costs, times, prompt, output).ttft_s
            late, early = np.median(ttft[3000:]), np.median(ttft[1000:2000])
            assert (late > 2 * early) == grows, (profile.shape.id, factor, early, late)


def test_the_same_input_gives_the_same_table(catalog: Catalog, table: ProfileTable) -> None:
    found = shapes(catalog, "llama-3.1-8b", "L4", "A100-80GB") + shapes(catalog, "llama-3.1-70b", "H100-80GB")
    assert build_profiles(found, LENGTHS, 1.0, seed=1) == table


def test_known_profiles_are_taken_as_they_are(catalog: Catalog, table: ProfileTable) -> None:
    found = shapes(catalog, "llama-3.1-8b", "L4")
    again = build_profiles(found, LENGTHS, 1.0, seed=2, known=table.profiles)
    assert again.profiles == tuple(table.by_shape[shape.id] for shape, _ in found)


def test_a_70b_does_not_start_on_one_l4_and_the_arithmetic_says_why(catalog: Catalog) -> None:
    assert shapes(catalog, "llama-3.1-70b", "L4") == ()
    reasons = {
        item.shape.tp: item.reason
        for item in refusals(
            "m", catalog.model("llama-3.1-70b"), (catalog.gpu("L4"),), Precision.BF16, Engine.VLLM, 4096
        )
    }
    assert "GiB" in reasons[1]


def test_no_pipeline_is_tried_where_a_tensor_parallel_group_holds_the_model(catalog: Catalog) -> None:
    found = shapes(catalog, "llama-3.1-70b", "A100-40GB", "H100-80GB")
    assert {shape.pp for shape, _ in found} == {1}
    assert all(shape.tp * shape.pp <= 8 for shape, _ in found)
