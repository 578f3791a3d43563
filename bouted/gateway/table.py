"""The route table: what the daemon publishes and every gateway follows."""

from dataclasses import dataclass
from datetime import datetime

from bouted.quality.route_split import RouteSplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One ready replica. `weight` is its planned share of its model's queries, relative to its siblings."""

    replica: str
    model: str
    endpoint: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """Where queries go now. `version` only grows; `scorer_file` lies beside the table in the state folder."""

    version: int
    plan_id: str
    published_at: datetime
    split: RouteSplit
    routes: tuple[Route, ...]
    scorer_file: str
