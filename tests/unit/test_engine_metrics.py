"""Engines' own metrics: both engines' names are read, and two scrapes make a window."""

from datetime import timedelta
from inspect import cleandoc
from math import inf

import pytest
from bouted.providers.local_metrics import EngineMetrics
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from bouted.catalog.gpus import Evidence
from bouted.perf.batch import Batch
from bouted.perf.costs import roofline
from bouted.perf.engine_window import EngineWindow, service_of, window_between
from bouted.perf.histogram import NOTHING, Histogram
from bouted.perf.scrape import EngineScrape, parse_scrape
from bouted.perf.service import Statistic
from bouted.testing.fleet import START

COSTS = roofline(
    overhead_s=0.01,
    weights_s=0.01,
    compute_s_per_token=1e-4,
    kv_capacity_tokens=1000,
    max_batch=8,
    max_step_tokens=512,
    evidence=Evidence.ROOFLINE,
    spread=0.0,
)

SGLANG = """
# HELP sglang:num_running_reqs The number of running requests.
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{model_name="m",tp_rank="0"} 3.0
# TYPE sglang:num_queue_reqs gauge
sglang:num_queue_reqs{model_name="m",tp_rank="0"} 2.0
# TYPE sglang:prompt_tokens_total counter
sglang:prompt_tokens_total{model_name="m"} 1000.0
# TYPE sglang:generation_tokens_total counter
sglang:generation_tokens_total{model_name="m"} 400.0
# TYPE sglang:num_aborted_requests_total counter
sglang:num_aborted_requests_total{model_name="m"} 1.0
# TYPE sglang:time_to_first_token_seconds histogram
sglang:time_to_first_token_seconds_sum{model_name="m"} 2.5
sglang:time_to_first_token_seconds_bucket{le="0.1",model_name="m"} 4.0
sglang:time_to_first_token_seconds_bucket{le="1.0",model_name="m"} 10.0
sglang:time_to_first_token_seconds_bucket{le="+Inf",model_name="m"} 10.0
sglang:time_to_first_token_seconds_count{model_name="m"} 10.0
# TYPE sglang:request_time_per_output_token_seconds histogram
sglang:request_time_per_output_token_seconds_sum{model_name="m"} 0.2
sglang:request_time_per_output_token_seconds_bucket{le="0.025",model_name="m"} 10.0
sglang:request_time_per_output_token_seconds_bucket{le="+Inf",model_name="m"} 10.0
sglang:request_time_per_output_token_seconds_count{model_name="m"} 10.0
# TYPE sglang:e2e_request_latency_seconds histogram
sglang:e2e_request_latency_seconds_sum{model_name="m"} 12.0
sglang:e2e_request_latency_seconds_bucket{le="5.0",model_name="m"} 10.0
sglang:e2e_request_latency_seconds_bucket{le="+Inf",model_name="m"} 10.0
sglang:e2e_request_latency_seconds_count{model_name="m"} 10.0
# TYPE sglang:queue_time_seconds histogram
sglang:queue_time_seconds_sum{model_name="m"} 0.4
sglang:queue_time_seconds_bucket{le="+Inf",model_name="m"} 10.0
sglang:queue_time_seconds_count{model_name="m"} 10.0
"""


def scraped(text: str, seconds: float = 0.0) -> EngineScrape:
    found = parse_scrape(cleandoc(text) + "\n", START + timedelta(seconds=seconds))
    assert found is not None
    return found


class PacedEngine:
    """What a paced engine puts on /metrics, under vLLM's names."""

    def __init__(self) -> None:
        self.metrics = EngineMetrics("m", Batch(COSTS))
        self._registry = CollectorRegistry()
        self._registry.register(self.metrics)

    def serve(self, requests: int, *, tpot_s: float, ttft_s: float = 0.2) -> None:
        for _ in range(requests):
            self.metrics.prefilled(100, ttft_s)
            self.metrics.decoded(20, tpot_s)
            self.metrics.done(
                "length", 100, 21, front_s=0.0, queue_s=0.05, prefill_s=ttft_s - 0.05, decode_s=20 * tpot_s
            )

    def scrape(self, seconds: float) -> EngineScrape:
        return scraped(generate_latest(self._registry).decode(), seconds)


