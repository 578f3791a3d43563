"""A plan: what is wanted, why, and what it was chosen over."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bouted.perf.costs import StepCosts
from bouted.perf.profile import Metric
from bouted.perf.shapes import ReplicaShape
from bouted.planner.design import Design, Estimate
from bouted.quality.route_split import RouteSplit


class Trigger(StrEnum):
    """Why planning started."""

    FIRST = "first"
    CONFIG = "config"
    PRICE = "price"
    LOAD = "load"
    CAPACITY = "capacity"
    OPERATOR = "operator"
    ROLLBACK = "rollback"


class PlanStatus(StrEnum):
    """What became of a plan."""

    PROPOSED = "proposed"
    APPLIED = "applied"
    SUPERSEDED = "superseded"
    HELD = "held"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedShape:
    """A shape the plan uses: its step costs as modelled, and the load one such replica is planned to carry.

    Replicas share their model's queries in proportion to `rate_per_s`, as `planner/sharing.py` reckons it:
    it has room for more than the load, so a model's replicas together make up more than its queries.
    """

    shape: ReplicaShape
    costs: StepCosts
    rate_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A chosen design with its reasons. `id` is a short hash of the problem, the design and the time.

    `problem_hash` and `frontier_hash` name the stored problem, and the front it was chosen from ("" for
    plans made before fronts were kept).
    """

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
    frontier_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a selection policy decided: move to `chosen`, or keep the incumbent. `why` explains it."""

    chosen: Design
    estimate: Estimate
    held: bool
    why: tuple[str, ...]
    runner_up: str
