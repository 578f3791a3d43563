"""The router's judgement of a prompt: how much would the most able model beat the least able one?

Scores are in 0..1, higher is harder, and even by construction: a raw prediction is mapped to its quantile
among the *out-of-fold* predictions of the evaluated prompts. Predictions on prompts that a model was fitted
on are more extreme than on new ones; out-of-fold ones are like new ones, so planned shares hold on traffic
that is like the evals, within sampling error (a few points with 600 evals).
"""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from math import nextafter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bouted.codec import content_hash
from bouted.errors import Misconfigured
from bouted.quality.evals import EvalRecord, QualityModel
from bouted.quality.features import SIZE, features

FORMAT = 1
KNOTS = 257
_EVEN = np.linspace(0.0, 1.0, KNOTS)
# Below 1, so that a threshold of 1 is above every score.
HIGHEST = nextafter(1.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """A fitted scorer. `knots` are the raw predictions at even quantiles, ascending."""

    weights: npt.NDArray[np.float32]
    intercept: float
    knots: npt.NDArray[np.float64]

    def score(self, prompt: str) -> float:
        """How hard `prompt` is, 0 up to but not 1. Well under a millisecond, however long it is."""
        found = features(prompt)
        return self.quantile(float(self.weights[found.index] @ found.value) + self.intercept)

    def quantile(self, raw: float) -> float:
        """A raw prediction as a score."""
        return min(HIGHEST, float(np.interp(raw, self.knots, _EVEN)))

    @property
    def hash(self) -> str:
        """Names these weights: plans and route tables say which scorer their thresholds belong to."""
        return content_hash(self.dump())

    @property
    def file_name(self) -> str:
        """What the file is called in the state folder."""
        return f"scorer-{self.hash[:12]}.json"

    def dump(self) -> bytes:
        """The scorer as JSON: plain numbers, nothing that runs."""
        body = {
            "format": FORMAT,
            "intercept": self.intercept,
            "weights_f32": b64encode(self.weights.astype("<f4").tobytes()).decode(),
            "knots": self.knots.tolist(),
        }
        return json.dumps(body, sort_keys=True).encode()

    def save(self, path: Path) -> None:
        """Write the file whole or not at all."""
        draft = path.with_name(f".{path.name}.draft")
        draft.write_bytes(self.dump())
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Scorer":
        """The scorer in `path`; Misconfigured when it is missing or is not one."""
        try:
            body = json.loads(path.read_bytes())
            weights = np.frombuffer(b64decode(body["weights_f32"], validate=True), dtype="<f4")
            scorer = cls(weights, float(body["intercept"]), np.array(body["knots"], dtype=np.float64))
        except (OSError, ValueError, KeyError, TypeError) as cause:
            hint = "the daemon writes it with every plan: run `bouted apply` again"
            raise Misconfigured(str(path), f"cannot read the scorer: {_brief(cause)}", hint=hint) from cause
        if body.get("format") != FORMAT or weights.shape != (SIZE,) or scorer.knots.shape != (KNOTS,):
            hint = "it was written by another version: run `bouted apply` again"
            raise Misconfigured(str(path), "the scorer has another format", hint=hint)
        return scorer


def fit_scorer(
    records: tuple[EvalRecord, ...], models: tuple[str, ...], seed: int
) -> tuple[Scorer, QualityModel]:
    """Fit the scorer on the evals of `models` and say what each share of queries is then worth.

    The returned models are ordered by mean score, least able first. Router scores in the quality model are
    out of fold, so the quality that they promise is the quality on prompts the scorer has not seen.
    Misconfigured when there are no evals, or none for one of the models.
    """
    # The gateway loads scorers and never fits one: scipy stays out of it.
    from bouted.quality.ridge import fit_ridge

    scores = _score_table(records, models)
    order = np.argsort(scores.mean(axis=0), kind="stable")
    scores = scores[:, order]
    fit = fit_ridge(tuple(record.prompt for record in records), scores[:, -1] - scores[:, 0], seed)
    knots = np.quantile(fit.out_of_fold, _EVEN)
    scorer = Scorer(fit.weights.astype(np.float32), fit.intercept, knots)
    rows = np.argsort(fit.out_of_fold, kind="stable")
    return scorer, QualityModel(
        models=tuple(models[i] for i in order),
        router_scores=tuple(scorer.quantile(float(fit.out_of_fold[row])) for row in rows),
        scores=tuple(tuple(scores[row].tolist()) for row in rows),
        scorer_hash=scorer.hash,
        synthetic=any(record.synthetic for record in records),
    )


def _score_table(records: tuple[EvalRecord, ...], models: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """`prompts x models` scores."""
    if not records:
        raise Misconfigured("evals", "there are no evaluated prompts", hint="give at least a few hundred")
    known = {name for record in records for name, _ in record.scores}
    missing = [model for model in models if model not in known]
    if missing:
        hint = f"the evals score {', '.join(sorted(known)) or 'no model'}"
        raise Misconfigured("evals", f"no scores for {', '.join(missing)}", hint=hint)
    return np.array([[dict(record.scores)[model] for model in models] for record in records])


def _brief(cause: Exception) -> str:
    return f"no {cause} in it" if isinstance(cause, KeyError) else str(cause).split("\n")[0]
