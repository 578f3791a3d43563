"""Latency against load for one replica shape: what the planner looks up instead of simulating."""

from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from bouted.catalog.gpus import Evidence
from bouted.perf.costs import StepCosts
from bouted.perf.shapes import ReplicaShape

QUANTILES: tuple[float, ...] = (
    0.0, 0.05, 0.10, 0.20, 0.30, 0.40, 0.50, 0.60, 0.70, 0.80, 0.85, 0.90, 0.925, 0.95, 0.97, 0.985, 1.0,
)  # fmt: skip


class Metric(StrEnum):
    """Which latency."""

    TTFT = "ttft"
    TPOT = "tpot"
    E2E = "e2e"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate and the 10-90 % interval of the truth around it, all in the estimate's unit."""

    low: float
    value: float
    high: float

    @classmethod
    def around(cls, value: float, spread: float) -> "Interval":
        """`value` with a relative half-width: as many times less as more, so that neither end is below 0."""
        return cls(low=value / (1 + spread), value=value, high=value * (1 + spread))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPoint:
    """Latency at one offered rate: seconds at each of `QUANTILES`, per metric."""

    rate_per_s: float
    ttft_s: tuple[float, ...]
    tpot_s: tuple[float, ...]
    e2e_s: tuple[float, ...]

    def of(self, metric: Metric) -> tuple[float, ...]:
        """The quantiles of `metric`."""
        return {Metric.TTFT: self.ttft_s, Metric.TPOT: self.tpot_s, Metric.E2E: self.e2e_s}[metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What measurements made of a model's estimate: every step takes `tempo` times as long as `modelled`,
    and every request reaches the engine `added_s` later."""

    tempo: float
    added_s: float
    modelled: StepCosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One shape under one request mix. `points` ascend in rate; the last is the highest stable rate.

    `costs` and `points` are what is believed; `learned` tells what measurements changed, None: nothing.
    """

    shape: ReplicaShape
    costs: StepCosts
    points: tuple[LoadPoint, ...]
    evidence: Evidence
    learned: Learned | None = None

    @property
    def max_rate_per_s(self) -> float:
        """The highest offered rate worth planning: 95 % of the one at which the queue only grows."""
        return self.points[-1].rate_per_s

    @property
    def modelled(self) -> StepCosts:
        """The step costs before anything was learned: what an engine that is paced by them follows."""
        return self.costs if self.learned is None else self.learned.modelled

    def interval_at(self, metric: Metric, level: float, rate_per_s: float) -> Interval:
        """Seconds that a share `level` of requests stay within at this rate, with the 10-90 % interval."""
        seconds = self.quantiles_at(metric, rate_per_s)
        right = min(max(bisect_left(QUANTILES, level), 1), len(QUANTILES) - 1)
        weight = (level - QUANTILES[right - 1]) / (QUANTILES[right] - QUANTILES[right - 1])
        value = seconds[right - 1] + weight * (seconds[right] - seconds[right - 1])
        first = metric is Metric.TTFT
        return Interval.around(value, self.costs.first_token_spread if first else self.costs.spread)

    def quantiles_at(self, metric: Metric, rate_per_s: float) -> tuple[float, ...]:
        """Seconds at `QUANTILES`, linear between the measured loads; flat outside them."""
        rates = [point.rate_per_s for point in self.points]
        right = bisect_left(rates, rate_per_s)
        if right == 0:
            return self.points[0].of(metric)
        if right == len(rates):
            return self.points[-1].of(metric)
        low, high = self.points[right - 1], self.points[right]
        weight = (rate_per_s - low.rate_per_s) / (high.rate_per_s - low.rate_per_s)
        return tuple(a + weight * (b - a) for a, b in zip(low.of(metric), high.of(metric), strict=True))


@dataclass(frozen=True, kw_only=True)
class ProfileTable:
    """Every shape that can be planned, for one request mix. Shape ids are unique."""

    profiles: tuple[Profile, ...]

    @cached_property
    def by_shape(self) -> dict[str, Profile]:
        """Profiles by shape id."""
        return {profile.shape.id: profile for profile in self.profiles}
