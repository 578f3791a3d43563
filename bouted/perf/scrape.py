"""What an engine says on /metrics: vLLM and SGLang under one set of names. Pure.

Sources: vLLM 0.32 and SGLang 0.5.23, the names that they register. Older releases of both call the time per
output token `time_per_output_token_seconds`; there it is of tokens, not of requests.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from bouted.perf.histogram import NOTHING, Histogram

_TTFT = ("vllm:time_to_first_token_seconds", "sglang:time_to_first_token_seconds")
_TPOT = (
    "vllm:request_time_per_output_token_seconds",
    "sglang:request_time_per_output_token_seconds",
    "vllm:time_per_output_token_seconds",
    "sglang:time_per_output_token_seconds",
)
_QUEUE = ("vllm:request_queue_time_seconds", "sglang:queue_time_seconds")
_E2E = ("vllm:e2e_request_latency_seconds", "sglang:e2e_request_latency_seconds")
_PROMPT = ("vllm:prompt_tokens_total", "sglang:prompt_tokens_total")
_OUTPUT = ("vllm:generation_tokens_total", "sglang:generation_tokens_total")
_PREEMPTED = ("vllm:num_preemptions_total",)  # SGLang counts none
_RUNNING = ("vllm:num_requests_running", "sglang:num_running_reqs")
_WAITING = ("vllm:num_requests_waiting", "sglang:num_queue_reqs")
_ENDED, _ABORTED = "vllm:request_success_total", "sglang:num_aborted_requests_total"
_WELL = frozenset({"stop", "length"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineScrape:
    """The counters of one engine since it started, and what it holds now, as of `at`."""

    at: datetime
    ttft: Histogram
    tpot: Histogram
    queue: Histogram
    e2e: Histogram
    prompt_tokens: float
    output_tokens: float
    failed: float
    preempted: float
    running: int
    waiting: int


def parse_scrape(text: str, at: datetime) -> EngineScrape | None:
    """An engine's answer on /metrics; None when it is not vLLM's or SGLang's.

    What several label sets count (an engine with data-parallel ranks) is added up. ValueError when the text
    is not what Prometheus reads.
    """
    samples: defaultdict[str, list[Sample]] = defaultdict(list)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples[sample.name].append(sample)
    if not any(name.startswith(("vllm:", "sglang:")) for name in samples):
        return None
    lost = sum(s.value for s in samples[_ENDED] if s.labels.get("finished_reason") not in _WELL)
    return EngineScrape(
        at=at,
        ttft=_histogram(samples, _TTFT),
        tpot=_histogram(samples, _TPOT),
        queue=_histogram(samples, _QUEUE),
        e2e=_histogram(samples, _E2E),
        prompt_tokens=_sum(samples, _PROMPT),
        output_tokens=_sum(samples, _OUTPUT),
        failed=lost + _sum(samples, (_ABORTED,)),
        preempted=_sum(samples, _PREEMPTED),
        running=int(_sum(samples, _RUNNING)),
        waiting=int(_sum(samples, _WAITING)),
    )


def _sum(samples: dict[str, list[Sample]], names: tuple[str, ...]) -> float:
    """The first of `names` that is there, over its label sets; 0 without any."""
    found = next((samples[name] for name in names if samples.get(name)), [])
    return sum(sample.value for sample in found)


def _histogram(samples: dict[str, list[Sample]], names: tuple[str, ...]) -> Histogram:
    for name in names:
        buckets: defaultdict[float, float] = defaultdict(float)
        for sample in samples.get(f"{name}_bucket", []):
            buckets[float(sample.labels["le"])] += sample.value
        if buckets:
            bounds = tuple(sorted(buckets))
            total = sum(sample.value for sample in samples.get(f"{name}_sum", []))
            return Histogram(bounds=bounds, counts=tuple(buckets[bound] for bound in bounds), total=total)
    return NOTHING
