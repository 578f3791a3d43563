"""The profile of an engine that is slower or farther away than its step costs say, without simulating again.

When every step takes `tempo` times as long, time itself is stretched: the engine does at rate `r` what the
other does at `r * tempo`, `tempo` times slower. So one profile holds those of all tempos, exactly; what a
request needs to reach the engine is not stretched.
"""

from dataclasses import replace

from bouted.catalog.gpus import Evidence
from bouted.perf.costs import StepCosts
from bouted.perf.profile import Learned, LoadPoint, Profile


def corrected(profile: Profile, *, tempo: float, added_s: float, spread: float) -> Profile:
    """`profile` with every step `tempo` times as long and `added_s` more before the engine, learned.

    `profile` must be as modelled. A request cannot reach the engine before it arrives: `added_s` stops there.
    """
    costs = profile.modelled
    added_s = max(added_s, -costs.front_end_s)
    points = tuple(_stretched(point, tempo, costs.front_end_s, added_s) for point in profile.points)
    return replace(
        profile,
        costs=slower(costs, tempo=tempo, added_s=added_s, spread=spread),
        points=points,
        evidence=Evidence.LEARNED,
        learned=Learned(tempo=tempo, added_s=added_s, modelled=costs),
    )


def as_modelled(profile: Profile) -> Profile:
    """`profile` as it was before anything was learned."""
    if profile.learned is None:
        return profile
    learned, now = profile.learned, profile.costs
    points = tuple(
        _stretched(point, 1 / learned.tempo, now.front_end_s, -learned.added_s) for point in profile.points
    )
    return replace(
        profile, costs=learned.modelled, points=points, evidence=learned.modelled.evidence, learned=None
    )


def slower(costs: StepCosts, *, tempo: float, added_s: float, spread: float) -> StepCosts:
    """Step costs with every part of a step `tempo` times as long, as learned."""
    return replace(
        costs,
        tokens_s=tuple(tempo * seconds for seconds in costs.tokens_s),
        prompt_s=tempo * costs.prompt_s,
        pair_s=tempo * costs.pair_s,
        seq_s=tempo * costs.seq_s,
        kv_s=tempo * costs.kv_s,
        front_end_s=costs.front_end_s + added_s,
        evidence=Evidence.LEARNED,
        spread=spread,
    )


def _stretched(point: LoadPoint, tempo: float, front_end_s: float, added_s: float) -> LoadPoint:
    def later(seconds: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(front_end_s + added_s + tempo * (one - front_end_s) for one in seconds)

    return LoadPoint(
        rate_per_s=point.rate_per_s / tempo,
        ttft_s=later(point.ttft_s),
        tpot_s=tuple(tempo * one for one in point.tpot_s),
        e2e_s=later(point.e2e_s),
    )
