"""Least squares on relative errors, robust against cells that went wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

SCALE = 0.1  # errors beyond this count less and less


@dataclass(frozen=True, slots=True, kw_only=True)
class Least:
    """Coefficients, the cells they were fitted on, and the median relative error there."""

    x: tuple[float, ...]
    cells: int
    error: float


def least(
    model: Callable[[np.ndarray], np.ndarray],
    seconds: np.ndarray,
    start: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    weights: np.ndarray | float = 1.0,
) -> Least:
    """The coefficients within bounds whose `model` is nearest to `seconds`."""

    def off(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.log(model(x) / seconds) * weights)

    found = least_squares(
        off, start, bounds=(low, high), loss="soft_l1", f_scale=SCALE, x_scale=np.abs(start)
    )
    error = float(np.median(np.abs(model(found.x) / seconds - 1)))
    return Least(x=tuple(float(v) for v in found.x), cells=len(seconds), error=error)
