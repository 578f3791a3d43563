"""A paced engine's metrics under the names of SGLang 0.5.23: the same figures, its labels, its counters."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from .local_metrics import EngineMetrics

_NAMES = {
    "num_requests_running": "num_running_reqs",
    "num_requests_waiting": "num_queue_reqs",
    "kv_cache_usage_perc": "token_usage",
    "prompt_tokens": "prompt_tokens",
    "generation_tokens": "generation_tokens",
    "num_preemptions": "num_retracted_requests",
    "time_to_first_token_seconds": "time_to_first_token_seconds",
    "inter_token_latency_seconds": "inter_token_latency_seconds",
    "request_time_per_output_token_seconds": "request_time_per_output_token_seconds",
    "e2e_request_latency_seconds": "e2e_request_latency_seconds",
    "request_queue_time_seconds": "queue_time_seconds",
}
_LABELS = ("model_name", "engine_type", "tp_rank", "pp_rank")


class SglangMetrics(Collector):
    """What `metrics` has, renamed; what SGLang does not tell is left out."""

    def __init__(self, metrics: EngineMetrics, model: str) -> None:
        self._metrics = metrics
        self._labels = (model, "unified", "0", "0")

    def collect(self) -> Iterator[Metric]:
        """Every family, as of now."""
        for family in self._metrics.collect():
            name = family.name.removeprefix("vllm:")
            if name in _NAMES:
                yield self._renamed(family, _NAMES[name])
            elif name == "request_success":
                yield from self._ended(family)

    def _renamed(self, family: Metric, name: str) -> Metric:
        renamed = Metric(f"sglang:{name}", family.documentation, family.type)
        own = dict(zip(_LABELS, self._labels, strict=True))
        for sample in family.samples:
            suffix = sample.name.removeprefix(family.name)
            bound = {"le": sample.labels["le"]} if "le" in sample.labels else {}
            renamed.add_sample(f"sglang:{name}{suffix}", {**own, **bound}, sample.value)
        return renamed

    def _ended(self, family: Metric) -> Iterator[Metric]:
        """Requests by their end in two counters: all that ended well, and those that were given up."""
        ends = {sample.labels["finished_reason"]: sample.value for sample in family.samples}
        counts = {"num_requests": ends["stop"] + ends["length"], "num_aborted_requests": ends["abort"]}
        for name, count in counts.items():
            counter = CounterMetricFamily(f"sglang:{name}", "Requests that ended.", labels=_LABELS)
            counter.add_metric(self._labels, count)
            yield counter
