"""Step costs against estimates made from measured kernels, and what must hold whatever the figures.

The table is TPOT in ms by aiconfigurator 0.12.0 (https://github.com/ai-dynamo/aiconfigurator) from its
measured kernel tables ("silicon" mode), for vLLM 0.24.0 in bf16 with `batch` requests of 1024 + 256 tokens
always in flight. Ours come from curves fitted to much the same kernels, one operator at a time; that the sums
agree says that no operator is forgotten or counted twice.
"""

from statistics import median, quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.catalog.gpus import Evidence, Link
from bouted.catalog.load import load_catalog
from bouted.catalog.precision import Precision
from bouted.perf.costs import StepCosts
from bouted.perf.memory import fits
from bouted.perf.shapes import Engine, Fit, ReplicaShape
from bouted.perf.steptime import SPREAD, step_costs

CATALOG = load_catalog()
PROMPT, OUTPUT = 1024, 256
MEAN_CONTEXT = PROMPT + OUTPUT // 2
BATCHES = (1, 16, 64)
SMALL, MIDDLE, LARGE = ("llama-3.1-8b", 1), ("qwen3-32b", 2), ("llama-3.1-70b", 4)
TPOT_MS: dict[tuple[str, int], dict[str, tuple[float, float, float]]] = {
    SMALL: {
        "A100-80GB": (11.9, 17.2, 32.6),
        "H100-80GB": (6.2, 8.7, 15.0),
        "H200": (4.9, 7.0, 12.4),
        "L40S": (22.0, 29.3, 55.0),
        "B200": (3.5, 4.3, 7.5),
        "RTXPRO6000": (11.2, 14.5, 28.1),
    },
    MIDDLE: {
        "A100-80GB": (25.5, 35.8, 67.7),
        "H100-80GB": (13.4, 18.6, 32.1),
        "H200": (10.7, 14.9, 27.7),
        "B200": (8.2, 10.3, 17.6),
        "RTXPRO6000": (24.3, 33.9, 64.6),
    },
    LARGE: {
        "A100-80GB": (27.2, 40.6, 77.0),
        "H100-80GB": (14.9, 19.8, 33.5),
        "H200": (12.3, 16.1, 29.6),
        "B200": (9.2, 11.5, 20.0),
        "RTXPRO6000": (28.8, 50.6, 103.0),
    },
}
tokens = st.integers(0, 4096)
some_costs = st.builds(
    lambda model, gpu, tp: costs_of(model, gpu, tp),
    st.sampled_from(("llama-3.1-8b", "qwen3-32b")),
    st.sampled_from(("A100-80GB", "H100-80GB", "H200", "B200", "RTXPRO6000")),
    st.sampled_from((1, 2, 4)),
)


def costs_of(
    model: str, gpu: str, tp: int = 1, precision: Precision = Precision.BF16, pp: int = 1
) -> StepCosts:
    shape = ReplicaShape(model=model, gpu=gpu, tp=tp, pp=pp, precision=precision, engine=Engine.VLLM)
    spec, card = CATALOG.model(model), CATALOG.gpu(gpu)
    fit = fits(spec, card, shape, context_tokens=PROMPT + OUTPUT, min_kv_tokens=0)
    assert isinstance(fit, Fit), fit
    return step_costs(spec, card, shape, fit)


def steady_tpot_s(costs: StepCosts, batch: int) -> float:
    """Mean step of a request that decodes while each of the others is replaced once, prompt and all."""
    context = batch * MEAN_CONTEXT
    alone, beside_a_prompt = costs.step_s(0, batch, context), costs.step_s(PROMPT, batch - 1, context)
    replaced = batch - 1
    return ((OUTPUT - replaced) * alone + replaced * beside_a_prompt) / OUTPUT


def errors(*, batches: tuple[int, ...] = BATCHES, unfitted: bool = False) -> list[float]:
    """Relative errors of every cell of the table at these batch sizes."""
    return [
        steady_tpot_s(costs_of(model, gpu, tp), batch) * 1e3 / told - 1
        for (model, tp), row in TPOT_MS.items()
        for gpu, cells in row.items()
        for batch, told in zip(BATCHES, cells, strict=True)
        if batch in batches and not (unfitted and (model, tp) == SMALL)
    ]


