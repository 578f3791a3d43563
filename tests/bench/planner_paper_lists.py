"""Candidate fleets for one model, as the paper makes them (section 5.2).

Homogeneous options are so many replicas of one layout on one GPU type. For each of some budgets, and each of
some loads, a multiple-choice knapsack takes at most one option per type so that latency is least.
"""

from dataclasses import dataclass

import numpy as np
from planner_paper_allocate import GPUS, Means
from planner_paper_judge import Rates
from planner_paper_parameters import RATE_PER_S, USD_PER_HOUR

from bouted.perf.shapes import ReplicaShape

BUDGETS = 15
LOAD_SHARES = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
TIMES_S = tuple(5.0 * 1.12**n for n in range(56))


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A fleet for one model: its replicas, what it costs, and GPUs of each of `GPUS`."""

    replicas: tuple[ReplicaShape, ...]
    usd_per_hour: float
    gpus: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Option:
    """Replicas, their price and the requests/s they take within a time."""

    replicas: tuple[ReplicaShape, ...]
    usd_per_hour: float
    rate_per_s: float


def candidates(rates: Rates, model: str, means: Means) -> tuple[Candidate, ...]:
    """The candidate list of one model, cheapest first."""
    fronts = [(_front(rates, model, means, seconds)) for seconds in TIMES_S]
    budget = float(means.usd_per_hour)
    found = {
        option.replicas: option
        for usd in np.linspace(budget / BUDGETS, budget, BUDGETS).tolist()
        for share in LOAD_SHARES
        if (option := _quickest(fronts, usd, share * RATE_PER_S)) is not None
    }
    return tuple(_candidate(option) for option in sorted(found.values(), key=lambda one: one.usd_per_hour))


def _quickest(fronts: list[list[_Option]], usd: float, load_per_s: float) -> _Option | None:
    """What takes this load in the least time for at most so much; of those, what takes most."""
    for options in fronts:
        within = [option for option in options if option.usd_per_hour <= usd + 1e-9]
        if within and within[-1].rate_per_s >= load_per_s:
            return within[-1]
    return None


def _front(rates: Rates, model: str, means: Means, seconds: float) -> list[_Option]:
    """The fleets that carry most within `seconds` for their money, with at most one option per type."""
    whole = [_Option(replicas=(), usd_per_hour=0.0, rate_per_s=0.0)]
    for gpu, available in zip(GPUS, means.available, strict=True):
        of_type = _skimmed(
            [
                _Option(
                    replicas=(shape,) * count,
                    usd_per_hour=float(USD_PER_HOUR[gpu]) * shape.gpu_count * count,
                    rate_per_s=rate * count,
                )
                for shape in rates.shapes
                if (shape.model, shape.gpu) == (model, gpu) and (rate := rates.rate(shape, seconds)) > 0
                for count in range(1, available // shape.gpu_count + 1)
            ],
            float(means.usd_per_hour),
        )
        joined = [
            _Option(
                replicas=(*one.replicas, *two.replicas),
                usd_per_hour=one.usd_per_hour + two.usd_per_hour,
                rate_per_s=one.rate_per_s + two.rate_per_s,
            )
            for one in whole
            for two in of_type
        ]
        whole = _skimmed([*whole, *joined], float(means.usd_per_hour))
    return whole


def _skimmed(options: list[_Option], usd_per_hour: float) -> list[_Option]:
    """Those within the budget that nothing as cheap beats in rate, cheapest first."""
    kept: list[_Option] = []
    for option in sorted(options, key=lambda one: (one.usd_per_hour, -one.rate_per_s)):
        if option.usd_per_hour > usd_per_hour + 1e-9:
            break
        if not kept or option.rate_per_s > kept[-1].rate_per_s + 1e-9:
            kept.append(option)
    return kept


def _candidate(option: _Option) -> Candidate:
    used = dict.fromkeys(GPUS, 0)
    for shape in option.replicas:
        used[shape.gpu] += shape.gpu_count
    return Candidate(replicas=option.replicas, usd_per_hour=option.usd_per_hour, gpus=tuple(used.values()))