def window(before: EngineScrape, after: EngineScrape) -> EngineWindow:
    found = window_between(before, after)
    assert found is not None
    return found


def test_a_window_of_vllm_tells_what_came_between_two_scrapes() -> None:
    engine = PacedEngine()
    engine.serve(50, tpot_s=0.5)
    before = engine.scrape(0)
    engine.serve(40, tpot_s=0.03)
    engine.metrics.aborted()
    between = window(before, engine.scrape(20))
    assert (between.requests, between.failed, between.preempted) == (40, 1, 0)
    assert between.tpot.mean == pytest.approx(0.03)
    assert between.queue.mean == pytest.approx(0.05)
    median = between.tpot.quantile(0.5)
    assert median is not None
    assert 0.025 <= median <= 0.05, "the bucket that holds it"


def test_a_window_is_service_that_a_profile_can_be_held_against() -> None:
    engine = PacedEngine()
    before = engine.scrape(0)
    engine.serve(40, tpot_s=0.03, ttft_s=0.3)
    service = service_of(window(before, engine.scrape(20)))
    assert service is not None
    assert (service.requests, service.failed, service.rate_per_s) == (40, 0, 2.0)
    assert (service.prompt_tokens, service.output_tokens) == (100.0, 21.0)
    assert service.ttft_s == pytest.approx(0.3)
    assert service.tpot_s == pytest.approx(0.03)
    assert service.statistic is Statistic.MEAN


def test_sglang_is_read_under_the_same_names() -> None:
    found = scraped(SGLANG)
    assert (found.running, found.waiting, found.failed) == (3, 2, 1)
    assert (found.prompt_tokens, found.output_tokens) == (1000, 400)
    assert (found.ttft.mean, found.tpot.mean, found.queue.mean) == (0.25, 0.02, 0.04)
    assert found.ttft.quantile(0.4) == pytest.approx(0.1)
    assert found.ttft.quantile(0.7) == pytest.approx(0.55)


def test_ranks_of_one_engine_are_added_up() -> None:
    text = """
    # TYPE vllm:num_requests_running gauge
    vllm:num_requests_running{engine="0"} 3.0
    vllm:num_requests_running{engine="1"} 4.0
    # TYPE vllm:request_success_total counter
    vllm:request_success_total{engine="0",finished_reason="abort"} 1.0
    vllm:request_success_total{engine="0",finished_reason="stop"} 7.0
    vllm:request_success_total{engine="1",finished_reason="error"} 2.0
    """
    found = scraped(text)
    assert (found.running, found.failed, found.ttft) == (7, 3, NOTHING)


def test_an_engine_that_was_started_anew_gives_no_window() -> None:
    before = PacedEngine()
    before.serve(50, tpot_s=0.5)
    after = PacedEngine()
    after.serve(40, tpot_s=0.03)
    assert window_between(before.scrape(0), after.scrape(20)) is None


def test_no_time_gives_no_window_and_no_requests_no_service() -> None:
    engine = PacedEngine()
    assert window_between(engine.scrape(0), engine.scrape(0)) is None
    assert service_of(window(engine.scrape(0), engine.scrape(5))) is None


def test_other_metrics_are_nobodys_and_other_text_is_refused() -> None:
    assert parse_scrape("# TYPE up gauge\nup 1.0\n", START) is None
    assert parse_scrape("", START) is None
    with pytest.raises(ValueError, match="oops"):
        parse_scrape("vllm:num_requests_running oops\n", START)


@given(
    counts=st.lists(st.integers(0, 50), min_size=2, max_size=6).filter(lambda counts: sum(counts) > 0),
    levels=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_quantiles_ascend_and_stay_within_the_buckets(counts: list[int], levels: tuple[float, float]) -> None:
    bounds = (*(float(2**i) for i in range(len(counts) - 1)), inf)
    running = tuple(float(sum(counts[: i + 1])) for i in range(len(counts)))
    histogram = Histogram(bounds=bounds, counts=running, total=1.0)
    low, high = (histogram.quantile(level) for level in sorted(levels))
    assert low is not None
    assert high is not None
    assert 0 <= low <= high <= bounds[-2]
    assert histogram.since(histogram) == Histogram(
        bounds=bounds, counts=tuple(0.0 for _ in counts), total=0.0
    )
    assert NOTHING.quantile(0.5) is NOTHING.mean is None
