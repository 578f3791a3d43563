"""The exact MILP on the paper's scenario: replicas that serve loads in the least time, or for the least.

A replica's throughput depends on the time it may take: it is the rate at which its profile's P95 is that.
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from planner_paper_judge import MODELS, Rates
from planner_paper_milp import Allocation, Configuration, Task, cheapest, quickest
from planner_paper_parameters import AVAILABLE, BUDGET_USD_PER_HOUR, USD_PER_HOUR
from planner_paper_world import Floats

from bouted.perf.shapes import ReplicaShape

SHORTEST_S, LONGEST_S = 2.0, 2e4
LOOSER = (1.0, 1.02, 1.05, 1.1)
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


def quick_fleets(
    rates: Rates, loads: Loads, means: Means, tilt: float = 1.0
) -> list[tuple[ReplicaShape, ...]]:
    """Replicas that serve these loads in the least time, then cheaper ones that take a little longer.

    `tilt` is how much more of the time the 70B model may take than the 8B.
    """
    shapes = _usable(rates, loads, means)
    task = _task(rates, shapes, loads, means, tilt)
    found = quickest(task, SHORTEST_S, LONGEST_S) if shapes else None
    if found is None:
        return []
    seconds, first = found
    others = (cheapest(task, seconds * times, gap=0.001) for times in LOOSER)
    return [_replicas(shapes, one) for one in (first, *others) if one is not None]


def cheap_fleet(
    rates: Rates, loads: Loads, means: Means, seconds: float, tilt: float = 1.0
) -> tuple[ReplicaShape, ...] | None:
    """The cheapest replicas that serve these loads in time; None when there are none."""
    shapes = _usable(rates, loads, means)
    found = cheapest(_task(rates, shapes, loads, means, tilt), seconds, gap=0.001) if shapes else None
    return None if found is None else _replicas(shapes, found)


def _usable(rates: Rates, loads: Loads, means: Means) -> tuple[ReplicaShape, ...]:
    return tuple(
        shape
        for shape in rates.shapes
        if loads[MODELS.index(shape.model)] > 0 and means.available[GPUS.index(shape.gpu)] >= shape.gpu_count
    )


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
