"""Who judges fleets in the paper's scenario: the event simulator, on one trace, the same for every method."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
from planner_paper_parameters import LARGE, RATE_PER_S, SMALL, USD_PER_HOUR
from planner_paper_world import Floats, World

from bouted.perf.costs import StepCosts
from bouted.perf.profile import QUANTILES, Metric, Profile
from bouted.perf.shapes import ReplicaShape
from bouted.perf.simulate import FleetReplica, simulate_fleet
from bouted.planner.latency import MixedTails, ReplicaLoad

MODELS = (SMALL, LARGE)
P95 = QUANTILES.index(0.95)
HALVINGS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Replicas (each shape once, with how many), what all of it costs, and the share of requests on 70B.

    The price counts GPUs that stand idle. `weights` is how replicas of one model share its requests; where
    it is empty, so that by their profiles all are as slow.
    """

    replicas: tuple[tuple[ReplicaShape, int], ...]
    large_share: float
    usd_per_hour: Decimal
    weights: tuple[tuple[ReplicaShape, float], ...] = ()

    @property
    def shares(self) -> tuple[float, float]:
        """The shares of `MODELS`."""
        return 1 - self.large_share, self.large_share

    def __str__(self) -> str:
        """Readable, e.g. `$29.10: 8B 3x RTX5090 tp1; 70B 2x H100-80GB tp4 (26.6 %)`."""
        parts = [
            f"{'8B' if model == SMALL else '70B'} "
            + " + ".join(
                f"{count}x {shape.gpu} tp{shape.tp}" + (f" pp{shape.pp}" if shape.pp > 1 else "")
                for shape, count in self.replicas
                if shape.model == model
            )
            for model in MODELS
            if any(shape.model == model for shape, _ in self.replicas)
        ]
        return f"${self.usd_per_hour:.2f}: {'; '.join(parts)} ({100 * self.large_share:.1f} % on 70B)"


def fleet(replicas: Sequence[ReplicaShape], large_share: float) -> Fleet:
    """A fleet of these replicas without idle GPUs."""
    usd = sum((USD_PER_HOUR[shape.gpu] * shape.gpu_count for shape in replicas), Decimal(0))
    return Fleet(replicas=tuple(sorted(Counter(replicas).items())), large_share=large_share, usd_per_hour=usd)


class Rates:
    """What one replica can be offered for a whole run with P95 within a time, by its profile."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self.shapes = tuple(profile.shape for profile in profiles)
        self._rates = {p.shape: np.array([point.rate_per_s for point in p.points]) for p in profiles}
        self._tails = {
            p.shape: np.maximum.accumulate([point.e2e_s[P95] for point in p.points]) for p in profiles
        }

    def rate(self, shape: ReplicaShape, p95_s: float) -> float:
        """Requests/s; 0 when a lone request takes longer."""
        tail = self._tails[shape]
        return 0.0 if tail[0] > p95_s else float(np.interp(p95_s, tail, self._rates[shape]))

    def balanced_s(self, replicas: Sequence[tuple[ReplicaShape, int]], rate_per_s: float) -> float:
        """The P95 at which replicas that all take as long carry this rate; infinite when they cannot."""
        low, high = 1.0, 1e5
        if sum(n * self.rate(shape, high) for shape, n in replicas) < rate_per_s:
            return float("inf")
        for _ in range(HALVINGS):
            middle = (low * high) ** 0.5
            enough = sum(n * self.rate(shape, middle) for shape, n in replicas) >= rate_per_s
            low, high = (low, middle) if enough else (middle, high)
        return high


@dataclass(slots=True)
class FleetJudge:
    """Simulates fleets of one world, each once."""

    world: World
    rates: Rates = field(init=False)
    _tails: MixedTails = field(init=False)
    _seen: dict[Fleet, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rates = Rates(self.world.profiles.profiles)
        self._tails = MixedTails(self.world.profiles)

    def p95_s(self, fleet: Fleet) -> float:
        """P95 of end-to-end latency over all requests of the trace, in seconds."""
        return float(np.quantile(self.latencies_s(fleet), 0.95))

    def latencies_s(self, fleet: Fleet) -> Floats:
        """End-to-end seconds of every request."""
        if fleet not in self._seen:
            self._seen[fleet] = self._simulated(fleet)
        return self._seen[fleet]

    def predicted_s(self, fleet: Fleet) -> float:
        """The same by looking every replica up in its profile: what the paper's data base says."""
        loads = [
            ReplicaLoad(
                shape_id=shape.id,
                model=model,
                count=1,
                rate_per_s=RATE_PER_S * share * weight / whole,
                max_rate_per_s=float("inf"),
            )
            for model, share in zip(MODELS, fleet.shares, strict=True)
            for weighed in [self._weighed(fleet, model, RATE_PER_S * share)]
            for whole in [sum(weight for _, weight in weighed)]
            for shape, weight in weighed
            if share > 0 and whole > 0
        ]
        return self._tails.p95_s(Metric.E2E, loads)

    def _simulated(self, fleet: Fleet) -> Floats:
        trace = self.world.trace
        replicas = [
            FleetReplica(costs=self._costs(shape), model_index=m, weight=max(weight, 1e-6))
            for m, (model, share) in enumerate(zip(MODELS, fleet.shares, strict=True))
            for shape, weight in self._weighed(fleet, model, RATE_PER_S * share)
        ]
        models = (trace.draws < fleet.large_share).astype(np.int64)
        times = simulate_fleet(
            tuple(replicas), trace.arrivals_s, models, trace.prompt_tokens, trace.output_tokens
        )
        return times.e2e_s

    def _weighed(self, fleet: Fleet, model: str, rate_per_s: float) -> list[tuple[ReplicaShape, float]]:
        """Each replica of a model, and what its share of the requests is proportional to."""
        replicas = [(shape, count) for shape, count in fleet.replicas if shape.model == model]
        if fleet.weights:
            known = dict(fleet.weights)
            return [(shape, known[shape]) for shape, count in replicas for _ in range(count)]
        seconds = self.rates.balanced_s(replicas, rate_per_s) if replicas and rate_per_s > 0 else 1e5
        return [(shape, self.rates.rate(shape, min(seconds, 1e5))) for shape, n in replicas for _ in range(n)]

    def _costs(self, shape: ReplicaShape) -> StepCosts:
        return self.world.profiles.by_shape[shape.id].costs
