"""The paper's four baselines, and the exact MILP at fixed routing: each given the best fleet for its rules.

All of them allocate by `planner_paper_milp` from the same profiles, by a bisection on P95. Cheaper fleets
that take a little longer, and other splits of the time between the two models than an even one, are judged too, as
many as any method may have.
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from planner_paper_judge import MODELS, Fleet, FleetJudge, Rates, fleet
from planner_paper_milp import Allocation, Configuration, Task, cheapest, quickest
from planner_paper_parameters import (
    AVAILABLE,
    BUDGET_USD_PER_HOUR,
    EVALUATIONS,
    HOMOGENEOUS,
    RATE_PER_S,
    USD_PER_HOUR,
)
from planner_paper_published import Method
from planner_paper_world import Floats

from bouted.perf.shapes import ReplicaShape

SHORTEST_S, LONGEST_S = 2.0, 2e4
LOOSER = (1.0, 1.02, 1.05, 1.1)
TILTS = (1.0, 0.9, 1.1, 0.8, 1.25, 1.4)
"""How much more of the time the 70B model may take than the 8B."""
GPUS = tuple(USD_PER_HOUR)
Loads = tuple[float, float]
"""Requests/s for each of `MODELS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a fleet may be made of: dollars an hour, and GPUs of each of `GPUS`."""

    usd_per_hour: Decimal
    available: tuple[int, ...]

    @classmethod
    def of(cls, usd_per_hour: Decimal = BUDGET_USD_PER_HOUR, gpus: int = AVAILABLE) -> "Means":
        """As many GPUs of each type."""
        return cls(usd_per_hour=usd_per_hour, available=(gpus,) * len(GPUS))

    def only(self, gpu: str) -> "Means":
        """The same money, for one type."""
        held = tuple(n if name == gpu else 0 for name, n in zip(GPUS, self.available, strict=True))
        return Means(usd_per_hour=self.usd_per_hour, available=held)

    @property
    def half(self) -> "Means":
        """Half of everything."""
        return Means(usd_per_hour=self.usd_per_hour / 2, available=tuple(n // 2 for n in self.available))


def baseline(method: Method, judge: FleetJudge, large_share: float, means: Means) -> Fleet | None:
    """The best fleet a baseline finds for this share on 70B; None when it finds none."""
    rates, share = judge.rates, large_share
    match method:
        case Method.ALONE:
            found = _fleets(rates, 1.0, means.only(HOMOGENEOUS))
        case Method.ALONE_MIXED:
            found = _fleets(rates, 1.0, means)
        case Method.ROUTED:
            found = _apart(rates, share, means.half)
        case Method.HOMOGENEOUS:
            found = _fleets(rates, share, means.only(HOMOGENEOUS))
        case Method.FIXED:
            found = _fleets(rates, share, means)[:1]
        case _:
            raise ValueError(f"{method} is no baseline")
    return best(judge, found)


def best(judge: FleetJudge, fleets: list[Fleet]) -> Fleet | None:
    """The fleet of lowest P95 among the first of these: as many as any method may have judged."""
    return min(fleets[:EVALUATIONS], key=judge.p95_s, default=None)


def _fleets(rates: Rates, large_share: float, means: Means) -> list[Fleet]:
    """Fleets for both models from one purse, the one with the least P95 by the profiles first."""
    loads = (RATE_PER_S * (1 - large_share), RATE_PER_S * large_share)
    tilts = TILTS if 0 < large_share < 1 else TILTS[:1]
    found = [
        fleet(replicas, large_share) for tilt in tilts for replicas in _allocated(rates, loads, means, tilt)
    ]
    return list(dict.fromkeys(found))


def _apart(rates: Rates, large_share: float, half: Means) -> list[Fleet]:
    """Each model on half of everything, neither knowing of the other."""
    small = _allocated(rates, (RATE_PER_S * (1 - large_share), 0.0), half, 1.0)
    large = _allocated(rates, (0.0, RATE_PER_S * large_share), half, 1.0)
    return list(dict.fromkeys(fleet((*one, *two), large_share) for one in small for two in large))


def _allocated(rates: Rates, loads: Loads, means: Means, tilt: float) -> list[tuple[ReplicaShape, ...]]:
    """Replicas that serve these loads in the least time, then cheaper ones that take a little longer."""
    shapes = tuple(
        shape for shape in rates.shapes
        if loads[MODELS.index(shape.model)] > 0 and means.available[GPUS.index(shape.gpu)] >= shape.gpu_count
    )  # fmt: skip
    if not shapes:
        return []
    task = _task(rates, shapes, loads, means, tilt)
    found = quickest(task, SHORTEST_S, LONGEST_S)
    if found is None:
        return []
    seconds, first = found
    others = (cheapest(task, seconds * times, gap=0.001) for times in LOOSER)
    return [_replicas(shapes, one) for one in (first, *others) if one is not None]


def _task(rates: Rates, shapes: tuple[ReplicaShape, ...], loads: Loads, means: Means, tilt: float) -> Task:
    served = [m for m, load in enumerate(loads) if load > 0]

    def busy(seconds: float) -> Floats:
        found = np.full((len(shapes), len(served)), np.inf)
        for i, shape in enumerate(shapes):
            m = MODELS.index(shape.model)
            rate = rates.rate(shape, seconds * (tilt if m else 1.0))
            if rate > 0:
                found[i, served.index(m)] = loads[m] / rate
        return found

    return Task(
        configurations=tuple(
            Configuration(
                name=shape.id,
                usd_per_hour=float(USD_PER_HOUR[shape.gpu]) * shape.gpu_count,
                gpus=tuple(shape.gpu_count if gpu == shape.gpu else 0 for gpu in GPUS),
            )
            for shape in shapes
        ),
        loads=busy,
        budget_usd_per_hour=float(means.usd_per_hour),
        available=means.available,
    )


def _replicas(shapes: tuple[ReplicaShape, ...], found: Allocation) -> tuple[ReplicaShape, ...]:
    return tuple(
        shape for shape, count in zip(shapes, found.copies.tolist(), strict=True) for _ in range(count)
    )
