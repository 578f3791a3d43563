"""What an earlier search learned, as the next one is told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The part of a model's capacity, 0..1, that is on one type of GPU."""

    model: str
    gpu: str
    part: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PastJudgement:
    """What one simulation of an earlier search taught: a design's description, and the natural logarithm of
    simulated over looked-up P95 of the objective.

    `busy` is per model the part of what its replicas could carry that they did; `placed` is where they ran.
    """

    shares: tuple[float, ...]
    factors: tuple[float, ...]
    headroom: float
    spot_share: float
    usd_per_hour: float
    log_ratio: float
    busy: tuple[float, ...] = ()
    placed: tuple[Placed, ...] = ()
