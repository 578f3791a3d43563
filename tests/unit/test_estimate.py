"""Estimates: what one replica does under a load, against hand arithmetic and queueing facts."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.catalog.gpus import Evidence
from bouted.catalog.load import load_catalog
from bouted.catalog.precision import Precision
from bouted.errors import Misconfigured
from bouted.market.offers import Market, Offer
from bouted.perf.arrivals import Trace
from bouted.perf.costs import StepCosts, roofline
from bouted.perf.defaults import default_flags
from bouted.perf.estimate import CURVE, estimate, rate_text
from bouted.perf.mix import RequestMix, request_mix
from bouted.perf.offered import Alone, Closed, Open, Replay, offer
from bouted.perf.price import prices_of
from bouted.perf.ranking import rank
from bouted.perf.replica import Replica, lay_out, started
from bouted.perf.shapes import Engine, ReplicaShape
from bouted.perf.slo import Slo
from bouted.testing.prices import an_offer
from bouted.workload.profile import RequestLength

PROMPT, OUTPUT = 400, 50
OVERHEAD_S, WEIGHTS_S, TOKEN_S = 0.002, 0.010, 0.00002


def costs(slower: float = 1.0) -> StepCosts:
    """A step takes 12 ms up to 500 tokens, and 20 us for each beyond."""
    return roofline(
        overhead_s=slower * OVERHEAD_S,
        weights_s=slower * WEIGHTS_S,
        compute_s_per_token=slower * TOKEN_S,
        kv_capacity_tokens=200_000,
        max_batch=64,
        max_step_tokens=2048,
        evidence=Evidence.ROOFLINE,
        spread=0.25,
    )


def mix(*lengths: tuple[int, int]) -> RequestMix:
    asked = lengths or ((PROMPT, OUTPUT),)
    return request_mix(tuple(RequestLength(prompt_tokens=p, output_tokens=o) for p, o in asked), 1.0, 1)


def test_one_request_alone_takes_what_its_steps_add_up_to() -> None:
    found = estimate(costs(), mix(), Alone())
    step_s = OVERHEAD_S + WEIGHTS_S
    assert found.observed.ttft.p50_s == pytest.approx(step_s)
    assert found.observed.tpot.p95_s == pytest.approx(step_s)
    assert found.observed.e2e.p50_s == pytest.approx(OUTPUT * step_s)
    assert found.observed.output_tokens_per_s == pytest.approx(1 / step_s)


def test_the_front_end_is_part_of_what_a_request_waits() -> None:
    bare = estimate(costs(), mix(), Alone()).observed
    fronted = estimate(replace(costs(), front_end_s=0.5), mix(), Alone()).observed
    assert fronted.ttft.p50_s == pytest.approx(bare.ttft.p50_s + 0.5)
    assert fronted.tpot.p50_s == pytest.approx(bare.tpot.p50_s)


def test_low_and_high_are_the_spread_on_either_side_of_the_median() -> None:
    seen = estimate(costs(), mix(), Open(rate_per_s=20)).observed
    for latency, by in ((seen.ttft, 2.0), (seen.tpot, 1.25), (seen.e2e, 1.25)):
        assert latency.low_s == pytest.approx(latency.p50_s / by)
        assert latency.high_s == pytest.approx(latency.p50_s * by)
        assert latency.p95_s > latency.p50_s


def test_the_highest_rate_is_that_of_a_full_batch() -> None:
    """64 sequences: each needs 400 prompt tokens and 50 steps that it shares with 63 others."""
    per_request_s = (PROMPT + OUTPUT) * TOKEN_S + OUTPUT / 64 * OVERHEAD_S
    least_s = max(per_request_s, OUTPUT / 64 * (OVERHEAD_S + WEIGHTS_S))
    found = estimate(costs(), mix(), Alone())
    assert 0.7 / least_s < found.max_rate_per_s < 1.05 / least_s


def test_a_rate_above_what_is_possible_is_refused_with_both_figures() -> None:
    most = estimate(costs(), mix(), Alone()).max_rate_per_s
    with pytest.raises(Misconfigured) as error:
        estimate(costs(), mix(), Open(rate_per_s=2.5 * most))
    assert (
        error.value.message == f"unstable: {rate_text(2.5 * most)} req/s offered, {rate_text(most)} possible"
    )
    assert "3 replicas" in error.value.hint


def test_two_rates_that_round_to_the_same_are_told_apart() -> None:
    most = estimate(costs(), mix(), Alone()).max_rate_per_s
    with pytest.raises(Misconfigured) as error:
        estimate(costs(), mix(), Open(rate_per_s=1.0004 * most))
    offered, possible = (word for word in error.value.message.split() if word[0].isdigit())
    assert float(offered) > float(possible)


def test_a_rate_that_the_slow_end_of_the_spread_could_not_take_is_noted() -> None:
    most = estimate(costs(), mix(), Alone()).max_rate_per_s
    assert estimate(costs(), mix(), Open(rate_per_s=0.7 * most)).notes == ()
    (slow,) = estimate(costs(), mix(), Open(rate_per_s=0.85 * most)).notes
    assert rate_text(most / 1.25) in slow
    assert len(estimate(costs(), mix(), Open(rate_per_s=0.97 * most)).notes) == 2


def test_the_curve_ascends_to_nearly_the_highest_rate() -> None:
    found = estimate(costs(), mix((400, 50), (900, 20), (50, 150)), Alone())
    rates = [seen.requests_per_s for seen in found.curve]
    assert rates == pytest.approx([share * found.max_rate_per_s for share in CURVE])
    tails = [seen.e2e.p95_s for seen in found.curve]
    assert tails == sorted(tails)
    assert tails[-1] > 1.3 * tails[0]


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 100))
def test_a_closed_loop_obeys_littles_law(clients: int) -> None:
    offered = offer(costs(), mix(), Closed(clients=clients))
    assert offered.rate_per_s is None
    in_flight = offered.requests_per_s * float(offered.e2e_s.mean())
    assert 0.85 * clients < in_flight <= clients * 1.001


def test_a_recording_of_the_mix_at_its_rate_is_that_open_loop() -> None:
    asked = mix()
    arrivals = asked.gaps_s / 10
    replay = Replay(
        trace=Trace(arrivals_s=arrivals, prompt_tokens=asked.prompt_tokens, output_tokens=asked.output_tokens)
    )
    recorded, opened = offer(costs(), asked, replay), offer(costs(), asked, Open(rate_per_s=10))
    assert recorded.rate_per_s == pytest.approx(10, rel=0.05)
    assert recorded.requests_per_s == pytest.approx(10, rel=0.05)
    assert float(np.median(recorded.e2e_s)) == pytest.approx(float(np.median(opened.e2e_s)), rel=0.02)


RECORDED = Replay(
    trace=Trace(
        arrivals_s=np.cumsum(np.random.default_rng(5).exponential(2.0, 500)),
        prompt_tokens=np.full(500, PROMPT),
        output_tokens=np.full(500, OUTPUT),
    )
)


@given(st.floats(0.01, 1000))
def test_a_recording_can_be_stretched_to_any_rate(rate: float) -> None:
    stretched = RECORDED.at(rate)
    assert stretched.rate_per_s == pytest.approx(rate)
    assert stretched.arrival_cv == pytest.approx(RECORDED.arrival_cv, rel=1e-3)


def test_a_recording_above_what_is_possible_is_unstable_too() -> None:
    with pytest.raises(Misconfigured, match="unstable"):
        estimate(costs(), mix(), RECORDED.at(1000))


def test_the_good_rate_is_where_the_slo_is_about_to_break() -> None:
    slo = Slo(tpot_s=0.0135)
    good = estimate(costs(), mix(), Alone(), slo).good_rate_per_s
    assert good is not None
    assert 0 < good < estimate(costs(), mix(), Alone()).max_rate_per_s
    assert estimate(costs(), mix(), Open(rate_per_s=0.95 * good)).observed.tpot.p95_s <= 0.0135
    assert estimate(costs(), mix(), Open(rate_per_s=1.08 * good)).observed.tpot.p95_s > 0.0135


def test_an_slo_that_no_request_can_meet_has_no_good_rate() -> None:
    assert estimate(costs(), mix(), Alone(), Slo(tpot_s=0.001)).good_rate_per_s == 0


def test_rates_are_told_with_the_digits_that_mean_something() -> None:
    told = [rate_text(rate) for rate in (0.0123, 0.5, 0.999, 9.84, 99.96, 123.4, 12345.6)]
    assert told == ["0.012", "0.5", "1.0", "9.8", "100", "123", "12,346"]


def a_replica(gpu: str, tp: int = 1, *, slower: float = 1.0) -> Replica:
    """A real layout of llama-3.1-8b whose steps are those of `costs`."""
    catalog = load_catalog()
    spec, model = catalog.gpu(gpu), catalog.model("llama-3.1-8b")
    shape = ReplicaShape(model=model.name, gpu=gpu, tp=tp, pp=1, precision=Precision.BF16, engine=Engine.VLLM)
    flags = default_flags(shape.engine, spec, 1024, tp=tp)
    made = started(lay_out(model, spec, shape, flags), shape)
    return replace(made, costs=costs(slower))


def offers(
    gpu: str, usd: str, *, gpus: int = 1, market: Market = Market.ON_DEMAND, place: str = "a"
) -> Offer:
    return an_offer(
        Decimal(usd), gpu=gpu, gpu_count=gpus, market=market, region=place, instance_type=f"{gpus}x{gpu}"
    )


def test_layouts_are_ranked_by_what_a_dollar_buys_at_the_cheaper_market() -> None:
    replicas = (a_replica("L4", slower=4), a_replica("A100-80GB"), a_replica("H100-80GB"), a_replica("L40S"))
    found = rank(
        replicas,
        mix(),
        None,
        (
            offers("L4", "1.00"),
            offers("A100-80GB", "3.00"),
            offers("A100-80GB", "1.00", market=Market.SPOT),
            offers("H100-80GB", "2.00"),
        ),
    )
    assert [one.replica.gpu.name for one in found.priced] == ["A100-80GB", "H100-80GB", "L4"]
    assert [one.replica.gpu.name for one in found.unpriced] == ["L40S"]
    best = found.priced[0]
    assert [price.offer.market for price in best.prices] == [Market.ON_DEMAND, Market.SPOT]
    assert best.best_tokens_per_usd == pytest.approx(best.output_tokens_per_s * 3600)
    assert best.output_tokens_per_s == pytest.approx(best.rate_per_s * OUTPUT)


def test_a_layout_that_meets_the_slo_at_no_rate_is_not_ranked() -> None:
    replicas = (a_replica("L4", slower=10), a_replica("A100-80GB"))
    priced = (offers("L4", "0.01"), offers("A100-80GB", "9"))
    found = rank(replicas, mix(), Slo(tpot_s=0.05), priced)
    assert [one.replica.gpu.name for one in found.priced] == ["A100-80GB"]
    assert [one.replica.gpu.name for one in found.too_slow] == ["L4"]


def test_a_replica_pays_for_its_gpus_of_an_instance_that_such_replicas_fill() -> None:
    shape = a_replica("A100-80GB", tp=2).shape
    found = prices_of(
        shape,
        (
            offers("A100-80GB", "1.00", gpus=1),  # too small
            offers("A100-80GB", "1.20", gpus=3),  # would leave one idle
            offers("A100-80GB", "12.00", gpus=8),
            offers("A100-80GB", "13.00", gpus=8, place="b"),
            offers("A100-80GB", "0", gpus=2, market=Market.OWNED),
            offers("H100-80GB", "0.10", gpus=2),
        ),
    )
    assert [(price.usd_per_hour, price.offer.region) for price in found] == [(Decimal("3"), "a")]


def test_a_layout_that_does_not_fit_is_refused_with_the_gates_line() -> None:
    catalog = load_catalog()
    model, gpu = catalog.model("llama-3.1-70b"), catalog.gpu("L4")
    shape = ReplicaShape(
        model=model.name, gpu=gpu.name, tp=1, pp=1, precision=Precision.BF16, engine=Engine.VLLM
    )
    made = lay_out(model, gpu, shape, default_flags(shape.engine, gpu, 1024))
    with pytest.raises(Misconfigured, match=r"llama-3.1-70b in bf16 on 1x L4 .*needs \d+.* GiB"):
        started(made, shape)
