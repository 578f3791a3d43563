"""What `bouted router` fits and reads, with an error for every file that will not do."""

from pathlib import Path

from bouted.errors import Misconfigured
from bouted.quality.encoder import load_encoder
from bouted.quality.evals import EvalRecord, QualityModel
from bouted.quality.fit import fit_scorer, quality_of
from bouted.quality.load import load_evals
from bouted.quality.scorer import Scorer

FEWEST = 20


def fitted(evals: Path, embeddings: str | None, seed: int) -> tuple[Scorer, QualityModel]:
    """A router of all the models that the evals score, and its worth out of fold."""
    records = _enough(evals)
    models = tuple(model for model, _ in records[0].scores)
    return fit_scorer(records, models, seed, load_encoder(embeddings) if embeddings else None)


def loaded(file: Path, evals: Path, seed: int) -> QualityModel:
    """The worth of the router in `file` on these evals."""
    if not file.is_file():
        raise Misconfigured(str(file), "no such file", hint="write one with: bouted router train EVALS")
    return quality_of(Scorer.load(file), _enough(evals), seed)


def writable(path: Path) -> Path:
    """`path`, before time is spent on what cannot be written there."""
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise Misconfigured(str(path), "cannot be written there", hint="give a file in a folder that exists")
    return path


def _enough(evals: Path) -> tuple[EvalRecord, ...]:
    records = load_evals(evals)
    if len(records) < FEWEST:
        hint = "a few hundred tell a router from a coin"
        raise Misconfigured(str(evals), f"{len(records)} evaluated prompts are too few", hint=hint)
    return records