def test_half_of_the_estimates_are_within_a_tenth_and_nine_in_ten_within_a_quarter() -> None:
    off = [abs(error) for error in errors()]
    assert len(off) == 48
    assert median(off) <= 0.10
    assert quantiles(off, n=10)[-1] <= 0.25
    assert max(off) <= 0.45


def test_models_that_nothing_was_fitted_to_are_estimated_nearly_as_well() -> None:
    off = [abs(error) for error in errors(unfitted=True)]
    assert len(off) == 30
    assert median(off) <= 0.15


@pytest.mark.parametrize(("batch", "worst"), [(1, 0.30), (16, 0.20), (64, 0.45)])
def test_no_estimate_is_far_off(batch: int, worst: float) -> None:
    assert max(abs(error) for error in errors(batches=(batch,))) <= worst


def test_estimates_are_neither_slow_nor_fast_on_the_whole() -> None:
    assert -0.05 <= median(errors()) <= 0.10


@pytest.mark.parametrize(("model", "tp"), [SMALL, MIDDLE, LARGE])
@pytest.mark.parametrize("batch", BATCHES)
def test_gpus_are_ranked_as_the_table_ranks_them(model: str, tp: int, batch: int) -> None:
    told = {gpu: cells[BATCHES.index(batch)] for gpu, cells in TPOT_MS[model, tp].items()}
    ours = {gpu: steady_tpot_s(costs_of(model, gpu, tp), batch) for gpu in told}
    near = 1.10  # closer than this, the order in the table says little
    pairs = [(a, b) for a in told for b in told if told[a] * near < told[b]]
    assert [(a, b) for a, b in pairs if ours[a] >= ours[b]] == []


@given(costs=some_costs, prefill=tokens, decode=tokens, context=tokens, more=tokens)
def test_more_tokens_are_never_cheaper(
    costs: StepCosts, prefill: int, decode: int, context: int, more: int
) -> None:
    step_s = costs.step_s(prefill, decode, context)
    assert step_s > 0
    assert costs.step_s(prefill + more, decode, context) >= step_s
    assert costs.step_s(prefill, decode + more, context) >= step_s
    assert costs.step_s(prefill, decode, context + more) >= step_s


@given(
    gpu=st.sampled_from([gpu.name for gpu in CATALOG.gpus if gpu.link is Link.NVLINK]),
    context=st.integers(1, 1280),
)
def test_more_nvlinked_gpus_are_never_slower_for_one_request_of_a_large_model(gpu: str, context: int) -> None:
    room = [tp for tp in (2, 4, 8) if CATALOG.gpu(gpu).memory_gib * tp > 190]
    steps = [costs_of("llama-3.1-70b", gpu, tp).step_s(0, 1, context) for tp in room]
    assert steps == sorted(steps, reverse=True)


@given(
    model=st.sampled_from(("llama-3.1-8b", "qwen3-32b")),
    gpu=st.sampled_from(("H100-80GB", "H200", "B200", "RTXPRO6000")),
    batch=st.integers(1, 64),
)
def test_fp8_weights_never_slow_a_step(model: str, gpu: str, batch: int) -> None:
    half, full = costs_of(model, gpu, 1, Precision.FP8), costs_of(model, gpu, 1)
    assert half.step_s(0, batch, batch) <= full.step_s(0, batch, batch)
    assert half.step_s(PROMPT, batch, batch) <= full.step_s(PROMPT, batch, batch)


def test_an_estimate_says_how_well_it_is_known() -> None:
    measured = costs_of("llama-3.1-8b", "H100-80GB")
    assert (measured.evidence, measured.spread) == (Evidence.INTERPOLATED, SPREAD[Evidence.INTERPOLATED])
    for borrowed in (
        costs_of("llama-3.1-8b", "H100-80GB", pp=2),
        costs_of("llama-3.1-8b", "L4"),
        costs_of("llama-3.1-8b", "RTX4090"),
    ):
        assert (borrowed.evidence, borrowed.spread) == (Evidence.ROOFLINE, SPREAD[Evidence.ROOFLINE])
