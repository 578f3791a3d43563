"""The dense half of the search: many asks, each answered exactly and judged by the profiles."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

import numpy as np
import numpy.typing as npt

from bouted.perf.profile import Metric
from bouted.planner.design import Design, ScoredDesign
from bouted.planner.front import undominated_designs
from bouted.planner.inside import Ask, Fleet, Inside, TooDear
from bouted.planner.judge import ProfilesJudge
from bouted.planner.outside import Cube
from bouted.planner.problem import ModelShare, PlannedNode, PlanningProblem

Floats = npt.NDArray[np.float64]

# Parts of the sweep: the whole cube, then around the best found so far, closer each time.
WIDE = 0.5
ROUNDS = ((0.20, 0.12), (0.15, 0.06), (0.15, 0.03))
PARENTS = 12
# With nothing within the budget, this many of the least dear asks are solved to say what would be.
RESCUED = 24
# How many other splits are tried on the fleet that runs now.
RESPLITS = 24


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A design found by the sweep. `bound` is the least $/h of any fleet for the same ask, where known."""

    point: Floats | None
    ask: Ask | None
    bound: float | None
    scored: ScoredDesign


class Sweep:
    """Candidates of one problem, without repeats, in the order found."""

    def __init__(
        self,
        problem: PlanningProblem,
        cube: Cube,
        inside: Inside,
        judge: ProfilesJudge,
        stop: Callable[[], bool],
        on_done: Callable[[int, float | None], None],
    ) -> None:
        self._problem = problem
        self._cube = cube
        self._inside = inside
        self._judge = judge
        self._stop = stop
        self._on_done = on_done
        self._rng = np.random.default_rng((problem.seed, 1))
        self._found: dict[tuple[tuple[str, ...], tuple[ModelShare, ...]], Candidate] = {}
        self._dear: list[tuple[float, Floats, Ask]] = []
        self.swept = 0

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Everything found so far."""
        return tuple(self._found.values())

    def run(self) -> None:
        """Spend the problem's sweep effort, or stop when told to."""
        total = self._problem.effort.sweep
        self._incumbent()
        wide = self._cube.sobol(int(total * WIDE), self._problem.seed)
        if self._cube.models <= 2:
            slacks = max(2, len(wide) // 10)
            wide = self._cube.grid(slacks, 5 if self._cube.models == 2 else 10)
        plain = self._cube.plain(wide[: len(wide) // 4])
        self._solve(np.vstack([plain, wide[len(plain) :]]))
        for part, step in ROUNDS:
            parents = self._parents()
            if parents is not None:
                self._solve(self._cube.near(parents, int(total * part), step, self._rng))
        if not any("budget" not in item.scored.violated for item in self.candidates):
            self._rescue()

    def refine(self, parents: Floats, n: int) -> None:
        """Solve `n` more asks close to the parents."""
        self._solve(self._cube.near(parents, n, ROUNDS[-1][1], self._rng))

    def _solve(self, points: Floats) -> None:
        ceiling = float(self._problem.budget.usd_per_hour)
        for point, ask in zip(points, self._cube.asks(points), strict=True):
            if self._stop():
                return
            self._answer(point, ask, ceiling)

    def _answer(self, point: Floats, ask: Ask, ceiling: float) -> None:
        fleet = self._inside.cheapest_fleet(ask, ceiling)
        self.swept += 1
        if isinstance(fleet, TooDear):
            self._dear.append((fleet.at_least_usd_per_hour, point, ask))
        elif isinstance(fleet, Fleet):
            self._add(fleet.nodes, ask.shares, Candidate_(point, ask, fleet.bound_usd_per_hour))
        if self.swept % 16 == 0:
            self._on_done(self.swept, self.best_usd_per_hour())
