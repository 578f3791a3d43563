"""Splits of the queries that meet the quality floor, and where the floor lies."""

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from bouted.quality.curve import QualityCurve

Floats = npt.NDArray[np.float64]

POOL = 512
STEPS = 32
# Shares are rounded to this; the floor is met with as much to spare.
GRAIN = 1e-4
# Other splits of a fleet: toward one model, at these slacks; toward random mixes; small moves from its own.
SLACKS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95)
RANDOM = 24
MOVES = (0.01, 0.03, 0.08, 0.2)


def on_simplex(cube: Floats) -> Floats:
    """Points of the unit cube (`n x (M - 1)`) as shares (`n x M`), evenly over all splits."""
    n = len(cube)
    edges = np.hstack([np.zeros((n, 1)), np.sort(cube, axis=1), np.ones((n, 1))])
    return np.asarray(np.diff(edges, axis=1))


class FloorSplits:
    """The splits whose low quality is at least the floor, seen from the best one.

    `best` is the split of highest low quality found, `best_low` its value. When that is below the floor,
    no split meets it, and `toward` stays at `best`.
    """

    def __init__(self, curve: QualityCurve, floor: float, seed: int) -> None:
        self._curve = curve
        models = len(curve.models)
        pool = [np.eye(models)]
        if models > 1:
            pool.append(on_simplex(qmc.Sobol(models - 1, scramble=True, rng=seed).random(POOL)))
        splits = np.vstack(pool)
        low = curve.mean_low(splits)[:, 1]
        self.best = splits[int(np.argmax(low))]
        self.best_low = float(low.max())
        self.met = self.best_low >= floor
        self._floor = min(floor + GRAIN, self.best_low)

    def toward(self, directions: Floats, slack: Floats) -> Floats:
        """Splits from `best` toward each direction (`n x M`): at the floor for slack 0, at `best` for 1."""
        reach = self._reach(directions) * (1 - slack)
        return self.rounded(self.best + reach[:, None] * (directions - self.best))

    def others(self, split: Floats, rng: np.random.Generator) -> Floats:
        """Splits to try instead of this one, all that meet the floor (`n x M`): far ones and close ones."""
        models = len(split)
        directions = np.vstack(
            [np.repeat(np.eye(models), len(SLACKS), axis=0), rng.dirichlet([0.6] * models, RANDOM)]
        )
        slack = np.concatenate([np.tile(SLACKS, models), rng.random(RANDOM) ** 2])
        moves = [
            min(step, split[source]) * (np.eye(models)[target] - np.eye(models)[source])
            for step in MOVES
            for source in range(models)
            for target in range(models)
            if source != target
        ]
        close = self.rounded(split + np.array(moves).reshape(-1, models))
        found = np.vstack([self.toward(directions, slack), close])
        return found[self.low(found)[:, 1] >= min(self._floor, self.best_low) - GRAIN]

    def slack(self, split: Floats) -> float:
        """The slack at which `toward` in the direction of a split that meets the floor is that split."""
        reach = float(self._reach(split[None])[0])
        return 1 - 1 / reach if reach > 1 else 0.0

    def low(self, splits: Floats) -> Floats:
        """Mean and low quality of splits, `n x 2`."""
        return self._curve.mean_low(splits)

    @staticmethod
    def rounded(splits: Floats) -> Floats:
        """Shares as multiples of the grain that still sum to 1; the largest takes up what is left."""
        found = np.round(np.clip(splits, 0.0, 1.0) / GRAIN) * GRAIN
        rows, largest = np.arange(len(found)), np.argmax(found, axis=1)
        found[rows, largest] += 1.0 - found.sum(axis=1)
        return np.round(found, 6)

    def _reach(self, directions: Floats) -> Floats:
        """How far along each ray the floor still holds, as a multiple of the step to the direction."""
        step = directions - self.best
        with np.errstate(divide="ignore"):
            edge = np.where(step < -1e-12, self.best / -np.minimum(step, -1e-12), np.inf).min(axis=1)
        edge = np.where(np.isfinite(edge), edge, 0.0)
        near, far = self._last_held(step, np.zeros(len(edge)), edge)
        near, _ = self._last_held(step, near, far)
        return near

    def _last_held(self, step: Floats, start: Floats, end: Floats) -> tuple[Floats, Floats]:
        """The last of evenly spaced points on each ray where the floor holds, and the next one."""
        at = start[:, None] + (end - start)[:, None] * np.linspace(0, 1, STEPS + 1)
        splits = self.best + at[:, :, None] * step[:, None, :]
        flat = np.clip(splits.reshape(-1, splits.shape[2]), 0.0, 1.0)
        flat /= flat.sum(axis=1, keepdims=True)
        held = self._curve.mean_low(flat)[:, 1].reshape(at.shape) >= self._floor
        held[:, 0] = True
        last = STEPS - np.argmax(held[:, ::-1], axis=1)
        rows = np.arange(len(at))
        return at[rows, last], at[rows, np.minimum(last + 1, STEPS)]
