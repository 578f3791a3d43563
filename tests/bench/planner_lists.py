"""Candidate fleets per model, as BOute (2602.10729, section 5.2) makes them, for any number of models.

For each of some intermediate budgets a multiple-choice knapsack takes at most one homogeneous option from
each offer, so that one model's fleet carries the most within the budget. Beside those over all GPU types
there are those of each type alone and without each type: else all models would want the same GPUs.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from planner_arena import Arena

from bouted.market.offers import Offer
from bouted.planner.planned import Template
from bouted.planner.pools import may_run

Floats = npt.NDArray[np.float64]

BUDGETS = 16
# Knapsacks count money in steps of this share of the budget.
GRAIN = 1 / 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """So many of one offer, cut in one way: what they cost in steps, and the requests/s they carry."""

    offer: Offer
    template: Template
    count: int
    steps: int
    rate_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A fleet for one model alone."""

    options: tuple[Option, ...]

    @property
    def usd_per_hour(self) -> float:
        """What it costs."""
        return sum(float(item.offer.usd_per_hour) * item.count for item in self.options)

    @property
    def names(self) -> tuple[str, ...]:
        """What it is made of, for a fixed order."""
        return tuple(f"{item.count} {item.offer.id} {item.template.id}" for item in self.options)

    @property
    def rate_per_s(self) -> float:
        """What it carries with every replica at the P95 target."""
        return sum(item.rate_per_s for item in self.options)


def listed(arena: Arena, model: int) -> tuple[Listed, ...]:
    """The candidate list of one model, cheapest first; the first is no fleet at all."""
    groups = _groups(arena, model)
    types = sorted({options[0].offer.gpu for options in groups})
    alone = [frozenset({gpu}) for gpu in types]
    without = [frozenset(types) - {gpu} for gpu in types]
    found = {Listed(options=())}
    for allowed in (frozenset(types), *alone, *without):
        some = [options for options in groups if options[0].offer.gpu in allowed]
        for budget in np.linspace(1 / BUDGETS, 1.0, BUDGETS):
            found.add(_knapsack(some, round(float(budget) / GRAIN)))
    return tuple(sorted(found, key=lambda fleet: (fleet.usd_per_hour, fleet.rate_per_s, fleet.names)))


def _groups(arena: Arena, model: int) -> list[list[Option]]:
    """Per offer, every option with something to carry."""
    problem = arena.problem
    rules = problem.models[model]
    step = float(problem.budget.usd_per_hour) * GRAIN
    groups: list[list[Option]] = []
    for offer in problem.offers:
        options = [
            Option(
                offer=offer,
                template=Template(gpu=offer.gpu, gpu_count=offer.gpu_count, replicas=(shape,) * fit),
                count=count,
                steps=int(np.ceil(float(offer.usd_per_hour) * count / step - 1e-9)),
                rate_per_s=rate * fit * count,
            )
            for shape in (profile.shape for profile in problem.profiles.profiles)
            if (shape.model, shape.gpu) == (rules.name, offer.gpu) and may_run(rules, offer)
            if (fit := offer.gpu_count // shape.gpu_count)
            if (rate := arena.capacities.rate(shape.id, 1.0)) > 0
            for count in range(1, offer.obtainable + 1)
        ]
        if options:
            groups.append(options)
    return groups


def _knapsack(groups: list[list[Option]], steps: int) -> Listed:
    """The options, at most one a group, that carry the most for at most so many steps."""
    best = np.zeros(steps + 1)
    chosen: list[npt.NDArray[np.int64]] = []
    for options in groups:
        after, picked = best.copy(), np.full(steps + 1, -1, dtype=np.int64)
        for i, option in enumerate(options):
            if option.steps <= steps:
                with_it = np.full(steps + 1, -np.inf)
                with_it[option.steps :] = best[: steps + 1 - option.steps] + option.rate_per_s
                better = with_it > after + 1e-12
                after[better], picked[better] = with_it[better], i
        best = after
        chosen.append(picked)
    taken: list[Option] = []
    at = int(np.argmax(best))
    for options, picked in zip(reversed(groups), reversed(chosen), strict=True):
        if picked[at] >= 0:
            option = options[int(picked[at])]
            taken.append(option)
            at -= option.steps
    return Listed(options=tuple(reversed(taken)))
