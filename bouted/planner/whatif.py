"""Which constraint binds, and what a little more of each would buy: shadow prices by solving again.

All figures are differences between look-ups, the targets scaled to what the simulator said of the plan.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bouted.planner.capacity import Capacities
from bouted.planner.design import Design, Estimate, Frontier, ScoredDesign
from bouted.planner.judge import ProfilesJudge
from bouted.planner.problem import PlanningProblem, Rule
from bouted.planner.relax import STEP_USD, Eased, Unit, eased
from bouted.planner.resolve import around, resolve, scale_of
from bouted.quality.curve import QualityCurve

# Fleets are solved to within 0.2 %: smaller differences than these say nothing.
NOISE_USD = Decimal("0.005")
NOISE_P95 = 0.01
# The sweep of the problem as it is, and how often the questions are asked at most.
BASE_SWEEP = 64
ROUNDS = 2
# How many designs are kept for further questions.
NEAR = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """A constraint, how much of it the plan uses, and what `step` more of it would buy.

    By the fastest rule that is a lower P95 of the objective, by the others a lower $/h; 0: nothing.
    """

    name: str
    unit: Unit
    now: float | None
    limit: float
    step: float
    saves_usd_per_hour: Decimal
    faster_s: float

    @property
    def binds(self) -> bool:
        """More of it would make the plan better."""
        return self.saves_usd_per_hour > 0 or self.faster_s > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreMoney:
    """The fastest design for at most `step` $/h more than the plan: its cost, its P95 of the objective, and
    how much lower that is. None of them when more money buys nothing."""

    step_usd_per_hour: Decimal
    usd_per_hour: Decimal | None
    p95_s: float | None
    faster_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """What binds and what more would buy. `near` are the best designs by look-ups alone, best first."""

    bought: tuple[Bought, ...]
    more_money: MoreMoney
    near: tuple[ScoredDesign, ...]


def what_if(
    problem: PlanningProblem,
    frontier: Frontier | None,
    design: Design,
    estimate: Estimate,
    on_asked: Callable[[int, int], None],
) -> WhatIf:
    """The answers for a plan of `problem`: about a second of work per constraint, and always the same.

    `frontier` is the one the plan was chosen from, where it was kept. `on_asked` hears how many questions of
    how many are answered.
    """
    asked = tuple(eased(problem, design, estimate))
    look_ups = _LookUps(problem, design, estimate)
    answers = look_ups.answers(asked, on_asked)
    best, factor = look_ups.best, look_ups.scale[problem.targets.objective]
    known = (
        *_scaled_p95(look_ups.holding, problem, factor),
        *_scaled_p95(frontier.designs if frontier is not None else (), problem, 1.0),
    )
    return WhatIf(
        bought=()
        if best is None
        else tuple(
            _bought(item, best, best_of((*found, best), problem) or best, problem, factor)
            for item, found in zip(asked, answers, strict=True)
        ),
        more_money=_more_money(known, design, estimate.p95_s(problem.targets.objective)),
        near=tuple(sorted(look_ups.holding, key=lambda item: _key(item, problem))[:NEAR]),
    )


class _LookUps:
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
            scored = (self._judge.score(found.design) for found in designs)
            self.holding += tuple(known for known in scored if known is not None and not known.violated)
            yield designs


def best_of(designs: Sequence[ScoredDesign], problem: PlanningProblem) -> ScoredDesign | None:
    """The fastest by the fastest rule, the cheapest by the others; None of none."""
    return min(designs, key=lambda item: _key(item, problem), default=None)


def _key(item: ScoredDesign, problem: PlanningProblem) -> float:
    if problem.preference.rule is Rule.FASTEST:
        return item.estimate.p95_s(problem.targets.objective)
    return float(item.design.usd_per_hour)


def _better(after: ScoredDesign, before: ScoredDesign, problem: PlanningProblem) -> bool:
    noise = NOISE_P95 if problem.preference.rule is Rule.FASTEST else float(NOISE_USD)
    return _key(after, problem) < (1 - noise) * _key(before, problem)


def _can_help(item: Eased, problem: PlanningProblem) -> bool:
    """More budget never makes the cheapest fleet cheaper: that needs no solving."""
    return item.unit is not Unit.USD_PER_HOUR or problem.preference.rule is Rule.FASTEST


def _bought(
    item: Eased, before: ScoredDesign, after: ScoredDesign, problem: PlanningProblem, factor: float
) -> Bought:
    metric = problem.targets.objective
    saves = before.design.usd_per_hour - after.design.usd_per_hour
    was = before.estimate.p95_s(metric)
    faster = was - after.estimate.p95_s(metric)
    fastest = problem.preference.rule is Rule.FASTEST
    return Bought(
        name=item.name,
        unit=item.unit,
        now=item.now,
        limit=item.limit,
        step=item.step,
        saves_usd_per_hour=(
            saves if not fastest and saves > NOISE_USD * before.design.usd_per_hour else Decimal(0)
        ),
        faster_s=faster / factor if fastest and faster > NOISE_P95 * was else 0.0,
    )


def _scaled_p95(
    designs: Sequence[ScoredDesign], problem: PlanningProblem, factor: float
) -> Iterator[tuple[Decimal, float]]:
    """$/h and P95 of the objective of each design, the P95 as the simulator would put it."""
    for item in designs:
        yield item.design.usd_per_hour, item.estimate.p95_s(problem.targets.objective) / factor


def _more_money(known: tuple[tuple[Decimal, float], ...], design: Design, now_s: float) -> MoreMoney:
    most = design.usd_per_hour + STEP_USD
    usd, p95 = min(
        ((usd, p95) for usd, p95 in known if usd <= most),
        key=lambda pair: (pair[1], pair[0]),
        default=(None, now_s),
    )
    if usd is None or now_s - p95 <= NOISE_P95 * now_s:
        return MoreMoney(step_usd_per_hour=STEP_USD, usd_per_hour=None, p95_s=None, faster_s=0.0)
    return MoreMoney(step_usd_per_hour=STEP_USD, usd_per_hour=usd, p95_s=p95, faster_s=now_s - p95)
