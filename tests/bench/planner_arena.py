"""One run of one searcher: the judge that all share, the clock, and the archive of what was judged."""

from dataclasses import dataclass
from time import monotonic

from planner_archive import Box, Seen, seen_at

from bouted.planner.capacity import Capacities
from bouted.planner.design import Design, ScoredDesign
from bouted.planner.front import shortfall
from bouted.planner.judge import ProfilesJudge
from bouted.planner.problem import PlanningProblem
from bouted.planner.simulate_judge import SimulatedJudge
from bouted.planner.splits import FloorSplits
from bouted.quality.curve import QualityCurve

# What a look-up already proves infeasible is told so without a simulation: that helps searchers that stray.
CERTAIN = frozenset({"budget", "quality_min", "capacity"})
# How far a design that serves nobody is from being feasible.
HOPELESS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Cost, P95 and lack of quality as shares of what is acceptable, and how far from feasible it is.

    `short` is 0 for a feasible design; else the misses as shares of their limits, added up.
    """

    objectives: tuple[float, float, float]
    short: float


NOTHING = Verdict(objectives=(2.0, 2.0, 2.0), short=HOPELESS)


class Arena:
    """Everything a searcher may use. The clock starts here, so setting up counts for everybody."""

    def __init__(self, problem: PlanningProblem, seconds: float) -> None:
        self._started = monotonic()
        self._seconds = seconds
        self.problem = problem
        self.capacities = Capacities(problem.profiles, problem.targets)
        self.curve = QualityCurve.from_model(problem.quality, problem.seed)
        self.splits = FloorSplits(self.curve, problem.targets.quality_min, problem.seed)
        self.cheap = ProfilesJudge(problem, self.capacities, self.curve)
        self._dear = SimulatedJudge(problem, self.capacities, self.cheap)
        self.box = box_of(problem, self.splits)
        self.seen: list[Seen] = []
        self.asked = 0

    def late(self) -> bool:
        """Whether the time is up."""
        return monotonic() - self._started >= self._seconds

    def left_s(self) -> float:
        """Seconds left."""
        return max(0.0, self._started + self._seconds - monotonic())

    def scored(self, design: Design) -> ScoredDesign | None:
        """What the dear judge says of a design, kept in the archive. None when it serves somebody nothing."""
        self.asked += 1
        looked_up = self.cheap.score(design)
        if looked_up is None or CERTAIN & set(looked_up.violated):
            return looked_up
        scored = self._dear.score(looked_up)
        self.keep(scored)
        return scored

    def judge(self, design: Design | None) -> Verdict:
        """The same as figures for an optimiser."""
        scored = self.scored(design) if design is not None else None
        return NOTHING if scored is None else self.verdict(scored)

    def keep(self, scored: ScoredDesign) -> None:
        """Put a judgement into the archive; one that comes too late is not counted."""
        at_s = monotonic() - self._started
        if at_s <= self._seconds:
            self.seen.append(seen_at(self.problem, scored, at_s))

    def verdict(self, scored: ScoredDesign) -> Verdict:
        """A judged design as figures for an optimiser."""
        estimate = scored.estimate
        usd = float(scored.design.usd_per_hour)
        over = max(0.0, usd / self.box.budget_usd_per_hour - 1)
        return Verdict(
            objectives=self.box.scaled(
                usd, estimate.p95_s(self.problem.targets.objective), estimate.quality_low
            ),
            short=min(shortfall(self.problem, scored) + over, HOPELESS) if scored.violated else 0.0,
        )


def box_of(problem: PlanningProblem, splits: FloorSplits) -> Box:
    """What is acceptable. The best quality is the highest low end of any split."""
    target = problem.targets.of(problem.targets.objective)
    assert target is not None
    return Box(
        budget_usd_per_hour=float(problem.budget.usd_per_hour),
        target_p95_s=target,
        floor=problem.targets.quality_min,
        best=splits.best_low,
    )
