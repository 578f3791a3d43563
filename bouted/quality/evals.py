"""The user's own evaluations, reduced to what planning needs."""

from collections.abc import Mapping
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

    `predicted`, where given, are out-of-fold predictions of `scores`, row by row: queries are then routed by
    predicted score plus a price per model, which the evals showed to be better than one score for all.
    `declared` says that there are no evals: the one row holds what the config declares, and queries are split
    by lot.
    """

    models: tuple[str, ...]
    router_scores: tuple[float, ...]
    scores: tuple[tuple[float, ...], ...]
    scorer_hash: str
    synthetic: bool = False
    predicted: tuple[tuple[float, ...], ...] = ()
    declared: bool = False


def declared_quality(scores: Mapping[str, float]) -> QualityModel:
    """A quality model of scores that nobody measured, 0..1 by model's name."""
    models = sorted(scores, key=lambda name: (scores[name], name))
    return QualityModel(
        models=tuple(models),
        router_scores=(0.5,),
        scores=(tuple(scores[name] for name in models),),
        scorer_hash="",
        declared=True,
    )
