"""Fleets drawn as raw counts, for the ablation: what the integer programme inside is worth."""

from decimal import Decimal
from math import inf

import numpy as np

from bouted.planner.columns import ColumnSource
from bouted.planner.inside import Ask, Fleet, TooDear, numbered
from bouted.planner.problem import PlanningProblem

# How far a choice strays from the best load for the money: 0 takes the best each time.
STRAY = 1.0


class DrawnFleets:
    """Answers asks by buying nodes at random until the load is carried, those that carry more for the money
    more often. The same seed draws the same fleets."""

    def __init__(self, problem: PlanningProblem, columns: ColumnSource) -> None:
        self._problem = problem
        self._columns = columns
        self._rng = np.random.default_rng((problem.seed, 4))

    def cheapest_fleet(self, ask: Ask, ceiling: float = inf) -> Fleet | TooDear | None:
        """Some fleet that does what is asked; TooDear when it costs more than the ceiling; None: sold out."""
        needs = np.array(ask.shares) * self._problem.workload.rate_per_s * (1 + ask.headroom)
        columns = self._columns.build(needs, ask.factors, switching=False)
        left, room = needs.copy(), columns.room.copy()
        counts = np.zeros(len(columns.usd), dtype=np.int64)
        while np.any(left > 1e-9):
            use = np.minimum(columns.rates, np.maximum(left, 0.0)).sum(axis=1)
            use = np.where((room[columns.offer] < columns.takes) | (counts >= columns.most), 0.0, use)
            if not use.any():
                return None
            luck = np.exp(STRAY * self._rng.normal(size=len(use)))
            best = int(np.argmax(luck * use / np.maximum(columns.usd, 1e-6)))
            counts[best] += 1
            room[columns.offer[best]] -= columns.takes[best]
            left -= columns.rates[best]
        bought = [(*columns.bought(int(i)), int(counts[i])) for i in np.flatnonzero(counts)]
        nodes = numbered(bought, self._problem.incumbent)
        usd = sum((node.usd_per_hour for node in nodes), Decimal(0))
        if float(usd) > ceiling:
            return TooDear(at_least_usd_per_hour=float(usd))
        return Fleet(nodes=nodes, usd_per_hour=usd, bound_usd_per_hour=None)
