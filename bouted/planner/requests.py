"""What the planning worker is asked besides plans: profiles and quality, both too heavy for the daemon."""

from dataclasses import dataclass

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import Precision
from bouted.perf.profile import ProfileTable
from bouted.perf.shapes import Engine
from bouted.quality.evals import QualityModel
from bouted.workload.profile import RequestLength


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWanted:
    """One model to profile, under its name in the config."""

    name: str
    spec: ModelSpec
    precision: Precision
    engine: Engine
    context_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRequest:
    """Profile every layout of these models that starts on these GPUs."""

    models: tuple[ModelWanted, ...]
    gpus: tuple[GpuSpec, ...]
    lengths: tuple[RequestLength, ...]
    arrival_cv: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoLayout:
    """A model that starts on none of the GPUs, and how much memory it needs."""

    model: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ProfileAnswer:
    """The table, and the models that have no row in it."""

    table: ProfileTable
    without_layout: tuple[NoLayout, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRequest:
    """Fit the router scorer to an evals file; "" means the synthetic set that ships.

    `models` are the config's names; the scorer is written into `state_dir`.
    """

    evals_file: str
    models: tuple[str, ...]
    state_dir: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class QualityAnswer:
    """Scores in router order, and the file the scorer was written to."""

    quality: QualityModel
    scorer_file: str
