"""The router: what each model would score on a prompt, and how hard that makes it.

How hard a prompt is, is how much the most able model would beat the least able one, in 0..1, and even by
construction: a predicted gain is mapped to its quantile among the *out-of-fold* predictions of the evaluated
prompts. Predictions on prompts that a model was fitted on are more extreme than on new ones; out-of-fold
ones are like new ones, so planned shares hold on traffic that is like the evals, within sampling error (a
few points with 600 evals).
"""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from math import nextafter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bouted.codec import content_hash
from bouted.errors import Misconfigured
from bouted.quality.encoder import Encoder, load_encoder
from bouted.quality.features import SIZE, features
from bouted.quality.route_split import Judged

FORMAT = 2
ONE_SCORE_FORMAT = 1
KNOTS = 257
EVEN = np.linspace(0.0, 1.0, KNOTS)
# Below 1, so that a threshold of 1 is above every score.
HIGHEST = nextafter(1.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """A fitted router for `models`, least able first: a column of `weights` and an intercept each.

    `knots` are the predicted gains at even quantiles, ascending. Rows of `weights` beyond the prompt's own
    features belong to the numbers of `encoder`.
    """

    models: tuple[str, ...]
    weights: npt.NDArray[np.float32]
    intercepts: npt.NDArray[np.float64]
    knots: npt.NDArray[np.float64]
    encoder: Encoder | None = None

    def judge(self, prompt: str) -> Judged:
        """How hard `prompt` is, 0 up to but not 1, and each model's predicted score.

        Well under a millisecond, however long it is; with an encoder, as long as that takes.
        """
        found = features(prompt)
        predicted = found.value @ self.weights[found.index] + self.intercepts
        if self.encoder is not None:
            predicted = predicted + self.encoder.encode([prompt])[0] @ self.weights[SIZE:]
        told = tuple(predicted.tolist())
        return Judged(score=self.quantile(told[-1] - told[0]), predicted=told)

    def quantile(self, gain: float) -> float:
        """A predicted gain as a score."""
        return min(HIGHEST, float(np.interp(gain, self.knots, EVEN)))

    @property
    def hash(self) -> str:
        """Names these weights: plans and route tables say which router their rules belong to."""
        return content_hash(self.dump())

    @property
    def file_name(self) -> str:
        """What the file is called in the state folder."""
        return f"scorer-{self.hash[:12]}.json"

    def dump(self) -> bytes:
        """The router as JSON: plain numbers, nothing that runs."""
        body = {
            "format": FORMAT,
            "models": self.models,
            "intercepts": self.intercepts.tolist(),
            "weights_f32": b64encode(self.weights.astype("<f4").tobytes()).decode(),
            "knots": self.knots.tolist(),
            "encoder": "" if self.encoder is None else self.encoder.name,
        }
        return json.dumps(body, sort_keys=True).encode()

    def save(self, path: Path) -> None:
        """Write the file whole or not at all."""
        draft = path.with_name(f".{path.name}.draft")
        draft.write_bytes(self.dump())
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Scorer":
        """The router in `path`; Misconfigured when it is none, or its encoder cannot be had."""
        try:
            body = json.loads(path.read_bytes())
            scorer = _one_score(body) if body["format"] == ONE_SCORE_FORMAT else _read(body)
            encoder = str(body.get("encoder", ""))
        except (OSError, ValueError, KeyError, TypeError) as cause:
            hint = "the daemon writes it with every plan: run `bouted apply` again"
            raise Misconfigured(str(path), f"cannot read the router: {_brief(cause)}", hint=hint) from cause
        rows = len(scorer.weights)
        if rows < SIZE or (rows > SIZE) != bool(encoder) or scorer.knots.shape != (KNOTS,):
            hint = "it was written by another version: run `bouted apply` again"
            raise Misconfigured(str(path), "the router has another format", hint=hint)
        return scorer if not encoder else _with(scorer, load_encoder(encoder))


def _read(body: dict[str, Any]) -> Scorer:
    weights = np.frombuffer(b64decode(body["weights_f32"], validate=True), dtype="<f4")
    models = tuple(str(model) for model in body["models"])
    intercepts = np.array(body["intercepts"], dtype=np.float64)
    if not models or intercepts.shape != (len(models),):
        raise ValueError("models and intercepts do not fit")
    knots = np.array(body["knots"], dtype=np.float64)
    return Scorer(models, weights.reshape(-1, len(models)), intercepts, knots)


def _one_score(body: dict[str, Any]) -> Scorer:
    """Routers were stored as one predictor of the gain."""
    gain = np.frombuffer(b64decode(body["weights_f32"], validate=True), dtype="<f4")
    weights = np.column_stack([np.zeros_like(gain), gain])
    intercepts = np.array([0.0, float(body["intercept"])])
    return Scorer(("", ""), weights, intercepts, np.array(body["knots"], dtype=np.float64))


def _with(scorer: Scorer, encoder: Encoder) -> Scorer:
    return Scorer(scorer.models, scorer.weights, scorer.intercepts, scorer.knots, encoder)


def _brief(cause: Exception) -> str:
    return f"no {cause} in it" if isinstance(cause, KeyError) else str(cause).split("\n")[0]
