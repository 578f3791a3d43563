"""Who wins a cell, and by how much."""

from dataclasses import dataclass

import numpy as np
from planner_run import OURS


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One scenario at one time: each searcher's hypervolumes, one a seed."""

    scenario: str
    seconds: float
    volumes: dict[str, list[float]]

    @property
    def ours(self) -> float:
        """Our mean over seeds."""
        return float(np.mean(self.volumes[OURS]))

    @property
    def best_peer(self) -> float:
        """The highest mean of a peer."""
        return max(float(np.mean(found)) for name, found in self.volumes.items() if name != OURS)

    @property
    def below_percent(self) -> float:
        """How far we are below the best peer, as a percentage of its mean; negative when above."""
        if self.best_peer > 0:
            return 100 * (self.best_peer - self.ours) / self.best_peer
        return -100.0 if self.strictly_best else 0.0

    @property
    def strictly_best(self) -> bool:
        """Whether our mean is above every peer's."""
        return self.ours > self.best_peer


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One cell: seconds and $/h of both sides, None where a side found nothing feasible."""

    name: str
    ours_p95_s: float | None
    theirs_p95_s: float | None
    ours_usd: float | None
    theirs_usd: float | None

    @property
    def faster_percent(self) -> float:
        """How much lower our P95 is at equal spend."""
        return _less(self.ours_p95_s, self.theirs_p95_s)

    @property
    def cheaper_percent(self) -> float:
        """How much less we cost at equal targets."""
        return _less(self.ours_usd, self.theirs_usd)

    @property
    def gain_percent(self) -> float:
        """The better of the two."""
        return max(self.faster_percent, self.cheaper_percent)


def _less(mine: float | None, theirs: float | None) -> float:
    """How much less, as a percentage. Alone feasible is 100, alone infeasible -100, neither 0."""
    if mine is None or theirs is None:
        return 100.0 * ((mine is not None) - (theirs is not None))
    return 100 * (1 - mine / theirs)
