"""Prices that give each model its share: a query goes where predicted score plus price is highest.

Of all ways to give the models these shares, this one has the highest total of predicted scores: the prices
are the dual variables of that assignment (the idea of RouterWise, arXiv 2604.10907). They minimise a convex
function; it is smoothed, solved by Newton's method for many splits at once, and smoothed less and less.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Below this every other price wins: what a model without a share gets.
NEVER = -10.0
# Smoothing, as parts of the spread of the predicted differences, and Newton steps at each.
SMOOTHING = (0.5, 0.15, 0.05, 0.015, 0.004)
STEPS = 6
# The worst share may be off by this much of the smoothing.
HELD = 0.1
LONGEST_STEP = 4.0
# While the smoothing is above this, so many of the prompts do.
FEW_FROM, FEW_ROWS = 0.02, 600
# Numbers worked on at once: what a cache holds.
BLOCK = 60_000


def prices_for(predicted: Floats, shares: Floats) -> Floats:
    """The prices (`s x M`) for each of the splits (`s x M`), on prompts predicted so (`n x M`).

    The shares are then held up to prompts that the predictions cannot tell apart. The prices of the models
    that have a share average zero.
    """
    few = predicted[:: max(1, len(predicted) // FEW_ROWS)]
    size = max(1, BLOCK // predicted.size)
    blocks = np.split(shares, range(size, len(shares), size))
    return np.vstack([_solved(predicted, few, block) for block in blocks])


def _solved(predicted: Floats, few: Floats, shares: Floats) -> Floats:
    """Roughly on few of the prompts, then on all of them."""
    live = shares > 0
    prices = np.where(live, 0.0, NEVER)
    spread = float(np.std(predicted - predicted.mean(axis=1, keepdims=True))) or 1.0
    for part in SMOOTHING:
        rows = few if part > FEW_FROM else predicted
        for _ in range(STEPS):
            step, off = _newton(rows, prices, shares, live, part * spread)
            if off < HELD * part:
                break
            prices = prices + step
    mean = prices.sum(axis=1, where=live, keepdims=True) / live.sum(axis=1, keepdims=True)
    return np.asarray(np.where(live, prices - mean, NEVER))


def chosen(predicted: Floats, prices: Floats) -> npt.NDArray[np.intp]:
    """The model of each prompt at each of these prices, `s x n`; the more able one wins a tie."""
    worth = predicted[None, :, ::-1] + prices[:, None, ::-1]
    return np.asarray(predicted.shape[1] - 1 - np.argmax(worth, axis=2))


def _newton(
    predicted: Floats, prices: Floats, shares: Floats, live: npt.NDArray[np.bool_], smooth: float
) -> tuple[Floats, float]:
    """One step for each split, and by how much the worst share is off now."""
    worth = (predicted[None] + prices[:, None]) / smooth
    worth -= worth.max(axis=2, keepdims=True)
    part = np.exp(worth, out=worth)
    part /= part.sum(axis=2, keepdims=True)
    found = part.mean(axis=1)
    models = predicted.shape[1]
    curved = -np.matmul(part.transpose(0, 2, 1), part) / len(predicted)
    curved[:, np.arange(models), np.arange(models)] += found + 1e-6
    wrong = np.where(live, shares - found, 0.0)
    step = smooth * np.linalg.solve(curved, wrong[:, :, None])[:, :, 0]
    step = np.clip(step, -LONGEST_STEP * smooth, LONGEST_STEP * smooth)
    return np.where(live, step, 0.0), float(np.abs(wrong).max())
