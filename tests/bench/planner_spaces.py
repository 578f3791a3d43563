"""The two spaces that peers search: raw counts, and the cube with the integer programme inside.

Both map a point of a unit cube to a design, so that any sampler or optimiser can be held against either.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt
from planner_arena import Arena

from bouted.market.offers import Offer
from bouted.planner.design import Design
from bouted.planner.inside import Fleet, Inside, numbered
from bouted.planner.outside import cube
from bouted.planner.planned import ModelShare, Template
from bouted.planner.pools import may_run
from bouted.planner.problem import PlanningProblem
from bouted.planner.splits import FloorSplits, on_simplex

Floats = npt.NDArray[np.float64]

# Below this a coordinate means none of a column: of hundreds of columns a fleet uses a handful.
SPARSE = 0.9


class Space(Protocol):
    """A unit cube whose points stand for designs."""

    @property
    def dimensions(self) -> int:
        """Length of a point."""

    def design(self, point: Floats) -> Design | None:
        """The design at a point; None where there is none within the budget."""


class InsideSpace:
    """bouted's own cube: split, latency per model, headroom, spot. The fleet is the cheapest for them."""

    def __init__(self, arena: Arena) -> None:
        self._problem = arena.problem
        self._cube = cube(arena.problem, arena.splits)
        self._inside = Inside(arena.problem, arena.capacities)

    @property
    def dimensions(self) -> int:
        """Length of a point."""
        return self._cube.dimensions

    def design(self, point: Floats) -> Design | None:
        """The cheapest fleet for what the point asks, with its split."""
        (ask,) = self._cube.asks(point[None, :])
        fleet = self._inside.cheapest_fleet(ask, float(self._problem.budget.usd_per_hour))
        if not isinstance(fleet, Fleet):
            return None
        return Design(nodes=fleet.nodes, shares=shares_of(self._problem, np.array(ask.shares)))


class CountSpace:
    """How many of each offer, filled with replicas of one shape, and the split.

    What the budget and availability do not admit is dropped, smallest coordinate first.
    """

    def __init__(self, arena: Arena) -> None:
        self._problem = arena.problem
        self._columns = _columns(arena.problem)
        self._room = {offer.id: offer.obtainable for offer in arena.problem.offers}

    @property
    def dimensions(self) -> int:
        """A coordinate for each column, then the split."""
        return len(self._columns) + len(self._problem.models) - 1

    def design(self, point: Floats) -> Design | None:
        """The fleet and the split that the point spells out; None for no fleet at all."""
        n = len(self._columns)
        shares = FloorSplits.rounded(on_simplex(point[None, n:]))[0]
        bought = self._bought(point[:n])
        if not bought:
            return None
        return Design(nodes=numbered(bought, None), shares=shares_of(self._problem, shares))

    def _bought(self, coordinates: Floats) -> list[tuple[Offer, Template, int]]:
        room, left = dict(self._room), float(self._problem.budget.usd_per_hour)
        bought: list[tuple[Offer, Template, int]] = []
        wanted = [i for i in np.argsort(-coordinates) if coordinates[i] > SPARSE]
        for i in wanted:
            offer, template = self._columns[i]
            asked = int(np.ceil((coordinates[i] - SPARSE) / (1 - SPARSE) * offer.obtainable))
            usd = float(offer.usd_per_hour)
            count = min(asked, room[offer.id], int(left / usd) if usd > 0 else asked)
            if count > 0:
                bought.append((offer, template, count))
                room[offer.id] -= count
                left -= count * usd
        return bought


def shares_of(problem: PlanningProblem, shares: Floats) -> tuple[ModelShare, ...]:
    """The shares by model."""
    return tuple(
        ModelShare(model=rules.name, share=float(share))
        for rules, share in zip(problem.models, shares, strict=True)
    )


def _columns(problem: PlanningProblem) -> list[tuple[Offer, Template]]:
    rules = {item.name: item for item in problem.models}
    return [
        (offer, Template(gpu=offer.gpu, gpu_count=offer.gpu_count, replicas=(shape,) * many))
        for offer in problem.offers
        for shape in (profile.shape for profile in problem.profiles.profiles)
        if shape.gpu == offer.gpu
        and may_run(rules[shape.model], offer)
        and (many := offer.gpu_count // shape.gpu_count)
    ]
