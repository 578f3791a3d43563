"""What the planning worker does besides planning: fits the router, profiles layouts."""

from pathlib import Path

from bouted.catalog.gpus import GpuSpec
from bouted.perf.build import build_profiles, candidate_shapes
from bouted.perf.costs import StepCosts
from bouted.perf.memory import least_memory_gib
from bouted.perf.shapes import ReplicaShape
from bouted.planner.requests import (
    ModelWanted,
    NoLayout,
    ProfileAnswer,
    ProfileRequest,
    QualityAnswer,
    QualityRequest,
)
from bouted.quality.load import load_evals, shipped_evals
from bouted.quality.scorer import fit_scorer


def answer_quality(request: QualityRequest) -> QualityAnswer:
    """Fit the scorer, write it into the state folder, and return the scores in its order."""
    records = load_evals(Path(request.evals_file)) if request.evals_file else shipped_evals()
    scorer, quality = fit_scorer(records, request.models, request.seed)
    scorer.save(Path(request.state_dir) / scorer.file_name)
    return QualityAnswer(quality=quality, scorer_file=scorer.file_name)


def answer_profiles(request: ProfileRequest) -> ProfileAnswer:
    """Profile every layout that starts; a model with none is named with the memory it needs."""
    shapes = {model.name: _shapes(model, request.gpus) for model in request.models}
    table = build_profiles(
        tuple(pair for found in shapes.values() for pair in found),
        request.lengths,
        request.arrival_cv,
        request.seed,
    )
    profiled = {profile.shape.model for profile in table.profiles}
    return ProfileAnswer(
        table=table,
        without_layout=tuple(
            NoLayout(model=model.name, reason=_needs(model))
            for model in request.models
            if model.name not in profiled
        ),
    )


def _shapes(model: ModelWanted, gpus: tuple[GpuSpec, ...]) -> tuple[tuple[ReplicaShape, StepCosts], ...]:
    return candidate_shapes(model.name, model.spec, gpus, model.precision, model.engine, model.context_tokens)


def _needs(model: ModelWanted) -> str:
    least = least_memory_gib(model.spec, model.precision, context_tokens=model.context_tokens)
    return f"{model.spec.name} in {model.precision} needs {least:.0f} GiB of GPU memory"
