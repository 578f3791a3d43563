"""Fits the router to evals, and says what each split of the queries is then worth."""

import numpy as np
import numpy.typing as npt

from bouted.errors import Misconfigured
from bouted.quality.encoder import Encoder
from bouted.quality.evals import EvalRecord, QualityModel
from bouted.quality.predictor import fit_predictor
from bouted.quality.scorer import EVEN, Scorer
from bouted.quality.supported import prices_win

Floats = npt.NDArray[np.float64]


def fit_scorer(
    records: tuple[EvalRecord, ...], models: tuple[str, ...], seed: int, encoder: Encoder | None = None
) -> tuple[Scorer, QualityModel]:
    """Fit the router on the evals of `models` and say what each share of queries is then worth.

    The returned models are ordered by mean score, least able first. What the quality model says of prompts is
    out of fold, so the quality that it promises is the quality on prompts the router has not seen.
    Misconfigured when there are no evals, or none for one of the models.
    """
    scores = _score_table(records, models)
    order = np.argsort(scores.mean(axis=0), kind="stable")
    scores = scores[:, order]
    prompts = tuple(record.prompt for record in records)
    fit = fit_predictor(prompts, scores, seed, None if encoder is None else encoder.encode(prompts))
    knots = np.quantile(fit.out_of_fold[:, -1] - fit.out_of_fold[:, 0], EVEN)
    named = tuple(models[i] for i in order)
    scorer = Scorer(named, fit.weights.astype(np.float32), fit.intercepts, knots, encoder)
    return scorer, _quality(scorer, scores, fit.out_of_fold, records, seed)


def quality_of(scorer: Scorer, records: tuple[EvalRecord, ...], seed: int) -> QualityModel:
    """What a router that was fitted before is worth on these evals; they should not be those it has seen."""
    scores = _score_table(records, scorer.models)
    predicted = np.array([scorer.judge(record.prompt).predicted for record in records])
    return _quality(scorer, scores, predicted, records, seed)


def _quality(
    scorer: Scorer, scores: Floats, predicted: Floats, records: tuple[EvalRecord, ...], seed: int
) -> QualityModel:
    gains = predicted[:, -1] - predicted[:, 0]
    rows = np.argsort(gains, kind="stable")
    scores, predicted = scores[rows], predicted[rows]
    return QualityModel(
        models=scorer.models,
        router_scores=tuple(scorer.quantile(float(gain)) for gain in gains[rows]),
        scores=_rows(scores),
        scorer_hash=scorer.hash,
        synthetic=any(record.synthetic for record in records),
        predicted=_rows(predicted) if prices_win(scores, predicted, seed) else (),
    )


def _rows(table: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in table.tolist())


def _score_table(records: tuple[EvalRecord, ...], models: tuple[str, ...]) -> Floats:
    """`prompts x models` scores."""
    if not records:
        raise Misconfigured("evals", "there are no evaluated prompts", hint="give at least a few hundred")
    known = {name for record in records for name, _ in record.scores}
    missing = [model for model in models if model not in known]
    if missing:
        hint = f"the evals score {', '.join(sorted(known)) or 'no model'}"
        raise Misconfigured("evals", f"no scores for {', '.join(missing)}", hint=hint)
    return np.array([[dict(record.scores)[model] for model in models] for record in records])
