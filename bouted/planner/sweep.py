"""The start of a search: asks all over the cube, and where good designs usually lie."""

from collections.abc import Callable, Iterator
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from bouted.planner.capacity import LOOSEST, TIGHTEST, snap_factor
from bouted.planner.front import front, shortfall
from bouted.planner.goals import Rule
from bouted.planner.inside import Ask
from bouted.planner.outside import Cube
from bouted.planner.planned import Incumbent, PlannedNode
from bouted.planner.pool import Candidate, Pool
from bouted.planner.problem import PlanningProblem
from bouted.planner.resplit import resplit
from bouted.planner.together import Together

Floats = npt.NDArray[np.float64]

# Parts of the sweep: the whole cube, then around the best found so far, closer each time.
WIDE = 0.35
ROUNDS = ((0.20, 0.12), (0.10, 0.06), (0.10, 0.03))
PARENTS = 12
# With nothing within the budget, this many of the least dear asks are solved to say what would be.
RESCUED = 24
# Other splits are tried on the fleet that runs now and on this many of the cheapest.
RESPLIT_FLEETS = 8
NEARLY = 0.3
AT_ONCE = 24
# Latency factors and floors (0: as asked, 1: the best of any split) along the front.
ALONG = ((1.0, 0.5), (0.8, 0.0), (1.0, 0.97), (0.65, 0.0), (0.8, 0.5))
MANY = 200
SPENT_AT = (0.0, 0.7)
MOST_SPARE = 4.0
HALVINGS = 4


