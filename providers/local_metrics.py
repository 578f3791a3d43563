"""What a paced engine counts, under the names that vLLM gives on /metrics (labels engine, model_name).

Kept as plain numbers and turned into Prometheus families only when somebody asks, because one engine
step may count for hundreds of sequences.
"""

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bouted.perf.batch import Batch

_LABELS = ("engine", "model_name")

# The upper bounds are vLLM's too, so that its dashboards and queries work here.
_FIRST = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_FIRST_S = (*_FIRST, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0)
_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_TOKEN_S = (*_TOKEN, 20.0, 40.0, 80.0)
_REQUEST = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0)
_REQUEST_S = (*_REQUEST, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0)
_TOKENS = tuple(float(digit * 10**power) for power in range(6) for digit in (1, 2, 5))


class Histogram:
    """Counts by upper bound, and the sum of all values."""

    def __init__(self, name: str, text: str, bounds: tuple[float, ...]) -> None:
        self._name = name
        self._text = text
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count `value`, `times` over."""
        self._counts[bisect_left(self._bounds, value)] += times
        self._sum += value * times

    def family(self, labels: tuple[str, str]) -> Metric:
        """As Prometheus wants it: cumulative, with +Inf last."""
        seen, buckets = 0, []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            seen += count
            buckets.append((bound, float(seen)))
        family = HistogramMetricFamily(f"vllm:{self._name}", self._text, labels=_LABELS)
        family.add_metric(labels, buckets=buckets, sum_value=self._sum)
        return family


class EngineMetrics(Collector):
    """The counters and histograms of one engine; its gauges are read from the batch."""

    def __init__(self, model: str, batch: Batch) -> None:
        self._labels = ("0", model)
        self._batch = batch
        self._prompt_tokens = 0
        self._generation_tokens = 0
        self._finished = {"stop": 0, "length": 0, "abort": 0, "error": 0}
        self._ttft = Histogram("time_to_first_token_seconds", "From arrival to the first token.", _FIRST_S)
        self._itl = Histogram("inter_token_latency_seconds", "From one token to the next.", _TOKEN_S)
        self._tpot = Histogram("request_time_per_output_token_seconds", "Mean of a request.", _TOKEN_S)
        self._e2e = Histogram("e2e_request_latency_seconds", "From arrival to the last token.", _REQUEST_S)
        self._queue = Histogram("request_queue_time_seconds", "Waiting to be admitted.", _REQUEST_S)
        self._prefill = Histogram("request_prefill_time_seconds", "Admitted to first token.", _REQUEST_S)
        self._decode = Histogram("request_decode_time_seconds", "First token to last.", _REQUEST_S)
        self._inference = Histogram("request_inference_time_seconds", "Admitted to last token.", _REQUEST_S)
        self._prompts = Histogram("request_prompt_tokens", "Prompt tokens of a request.", _TOKENS)
        self._outputs = Histogram("request_generation_tokens", "Output tokens of a request.", _TOKENS)

    def prefilled(self, prompt_tokens: int, ttft_s: float) -> None:
        """A request made its first token."""
        self._prompt_tokens += prompt_tokens
        self._generation_tokens += 1
        self._ttft.observe(ttft_s)

    def decoded(self, tokens: int, gap_s: float) -> None:
        """A step made this many further tokens, each `gap_s` after the one before it."""
        if tokens:
            self._generation_tokens += tokens
            self._itl.observe(gap_s, tokens)

    def aborted(self) -> None:
        """A request ended before its last token."""
        self._finished["abort"] += 1

    def done(
        self,
        reason: str,
        prompt: int,
        output: int,
        *,
        front_s: float,
        queue_s: float,
        prefill_s: float,
        decode_s: float,
    ) -> None:
        """A request made its last token."""
        self._finished[reason] += 1
        self._prompts.observe(prompt)
        self._outputs.observe(output)
        self._queue.observe(queue_s)
        self._prefill.observe(prefill_s)
        self._decode.observe(decode_s)
        self._inference.observe(prefill_s + decode_s)
        self._e2e.observe(front_s + queue_s + prefill_s + decode_s)
        if output > 1:
            self._tpot.observe(decode_s / (output - 1))

    def collect(self) -> Iterator[Metric]:
        """Every family, as of now."""
        yield self._gauge("num_requests_running", "Requests in the batch.", self._batch.running)
        yield self._gauge("num_requests_waiting", "Requests not admitted yet.", self._batch.waiting)
        yield self._gauge("kv_cache_usage_perc", "KV cache in use, 0..1.", self._batch.kv_used_share)
        yield self._counter("prompt_tokens", "Prompt tokens read.", self._prompt_tokens)
        yield self._counter("generation_tokens", "Tokens generated.", self._generation_tokens)
        yield self._counter("num_preemptions", "Requests put back into the queue.", self._batch.preemptions)
        labels = (*_LABELS, "finished_reason")
        finished = CounterMetricFamily("vllm:request_success", "Requests that ended.", labels=labels)
        for reason, count in self._finished.items():
            finished.add_metric((*self._labels, reason), count)
        yield finished
        for timed in (self._ttft, self._itl, self._tpot, self._e2e, self._queue, self._prefill, self._decode):
            yield timed.family(self._labels)
        for counted in (self._inference, self._prompts, self._outputs):
            yield counted.family(self._labels)

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(f"vllm:{name}", text, labels=_LABELS)
        family.add_metric(self._labels, value)
        return family

    def _counter(self, name: str, text: str, value: float) -> Metric:
        family = CounterMetricFamily(f"vllm:{name}", text, labels=_LABELS)
        family.add_metric(self._labels, value)
        return family
