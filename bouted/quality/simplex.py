"""An even lattice of splits, and every other split as a mix of its neighbours. Pure."""

from itertools import combinations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

# Steps from no share to all of it, by the number of models: some hundred splits each.
FINE = {1: 1, 2: 128, 3: 32, 4: 14, 5: 8}
ROUGH = {1: 1, 2: 64, 3: 24, 4: 12, 5: 7}
FEWEST_STEPS = 5


class Simplex:
    """The splits (`n x M`) whose shares are multiples of 1 / `steps`, as `splits`."""

    def __init__(self, models: int, steps: int) -> None:
        self.models = models
        self.steps = steps
        bars = combinations(range(self.steps + models - 1), models - 1)
        # Where each model but the last ends, in steps: ascending whole numbers.
        ends = np.array(list(bars), dtype=np.intp) - np.arange(models - 1)
        edges = np.hstack([np.zeros((len(ends), 1)), ends, np.full((len(ends), 1), self.steps)])
        self.splits: Floats = np.diff(edges, axis=1) / self.steps
        self._base = (self.steps + 2) ** np.arange(models - 1)
        keys = ends @ self._base
        self._order = np.argsort(keys)
        self._keys = keys[self._order]

    def corners(self, shares: npt.ArrayLike) -> tuple[Ints, Floats]:
        """For each split (`n x M`) the `M` lattice splits around it and their weights, which sum to 1.

        ValueError unless shares are not negative and sum to 1.
        """
        at = _ends(shares, self.models) * self.steps
        low = np.floor(at + 1e-9)
        part = np.clip(at - low, 0.0, 1.0)
        # A step at a time, the largest part first; of equal parts the later end: ends stay in order.
        last_first = part.shape[1] - 1 - np.argsort(-part[:, ::-1], axis=1, kind="stable")
        rows = np.arange(len(at))[:, None]
        sorted_parts = part[rows, last_first]
        walls = np.hstack([np.ones((len(at), 1)), sorted_parts, np.zeros((len(at), 1))])
        weights = -np.diff(walls, axis=1)
        ends = np.repeat(low[:, None, :], self.models, axis=1)
        for k in range(part.shape[1]):
            ends[rows, np.arange(k + 1, self.models)[None, :], last_first[:, k : k + 1]] += 1
        return self._found(np.minimum(ends, self.steps).astype(np.intp), weights), weights

    def _found(self, ends: Ints, weights: Floats) -> Ints:
        """Places of these lattice splits; a corner of no weight may lie outside and is any of them."""
        keys = ends @ self._base
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.asarray(np.where(weights > 0, self._order[place], 0))


def _ends(shares: npt.ArrayLike, models: int) -> Floats:
    """Where each model but the last ends on the axis of difficulty: `n x (M - 1)`, ascending, 0..1."""
    given = np.atleast_2d(np.asarray(shares, dtype=np.float64))
    if given.shape[1] != models or np.any(given < -1e-9) or np.any(np.abs(given.sum(axis=1) - 1) > 1e-6):
        raise ValueError(f"need {models} shares a split, none negative, summing to 1; got {shares!r}")
    ends = np.clip(np.cumsum(given, axis=1)[:, :-1], 0.0, 1.0)
    return np.asarray(np.maximum.accumulate(ends, axis=1)) if models > 1 else ends
