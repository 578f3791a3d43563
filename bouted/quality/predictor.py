"""Ridge regression from prompt features to each model's score, judged out of fold. Fitting only."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_validate

from bouted.quality.features import SIZE, features

Floats = npt.NDArray[np.float64]

FOLDS = 5
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0)
ITERATIONS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """Linear predictors of scores, a column a model. Row i of `out_of_fold` has not seen prompt i.

    `weights` and `intercepts` are the mean of the folds' models. On new prompts they spread like the
    out-of-fold predictions do; one fit on every prompt spreads wider (tried: a planned share of 10 %
    was served as 13 % with that, as 11 % with the mean; both rank equally well).
    """

    weights: Floats
    intercepts: Floats
    out_of_fold: Floats
    penalty: float


def fit_predictor(
    prompts: tuple[str, ...], scores: Floats, seed: int, extra: Floats | None = None
) -> Predictor:
    """Predict `scores` (`n x M`) from `prompts`, and from `extra` columns where given.

    The penalty is the one that out of fold tells best by how much the models differ on a prompt.
    """
    x = matrix(prompts, extra)
    fits = [_cross_fit(x, scores, penalty, seed) for penalty in PENALTIES]
    return min(fits, key=lambda fit: float(np.sum((_differing(fit.out_of_fold) - _differing(scores)) ** 2)))


def matrix(prompts: tuple[str, ...], extra: Floats | None) -> csr_matrix:
    """A row of features a prompt."""
    rows = [features(prompt) for prompt in prompts]
    ends = np.cumsum([0, *(len(row.index) for row in rows)])
    values = np.concatenate([row.value for row in rows])
    found = csr_matrix((values, np.concatenate([row.index for row in rows]), ends), shape=(len(rows), SIZE))
    return found if extra is None else hstack([found, csr_matrix(extra)], format="csr")


def _differing(scores: Floats) -> Floats:
    return np.asarray(scores - scores.mean(axis=1, keepdims=True))


def _cross_fit(x: csr_matrix, scores: Floats, penalty: float, seed: int) -> Predictor:
    n = len(scores)
    if n < FOLDS:
        alone = np.repeat(scores.mean(axis=0, keepdims=True), n, axis=0)
        zero = np.zeros((x.shape[1], scores.shape[1]))
        return Predictor(weights=zero, intercepts=alone[0], out_of_fold=alone, penalty=penalty)
    ridge = Ridge(alpha=penalty, solver="sparse_cg", max_iter=ITERATIONS, tol=1e-3)
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    done = cross_validate(ridge, x, scores, cv=folds, return_estimator=True, return_indices=True)
    predicted = np.zeros_like(scores)
    # A fold's mean without the held prompts errs against theirs: all folds are put on one level, or pooled
    # predictions would rank prompts worse than a coin where there is nothing to learn.
    level = scores.mean(axis=0)
    indices = zip(done["estimator"], done["indices"]["train"], done["indices"]["test"], strict=True)
    for model, seen, held in indices:
        shift = level - scores[seen].mean(axis=0)
        predicted[held] = model.predict(x[held]).reshape(len(held), -1) + shift
    return Predictor(
        weights=np.mean([model.coef_.reshape(scores.shape[1], -1).T for model in done["estimator"]], axis=0),
        intercepts=np.mean([np.atleast_1d(model.intercept_) for model in done["estimator"]], axis=0),
        out_of_fold=predicted,
        penalty=penalty,
    )
