"""Designs found so far, each once, as the cheap judge sees them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bouted.planner.design import Design, ScoredDesign, ShapeRate
from bouted.planner.inside import Ask, Fleet, TooDear
from bouted.planner.judge import ProfilesJudge
from bouted.planner.planned import ModelShare, PlannedNode
from bouted.planner.problem import PlanningProblem

Floats = npt.NDArray[np.float64]

TOLD_EVERY = 16


class Fleets(Protocol):
    """Whatever answers asks with fleets."""

    def cheapest_fleet(self, ask: Ask, ceiling: float) -> Fleet | TooDear | None:
        """A fleet that does what is asked; TooDear when it costs more than `ceiling` $/h; None: none can."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A design, and the ask that its fleet answered, or its parent's.

    `point` is where the ask lies in the cube, where known.
    """

    point: Floats | None
    ask: Ask
    scored: ScoredDesign


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledOut:
    """An ask that the budget ruled out, and the least $/h that it costs."""

    at_least_usd_per_hour: float
    point: Floats | None
    ask: Ask


class Pool:
    """Candidates of one problem in the order found. `swept` counts asks.

    `bound` is the least $/h of any design that meets the floor and the targets as the profiles judge it, once
    somebody proved it.
    """

    def __init__(
        self,
        problem: PlanningProblem,
        fleets: Fleets,
        judge: ProfilesJudge,
        on_swept: Callable[[int, float | None], None],
    ) -> None:
        self._problem = problem
        self._fleets = fleets
        self._judge = judge
        self._on_swept = on_swept
        self._names = tuple(rules.name for rules in problem.models)
        self._found: dict[Design, Candidate] = {}
        self._order: list[Candidate] = []
        self._budget = float(problem.budget.usd_per_hour)
        self.ruled_out: list[RuledOut] = []
        self.cheapest: float | None = None
        self.bound: float | None = None
        self.swept = 0

    def __len__(self) -> int:
        return len(self._order)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Everything found so far."""
        return tuple(self._order)

    def since(self, count: int) -> Sequence[Candidate]:
        """What was found after the first `count`."""
        return self._order[count:]

    def answer(self, point: Floats | None, ask: Ask, ceiling: float | None = None) -> Candidate | None:
        """The design for an ask; None when it has none, none within the ceiling (default: the budget)."""
        fleet = self._fleets.cheapest_fleet(ask, self._budget if ceiling is None else ceiling)
        self.swept += 1
        if self.swept % TOLD_EVERY == 0:
            self._on_swept(self.swept, self.cheapest)
        if isinstance(fleet, TooDear):
            self.ruled_out.append(
                RuledOut(at_least_usd_per_hour=fleet.at_least_usd_per_hour, point=point, ask=ask)
            )
        if not isinstance(fleet, Fleet):
            return None
        return self.add(fleet.nodes, ask, point)

    def add(
        self,
        nodes: tuple[PlannedNode, ...],
        ask: Ask,
        point: Floats | None,
        quality: tuple[float, float] | None = None,
        sharing: tuple[ShapeRate, ...] = (),
    ) -> Candidate | None:
        """The design of these nodes and the ask's split; None when it cannot be judged."""
        shares = tuple(ModelShare(model=n, share=s) for n, s in zip(self._names, ask.shares, strict=True))
        design = Design(nodes=nodes, shares=shares, sharing=sharing)
        known = self._found.get(design)
        scored = known.scored if known else self._judge.score(design, quality)
        if scored is None:
            return None
        if known is None:
            known = self._found[design] = Candidate(point=point, ask=ask, scored=scored)
            self._order.append(known)
        if not scored.violated:
            usd = float(scored.design.usd_per_hour)
            self.cheapest = usd if self.cheapest is None else min(usd, self.cheapest)
        return known