class Sweep:
    """Fills a pool. `incumbent` is the plan in force, once it was judged."""

    def __init__(
        self,
        problem: PlanningProblem,
        cube: Cube,
        pool: Pool,
        together: Together | None,
        *,
        warm: bool,
        stop: Callable[[], bool],
    ) -> None:
        self._problem = problem
        self._cube = cube
        self._pool = pool
        self._together = together
        self._warm = warm
        self._stop = stop
        self._rng = np.random.default_rng((problem.seed, 1))
        self.incumbent: Candidate | None = None

    def steps(self) -> Iterator[str]:
        """Spend the problem's sweep effort, or stop when told to. Yields after each part, so that others
        may look at the pool meanwhile."""
        total = self._problem.effort.sweep
        if self._problem.incumbent is not None:
            self._start_from(self._problem.incumbent)
            yield "incumbent"
        wide = self._wide(max(8, int(total * WIDE)))
        plain = self._cube.plain(wide[: len(wide) // 4])
        points = np.vstack([self._cube.corners(), plain, wide[len(plain) :]])[: max(8, total)]
        for at in range(0, len(points), AT_ONCE):
            self._solve(points[at : at + AT_ONCE])
            yield "wide"
        self._try_together()
        yield "together"
        self._spend()
        yield "spend"
        for part, step in ROUNDS:
            parents = self._parents()
            if parents:
                self._solve(self._cube.near(np.array(parents), int(total * part), step, self._rng))
            yield "near"
        self._resplit_cheapest()
        yield "split"
        if not any("budget" not in item.scored.violated for item in self._pool.candidates):
            self._rescue()

    def _wide(self, n: int) -> Floats:
        """Points all over the cube. With at most two models, every split and latency on a grid as well."""
        if self._cube.models == 1:
            return np.vstack([self._cube.grid(1, n // 2), self._cube.sobol(n - n // 2, self._problem.seed)])
        if self._cube.models == 2:
            grid = self._cube.grid(max(2, n // 10), 5)
            return np.vstack([grid, self._cube.sobol(max(1, n - len(grid)), self._problem.seed)])
        return self._cube.sobol(n, self._problem.seed)

    def _start_from(self, incumbent: Incumbent) -> None:
        """The plan in force as it is, its fleet with other splits, its split with other fleets."""
        shares = tuple(item.share for item in incumbent.shares)
        ask = Ask(shares=shares, factors=(1.0,) * len(shares), headroom=0.0, spot_share=1.0, switching=True)
        self.incumbent = self._pool.add(incumbent.nodes, ask, None)
        if not self._warm:
            return
        self._resplit(incumbent.nodes, ask)
        for switching in (True, False):
            for factor in (1.0, 0.9, 1.1):
                self._answer(shares, (factor,) * len(shares), switching=switching)

    def _try_together(self) -> None:
        """Fleet and split together at the targets, then along the front."""
        if self._together is None:
            return
        self._together.start()
        if self._problem.preference.rule is Rule.FASTEST and self._together.joined.small:
            self._together.fastest()
        # A long search comes back to the rest of the front when it breeds.
        for factor, height in ALONG if self._problem.effort.evaluations < MANY else ():
            if self._together.affordable:
                self._together.design(factor, self._floor(height))

    def _spend(self) -> None:
        """Tighter and tighter factors until the budget is spent, then more and more headroom."""
        best = min(self._pool.candidates, key=self._badness, default=None)
        many = self._problem.effort.evaluations >= MANY or self._problem.preference.rule is not Rule.CHEAPEST
        for height in SPENT_AT if self._cube.models > 1 and many else SPENT_AT[:1]:
            loose, tight = LOOSEST, TIGHTEST
            for _ in range(HALVINGS):
                factor = snap_factor((loose + tight) / 2)
                found = self._faster(factor, self._floor(height), best)
                if found is None or "budget" in found.scored.violated:
                    tight = factor
                else:
                    loose, best = factor, found
            if best is not None:
                self._spend_on_headroom(best.ask)

    def _faster(self, factor: float, floor: float, like: Candidate | None) -> Candidate | None:
        """The cheapest at this factor: of any split if that is wanted and affordable, else of this one's."""
        wanted = self._problem.preference.rule is not Rule.CHEAPEST
        if wanted and self._together is not None and self._together.affordable:
            return self._together.design(factor, floor)
        return None if like is None else self._answer(like.ask.shares, (factor,) * self._cube.models)

    def _spend_on_headroom(self, ask: Ask) -> None:
        within, beyond = 0.0, MOST_SPARE
        for _ in range(HALVINGS):
            headroom = round((within + beyond) / 2, 3)
            found = self._answer(ask.shares, ask.factors, headroom=headroom)
            if found is None:
                beyond = headroom
            else:
                within = headroom

    def _floor(self, height: float) -> float:
        """A floor between the one asked for (0) and the best that any split reaches (1)."""
        asked = self._problem.targets.quality_min
        return round(asked + height * max(0.0, self._cube.splits.best_low - asked), 4)

    def _answer(
        self,
        shares: tuple[float, ...],
        factors: tuple[float, ...],
        *,
        headroom: float = 0.0,
        switching: bool = False,
    ) -> Candidate | None:
        if self._stop():
            return None
        ask = Ask(
            shares=shares,
            factors=factors,
            headroom=headroom,
            spot_share=self._problem.spot.max_share,
            switching=switching,
        )
        return self._pool.answer(self._cube.point(np.array(shares), factors), ask)

    def _resplit_cheapest(self) -> None:
        """The cheapest fleets with other splits: in time after all, faster, or better, for the same money."""
        fleets: dict[tuple[PlannedNode, ...], Candidate] = {}
        for item in sorted(self._pool.candidates, key=lambda item: item.scored.design.usd_per_hour):
            if "budget" not in item.scored.violated and shortfall(self._problem, item.scored) <= NEARLY:
                fleets.setdefault(item.scored.design.nodes, item)
        for nodes, item in list(fleets.items())[:RESPLIT_FLEETS]:
            if not self._stop():
                self._resplit(nodes, item.ask)

    def _resplit(self, nodes: tuple[PlannedNode, ...], ask: Ask) -> None:
        resplit(self._pool, self._cube.splits, nodes, ask, self._rng)

    def _badness(self, item: Candidate) -> tuple[float, Decimal]:
        return round(shortfall(self._problem, item.scored), 6), item.scored.design.usd_per_hour

    def _solve(self, points: Floats) -> None:
        for point, ask in zip(points, self._cube.asks(points), strict=True):
            if self._stop():
                return
            self._pool.answer(point, ask)

    def _parents(self) -> list[Floats]:
        """Points of the cheapest designs and of some along the front; of the least bad if none is."""
        pool = self._pool.candidates
        points = {id(item.scored): item.point for item in pool if item.point is not None}
        ranked = [item.scored for item in sorted(pool, key=self._badness) if id(item.scored) in points]
        along = [s for s in front(ranked, self._problem.targets.objective) if id(s) in points]
        cheap = ranked[: PARENTS - PARENTS // 3]
        some = along[:: max(1, len(along) // (PARENTS // 3))]
        return [points[id(scored)] for scored in (*cheap, *some)]

    def _rescue(self) -> None:
        """Solve the least dear of the asks that the budget ruled out."""
        for out in sorted(self._pool.ruled_out, key=lambda out: out.at_least_usd_per_hour)[:RESCUED]:
            if self._stop():
                return
            self._pool.answer(out.point, out.ask, ceiling=float("inf"))
