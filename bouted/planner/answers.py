"""What the planning worker does besides planning: fits the router, simulates step costs against load."""

from pathlib import Path

from bouted.perf.build import build_points
from bouted.planner.requests import ProfileAnswer, ProfileRequest, QualityAnswer, QualityRequest
from bouted.quality.encoder import load_encoder
from bouted.quality.fit import fit_scorer
from bouted.quality.load import load_evals, shipped_evals


def answer_quality(request: QualityRequest) -> QualityAnswer:
    """Fit the scorer, write it into the state folder, and return the scores in its order."""
    records = load_evals(Path(request.evals_file)) if request.evals_file else shipped_evals()
    encoder = load_encoder(request.embeddings) if request.embeddings else None
    scorer, quality = fit_scorer(records, request.models, request.seed, encoder)
    scorer.save(Path(request.state_dir) / scorer.file_name)
    return QualityAnswer(quality=quality, scorer_file=scorer.file_name)


def answer_profiles(request: ProfileRequest) -> ProfileAnswer:
    """Simulate each of the step costs from near idle to its knee."""
    return ProfileAnswer(
        points=build_points(request.costs, request.lengths, request.arrival_cv, request.seed)
    )
