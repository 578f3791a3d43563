"""Gateway samples of one window as service by shape. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean, median

from bouted.perf.service import Service, Statistic
from bouted.perf.shapes import ReplicaShape
from bouted.workload.profile import RequestSample

LEAST_OUTPUT = 8  # tokens: fewer say little of the time per token


def service_by_shape(
    samples: Sequence[RequestSample], serving: Mapping[str, ReplicaShape], window_s: float
) -> dict[ReplicaShape, Service]:
    """How each shape served, by the requests that finished in a window of `window_s`.

    `serving` is the shape of each replica that served all through the window; samples of others are left
    out. Equal replicas are taken together, and `rate_per_s` is what each of them got on average.
    """
    found: defaultdict[ReplicaShape, list[RequestSample]] = defaultdict(list)
    for sample in samples:
        if sample.replica in serving:
            found[serving[sample.replica]].append(sample)
    counts = {shape: sum(other == shape for other in serving.values()) for shape in found}
    return {
        shape: service
        for shape, group in found.items()
        if (service := _service(group, window_s * counts[shape])) is not None
    }


def _service(samples: Sequence[RequestSample], replica_s: float) -> Service | None:
    good = [sample for sample in samples if sample.ok]
    streams = [s for s in good if s.ttft_s < s.e2e_s and s.output_tokens >= LEAST_OUTPUT]
    if not streams:
        return None
    return Service(
        requests=len(streams),
        failed=len(samples) - len(good),
        rate_per_s=len(samples) / replica_s,
        prompt_tokens=fmean(sample.prompt_tokens for sample in good),
        output_tokens=fmean(sample.output_tokens for sample in good),
        ttft_s=median(sample.ttft_s for sample in streams),
        tpot_s=median((s.e2e_s - s.ttft_s) / (s.output_tokens - 1) for s in streams),
        statistic=Statistic.MEDIAN,
    )
