"""What gateways saw, as a workload to plan for and as measured service. Pure.

Samples come when requests finish, so the newest are not all there yet; load is counted by arrival.
"""

from collections import Counter
from collections.abc import Iterable, Reversible, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, sqrt
from statistics import fmean, pstdev

from bouted.workload.profile import RequestLength, RequestSample, WorkloadProfile, WorkloadSource

ENOUGH = 30
LENGTH_WINDOWS = 4  # lengths drift slowly: a longer look draws a larger sample
LENGTHS = 256
Z = 1.64  # a 90 % interval
CV_BOUNDS = (0.3, 5.0)
MOST_LAG = 0.4  # of the window


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How the fleet served in a window. Percentiles are None where nothing was seen, and so is the rate.

    `share_by_model` is of the queries that went well, largest share first.
    """

    rate_per_s: float | None
    ok: int
    failed: int
    ttft_p95_s: float | None
    tpot_p95_s: float | None
    e2e_p95_s: float | None
    share_by_model: tuple[tuple[str, float], ...]


def profile_workload(
    samples: Sequence[RequestSample],
    *,
    now_s: float,
    window_s: float,
    declared: WorkloadProfile,
    arrivals: Sequence[float] | None = None,
) -> WorkloadProfile:
    """The load of the last `window_s` seconds, the declared one until enough was seen.

    `samples` are in the order they finished, `arrivals` are Unix times in order; both may reach further
    back. With `arrivals` the rate is that of the whole window up to now; without them, of the part for
    which nearly all requests have finished. A gateway younger than the window is judged by its age. A
    whole window without a request counts as one, so the rate is above 0.
    """
    recent = _recent(samples, now_s - window_s)
    if arrivals is None:
        until_s = now_s - _lag_s(recent, window_s)
        first_s = min((sample.arrived_s for sample in samples), default=now_s)
        times = sorted(s.arrived_s for s in recent if s.arrived_s <= until_s)
    else:
        until_s = now_s
        first_s = arrivals[0] if arrivals else now_s
        times = _newer(arrivals, now_s - window_s)
    start_s = max(now_s - window_s, first_s)
    span_s = until_s - start_s
    whole = first_s <= now_s - window_s
    if span_s <= 0 or (len(times) < ENOUGH and not whole):
        return declared
    lengths = _lengths(_finished(samples, now_s - LENGTH_WINDOWS * window_s))
    return WorkloadProfile(
        rate_per_s=max(1, len(times)) / span_s,
        rate_low_per_s=max(0.0, len(times) - Z * sqrt(len(times))) / span_s,
        rate_high_per_s=(max(1, len(times)) + Z * sqrt(max(1, len(times)))) / span_s,
        arrival_cv=_cv(times) if len(times) >= ENOUGH else declared.arrival_cv,
        lengths=lengths if len(lengths) >= ENOUGH else declared.lengths,
        source=WorkloadSource.OBSERVED,
        samples=len(times),
    )


def measured(samples: Reversible[RequestSample], *, now_s: float, window_s: float) -> Measured:
    """How the fleet served the requests that finished in the last `window_s` seconds.

    Of those that arrived in the window the slow ones have not finished: to judge by them would flatter.
    """
    recent = _finished(samples, now_s - window_s)
    good = [sample for sample in recent if sample.ok]
    streams = [sample for sample in good if sample.ttft_s < sample.e2e_s]
    first_s = recent[0].arrived_s + recent[0].e2e_s if recent else now_s
    span_s = max(1.0, min(window_s, now_s - first_s))
    models = Counter(sample.model for sample in good)
    return Measured(
        rate_per_s=len(recent) / span_s if recent else None,
        ok=len(good),
        failed=len(recent) - len(good),
        ttft_p95_s=_percentile([s.ttft_s for s in streams], 0.95),
        tpot_p95_s=_percentile(
            [(s.e2e_s - s.ttft_s) / (s.output_tokens - 1) for s in streams if s.output_tokens > 1], 0.95
        ),
        e2e_p95_s=_percentile([s.e2e_s for s in good], 0.95),
        share_by_model=tuple((model, count / len(good)) for model, count in models.most_common()),
    )


def _recent(samples: Reversible[RequestSample], since_s: float) -> list[RequestSample]:
    """Samples that arrived at `since_s` or later, oldest first. Walks back from the newest and stops."""
    found = []
    for sample in reversed(samples):
        # They stand in the order they finished: all before this one arrived before it finished.
        if sample.arrived_s + sample.e2e_s < since_s:
            break
        if sample.arrived_s >= since_s:
            found.append(sample)
    return found[::-1]


def _finished(samples: Reversible[RequestSample], since_s: float) -> list[RequestSample]:
    """Samples that finished at `since_s` or later, oldest first: short and long ones alike."""
    found = []
    for sample in reversed(samples):
        if sample.arrived_s + sample.e2e_s < since_s:
            break
        found.append(sample)
    return found[::-1]


def _newer(arrivals: Sequence[float], since_s: float) -> list[float]:
    found = []
    for at_s in reversed(arrivals):
        if at_s < since_s:
            break
        found.append(at_s)
    return found[::-1]


def _lag_s(recent: Sequence[RequestSample], window_s: float) -> float:
    """How long ago a request must have come in to be surely among the finished."""
    took_s = _percentile([sample.e2e_s for sample in recent], 0.9)
    return min(took_s or 0.0, MOST_LAG * window_s)


def _cv(times: Sequence[float]) -> float:
    """Coefficient of variation of the gaps."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = fmean(gaps)
    low, high = CV_BOUNDS
    return min(high, max(low, pstdev(gaps, mean) / mean)) if mean > 0 else 1.0


def _lengths(recent: Sequence[RequestSample]) -> tuple[RequestLength, ...]:
    """At most `LENGTHS` of the requests that went well, evenly spaced."""
    good = [sample for sample in recent if sample.ok and sample.output_tokens > 0]
    count = min(LENGTHS, len(good))
    picked = (good[index * len(good) // count] for index in range(count))
    return tuple(
        RequestLength(prompt_tokens=max(1, s.prompt_tokens), output_tokens=s.output_tokens) for s in picked
    )


def _percentile(values: Iterable[float], level: float) -> float | None:
    """The smallest value that `level` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(level * len(ordered)) - 1)] if ordered else None
