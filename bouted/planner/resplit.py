"""The same fleet with other splits: in time after all, faster, or better, for the same money."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bouted.planner.inside import Ask
from bouted.planner.planned import PlannedNode
from bouted.planner.pool import Pool
from bouted.planner.splits import FloorSplits


def resplit(
    pool: Pool, splits: FloorSplits, nodes: Sequence[PlannedNode], ask: Ask, rng: np.random.Generator
) -> None:
    """Put designs of these nodes with far and close splits that meet the floor into the pool."""
    others = splits.others(np.array(ask.shares), rng)
    for split, (mean, low) in zip(others, splits.low(others), strict=True):
        other = replace(ask, shares=tuple(float(x) for x in split))
        pool.add(tuple(nodes), other, None, (float(mean), float(low)))
