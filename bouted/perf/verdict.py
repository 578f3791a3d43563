"""Whether replicas serve much worse than was promised: by how many requests were late. Pure.

A share of late requests counts only as far as it is sure, so a few of them condemn nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import fmean

from bouted.perf.profile import Metric, Profile
from bouted.perf.reading import MOST_FAILED, alike
from bouted.workload.profile import RequestLength, RequestSample

TAIL = 0.05  # of the requests may be later than the P95 promised
SURE = 2.0  # standard deviations


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Requests of one window. `failed` counts those that replicas failed, whoever answered them then."""

    good: tuple[RequestSample, ...]
    failed: int
    rate_per_s: float

    @property
    def requests(self) -> int:
        """All of them."""
        return len(self.good) + self.failed

    def seconds(self, metric: Metric) -> tuple[float, ...]:
        """This latency of each request that tells it: TTFT and TPOT only of streams."""
        streams = [s for s in self.good if s.ttft_s < s.e2e_s]
        match metric:
            case Metric.E2E:
                return tuple(s.e2e_s for s in self.good)
            case Metric.TTFT:
                return tuple(s.ttft_s for s in streams)
            case Metric.TPOT:
                several = (s for s in streams if s.output_tokens > 1)
                return tuple((s.e2e_s - s.ttft_s) / (s.output_tokens - 1) for s in several)


def surely_more(hits: int, of: int, share: float) -> bool:
    """Whether the true share is above `share`, by Wilson's interval of two standard deviations."""
    if of == 0:
        return False
    p, z2 = hits / of, SURE**2 / of
    low = (p + z2 / 2 - SURE * sqrt(p * (1 - p) / of + z2 / (4 * of))) / (1 + z2)
    return low > share


def later_than(record: Record, metric: Metric, limit_s: float) -> bool:
    """Whether the P95 is surely above `limit_s`."""
    seconds = record.seconds(metric)
    return surely_more(sum(s > limit_s for s in seconds), len(seconds), TAIL)


def p95_s(record: Record, metric: Metric) -> float | None:
    """The smallest value that 95 % do not exceed; None where nothing was measured."""
    ordered = sorted(record.seconds(metric))
    return ordered[max(0, ceil((1 - TAIL) * len(ordered)) - 1)] if ordered else None


def worse_than_promised(
    record: Record, profile: Profile | None, lengths: tuple[RequestLength, ...], beyond_pct: float
) -> str:
    """Why equal replicas are much worse than `profile` promises at their load; "" when they are not.

    `record.rate_per_s` is what each of them got. Much worse is a P95 of TTFT or TPOT more than `beyond_pct`
    above the upper end of its interval, or more failures than chance explains. Requests that are not like
    `lengths` say nothing about latency, and nothing is promised without a profile.
    """
    if surely_more(record.failed, record.requests, MOST_FAILED):
        return f"failed {record.failed} of {record.requests} requests"
    if profile is None or not same_mix(record.good, lengths):
        return ""
    for metric in (Metric.TTFT, Metric.TPOT):
        most_s = profile.interval_at(metric, 1 - TAIL, record.rate_per_s).high
        if later_than(record, metric, most_s * (1 + beyond_pct / 100)):
            at = f"{p95_s(record, metric):.3g} s at {record.rate_per_s:.3g} requests/s"
            return f"p95 {metric} is {at}, promised at most {most_s:.3g} s"
    return ""


def same_mix(good: Sequence[RequestSample], lengths: tuple[RequestLength, ...]) -> bool:
    """Whether the requests are about as long as those planned for."""
    if not good or not lengths:
        return False
    prompt = fmean(n.prompt_tokens for n in lengths)
    output = fmean(n.output_tokens for n in lengths)
    return alike(fmean(s.prompt_tokens for s in good), prompt) and alike(
        fmean(s.output_tokens for s in good), output
    )
