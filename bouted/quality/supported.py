"""Which routing the evals support: one score for all models, or a prediction for each with dual prices."""

import numpy as np
import numpy.typing as npt

from bouted.quality.prices import chosen, prices_for
from bouted.quality.simplex import Simplex

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

# Steps of the lattice of splits that the two are compared on, by the number of models: some dozens of splits.
STEPS = {3: 6, 4: 5, 5: 4}
FEWEST_STEPS = 3
RESAMPLES = 400
CONFIDENCE = 0.90


def prices_win(scores: Floats, predicted: Floats, seed: int) -> bool:
    """Whether dual prices surely beat one score: at equal shares, the lower end of their gain is above 0.

    `scores` and out-of-fold `predicted` are `n x M`, ordered by router score. The gain is the mean over
    splits; its interval is the bootstrap over prompts. Two models are ranked alike both ways.
    """
    models = scores.shape[1]
    if models < 3:
        return False
    splits = Simplex(models, STEPS.get(models, FEWEST_STEPS)).splits
    splits = splits[np.count_nonzero(splits, axis=1) > 1]
    rows = np.arange(len(scores))
    priced = scores[rows, chosen(predicted, prices_for(predicted, splits))]
    cut = scores[rows, chosen_in_order(len(scores), splits)]
    gain = (priced - cut).mean(axis=0)
    rng = np.random.default_rng(seed)
    means = gain[rng.integers(0, len(gain), (RESAMPLES, len(gain)))].mean(axis=1)
    return bool(np.quantile(means, (1 - CONFIDENCE) / 2) > 0)


def chosen_in_order(prompts: int, splits: Floats) -> Ints:
    """The model of each prompt, from the easiest up, for each split: `s x n`."""
    ends = np.cumsum(splits, axis=1)[:, :-1] * prompts
    middles = np.arange(prompts) + 0.5
    return np.asarray((middles[None, :, None] > ends[:, None, :]).sum(axis=2))
