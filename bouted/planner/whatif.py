"""Which constraint binds, and what a little more of each would buy: shadow prices by solving again.

All figures are differences between look-ups, the targets scaled to what the simulator said of the plan.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bouted.planner.beyond import beyond
from bouted.planner.design import Design, Estimate, Frontier, ScoredDesign
from bouted.planner.goals import Rule
from bouted.planner.look_ups import NOISE_P95, NOISE_USD, LookUps, best_of, rank
from bouted.planner.problem import PlanningProblem
from bouted.planner.relax import STEP_USD, Eased, Unit, eased

# How many designs are kept for further questions.
NEAR = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """A constraint, how much of it the plan uses, and what `step` more of it would buy.

    The name of stock and of quotas says which are short. By the fastest rule what is bought is a lower P95
    of the objective, by the others a lower $/h; 0: nothing.
    """

    name: str
    unit: Unit
    now: float | None
    limit: float | None
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
    look_ups = LookUps(problem, design, estimate)
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
        near=tuple(sorted(look_ups.holding, key=lambda item: rank(item, problem))[:NEAR]),
    )


def _bought(
    item: Eased, before: ScoredDesign, after: ScoredDesign, problem: PlanningProblem, factor: float
) -> Bought:
    metric = problem.targets.objective
    saves = before.design.usd_per_hour - after.design.usd_per_hour
    was = before.estimate.p95_s(metric)
    faster = was - after.estimate.p95_s(metric)
    fastest = problem.preference.rule is Rule.FASTEST
    short = beyond(problem, after.design).get(item.name, ())
    return Bought(
        name=f"{item.name} of {', '.join(short)}" if short else item.name,
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
