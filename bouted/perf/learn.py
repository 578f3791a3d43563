"""Measurements correct the model: per model and shape, two factors with their uncertainty. Pure.

The prior is the step costs' own spread. A correction is applied in steps of 2 %, and only when the belief has
left the applied one by a whole step: planning must not start anew for every drift of a percent.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from math import exp, log

from bouted.perf.belief import Belief, aged, spread_of, taught, unlearned, variance_of
from bouted.perf.profile import Profile
from bouted.perf.reading import ENOUGH_REQUESTS, first_reading, idle_ttft_s, tells, tempo_reading
from bouted.perf.rescale import corrected
from bouted.perf.service import Service
from bouted.perf.shapes import ReplicaShape
from bouted.workload.profile import RequestLength

HALF_LIFE_S = 7 * 86_400.0
STEP = log(1.02)
SURE = 0.03  # of the factor: what windows share and no number of them averages out, as a standard deviation
FIRST_SPREAD = 0.3  # TTFT also takes what no step cost knows: networks, tokenisers


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What was learned of one model on one shape.

    `tempo` multiplies every step's time; `first` multiplies the idle TTFT that is left then. The applied
    factors are those that plans use.
    """

    tempo: Belief
    first: Belief
    windows: int
    applied_tempo: float = 1.0
    applied_first: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What plans went by: profiles without corrections, and the requests that they are for."""

    profiles: tuple[Profile, ...]
    lengths: tuple[RequestLength, ...]


def correction_key(shape: ReplicaShape, spec: str) -> str:
    """Names what is learned of a shape: by the catalog's name of its model, whatever the config calls it."""
    return replace(shape, model=spec).id


def learned(
    before: Correction | None,
    modelled: Profile,
    lengths: tuple[RequestLength, ...],
    seen: Service,
    now: datetime,
    enough: int = ENOUGH_REQUESTS,
) -> Correction | None:
    """`before` and what this window adds; `before` itself when the window cannot tell.

    `modelled` is the profile without corrections, for requests of `lengths`. A window of fewer than `enough`
    requests tells nothing.
    """
    tempo = tempo_reading(modelled, seen) if tells(seen, lengths, enough) else None
    if tempo is None:
        return before
    speed, first = _variances(modelled)
    start = before or Correction(tempo=unlearned(speed, now), first=unlearned(first, now), windows=0)
    after = taught(start.tempo, speed, tempo, now, HALF_LIFE_S)
    left = first_reading(modelled, seen, after.factor)
    waits = start.first if left is None else taught(start.first, first, left, now, HALF_LIFE_S)
    return Correction(
        tempo=after,
        first=waits,
        windows=start.windows + 1,
        applied_tempo=_stepped(after.log, start.applied_tempo),
        applied_first=_stepped(waits.log, start.applied_first),
    )


def believed(modelled: Profile, correction: Correction | None, now: datetime) -> Profile:
    """The profile that planning uses: corrected where measurements know more than the model."""
    if correction is None:
        return modelled
    speed, first = _variances(modelled)
    tempo = aged(correction.tempo, speed, now, HALF_LIFE_S)
    spread = round(spread_of(tempo.variance + SURE**2), 2)
    if spread >= modelled.costs.spread:
        return modelled
    steps = _stepped(tempo.log, correction.applied_tempo)
    waits = _stepped(aged(correction.first, first, now, HALF_LIFE_S).log, correction.applied_first)
    added_s = (waits - 1) * idle_ttft_s(modelled, steps)
    return corrected(modelled, tempo=steps, added_s=added_s, spread=spread)


def _variances(modelled: Profile) -> tuple[float, float]:
    costs = modelled.costs
    return variance_of(costs.spread), variance_of(max(costs.first_token_spread, FIRST_SPREAD))


def _stepped(mean: float, applied: float) -> float:
    """The applied factor, moved to the nearest step once the mean is a whole step away from it."""
    if abs(mean - log(applied)) < STEP:
        return applied
    return exp(round(mean / STEP) * STEP)
