"""The pace of a local engine: as slow as its batch says, over any number of requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bouted.providers.local_metrics import EngineMetrics
from bouted.providers.local_pace import End, Pacer, Request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bouted.perf.batch import Batch
from bouted.perf.costs import StepCosts
from bouted.testing.orders import EASY_COSTS

FAST = replace(EASY_COSTS, tokens=(0.0, 1500.0, 1501.0), tokens_s=(0.002, 0.002, 0.002001))


class Bench:
    """A pacer that runs, with its metrics."""

    def __init__(self, costs: StepCosts, time_scale: float) -> None:
        self.batch = Batch(costs)
        self.metrics = EngineMetrics("small", self.batch)
        self.pacer = Pacer(self.batch, self.metrics, time_scale)

    def submit(self, prompt: int, output: int, *, streams: bool = False) -> Request:
        request = self.pacer.submit(prompt, output, streams=streams)
        assert request is not None
        return request

    def values(self) -> dict[str, float]:
        """Samples by name, bucket bounds and labels left out."""
        registry = CollectorRegistry()
        registry.register(self.metrics)
        families = text_string_to_metric_families(generate_latest(registry).decode())
        samples = [sample for family in families for sample in family.samples]
        for sample in samples:
            assert sample.labels["engine"] == "0"
            assert sample.labels["model_name"] == "small"
        return {
            sample.name + sample.labels.get("finished_reason", ""): sample.value
            for sample in samples
            if not sample.name.endswith("_bucket")
        }


def _play(
    story: Callable[[Bench], Awaitable[None]], *, costs: StepCosts = FAST, time_scale: float = 1.0
) -> Bench:
    async def play() -> Bench:
        bench = Bench(costs, time_scale)
        running = asyncio.create_task(bench.pacer.run())
        try:
            while not bench.pacer.warm:
                await asyncio.sleep(0.001)
            await asyncio.wait_for(story(bench), timeout=20)
        finally:
            running.cancel()
        return bench

    return asyncio.run(play())


def _nominal_s(costs: StepCosts, prompt: int, output: int) -> float:
    """What the batch says one request alone takes."""
    batch = Batch(costs)
    batch.add(1, prompt, output)
    total = 0.0
    while (step_s := batch.begin_step()) is not None:
        total += step_s
        batch.end_step()
    return total


def test_a_request_takes_as_long_as_its_batch_says_and_timers_do_not_add_up() -> None:
    took: list[float] = []

    async def story(bench: Bench) -> None:
        while len(took) < 5 and not (took and took[-1] < 1.15 * nominal_s):
            began = time.monotonic()
            assert await bench.submit(100, 100).finish() is End.DONE
            took.append(time.monotonic() - began)

    nominal_s = _nominal_s(FAST, 100, 100)
    _play(story)
    assert nominal_s <= min(took) < 1.15 * nominal_s


def test_twice_the_time_scale_takes_half_the_time() -> None:
    took: list[float] = []

    async def story(bench: Bench) -> None:
        while len(took) < 5 and not (took and took[-1] < 0.6 * nominal_s):
            began = time.monotonic()
            await bench.submit(100, 50).finish()
            took.append(time.monotonic() - began)

    nominal_s = _nominal_s(FAST, 100, 50)
    _play(story, time_scale=2.0)
    assert 0.5 * nominal_s <= min(took) < 0.6 * nominal_s


def test_a_stream_sees_every_token_and_a_whole_answer_only_the_end() -> None:
    looks: list[int] = []

    async def story(bench: Bench) -> None:
        stream, whole = bench.submit(10, 20, streams=True), bench.submit(10, 20)
        seen = 0
        while (now := await stream.beyond(seen)) > seen:
            looks.append(now)
            seen = now
        assert await whole.finish() is End.DONE
        assert whole.emitted == 20

    _play(story)
    assert looks[-1] == 20
    assert looks == sorted(set(looks))
    assert len(looks) > 10


def test_a_request_that_can_never_fit_is_refused() -> None:
    async def story(bench: Bench) -> None:
        assert bench.pacer.submit(99_999, 2, streams=False) is None
        assert bench.pacer.load == 0

    _play(story)


def test_a_dropped_request_frees_its_place_whether_it_runs_or_waits() -> None:
    async def story(bench: Bench) -> None:
        running = bench.submit(10, 1000)
        waiting, last = bench.submit(10, 1000), bench.submit(10, 2)
        while not running.emitted:
            await asyncio.sleep(0.001)
        assert waiting.scheduled is None
        bench.pacer.drop(waiting)
        bench.pacer.drop(running)
        bench.pacer.drop(running)
        assert await last.finish() is End.DONE
        assert await running.finish() is await waiting.finish() is End.CANCELLED
        assert bench.pacer.load == 0

    bench = _play(story, costs=replace(FAST, max_batch=1))
    assert bench.values()["vllm:request_success_totalabort"] == 2


def test_the_front_end_comes_before_the_queue_and_counts_as_waiting_for_the_first_token() -> None:
    async def story(bench: Bench) -> None:
        dropped = bench.submit(10, 5)
        bench.pacer.drop(dropped)
        request = bench.submit(10, 5)
        assert bench.pacer.load == 1
        assert bench.batch.waiting == bench.batch.running == 0
        assert await request.finish() is End.DONE

    values = _play(story, costs=replace(FAST, front_end_s=0.4), time_scale=2.0).values()
    assert values["vllm:time_to_first_token_seconds_sum"] > 0.2
    assert values["vllm:request_queue_time_seconds_sum"] < 0.1
    assert values["vllm:e2e_request_latency_seconds_sum"] > 0.2 + 2 * 0.002
    assert values["vllm:request_success_totalabort"] == 1


def test_two_stages_make_a_token_in_the_whole_time_of_a_step_and_take_turns() -> None:
    ends: list[float] = []

    async def story(bench: Bench) -> None:
        began = time.monotonic()
        first, second = bench.submit(1000, 10), bench.submit(1000, 10)
        for request in (first, second):
            assert await request.finish() is End.DONE
            ends.append(time.monotonic() - began)

    _play(story, costs=replace(FAST, tokens_s=(0.02, 0.02, 0.020001), stages=2, max_step_tokens=1000))
    assert 10 * 0.02 <= ends[0] < ends[1] < 20 * 0.02


def test_a_preemption_is_counted_and_loses_no_token() -> None:
    async def story(bench: Bench) -> None:
        requests = [bench.submit(10, 20), bench.submit(10, 20)]
        for request in requests:
            assert await request.finish() is End.DONE
            assert request.emitted == 20

    values = _play(story, costs=replace(FAST, kv_capacity_tokens=40)).values()
    assert values["vllm:num_preemptions_total"] == 1
    assert values["vllm:generation_tokens_total"] == 40


def test_ending_the_engine_aborts_what_is_left() -> None:
    async def story(bench: Bench) -> None:
        request = bench.submit(10, 1000)
        bench.pacer.abort_all()
        assert await request.finish() is End.ABORTED

    _play(story)


def test_the_metrics_count_what_was_played_and_not_the_warm_up() -> None:
    async def story(bench: Bench) -> None:
        first, second = bench.submit(100, 10), bench.submit(50, 5)
        assert bench.values()["vllm:num_requests_waiting"] == 2
        await first.finish()
        await second.finish()

    values = _play(story, costs=replace(FAST, max_batch=1)).values()
    assert values["vllm:num_requests_running"] == values["vllm:num_requests_waiting"] == 0
    assert values["vllm:prompt_tokens_total"] == 150
    assert values["vllm:generation_tokens_total"] == 15
    assert values["vllm:request_success_totallength"] == 2
    assert values["vllm:time_to_first_token_seconds_count"] == 2
    assert values["vllm:inter_token_latency_seconds_count"] == 13
    assert values["vllm:request_time_per_output_token_seconds_count"] == 2
    whole = values["vllm:request_queue_time_seconds_sum"] + values["vllm:request_inference_time_seconds_sum"]
    assert abs(values["vllm:e2e_request_latency_seconds_sum"] - whole) < 1e-9
    assert values["vllm:request_queue_time_seconds_sum"] > 9 * 0.002
    assert values["vllm:e2e_request_latency_seconds_sum"] > 24 * 0.002
