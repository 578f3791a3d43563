"""The usual practice: a router tuned for quality alone, and an autoscaler for each model alone.

The router keeps the floor with the least use of large models. The autoscaler serves each model's load on one
instance type and layout, the cheapest that carries it within the target; or, stronger, on Melange's mix.
With money left, every model is scaled for a tighter target or for more load.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import ceil

import numpy as np
import numpy.typing as npt
from planner_arena import Arena
from planner_melange import Bucket, melange
from planner_pools import Bought, cuts_for, usd_of
from planner_spaces import shares_of

from bouted.catalog.load import load_catalog
from bouted.planner.design import Design
from bouted.planner.inside import numbered
from bouted.planner.splits import FloorSplits

Floats = npt.NDArray[np.float64]
Scale = Callable[[Arena, int, float, float, Mapping[str, int]], list[Bought] | None]
"""What one model gets: arena, model, requests/s, share of the target, what is left of each offer."""

GRID = 50


def tuned_split(arena: Arena, size: Floats) -> Floats:
    """The split that keeps the floor with the least `size` (per model) a query, on a grid of 2 %."""
    models = len(arena.problem.models)
    splits = FloorSplits.rounded(_grid(models) / GRID)
    low = arena.curve.mean_low(splits)[:, 1]
    kept = low >= arena.problem.targets.quality_min
    if not kept.any():
        return np.asarray(arena.splits.best)
    return np.asarray(splits[kept][int(np.argmin(splits[kept] @ size))])


def sizes(models: Sequence[str]) -> Floats:
    """Billions of parameters of models of the catalog."""
    catalog = load_catalog()
    return np.array([catalog.model(name).params_b for name in models])


def _grid(models: int) -> Floats:
    """Every way to share `GRID` parts between the models."""
    if models == 1:
        return np.array([[float(GRID)]])
    ends = np.array(np.meshgrid(*[np.arange(GRID + 1)] * (models - 1))).reshape(models - 1, -1).T
    ends = ends[np.all(np.diff(ends, axis=1) >= 0, axis=1)]
    edges = np.hstack([np.zeros((len(ends), 1)), ends, np.full((len(ends), 1), GRID)])
    return np.asarray(np.diff(edges, axis=1), dtype=np.float64)


def scaled(arena: Arena, split: Floats, scale: Scale, *, factor: float, load: float) -> Design | None:
    """Each model scaled by itself, the largest first; None when one finds nothing left to run on.

    Each is to carry `load` times its queries within `factor` times the target.
    """
    left = {offer.id: offer.obtainable for offer in arena.problem.offers}
    bought: list[Bought] = []
    for model in reversed(range(len(split))):
        if split[model] <= 0:
            continue
        rate = load * float(split[model]) * arena.problem.workload.rate_per_s
        found = scale(arena, model, rate, factor, left)
        if found is None:
            return None
        bought += found
        for offer_id, count in _counts(found).items():
            left[offer_id] -= count
    nodes = numbered([(item.cut.offer, item.cut.template, item.count) for item in bought], None)
    return Design(nodes=nodes, shares=shares_of(arena.problem, split))


def one_type(
    arena: Arena, model: int, rate_per_s: float, factor: float, left: Mapping[str, int]
) -> list[Bought] | None:
    """The cheapest single instance type and layout that carries the load within `factor` x the target."""
    found: list[Bought] = []
    for cut in cuts_for(arena, model, left):
        each = arena.capacities.rate(cut.shape_id, factor) * len(cut.template.replicas)
        if each > 0 and (count := ceil(rate_per_s / each - 1e-9)) <= cut.room:
            found.append(Bought(cut=cut, count=count))
    return [min(found, key=lambda item: (usd_of([item]), item.cut.template.id))] if found else None


def mixed(buckets: tuple[Bucket, ...]) -> Scale:
    """Melange's mix, with these buckets."""

    def scale(
        arena: Arena, model: int, rate_per_s: float, factor: float, left: Mapping[str, int]
    ) -> list[Bought] | None:
        return melange(arena, buckets, model, rate_per_s, factor, left)

    return scale


def _counts(bought: list[Bought]) -> Counter[str]:
    counts = Counter[str]()
    for item in bought:
        counts[item.cut.offer.id] += item.count
    return counts
