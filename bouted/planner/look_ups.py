"""Answers to eased problems by look-ups alone, and the best design known without easing anything."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from bouted.planner.beyond import allowed
from bouted.planner.capacity import Capacities
from bouted.planner.design import Design, Estimate, ScoredDesign
from bouted.planner.goals import Rule
from bouted.planner.judge import ProfilesJudge
from bouted.planner.problem import PlanningProblem
from bouted.planner.relax import Eased, Unit
from bouted.planner.resolve import around, resolve, scale_of
from bouted.quality.curve import QualityCurve

# Fleets are solved to within 0.2 %: smaller differences than these say nothing.
NOISE_USD = Decimal("0.005")
NOISE_P95 = 0.01
# The sweep of the problem as it is, and how often the questions are asked at most.
BASE_SWEEP = 64
ROUNDS = 2


class LookUps:
    """Solves eased problems from the best design known, and keeps every design that holds without help: a
    short sweep finds by luck, and what one found with a constraint eased may not need that."""

    def __init__(self, problem: PlanningProblem, design: Design, estimate: Estimate) -> None:
        self._problem = problem
        self.scale = scale_of(problem, design, estimate)
        plain = around(problem, design, self.scale)
        self._judge = ProfilesJudge(
            plain,
            Capacities(plain.profiles, plain.targets),
            QualityCurve.from_model(plain.quality, plain.seed),
        )
        self.holding = resolve(plain, sweep=BASE_SWEEP).designs

    @property
    def best(self) -> ScoredDesign | None:
        """The best design without help that is known."""
        return best_of(self.holding, self._problem)

    def answers(
        self, asked: Sequence[Eased], on_asked: Callable[[int, int], None]
    ) -> tuple[tuple[ScoredDesign, ...], ...]:
        """The designs found for each; asked again where the asking turned up a better one to start from."""
        start = self.best
        found: tuple[tuple[ScoredDesign, ...], ...] = tuple(() for _ in asked)
        for _ in range(ROUNDS):
            if start is None:
                break
            found = tuple(self._asked(asked, start.design, on_asked))
            before, start = start, self.best
            if start is None or not _better(start, before, self._problem):
                break
        return found

    def _asked(
        self, asked: Sequence[Eased], start: Design, on_asked: Callable[[int, int], None]
    ) -> Iterator[tuple[ScoredDesign, ...]]:
        for at, item in enumerate(asked):
            on_asked(at, len(asked))
            if not _can_help(item, self._problem):
                yield ()
                continue
            designs = resolve(around(item.problem, start, self.scale)).designs
            scored = (
                self._judge.score(found.design) for found in designs if allowed(self._problem, found.design)
            )
            self.holding += tuple(known for known in scored if known is not None and not known.violated)
            yield designs


def best_of(designs: Sequence[ScoredDesign], problem: PlanningProblem) -> ScoredDesign | None:
    """The fastest by the fastest rule, the cheapest by the others; None of none."""
    return min(designs, key=lambda item: rank(item, problem), default=None)


def rank(item: ScoredDesign, problem: PlanningProblem) -> float:
    """What designs are compared by: P95 of the objective by the fastest rule, $/h by the others."""
    if problem.preference.rule is Rule.FASTEST:
        return item.estimate.p95_s(problem.targets.objective)
    return float(item.design.usd_per_hour)


def _better(after: ScoredDesign, before: ScoredDesign, problem: PlanningProblem) -> bool:
    noise = NOISE_P95 if problem.preference.rule is Rule.FASTEST else float(NOISE_USD)
    return rank(after, problem) < (1 - noise) * rank(before, problem)


def _can_help(item: Eased, problem: PlanningProblem) -> bool:
    """More budget never makes the cheapest fleet cheaper: that needs no solving."""
    return item.unit is not Unit.USD_PER_HOUR or problem.preference.rule is Rule.FASTEST
