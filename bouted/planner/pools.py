"""Offers grouped so that within a group only the price differs."""

from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bouted.market.offers import Market, Offer
from bouted.planner.moving import Fetching, Lives
from bouted.planner.problem import ModelRules, PlanningProblem
from bouted.planner.spread import Loss

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Offers of equal GPUs, equally many, on which the same models may run. Cheapest first.

    `allowed[m]` says whether model m may run here, `fetch_usd[m]` what bringing its weights to an instance
    here costs once. `spot` tells capacity that can be taken away. The same quotas cover all its offers.
    """

    gpu: str
    gpu_count: int
    allowed: tuple[bool, ...]
    fetch_usd: tuple[float, ...]
    spot: bool
    offers: tuple[Offer, ...]

    @cached_property
    def before(self) -> Ints:
        """How many can be had of the offers before each, and of all."""
        return np.cumsum([0, *(offer.obtainable for offer in self.offers)])


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class _Likeness:
    """What the offers of one pool have in common."""

    gpu: str
    gpu_count: int
    allowed: tuple[bool, ...]
    spot: bool
    fetch_usd: tuple[float, ...]
    quotas: tuple[bool, ...]
    losses: tuple[bool, ...]
    life_h: float


def may_run(rules: ModelRules, offer: Offer) -> bool:
    """Whether the model's allow-lists admit this offer."""
    if rules.clouds and offer.provider not in rules.clouds:
        return False
    return not rules.regions or any(fnmatchcase(offer.region, glob) for glob in rules.regions)


def pools(
    problem: PlanningProblem, *, by_life: bool = False, losses: tuple[Loss, ...] = ()
) -> tuple[Pool, ...]:
    """Every pool on which some model may run, in a fixed order. Offers that cannot be had are left out.

    With `by_life`, prices of one pool hold equally long; each of `losses` takes all of a pool or none of it.
    """
    fetching, lives = Fetching(problem), Lives(problem)
    groups: dict[_Likeness, list[Offer]] = defaultdict(list)
    for offer in problem.offers:
        allowed = tuple(may_run(rules, offer) for rules in problem.models)
        if any(allowed) and offer.obtainable > 0:
            likeness = _Likeness(
                gpu=offer.gpu,
                gpu_count=offer.gpu_count,
                allowed=allowed,
                spot=offer.market is Market.SPOT,
                fetch_usd=tuple(
                    float(fetching.usd(rules.name, offer)) if may else 0.0
                    for rules, may in zip(problem.models, allowed, strict=True)
                ),
                quotas=tuple(quota.covers(offer) for quota in problem.quotas),
                losses=tuple(loss.takes(offer) for loss in losses),
                life_h=lives.hours(offer) if by_life else 0.0,
            )
            groups[likeness].append(offer)
    return tuple(
        Pool(
            gpu=alike.gpu,
            gpu_count=alike.gpu_count,
            allowed=alike.allowed,
            fetch_usd=alike.fetch_usd,
            spot=alike.spot,
            offers=tuple(sorted(group, key=lambda offer: (offer.usd_per_hour, offer.id))),
        )
        for alike, group in sorted(groups.items())
    )
