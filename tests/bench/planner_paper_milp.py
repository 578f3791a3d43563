"""Exact allocation at fixed routing, the method of 2502.00722: bisection on the time, a MILP at each step.

Which configurations to rent, and what share of each kind of work each of them does, so that all is done
within the least time for the money and the GPUs there are.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from bouted.planner.programme import Programme, solve

Floats = npt.NDArray[np.float64]

PRECISION = 1e-4
NODES = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What can be rented as one: its price, and how many GPUs of each type it takes."""

    name: str
    usd_per_hour: float
    gpus: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Allocation:
    """Copies of each configuration, and its share of each kind of work (`configurations x kinds`)."""

    copies: npt.NDArray[np.int64]
    shares: Floats
    usd_per_hour: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """What to allocate. `loads(time)` is how many copies of each configuration all work of each kind would
    keep busy for that time (`configurations x kinds`); infinite where it cannot do it."""

    configurations: tuple[Configuration, ...]
    loads: Callable[[float], Floats]
    budget_usd_per_hour: float
    available: tuple[int, ...]


def cheapest(task: Task, time: float, *, gap: float = 0.0) -> Allocation | None:
    """The least money for which all work is done within `time`; None when none is."""
    loads = task.loads(time)
    usable = np.argwhere(np.isfinite(loads))
    n, kinds = loads.shape
    if not n or len(set(usable[:, 1].tolist())) < kinds:
        return None
    pairs = n + np.arange(len(usable))
    usd = np.array([item.usd_per_hour for item in task.configurations])
    gpus = np.array([item.gpus for item in task.configurations], dtype=np.float64).T
    busy = np.zeros((n, n + len(usable)))
    busy[np.arange(n), np.arange(n)] = -1.0
    busy[usable[:, 0], pairs] = loads[usable[:, 0], usable[:, 1]]
    whole = np.zeros((kinds, n + len(usable)))
    whole[usable[:, 1], pairs] = 1.0
    held = np.hstack([np.vstack([gpus, usd]), np.zeros((len(gpus) + 1, len(usable)))])
    most = np.concatenate([task.available, [task.budget_usd_per_hour + 1e-9]])
    found = solve(
        Programme(
            cost=np.concatenate([usd, np.zeros(len(usable))]),
            low=np.zeros(n + len(usable)),
            high=np.concatenate([_most_copies(gpus, usd, most), np.ones(len(usable))]),
            whole=np.arange(n + len(usable)) < n,
            matrix=csr_array(np.vstack([busy, whole, held])),
            row_low=np.concatenate([np.full(n, -np.inf), np.ones(kinds), np.full(len(most), -np.inf)]),
            row_high=np.concatenate([np.zeros(n), np.ones(kinds), most]),
        ),
        gap=gap,
        node_limit=NODES,
    )
    if found is None or found.x is None:
        return None
    copies = np.round(found.x[:n]).astype(np.int64)
    shares = np.zeros((n, kinds))
    shares[usable[:, 0], usable[:, 1]] = found.x[n:]
    return Allocation(copies=copies, shares=shares, usd_per_hour=float(usd @ copies))


def quickest(task: Task, low: float, high: float) -> tuple[float, Allocation] | None:
    """The least time between `low` and `high`, to within 0.01 %, and an allocation for it; None when even
    `high` is too short."""
    best = cheapest(task, high, gap=1.0)
    if best is None:
        return None
    while high > low * (1 + PRECISION):
        middle = (low * high) ** 0.5
        found = cheapest(task, middle, gap=1.0)
        if found is None:
            low = middle
        else:
            high, best = middle, found
    return high, best


def _most_copies(gpus: Floats, usd: Floats, most: Floats) -> Floats:
    needed = np.vstack([gpus, usd])
    with np.errstate(divide="ignore"):
        copies = np.where(needed > 0, most[:, None] / np.maximum(needed, 1e-12), np.inf).min(axis=0)
    return np.asarray(np.floor(copies + 1e-9))
