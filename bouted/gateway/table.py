"""The route table: what the daemon publishes and every gateway follows."""

from dataclasses import dataclass
from datetime import datetime

from bouted.quality.route_split import RouteSplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One ready replica. `weight` is its planned share of its model's queries, relative to its siblings.

    `share` is set while it is on trial: it gets just this part of its model's queries, however little or
    much is in flight, and the others share the rest by their weights. `served_model` is what the engine calls
    its model, "" where that is `model`.
    """

    replica: str
    model: str
    endpoint: str
    weight: float
    share: float | None = None
    served_model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """Where queries go now. `version` only grows; `scorer_file` lies beside the table in the state folder."""

    version: int
    plan_id: str
    published_at: datetime
    split: RouteSplit
    routes: tuple[Route, ...]
    scorer_file: str
