"""Offers grouped so that within a group only the price differs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bouted.market.offers import Market, Offer
from bouted.planner.problem import ModelRules

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Offers of equal GPUs, equally many, on which the same models may run. Cheapest first.

    `allowed[m]` says whether model m may run here. `spot` tells capacity that can be taken away.
    """

    gpu: str
    gpu_count: int
    allowed: tuple[bool, ...]
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


def pools(offers: Sequence[Offer], models: Sequence[ModelRules]) -> tuple[Pool, ...]:
    """Every pool on which some model may run, in a fixed order. Offers that cannot be had are left out."""
    groups: dict[tuple[str, int, tuple[bool, ...], bool], list[Offer]] = defaultdict(list)
    for offer in offers:
        allowed = tuple(may_run(rules, offer) for rules in models)
        if any(allowed) and offer.obtainable > 0:
            groups[offer.gpu, offer.gpu_count, allowed, offer.market is Market.SPOT].append(offer)
    return tuple(
        Pool(
            gpu=gpu,
            gpu_count=count,
            allowed=allowed,
            spot=spot,
            offers=tuple(sorted(group, key=lambda offer: (offer.usd_per_hour, offer.id))),
        )
        for (gpu, count, allowed, spot), group in sorted(groups.items(), key=lambda item: item[0])
    )
