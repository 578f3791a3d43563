"""Which layouts start: cases known from the real world, arithmetic worked out by hand, and its laws."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.catalog.load import load_catalog
from bouted.catalog.precision import KvPrecision, Precision
from bouted.perf.defaults import default_flags
from bouted.perf.flags import EngineFlags
from bouted.perf.kv import request_kv_bytes
from bouted.perf.memory import fits, least_memory_gib
from bouted.perf.refused import RefusedStart, StartFailure, recent_starts
from bouted.perf.shapes import Engine, Fit, Refusal, ReplicaShape, Rule
from bouted.perf.weights import gpu_weight_bytes, weight_bytes

CATALOG = load_catalog()
BF16, FP8, INT4, MXFP4, NVFP4 = (
    Precision.BF16,
    Precision.FP8,
    Precision.INT4,
    Precision.MXFP4,
    Precision.NVFP4,
)
CONTEXT = 8192


def a_layout(
    model: str, gpu: str, tp: int = 1, precision: Precision = BF16, pp: int = 1, engine: Engine = Engine.VLLM
) -> ReplicaShape:
    return ReplicaShape(model=model, gpu=gpu, tp=tp, pp=pp, precision=precision, engine=engine)


def outcome(
    shape: ReplicaShape, context: int = CONTEXT, min_kv: int = 0, flags: EngineFlags | None = None
) -> Fit | Refusal:
    model, gpu = CATALOG.model(shape.model), CATALOG.gpu(shape.gpu)
    return fits(model, gpu, shape, context_tokens=context, min_kv_tokens=min_kv, flags=flags)


def fitted(shape: ReplicaShape, context: int = CONTEXT, flags: EngineFlags | None = None) -> Fit:
    found = outcome(shape, context, flags=flags)
    assert isinstance(found, Fit), found
    return found


def refused(shape: ReplicaShape, context: int = CONTEXT) -> Refusal:
    found = outcome(shape, context)
    assert isinstance(found, Refusal), found
    return found


def every_layout(models: tuple[str, ...]) -> tuple[ReplicaShape, ...]:
    grid = product(models, CATALOG.gpus, (1, 2, 3, 4, 8, 16), (1, 2, 3), Precision)
    return tuple(a_layout(name, gpu.name, tp, precision, pp) for name, gpu, tp, pp, precision in grid)


SOME_LAYOUTS = every_layout(
    ("llama-3.1-8b", "llama-3.1-70b", "qwen3-235b-a22b", "gpt-oss-120b", "deepseek-r1", "gemma-3-27b")
)


@pytest.mark.parametrize(
    ("model", "gpu", "tp", "precision"),
    [
        ("llama-3.1-8b", "L4", 1, BF16),  # 16 GB of weights in 20 usable
        ("llama-3.1-8b", "H100-80GB", 1, BF16),
        ("llama-3.1-8b", "T4", 2, BF16),  # runs as fp16
        ("llama-3.1-8b", "A10G", 1, FP8),  # stored in fp8, computed in 16 bits
        ("qwen2.5-32b", "RTX4090", 1, INT4),  # with 4,096 tokens of context
        ("qwen3-32b", "A100-80GB", 1, BF16),  # 66 GB in 77
        ("qwen3-32b", "L40S", 2, BF16),
        ("llama-3.1-70b", "H100-80GB", 2, BF16),  # barely
        ("llama-3.1-70b", "H100-80GB", 4, BF16),
        ("llama-3.1-70b", "H200", 2, BF16),
        ("llama-3.1-70b", "H200", 1, FP8),
        ("llama-3.1-70b", "B200", 1, BF16),
        ("llama-3.1-70b", "L40S", 4, BF16),
        ("llama-3.1-70b", "A6000", 1, INT4),
        ("llama-3.1-405b", "H100-80GB", 8, FP8),
        ("llama-3.1-405b", "H200", 8, BF16),
        ("llama-3.1-405b", "MI300X", 8, BF16),
        ("qwen2.5-72b", "A100-80GB", 8, INT4),
        ("mixtral-8x7b", "A100-80GB", 2, BF16),
        ("gpt-oss-20b", "RTX4090", 1, MXFP4),
        ("gpt-oss-120b", "H100-80GB", 1, MXFP4),
        ("gpt-oss-120b", "MI300X", 1, MXFP4),
        ("deepseek-r1", "H200", 8, FP8),
        ("deepseek-r1", "B200", 8, FP8),
        ("deepseek-r1", "B200", 4, NVFP4),
        ("qwen3-235b-a22b", "H100-80GB", 4, FP8),
        ("gemma-3-27b", "A100-80GB", 1, BF16),
    ],
)
def test_a_layout_that_people_run_fits(model: str, gpu: str, tp: int, precision: Precision) -> None:
    fit = fitted(a_layout(model, gpu, tp, precision), 4096)
    assert fit.kv_capacity_tokens >= 4096


@pytest.mark.parametrize(
    ("model", "gpu", "tp", "precision", "rule", "says"),
    [
        ("llama-3.1-8b", "T4", 1, BF16, Rule.MEMORY, "needs 15.0 GiB for weights"),
        ("llama-3.1-70b", "H100-80GB", 1, BF16, Rule.MEMORY, "131.4 GiB for weights + 2.5 GiB KV on 1 x "),
        ("llama-3.1-70b", "H100-80GB", 1, FP8, Rule.MEMORY, "needs 67.7 GiB for weights"),
        ("llama-3.1-70b", "H200", 1, BF16, Rule.MEMORY, "needs 131.4 GiB"),
        ("llama-3.1-70b", "L40S", 2, BF16, Rule.MEMORY, " on 2 x "),
        ("llama-3.1-405b", "H100-80GB", 8, BF16, Rule.MEMORY, " on 8 x "),
        ("qwen3-32b", "L40S", 1, BF16, Rule.MEMORY, "needs 61.0 GiB"),
        ("deepseek-r1", "H100-80GB", 8, FP8, Rule.MEMORY, " on 8 x "),
        ("gpt-oss-120b", "A6000", 1, MXFP4, Rule.MEMORY, " on 1 x "),
        ("llama-3.1-8b", "T4", 1, FP8, Rule.PRECISION, "fp8 needs compute capability 8.0, and T4 has 7.5"),
        ("llama-3.1-8b", "V100-32GB", 1, INT4, Rule.PRECISION, "int4 needs compute capability 7.5"),
        ("llama-3.1-8b", "MI300X", 1, NVFP4, Rule.PRECISION, "MI300X has no nvfp4 arithmetic"),
        ("llama-3.1-8b", "H100-80GB", 1, MXFP4, Rule.PRECISION, "mxfp4 is for experts, and llama-3.1-8b has"),
        ("gpt-oss-20b", "V100-32GB", 1, BF16, Rule.PRECISION, "attention with sinks (gpt-oss-20b) needs"),
        ("gemma-3-4b", "T4", 1, BF16, Rule.PRECISION, "gemma-3-4b is unstable in fp16, and bf16 needs"),
        ("qwen2.5-7b", "H100-80GB", 8, BF16, Rule.HEADS, "28 attention heads do not divide by tp 8"),
        ("llama-3.1-8b", "H100-80GB", 3, BF16, Rule.HEADS, "32 attention heads do not divide by tp 3"),
        ("llama-3.1-70b", "H100-80GB", 16, BF16, Rule.LINK, "tp 16 is more than the 8 GPUs that H100-80GB"),
        ("llama-3.1-8b", "L4", 8, BF16, Rule.LINK, "tp 8 is more than the 4 GPUs that L4 links fast"),
        (
            "qwen3-235b-a22b",
            "H200",
            8,
            FP8,
            Rule.WIDTH,
            "the expert width 1536 over tp 8 is 192, no multiple",
        ),
        ("qwen3-30b-a3b", "H200", 4, FP8, Rule.WIDTH, "the expert width 768 over tp 4 is 192, no multiple"),
        ("qwen2.5-14b", "A100-80GB", 8, INT4, Rule.WIDTH, "the feed-forward width 13824 over tp 8 is 1728"),
    ],
)
def test_a_layout_that_cannot_start_is_refused_with_its_reason(
    model: str, gpu: str, tp: int, precision: Precision, rule: Rule, says: str
) -> None:
    found = refused(a_layout(model, gpu, tp, precision))
    assert found.rule is rule
    assert says in found.reason


def test_sglang_needs_more_of_old_cards_and_of_four_bit_floats() -> None:
    old = a_layout("llama-3.1-8b", "V100-32GB", engine=Engine.SGLANG)
    assert refused(old).reason == "sglang needs compute capability 7.5, and V100-32GB has 7.0"
    four_bit = a_layout("llama-3.1-8b", "H100-80GB", 1, NVFP4, engine=Engine.SGLANG)
    assert refused(four_bit).rule is Rule.PRECISION
    fitted(replace(four_bit, engine=Engine.VLLM))


def test_kv_heads_must_divide_over_the_group_or_repeat_evenly() -> None:
    gpu = replace(CATALOG.gpu("H100-80GB"), max_fast_group=16)
    model = replace(CATALOG.model("llama-3.1-8b"), heads=48, intermediate=12288)
    shape = a_layout(model.name, gpu.name, 12)
    found = fits(model, gpu, shape, context_tokens=CONTEXT, min_kv_tokens=0)
    assert found == Refusal(
        rule=Rule.HEADS, reason="8 KV heads neither divide by tp 12 nor repeat evenly over it"
    )
    assert isinstance(fits(model, gpu, replace(shape, tp=16), context_tokens=CONTEXT, min_kv_tokens=0), Fit)


def test_layers_may_be_spread_unevenly_and_the_largest_stage_decides() -> None:
    uneven = fitted(a_layout("llama-3.1-8b", "H100-80GB", pp=3))  # 32 layers: 11, 11 and 10
    whole = weight_bytes(CATALOG.model("llama-3.1-8b"), BF16) / 2**30
    assert uneven.weights_gib > whole / 3
    assert refused(a_layout("llama-3.1-8b", "H100-80GB", pp=5)).rule is Rule.STAGES


def test_deepseek_in_fp8_runs_on_two_nodes_of_eight_h100() -> None:
    fitted(a_layout("deepseek-r1", "H100-80GB", 8, FP8, pp=2))


def test_a_context_beyond_what_the_model_was_made_for_is_refused() -> None:
    shape = a_layout("qwen2.5-32b", "H200")
    fitted(shape, 32768)
    assert refused(shape, 32769) == Refusal(
        rule=Rule.CONTEXT, reason="32769 tokens of context is more than the 32768 of qwen2.5-32b"
    )


def test_a_context_beyond_the_engines_flag_is_refused() -> None:
    found = outcome(a_layout("llama-3.1-8b", "H100-80GB"), 8192, flags=EngineFlags(max_model_len=4096))
    assert found == Refusal(
        rule=Rule.CONTEXT, reason="8192 tokens of context is more than the max_model_len of 4096"
    )


def test_an_engine_does_not_start_with_a_flag_for_longer_requests_than_it_can_hold() -> None:
    shape = a_layout("llama-3.1-8b", "L4")
    flags = EngineFlags(max_model_len=131072)
    found = outcome(shape, 4096, flags=flags)
    assert isinstance(found, Refusal)
    assert found.rule is Rule.MEMORY
    assert "16.0 GiB KV" in found.reason
    fitted(shape, 4096, flags=replace(flags, max_model_len=4096))


def test_the_kv_cache_must_hold_what_is_asked_of_it_and_not_a_token_less() -> None:
    shape = a_layout("llama-3.1-8b", "L4")
    fit = fitted(shape)
    assert outcome(shape, min_kv=fit.kv_capacity_tokens) == fit
    assert isinstance(outcome(shape, min_kv=fit.kv_capacity_tokens + 1), Refusal)


def test_bytes_of_a_model_are_those_of_its_published_shape() -> None:
    model = CATALOG.model("llama-3.1-8b")
    ends = 2 * 128256 * 4096
    assert weight_bytes(model, BF16) == pytest.approx(16.06e9, rel=0.001)
    assert weight_bytes(model, FP8) == pytest.approx(8.03e9 + ends, rel=0.001)
    assert weight_bytes(model, INT4) == pytest.approx((8.03e9 - ends) * (0.5 + 4 / 128) + 2 * ends, rel=0.001)
    assert gpu_weight_bytes(model, BF16, tp=8, pp=1) == weight_bytes(model, BF16) / 8
    assert request_kv_bytes(model, KvPrecision.AUTO, 1) == 131072
    assert request_kv_bytes(model, KvPrecision.AUTO, 1, tp=2) == 65536
    assert request_kv_bytes(model, KvPrecision.AUTO, 1, pp=2) == 65536
    assert request_kv_bytes(model, KvPrecision.FP8, 1) == 65536


def test_published_quantised_checkpoints_have_the_sizes_that_are_loaded() -> None:
    sizes_gb = {
        ("gpt-oss-20b", MXFP4): 13.8,
        ("gpt-oss-120b", MXFP4): 65.2,
        ("qwen2.5-32b", INT4): 19.3,
        ("qwen3-235b-a22b", FP8): 236,
        ("deepseek-r1", NVFP4): 400,
    }
    for (name, precision), size_gb in sizes_gb.items():
        assert weight_bytes(CATALOG.model(name), precision) / 1e9 == pytest.approx(size_gb, rel=0.04), name


def test_what_tensor_parallelism_does_not_divide_is_on_every_gpu() -> None:
    qwen = CATALOG.model("qwen3-235b-a22b")  # four KV heads
    assert gpu_weight_bytes(qwen, BF16, tp=8, pp=1) > weight_bytes(qwen, BF16) / 8
    repeated = request_kv_bytes(qwen, KvPrecision.AUTO, 100, tp=8)
    assert repeated == request_kv_bytes(qwen, KvPrecision.AUTO, 100, tp=4)
    deepseek = CATALOG.model("deepseek-r1")  # one latent vector for all heads
    latent = request_kv_bytes(deepseek, KvPrecision.AUTO, 100, tp=8)
    assert latent == request_kv_bytes(deepseek, KvPrecision.AUTO, 100) == 100 * 61 * 576 * 2


def test_a_windowed_layer_holds_at_most_its_window() -> None:
    gemma = CATALOG.model("gemma-3-27b")  # ten layers see everything
    a_token = 2 * gemma.layers * gemma.kv_heads * gemma.head_dim * 2
    assert request_kv_bytes(gemma, KvPrecision.AUTO, 1024) == 1024 * a_token
    more = request_kv_bytes(gemma, KvPrecision.AUTO, 2048) - request_kv_bytes(gemma, KvPrecision.AUTO, 1024)
    assert more == 1024 * a_token * 10 / 62


def test_the_capacity_of_a_windowed_model_is_for_requests_of_the_length_asked() -> None:
    model, gpu = CATALOG.model("gemma-3-27b"), CATALOG.gpu("H200")
    shape = a_layout(model.name, gpu.name)
    long, short = (
        fits(model, gpu, shape, context_tokens=65536, min_kv_tokens=0, request_tokens=tokens)
        for tokens in (65536, 1024)
    )
    assert isinstance(long, Fit)
    assert isinstance(short, Fit)
    assert long.kv_gib == short.kv_gib
    assert long.kv_capacity_tokens > 5 * short.kv_capacity_tokens


def test_an_fp8_kv_cache_holds_twice_the_tokens_and_eager_mode_saves_the_graphs() -> None:
    shape = a_layout("llama-3.1-8b", "L4")
    plain = EngineFlags(max_model_len=CONTEXT)
    fit = fitted(shape, flags=plain)
    halved = fitted(shape, flags=replace(plain, kv_cache_dtype=KvPrecision.FP8))
    assert halved.kv_capacity_tokens == pytest.approx(2 * fit.kv_capacity_tokens, abs=1)
    eager = fitted(shape, flags=replace(plain, enforce_eager=True))
    assert fit.reserve_gib - eager.reserve_gib == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("engine", "gpu", "tp", "tokens", "seqs", "share"),
    [
        (Engine.VLLM, "L4", 1, 2048, 256, 0.9),
        (Engine.VLLM, "A100-80GB", 1, 2048, 256, 0.9),  # large steps lost throughput there
        (Engine.VLLM, "H100-80GB", 1, 8192, 1024, 0.9),
        (Engine.VLLM, "MI300X", 8, 8192, 1024, 0.9),
        (Engine.SGLANG, "T4", 1, 2048, 2048, 0.757),
        (Engine.SGLANG, "A10G", 1, 2048, 2048, 0.836),
        (Engine.SGLANG, "H100-80GB", 1, 8192, 2048, 0.836),
        (Engine.SGLANG, "B200", 8, 16384, 2048, 0.852),
    ],
)
def test_an_engine_chooses_its_flags_by_the_gpu(
    engine: Engine, gpu: str, tp: int, tokens: int, seqs: int, share: float
) -> None:
    flags = default_flags(engine, CATALOG.gpu(gpu), 4096, tp=tp)
    assert (flags.max_num_batched_tokens, flags.max_num_seqs) == (tokens, seqs)
    assert flags.gpu_memory_utilization == pytest.approx(share, abs=0.002)
    assert flags.max_model_len == 4096


def test_every_layout_of_the_catalog_fits_within_its_gpu_or_says_why_not_in_one_line() -> None:
    fitting = 0
    for shape in SOME_LAYOUTS:
        answer = outcome(shape)
        if isinstance(answer, Refusal):
            assert answer.reason.strip(), shape.id
            assert len(answer.reason.splitlines()) == 1, shape.id
            assert len(answer.reason) < 150, shape.id
            continue
        fitting += 1
        used = answer.weights_gib + answer.reserve_gib + answer.kv_gib
        assert used == pytest.approx(0.9 * CATALOG.gpu(shape.gpu).memory_gib), shape.id
        assert min(answer.weights_gib, answer.reserve_gib, answer.kv_gib) > 0, shape.id
    assert fitting > 500


layouts = st.sampled_from(SOME_LAYOUTS)
contexts = st.integers(min_value=128, max_value=131072)


@given(shape=layouts, context=contexts, more_gib=st.floats(min_value=0, max_value=200))
def test_more_memory_never_refuses(shape: ReplicaShape, context: int, more_gib: float) -> None:
    model, gpu = CATALOG.model(shape.model), CATALOG.gpu(shape.gpu)
    flags = default_flags(shape.engine, gpu, context)
    larger = replace(gpu, memory_gib=gpu.memory_gib + more_gib)
    found = [
        fits(model, each, shape, context_tokens=context, min_kv_tokens=0, flags=flags)
        for each in (gpu, larger)
    ]
    if isinstance(found[0], Fit):
        assert isinstance(found[1], Fit)
        assert found[1].kv_capacity_tokens >= found[0].kv_capacity_tokens


@given(shape=layouts, context=contexts, longer=contexts)
def test_a_longer_context_never_fits_where_a_shorter_did_not(
    shape: ReplicaShape, context: int, longer: int
) -> None:
    if isinstance(outcome(shape, min(context, longer)), Refusal):
        assert isinstance(outcome(shape, max(context, longer)), Refusal)


@given(shape=layouts, context=contexts)
def test_fewer_bits_never_need_more_memory(shape: ReplicaShape, context: int) -> None:
    found = [outcome(replace(shape, precision=each), context) for each in (BF16, FP8, NVFP4)]
    for wider, narrower in ((found[0], found[1]), (found[1], found[2])):
        if isinstance(narrower, Refusal) and narrower.rule is Rule.MEMORY:
            assert isinstance(wider, Refusal)


def test_below_the_least_memory_nothing_fits() -> None:
    for shape in SOME_LAYOUTS:
        least = least_memory_gib(CATALOG.model(shape.model), shape.precision, context_tokens=CONTEXT)
        if CATALOG.gpu(shape.gpu).memory_gib * shape.gpu_count < least:
            assert isinstance(outcome(shape), Refusal), shape.id


def test_one_gpu_of_the_least_memory_is_enough() -> None:
    flags = EngineFlags(max_model_len=4096)
    for model, precision in product(CATALOG.models, (BF16, FP8)):
        least = least_memory_gib(model, precision, context_tokens=4096)
        shape = a_layout(model.name, "H100-80GB", 1, precision)
        for share, kind in ((1.0001, Fit), (0.9999, Refusal)):
            gpu = replace(CATALOG.gpu("H100-80GB"), memory_gib=share * least)
            found = fits(model, gpu, shape, context_tokens=4096, min_kv_tokens=0, flags=flags)
            assert isinstance(found, kind), shape.id


NOW = datetime(2026, 11, 24, tzinfo=UTC)


def a_failure(tp: int, kind: StartFailure = StartFailure.OOM, gpu: str = "H100-80GB") -> RefusedStart:
    return RefusedStart(
        model="llama-3.1-70b",
        gpu=gpu,
        tp=tp,
        pp=1,
        precision=BF16,
        engine=Engine.VLLM,
        kind=kind,
        at=NOW,
        detail="CUDA out of memory",
    )


def taught(tp: int, *starts: RefusedStart, pp: int = 1) -> Fit | Refusal:
    shape = a_layout("llama-3.1-70b", "H100-80GB", tp, pp=pp)
    return fits(
        CATALOG.model(shape.model),
        CATALOG.gpu(shape.gpu),
        shape,
        context_tokens=4096,
        min_kv_tokens=0,
        learned=starts,
    )


def test_a_layout_that_failed_to_start_is_refused_and_says_when() -> None:
    for kind in StartFailure:
        assert taught(4, a_failure(4, kind)) == Refusal(
            rule=Rule.LEARNED, reason="tp 4 pp 1 failed to start on 2026-11-24: CUDA out of memory"
        )


def test_one_that_ran_out_of_memory_speaks_of_every_layout_with_no_more_memory_left() -> None:
    tighter = taught(2, a_failure(4))
    assert isinstance(tighter, Refusal)
    assert tighter.rule is Rule.LEARNED
    assert "GiB a GPU for KV, no more than" in tighter.reason
    assert isinstance(taught(2, a_failure(4), pp=2), Refusal)  # end stages have an embedding more
    assert isinstance(taught(8, a_failure(4)), Fit)


def test_one_that_the_engine_refused_speaks_of_itself_alone_as_does_one_on_another_gpu() -> None:
    assert isinstance(taught(2, a_failure(4, StartFailure.REFUSED)), Fit)
    assert isinstance(taught(4, a_failure(4, gpu="H200")), Fit)


def test_a_failed_start_fades() -> None:
    start = a_failure(4)
    assert recent_starts((start,), now=NOW + timedelta(days=29), days=30) == (start,)
    assert recent_starts((start,), now=NOW + timedelta(days=31), days=30) == ()
