"""A plan: what is wanted, why, and what it was chosen over."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bouted.perf.costs import StepCosts
from bouted.perf.profile import Metric
from bouted.perf.shapes import ReplicaShape
from bouted.planner.design import Design, Estimate


class Trigger(StrEnum):
    """Why planning started."""

    FIRST = "first"
    CONFIG = "config"
    PRICE = "price"
    LOAD = "load"
    CAPACITY = "capacity"
    OPERATOR = "operator"


class PlanStatus(StrEnum):
    """What became of a plan."""

    PROPOSED = "proposed"
    APPLIED = "applied"
    SUPERSEDED = "superseded"
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSplit:
    """How queries are split: a query with router score below `thresholds[i]` goes to `models[i]` at most.

    `models` ascend in ability; `thresholds` ascend and are one fewer. `scorer_hash` names the scorer
    whose scores the thresholds are in.
    """

    models: tuple[str, ...]
    shares: tuple[float, ...]
    thresholds: tuple[float, ...]
    scorer_hash: str

    def model_for(self, score: float) -> str:
        """The model that a query of this score goes to."""
        for model, threshold in zip(self.models, self.thresholds, strict=False):
            if score < threshold:
                return model
        return self.models[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedShape:
    """A shape the plan uses: its step costs as modelled, and the load one such replica is planned to carry.

    `rate_per_s` is the highest rate within the targets; replicas share their model's queries in
    proportion to it.
    """

    shape: ReplicaShape
    costs: StepCosts
    rate_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A chosen design with its reasons. `id` is a short hash of the problem, the design and the time."""

    id: str
    created_at: datetime
    trigger: Trigger
    design: Design
    split: RouteSplit
    shapes: tuple[PlannedShape, ...]
    estimate: Estimate
    objective: Metric
    rate_per_s: float
    why: tuple[str, ...]
    runner_up: str
    problem_hash: str
    config_hash: str
    seed: int
    seconds_to_plan: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a selection policy decided: move to `chosen`, or keep the incumbent. `why` explains it."""

    chosen: Design
    estimate: Estimate
    held: bool
    why: tuple[str, ...]
    runner_up: str
