"""The dense half of the search: many asks, each answered exactly and judged by the profiles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from bouted.planner.design import Design, ScoredDesign
from bouted.planner.front import front, shortfall
from bouted.planner.inside import Ask, Fleet, Inside, TooDear
from bouted.planner.joint import JointSplit
from bouted.planner.judge import ProfilesJudge
from bouted.planner.outside import Cube
from bouted.planner.problem import Incumbent, ModelShare, PlannedNode, PlanningProblem

Floats = npt.NDArray[np.float64]

# Parts of the sweep: the whole cube, then around the best found so far, closer each time.
WIDE = 0.35
ROUNDS = ((0.20, 0.12), (0.10, 0.06), (0.10, 0.03))
PARENTS = 12
# With nothing within the budget, this many of the least dear asks are solved to say what would be.
RESCUED = 24
# Other splits are tried on the fleet that runs now and on this many of the cheapest.
RESPLIT_FLEETS = 12
NEARLY = 0.3
TOLD_EVERY = 16
AT_ONCE = 128
# Latency factors, alike for all models, for which fleet and split are chosen together; then the best ones'.
JOINT_FACTORS = (1.2, 1.1, 1.0, 0.8, 0.6)
JOINT_AGAIN = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A design found by the sweep, and the ask and point it answers.

    `bound` is the least $/h of any fleet for the ask that its fleet was found for, where known.
    """

    point: Floats | None
    ask: Ask
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
        joint: JointSplit | None,
        *,
        stop: Callable[[], bool],
        on_done: Callable[[int, float | None], None],
    ) -> None:
        self._problem = problem
        self._cube = cube
        self._inside = inside
        self._judge = judge
        self._joint = joint
        self._stop = stop
        self._on_done = on_done
        self._rng = np.random.default_rng((problem.seed, 1))
        self._found: dict[tuple[tuple[str, ...], tuple[ModelShare, ...]], Candidate] = {}
        self._dear: list[tuple[float, Floats | None, Ask]] = []
        self._cheapest: float | None = None
        self.bound: float | None = None
        self.swept = 0
        self.incumbent: Candidate | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Everything found so far."""
        return tuple(self._found.values())

    def run(self) -> None:
        """Spend the problem's sweep effort, or stop when told to."""
        total = self._problem.effort.sweep
        if self._problem.incumbent is not None:
            self._start_from(self._problem.incumbent)
        self._try_joint([(factor,) * self._cube.models for factor in JOINT_FACTORS])
        wide = self._wide(max(8, int(total * WIDE)))
        plain = self._cube.plain(wide[: len(wide) // 4])
        self._solve(np.vstack([self._cube.corners(), plain, wide[len(plain) :]])[: max(8, total)])
        for part, step in ROUNDS:
            self.refine(self._parents(), int(total * part), step)
        best = sorted(self.candidates, key=self._badness)[: 4 * PARENTS]
        self._try_joint(list(dict.fromkeys(item.ask.factors for item in best))[:JOINT_AGAIN])
        self._resplit()
        if not any("budget" not in item.scored.violated for item in self.candidates):
            self._rescue()
        self._on_done(self.swept, self._cheapest)

    def refine(self, parents: Sequence[Floats], n: int, step: float = ROUNDS[-1][1]) -> None:
        """Solve `n` more asks close to the parents."""
        if parents and n:
            self._solve(self._cube.near(np.array(parents), n, step, self._rng))

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
        self._add(incumbent.nodes, ask, None, None)
        self.incumbent = next(iter(self._found.values()), None)
        self._try_splits(incumbent.nodes, ask, None)
        for switching in (True, False):
            for factor in (1.0, 0.9, 1.1):
                self._answer(
                    None,
                    Ask(
                        shares=shares,
                        factors=(factor,) * len(shares),
                        headroom=0.0,
                        spot_share=self._problem.spot.max_share,
                        switching=switching,
                    ),
                )

    def _try_joint(self, many: Sequence[tuple[float, ...]]) -> None:
        """Splits that an integer programme over fleet and split together finds cheap."""
        for factors in many:
            if self._joint is None or self._stop():
                return
            budget = float(self._problem.budget.usd_per_hour)
            shares = self._joint.split(factors, budget)
            if shares is not None:
                point = self._cube.point(shares, factors)
                shares = self._cube.splits.rounded(shares[None])[0]
                self._answer(
                    point,
                    Ask(
                        shares=tuple(float(x) for x in shares),
                        factors=factors,
                        headroom=0.0,
                        spot_share=self._problem.spot.max_share,
                        switching=False,
                    ),
                )

    def _resplit(self) -> None:
        """The cheapest fleets with other splits: in time after all, faster, or better, for the same money."""
        fleets: dict[tuple[PlannedNode, ...], Candidate] = {}
        for item in sorted(self.candidates, key=lambda item: item.scored.design.usd_per_hour):
            if "budget" not in item.scored.violated and shortfall(self._problem, item.scored) <= NEARLY:
                fleets.setdefault(item.scored.design.nodes, item)
        for nodes, item in list(fleets.items())[:RESPLIT_FLEETS]:
            if not self._stop():
                self._try_splits(nodes, item.ask, item.bound)

    def _try_splits(self, nodes: tuple[PlannedNode, ...], ask: Ask, bound: float | None) -> None:
        splits = self._cube.splits.others(np.array(ask.shares), self._rng)
        for split, (mean, low) in zip(splits, self._cube.splits.low(splits), strict=True):
            other = replace(ask, shares=tuple(float(x) for x in split))
            self._add(nodes, other, None, bound, (float(mean), float(low)))

    def _badness(self, item: Candidate) -> tuple[float, Decimal]:
        return round(shortfall(self._problem, item.scored), 6), item.scored.design.usd_per_hour

    def _solve(self, points: Floats) -> None:
        for at in range(0, len(points), AT_ONCE):
            some = points[at : at + AT_ONCE]
            for point, ask in zip(some, self._cube.asks(some), strict=True):
                if self._stop():
                    return
                self._answer(point, ask)

    def _answer(self, point: Floats | None, ask: Ask, ceiling: float | None = None) -> None:
        limit = float(self._problem.budget.usd_per_hour) if ceiling is None else ceiling
        fleet = self._inside.cheapest_fleet(ask, limit)
        self.swept += 1
        if isinstance(fleet, TooDear):
            self._dear.append((fleet.at_least_usd_per_hour, point, ask))
        elif isinstance(fleet, Fleet):
            self._add(fleet.nodes, ask, point, fleet.bound_usd_per_hour)
        if self.swept % TOLD_EVERY == 0:
            self._on_done(self.swept, self._cheapest)

    def _add(
        self,
        nodes: tuple[PlannedNode, ...],
        ask: Ask,
        point: Floats | None,
        bound: float | None,
        quality: tuple[float, float] | None = None,
    ) -> None:
        names = (rules.name for rules in self._problem.models)
        shares = tuple(ModelShare(model=n, share=s) for n, s in zip(names, ask.shares, strict=True))
        key = tuple(node.slot for node in nodes), shares
        known = self._found.get(key)
        scored = known.scored if known else self._judge.score(Design(nodes=nodes, shares=shares), quality)
        if scored is None:
            return
        if bound is not None and set(scored.violated) <= {"budget"}:
            self.bound = bound if self.bound is None else min(self.bound, bound)
        if known is None:
            self._found[key] = Candidate(point=point, ask=ask, bound=bound, scored=scored)
        if not scored.violated:
            usd = float(scored.design.usd_per_hour)
            self._cheapest = usd if self._cheapest is None else min(usd, self._cheapest)

    def _parents(self) -> list[Floats]:
        """Points of the cheapest designs and of some along the front; of the least bad if none is."""
        points = {id(item.scored): item.point for item in self.candidates if item.point is not None}
        ranked = [
            item.scored for item in sorted(self.candidates, key=self._badness) if id(item.scored) in points
        ]
        along = [s for s in front(ranked, self._problem.targets.objective) if id(s) in points]
        cheap = ranked[: PARENTS - PARENTS // 3]
        some = along[:: max(1, len(along) // (PARENTS // 3))]
        return [p for scored in (*cheap, *some) if (p := points[id(scored)]) is not None]

    def _rescue(self) -> None:
        """Solve the least dear of the asks that the budget ruled out."""
        for _, point, ask in sorted(self._dear, key=lambda item: item[0])[:RESCUED]:
            if self._stop():
                return
            self._answer(point, ask, ceiling=float("inf"))
