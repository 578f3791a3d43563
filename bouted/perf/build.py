"""Builds latency-against-load profiles: the knee of each shape, then points up to it."""

import os
from concurrent.futures import ThreadPoolExecutor

from bouted.perf.costs import StepCosts
from bouted.perf.knee import knee_per_s
from bouted.perf.loads import USUAL, Detail, load_points
from bouted.perf.mix import RequestMix, request_mix
from bouted.perf.profile import LoadPoint, Profile, ProfileTable
from bouted.perf.shapes import ReplicaShape
from bouted.workload.profile import RequestLength


def build_profiles(
    shapes: tuple[tuple[ReplicaShape, StepCosts], ...],
    lengths: tuple[RequestLength, ...],
    arrival_cv: float,
    seed: int,
    *,
    known: tuple[Profile, ...] = (),
    detail: Detail = USUAL,
) -> ProfileTable:
    """A profile per shape, for requests drawn from `lengths` arriving with `arrival_cv`.

    `known` profiles are taken as they are. Shapes that can never hold the longest request are left out.
    The same input gives the same table, however many cores there are.
    """
    have = {profile.shape.id: profile for profile in known}
    longest = max(n.prompt_tokens + n.output_tokens for n in lengths)
    held = [pair for pair in shapes if pair[1].kv_capacity_tokens >= longest]
    missing = [(shape, costs) for shape, costs in held if shape.id not in have]
    found = build_points(tuple(costs for _, costs in missing), lengths, arrival_cv, seed, detail=detail)
    for (shape, costs), points in zip(missing, found, strict=True):
        have[shape.id] = Profile(shape=shape, costs=costs, points=points, evidence=costs.evidence)
    return ProfileTable(profiles=tuple(have[shape.id] for shape, _ in held))


def build_points(
    costs: tuple[StepCosts, ...],
    lengths: tuple[RequestLength, ...],
    arrival_cv: float,
    seed: int,
    *,
    detail: Detail = USUAL,
) -> tuple[tuple[LoadPoint, ...], ...]:
    """Latency against load for each of `costs`, which must hold the longest request; one thread per core."""
    if not costs:
        return ()
    mix = request_mix(lengths, arrival_cv, seed)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return tuple(pool.map(lambda one: _points(one, mix, detail), costs))


def _points(costs: StepCosts, mix: RequestMix, detail: Detail) -> tuple[LoadPoint, ...]:
    return load_points(costs, mix, knee_per_s(costs, mix), detail)
