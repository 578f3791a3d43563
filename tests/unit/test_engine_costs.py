"""Step costs come back from the times of made-up engines."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from bouted.catalog.gpus import Evidence
from bouted.perf.costs import StepCosts
from bouted.testing.engine_costs import KNOTS, Room, Step, Timed, fitted, predicted_s, prefill

ROOM = Room(kv_capacity_tokens=100_000, max_batch=16, max_step_tokens=512)
PLAIN = StepCosts(
    tokens=KNOTS,
    tokens_s=(0.007, 0.006, 0.006, 0.007, 0.008, 0.009, 0.014, 0.024, 0.044, 0.084, 0.170),
    pair_s=0.0,
    seq_s=0.0,
    kv_s=0.0,
    kv_capacity_tokens=100_000,
    max_batch=16,
    max_step_tokens=512,
    evidence=Evidence.MEASURED,
    spread=0.0,
)
ENGINES = {
    "plain": PLAIN,
    "slow front end": replace(PLAIN, front_end_s=0.02),
    "attention costs": replace(PLAIN, pair_s=2e-7, kv_s=8e-7, seq_s=2e-4, front_end_s=0.005),
}
DONE = (
    *(("prompt", prefill(n, 512), True) for n in (1, 8, 16, 32, 64, 128, 256, 384, 512, 768, 1024)),
    *(
        ("decode", (Step(prefill_tokens=0, decode_seqs=d, context_tokens=d * c),), False)
        for d, c in product((1, 2, 4, 8, 12, 16), (40, 600))
    ),
    *(
        ("mixed", (Step(prefill_tokens=p, decode_seqs=d, context_tokens=40 * d, pairs=p * p / 2),), False)
        for d, p in product((4, 12), (64, 256, 496))
    ),
)


def seen(engine: StepCosts, noise: float = 0.0, seed: int = 0) -> list[Timed]:
    """What a stopwatch reads on `engine`, each time off by about `noise`."""
    rng = np.random.default_rng(seed)
    exact = [Timed(steps=steps, seconds=1.0, from_arrival=arrived) for _, steps, arrived in DONE]
    return [replace(t, seconds=predicted_s(engine, t) * float(np.exp(noise * rng.normal()))) for t in exact]


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_exact_times_give_back_the_engine(engine: StepCosts) -> None:
    found = fitted(seen(engine), ROOM)
    for step in (s for _, steps, _ in DONE for s in steps):
        one = Timed(steps=(step,), seconds=1.0, from_arrival=True)
        assert predicted_s(found, one) == pytest.approx(predicted_s(engine, one), rel=1e-6)
    assert found.front_end_s == pytest.approx(engine.front_end_s, abs=1e-8)
    assert found.kv_s == pytest.approx(engine.kv_s, abs=1e-10)
    assert found.spread < 1e-6


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
@pytest.mark.parametrize("seed", range(5))
def test_times_off_by_three_percent_give_steps_within_five(engine: StepCosts, seed: int) -> None:
    found = fitted(seen(engine, noise=0.03, seed=seed), ROOM)
    errors = [abs(predicted_s(found, t) / t.seconds - 1) for t in seen(engine)]
    assert np.quantile(errors, 0.9) < 0.05
    assert 0.005 < found.spread < 0.06


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_a_few_times_taken_while_somebody_else_had_the_core_do_not_matter(engine: StepCosts) -> None:
    times = [t for seed in range(4) for t in seen(engine, noise=0.02, seed=seed)]
    times[::12] = [replace(t, seconds=2 * t.seconds) for t in times[::12]]
    found = fitted(times, ROOM)
    errors = [abs(predicted_s(found, t) / t.seconds - 1) for t in seen(engine)]
    assert np.quantile(errors, 0.9) < 0.05


def test_costs_are_never_negative() -> None:
    found = fitted(seen(PLAIN, noise=0.3), ROOM)
    assert min(found.pair_s, found.seq_s, found.kv_s, found.front_end_s, *found.tokens_s) >= 0


def test_a_prompt_longer_than_a_step_is_read_in_chunks() -> None:
    first, second = prefill(700, 512)
    assert (first.prefill_tokens, second.prefill_tokens) == (512, 188)
    assert first.pairs + second.pairs == 700 * 700 / 2


@pytest.mark.parametrize(
    ("kinds", "missing"),
    [
        (("decode", "mixed"), "from arrival"),
        (("prompt",), "decoding"),
        (("short", "decode"), "more than 16 prompt tokens"),
    ],
)
def test_too_few_kinds_of_times_are_refused(kinds: tuple[str, ...], missing: str) -> None:
    times = zip((kind for kind, _, _ in DONE), seen(PLAIN), strict=True)
    kept = [t for kind, t in times if kind in kinds or ("short" in kinds and t.steps == prefill(8, 512))]
    with pytest.raises(ValueError, match=missing):
        fitted(kept, ROOM)
