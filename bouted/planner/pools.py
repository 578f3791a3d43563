"""Offers grouped so that within a group only the price differs."""

from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bouted.market.offers import Market, Offer
from bouted.planner.moving import Fetching
from bouted.planner.problem import ModelRules, PlanningProblem

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Offers of equal GPUs, equally many, on which the same models may run. Cheapest first.

    `allowed[m]` says whether model m may run here, `fetch_usd[m]` what bringing its weights to a node here
    costs once. `spot` tells capacity that can be taken away.
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


def may_run(rules: ModelRules, offer: Offer) -> bool:
    """Whether the model's allow-lists admit this offer."""
    if rules.clouds and offer.provider not in rules.clouds:
        return False
    return not rules.regions or any(fnmatchcase(offer.region, glob) for glob in rules.regions)


def pools(problem: PlanningProblem) -> tuple[Pool, ...]:
    """Every pool on which some model may run, in a fixed order. Offers that cannot be had are left out."""
    fetching = Fetching(problem)
    groups: dict[tuple[str, int, tuple[bool, ...], bool, tuple[float, ...]], list[Offer]] = defaultdict(list)
    for offer in problem.offers:
        allowed = tuple(may_run(rules, offer) for rules in problem.models)
        if any(allowed) and offer.obtainable > 0:
            fetch = tuple(
                float(fetching.usd(rules.name, offer)) if may else 0.0
                for rules, may in zip(problem.models, allowed, strict=True)
            )
            spot = offer.market is Market.SPOT
            groups[offer.gpu, offer.gpu_count, allowed, spot, fetch].append(offer)
    return tuple(
        Pool(
            gpu=gpu,
            gpu_count=count,
            allowed=allowed,
            fetch_usd=fetch,
            spot=spot,
            offers=tuple(sorted(group, key=lambda offer: (offer.usd_per_hour, offer.id))),
        )
        for (gpu, count, allowed, spot, fetch), group in sorted(groups.items(), key=lambda item: item[0])
    )
