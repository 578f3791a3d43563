"""Planning: sweep widely with the cheap judge, then simulate the few designs that matter.

Pure but for `clock`: the same problem gives the same answer as long as its deadline is not reached.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bouted.planner.capacity import capacities_of
from bouted.planner.design import Ended, Frontier, Progress, ScoredDesign
from bouted.planner.front import front, nearest, shortfall, with_bound
from bouted.planner.inside import Inside
from bouted.planner.joint import JointSplit
from bouted.planner.judge import SPOT, ProfilesJudge
from bouted.planner.outside import cube
from bouted.planner.pieces import ALL, Pieces
from bouted.planner.problem import PlanningProblem
from bouted.planner.simulate_judge import SimulatedJudge
from bouted.planner.splits import FloorSplits
from bouted.planner.sweep import Candidate, Sweep
from bouted.quality.curve import QualityCurve

Floats = npt.NDArray[np.float64]
OnProgress = Callable[[Progress], None]
OnJudged = Callable[[ScoredDesign], None]
Stop = Callable[[], bool]

# Of the simulations, this share at most goes to the cheapest designs before anything is learned.
CHEAPEST_FIRST = 0.4
ROUNDS = 2
# Designs that look this much too slow may still turn out fast enough: replicas share a queue's luck.
WORTH_A_LOOK = 0.25
# Fewer simulations than this teach nothing.
LEAST_KNOWN = 3
MOST_CANDIDATES = 160
# With nothing feasible after all, up to this many times the simulations asked for.
PERSISTENCE = 3


def _ignore(_: ScoredDesign) -> None:
    """Nobody listens to single judgements."""


def _never() -> bool:
    """Nobody interrupts."""
    return False


def propose(
    problem: PlanningProblem,
    on_progress: OnProgress,
    clock: Callable[[], float],
    *,
    on_judged: OnJudged = _ignore,
    stop: Stop = _never,
    pieces: Pieces = ALL,
) -> Frontier:
    """The front of the problem, by its deadline. `clock` is seconds on any steady clock.

    `on_judged` is given every simulated design as it comes. When `stop` turns true the best so far is the
    answer; `Frontier.ended` says so.
    """
    return _Search(problem, on_progress, clock, on_judged, stop, pieces).run()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Simulated:
    """A candidate and what its simulation said."""

    candidate: Candidate
    scored: ScoredDesign


class _Search:
    """One search, from the sweep to the front."""

    def __init__(
        self,
        problem: PlanningProblem,
        on_progress: OnProgress,
        clock: Callable[[], float],
        on_judged: OnJudged,
        stop: Stop,
        pieces: Pieces,
    ) -> None:
        self._problem = problem
        self._on_judged = on_judged
        self._stop = stop
        self._pieces = pieces
        self._ended = Ended.DONE
        self._on_progress = on_progress
        self._clock = clock
        self._started = clock()
        capacities = capacities_of(problem)
        curve = QualityCurve.from_model(problem.quality, problem.seed)
        splits = FloorSplits(curve, problem.targets.quality_min, problem.seed)
        cheap = ProfilesJudge(problem, capacities, curve)
        inside = Inside(problem, capacities)
        many = len(problem.models) > 1 and splits.met
        self._sweep = Sweep(
            problem,
            cube(problem, splits),
            inside,
            cheap,
            JointSplit(problem, inside.columns, curve) if many else None,
            stop=self._late,
            on_done=lambda done, best: self._tell("sweep", done, problem.effort.sweep, best),
        )
        self._dear = SimulatedJudge(problem, capacities, cheap)
        self._simulated: dict[int, _Simulated] = {}

    def run(self) -> Frontier:
        """Sweep, simulate, learn, and put the front together."""
        self._sweep.run()
        if self._problem.effort.evaluations > 0:
            self._simulate_cheapest()
            self._learn()
            self._persist()
        return self._frontier()

    def _simulate_cheapest(self) -> None:
        """The plan in force, then the cheapest designs until one holds up, for a share of the effort."""
        if self._sweep.incumbent is not None:
            self._simulate(self._sweep.incumbent)
        most = max(LEAST_KNOWN, round(CHEAPEST_FIRST * self._problem.effort.evaluations))
        for candidate in self._by_cost():
            if len(self._simulated) >= most or self._late():
                return
            self._simulate(candidate)

    def _learn(self) -> None:
        """Spend the rest of the effort where a surrogate expects the most."""
        left = self._problem.effort.evaluations - len(self._simulated)
        candidates = self._worth_simulating()
        if left <= 0 or len(candidates) <= LEAST_KNOWN or self._late():
            return
        # Importing torch takes seconds; a search that has nothing to learn does not wait for it.
        from bouted.planner.surrogate import Acceptable, Surrogate

        metric, problem = self._problem.targets.objective, self._problem
        estimates = [item.scored.estimate for item in candidates]
        cheap = np.array([[float(e.usd_per_hour), e.p95_s(metric), e.quality_low] for e in estimates])
        surrogate = Surrogate(
            np.array([_features(item) for item in candidates]),
            cheap,
            Acceptable(
                usd_per_hour=max(float(problem.budget.usd_per_hour), float(cheap[:, 0].min()) * 1.5),
                p95_s=float(problem.targets.of(metric) or cheap[:, 1].max()),
                quality=problem.targets.quality_min,
            ),
            problem.seed,
        )
        for number in range(ROUNDS):
            left = problem.effort.evaluations - len(self._simulated)
            open_ = [i for i, item in enumerate(candidates) if id(item) not in self._simulated]
            known = {
                i: self._simulated[id(item)].scored.estimate.p95_s(metric)
                for i, item in enumerate(candidates)
                if id(item) in self._simulated
            }
            if left <= 0 or not open_ or len(known) < 2 or self._late():
                return
            for i in surrogate.pick(known, open_, -(-left // (ROUNDS - number))):
                self._simulate(candidates[i])

    def _persist(self) -> None:
        """While no simulated design is feasible, simulate more: cheapest first, then the least slow."""
        most = PERSISTENCE * self._problem.effort.evaluations
        rest = [item for item in self._by_cost() if id(item) not in self._simulated]
        for candidate in rest:
            if any(not item.scored.violated for item in self._simulated.values()):
                return
            if len(self._simulated) >= most or self._late():
                return
            self._simulate(candidate)

    def _by_cost(self) -> list[Candidate]:
        """Candidates that look feasible, cheapest first; then those that miss least, whatever they cost."""
        return sorted(
            self._sweep.candidates,
            key=lambda item: (
                round(shortfall(self._problem, item.scored), 3),
                "budget" in item.scored.violated,
                item.scored.design.usd_per_hour,
                item.scored.estimate.p95_s(self._problem.targets.objective),
            ),
        )

    def _worth_simulating(self) -> list[Candidate]:
        """What was simulated, the looked-up front, and the cheapest of what may be feasible."""
        near = [item for item in self._by_cost() if self._near(item)]
        shown = front((item.scored for item in near), self._problem.targets.objective)
        first = {id(scored) for scored in shown}
        near.sort(key=lambda item: (id(item.scored) not in first, item.scored.design.usd_per_hour))
        known = [item.candidate for item in self._simulated.values()]
        rest = [item for item in near if id(item) not in self._simulated]
        return [*known, *rest[:MOST_CANDIDATES]]

    def _near(self, candidate: Candidate) -> bool:
        broken = set(candidate.scored.violated)
        slow = shortfall(self._problem, candidate.scored)
        return not broken & {"budget", "capacity", "quality_min", SPOT} and slow <= WORTH_A_LOOK

    def _simulate(self, candidate: Candidate) -> None:
        if id(candidate) in self._simulated:
            return
        scored = self._dear.score(candidate.scored)
        self._on_judged(scored)
        self._simulated[id(candidate)] = _Simulated(candidate=candidate, scored=scored)
        good = [
            float(item.scored.design.usd_per_hour)
            for item in self._simulated.values()
            if not item.scored.violated
        ]
        total = max(self._problem.effort.evaluations, len(self._simulated))
        self._tell("simulate", len(self._simulated), total, min(good, default=None))

    def _frontier(self) -> Frontier:
        judged = [item.scored for item in self._simulated.values()]
        if not judged:
            judged = [item.scored for item in self._sweep.candidates]
        bound = self._sweep.bound or 0.0
        designs = front((with_bound(item, bound) for item in judged), self._problem.targets.objective)
        least_bad = None if designs else nearest(self._problem, judged)
        return Frontier(
            designs=designs,
            incumbent=self._incumbent(bound),
            nearest=with_bound(least_bad, bound) if least_bad is not None else None,
            swept=self._sweep.swept,
            simulated=len(self._simulated),
            seconds=self._clock() - self._started,
            seed=self._problem.seed,
            ended=self._ended,
        )

    def _incumbent(self, bound: float) -> ScoredDesign | None:
        found = self._sweep.incumbent
        if found is None:
            return None
        simulated = self._simulated.get(id(found))
        return with_bound(simulated.scored if simulated is not None else found.scored, bound)

    def _late(self) -> bool:
        if self._stop():
            self._ended = Ended.STOPPED
        elif self._clock() - self._started >= self._problem.effort.deadline_s:
            self._ended = Ended.DEADLINE
        return self._ended is not Ended.DONE

    def _tell(self, stage: str, done: int, total: int, best: float | None) -> None:
        self._on_progress(
            Progress(
                stage=stage,
                done=done,
                total=max(total, done),
                best_usd_per_hour=best,
                seconds=self._clock() - self._started,
            )
        )


def _features(candidate: Candidate) -> tuple[float, ...]:
    """What describes a design to the surrogate."""
    ask, estimate = candidate.ask, candidate.scored.estimate
    cost = float(np.log(max(float(estimate.usd_per_hour), 0.01)))
    return (*ask.shares, *ask.factors, ask.headroom, ask.spot_share, cost)
