"""Builds latency-against-load profiles by simulating each layout alone, from near idle to its knee."""

from dataclasses import dataclass

import numpy as np

from bouted.codec import content_hash, dump
from bouted.perf.candidates import candidate_shapes, refusals
from bouted.perf.costs import StepCosts
from bouted.perf.kernel import Floats, Ints
from bouted.perf.profile import QUANTILES, LoadPoint, Profile, ProfileTable
from bouted.perf.shapes import ReplicaShape
from bouted.perf.simulate import RequestTimes, arrivals, simulate_replica
from bouted.workload.profile import RequestLength

__all__ = ["build_profiles", "candidate_shapes", "profile_hash", "refusals"]

LOADS = (0.04, 0.2, 0.4, 0.55, 0.68, 0.8, 0.88, 0.94)  # of capacity; above the last a queue only grows
REQUESTS = 3000
WARM_UP = 300  # the first requests meet an empty engine
_FLOOD_PER_S = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class _Mix:
    """One sample of requests, used for every shape and load: common random numbers."""

    prompt: Ints
    output: Ints
    gaps: Floats  # arrival times at one request a second

    def run(self, costs: StepCosts, rate_per_s: float, count: int) -> tuple[Floats, RequestTimes]:
        """Arrival times and what became of the first `count` requests at this rate."""
        times = self.gaps[:count] / rate_per_s
        return times, simulate_replica(costs, times, self.prompt[:count], self.output[:count])


def build_profiles(
    shapes: tuple[tuple[ReplicaShape, StepCosts], ...],
    lengths: tuple[RequestLength, ...],
    arrival_cv: float,
    seed: int,
    *,
    known: tuple[Profile, ...] = (),
) -> ProfileTable:
    """A profile per shape, for requests drawn from `lengths` arriving with `arrival_cv`.

    `known` profiles are taken as they are. Shapes that can never hold the longest request are left out.
    The same input gives the same table.
    """
    have = {profile.shape.id: profile for profile in known}
    mix = _mix(lengths, arrival_cv, seed)
    profiles = [
        have.get(shape.id) or _profile(shape, costs, mix)
        for shape, costs in shapes
        if costs.kv_capacity_tokens >= max(n.prompt_tokens + n.output_tokens for n in lengths)
    ]
    return ProfileTable(profiles=tuple(profiles))


def profile_hash(costs: StepCosts, lengths: tuple[RequestLength, ...], arrival_cv: float) -> str:
    """Names the profile that these step costs have under this mix."""
    body = dump(StepCosts, costs) + dump(tuple[RequestLength, ...], lengths)
    return content_hash(body + repr(arrival_cv).encode())


def _mix(lengths: tuple[RequestLength, ...], arrival_cv: float, seed: int) -> _Mix:
    rng = np.random.default_rng(seed)
    picks = np.concatenate([rng.permutation(len(lengths)) for _ in range(REQUESTS // len(lengths) + 1)])[
        :REQUESTS
    ]
    return _Mix(
        prompt=np.array([lengths[i].prompt_tokens for i in picks], np.int64),
        output=np.array([lengths[i].output_tokens for i in picks], np.int64),
        gaps=arrivals(1.0, arrival_cv, REQUESTS, seed),
    )


def _profile(shape: ReplicaShape, costs: StepCosts, mix: _Mix) -> Profile:
    most = _capacity(costs, mix)
    return Profile(
        shape=shape,
        costs=costs,
        points=tuple(_point(costs, mix, most * load) for load in LOADS),
        evidence=costs.evidence,
    )


def _capacity(costs: StepCosts, mix: _Mix) -> float:
    """Requests a second that leave an engine whose queue is never empty."""
    times, seen = mix.run(costs, _FLOOD_PER_S, REQUESTS)
    ends = np.sort(times + seen.e2e_s)
    first, last = int(0.15 * REQUESTS), int(0.85 * REQUESTS)
    return float((last - first) / (ends[last] - ends[first]))


def _point(costs: StepCosts, mix: _Mix, rate_per_s: float) -> LoadPoint:
    _, seen = mix.run(costs, rate_per_s, REQUESTS)
    return LoadPoint(
        rate_per_s=rate_per_s,
        ttft_s=_quantiles(seen.ttft_s),
        tpot_s=_quantiles(seen.tpot_s),
        e2e_s=_quantiles(seen.e2e_s),
    )


def _quantiles(values: Floats) -> tuple[float, ...]:
    return tuple(float(v) for v in np.quantile(values[WARM_UP:], QUANTILES))
