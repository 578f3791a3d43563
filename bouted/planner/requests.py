"""What the planning worker is asked besides plans: profiles and quality, both too heavy for the daemon."""

from dataclasses import dataclass

from bouted.perf.costs import StepCosts
from bouted.perf.profile import LoadPoint
from bouted.quality.evals import QualityModel
from bouted.workload.profile import RequestLength


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRequest:
    """Latency against load for each of these step costs, all of which hold the longest of the requests."""

    costs: tuple[StepCosts, ...]
    lengths: tuple[RequestLength, ...]
    arrival_cv: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileAnswer:
    """The points of each, in the order asked."""

    points: tuple[tuple[LoadPoint, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRequest:
    """Fit the router scorer to an evals file; "" means the synthetic set that ships.

    `models` are the config's names; the scorer is written into `state_dir`. `embeddings` names the encoder
    that it judges prompts with as well; "" is none.
    """

    evals_file: str
    models: tuple[str, ...]
    state_dir: str
    seed: int
    embeddings: str = ""


@dataclass(frozen=True, kw_only=True)
class QualityAnswer:
    """Scores in router order, and the file the scorer was written to."""

    quality: QualityModel
    scorer_file: str
