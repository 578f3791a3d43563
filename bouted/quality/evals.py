"""The user's own evaluations, reduced to what planning needs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalRecord:
    """One line of the evals file: a prompt and each model's score on it, 0..1.

    `synthetic` says that no real model was measured.
    """

    prompt: str
    scores: tuple[tuple[str, float], ...]
    synthetic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityModel:
    """What each share of queries is worth.

    `models` are ordered from the least to the most able (mean score). Row i of `scores` is one
    evaluated prompt: its out-of-fold router score `router_scores[i]` in 0..1 (higher = harder) and the
    models' scores in the order of `models`. Rows ascend in router score, so giving the easiest share f_0
    to `models[0]` means the first f_0 * n rows. `synthetic` says the evals are not the user's own.
    """

    models: tuple[str, ...]
    router_scores: tuple[float, ...]
    scores: tuple[tuple[float, ...], ...]
    scorer_hash: str
    synthetic: bool = False
