"""Designs whose fleet and split one integer programme chose, put into the pool of a search."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bouted.planner.capacity import snap_factor
from bouted.planner.inside import Ask
from bouted.planner.joined import Joined, Shares
from bouted.planner.outside import Cube
from bouted.planner.pool import Candidate, Pool
from bouted.planner.problem import PlanningProblem
from bouted.planner.resplit import resplit
from bouted.planner.splits import GRAIN

# Where the fleet found for the target misses it or the floor by a hair: this much tighter.
JUST_WITHIN = 0.985
# More quality is asked for at most so often, by what lacked.
TRIES = 2
# Halvings between the targets and this share of them.
HALVINGS, TIGHTEST_EVER = 7, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Asks the programmes of one search, and keeps what they answer."""

    problem: PlanningProblem
    cube: Cube
    pool: Pool
    joined: Joined
    rng: np.random.Generator
    stop: Callable[[], bool]

    @property
    def affordable(self) -> bool:
        """Whether a sweep may ask once more."""
        return self.joined.affordable and self.cube.splits.met

    def due(self, round_: int) -> bool:
        """Whether this round of breeding may ask."""
        return (round_ + 1) % self.joined.every == 0

    def start(self) -> None:
        """The cheapest at the targets, and what no design can be cheaper than."""
        asked = self.problem.targets.quality_min
        if not self.stop() and self.cube.splits.met:
            self.pool.bound = self.joined.bound(asked)
        found = self.design(1.0, asked)
        if found is not None and found.scored.violated:
            self.until_it_holds(JUST_WITHIN, found)

    def fastest(self) -> None:
        """The tightest factor that the budget pays for, by halving."""
        budget = self.problem.budget.usd_per_hour
        loose, tight, best = 1.0, TIGHTEST_EVER, None
        for _ in range(HALVINGS):
            factor = (loose + tight) / 2
            near = best.ask.shares if best is not None else ()
            found = self.design(factor, self.problem.targets.quality_min + GRAIN, near)
            if found is None or found.scored.design.usd_per_hour > budget:
                tight = factor
            else:
                loose, best = factor, found
        if best is not None:
            self.until_it_holds(loose, best)

    def until_it_holds(self, factor: float, like: Candidate) -> None:
        """The cheapest at this factor with a split close to that of `like`, so that the floor holds."""
        floor = asked = self.problem.targets.quality_min + GRAIN
        for _ in range(TRIES):
            found = self.design(factor, floor, near=like.ask.shares)
            if found is None or "quality_min" not in found.scored.violated:
                return
            floor += asked - found.scored.estimate.quality_low
            like = found

    def design(self, factor: float, floor: float, near: Shares = ()) -> Candidate | None:
        """The cheapest at this factor and floor, of all splits or those `near` one; None when there is none.

        Its fleet is kept with queries shared out evenly too, which leaves room for chance, with other splits
        if it has to, and beside the fleet of which every replica is in time for the same split.
        """
        if self.stop() or not self.cube.splits.met:
            return None
        found = self.joined.fleet(factor, floor, near)
        if found is None or not found.nodes:
            return None
        factors = (snap_factor(factor),) * self.cube.models
        ask = Ask(
            shares=found.shares,
            factors=factors,
            headroom=0.0,
            spot_share=self.problem.spot.max_share,
            switching=False,
        )
        point = self.cube.point(np.array(found.shares), factors)
        design = self.pool.add(found.nodes, ask, point, sharing=found.sharing)
        evenly = self.pool.add(found.nodes, ask, point)
        if evenly is not None and evenly.scored.violated:
            resplit(self.pool, self.cube.splits, found.nodes, ask, self.rng)
        self.pool.answer(point, ask)
        return design
