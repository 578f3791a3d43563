"""What is asked of the fleet: how many queries a second, and how long they are."""

from dataclasses import dataclass
from enum import StrEnum


class WorkloadSource(StrEnum):
    """Where a workload profile comes from."""

    DECLARED = "declared"
    OBSERVED = "observed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLength:
    """Tokens of one request."""

    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadProfile:
    """The load to plan for.

    `rate_per_s` is the believed rate, `rate_low`..`rate_high` its interval. `arrival_cv` is the
    coefficient of variation of the gaps (1 is Poisson). `lengths` is a sample of at most 256
    requests, in the order drawn; planning treats it as the distribution.
    """

    rate_per_s: float
    rate_low_per_s: float
    rate_high_per_s: float
    arrival_cv: float
    lengths: tuple[RequestLength, ...]
    source: WorkloadSource
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSample:
    """One finished request as the gateway saw it. Times are seconds; `arrived_s` is a Unix time.

    `failed_by` are the replicas that failed it before `replica` took it.
    """

    seq: int
    arrived_s: float
    model: str
    replica: str
    score: float
    prompt_tokens: int
    output_tokens: int
    ttft_s: float
    e2e_s: float
    ok: bool
    failed_by: tuple[str, ...] = ()
