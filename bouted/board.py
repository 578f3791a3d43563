"""The status board: one document the daemon keeps up to date and `bouted status` reads.

Reading it takes one row and the standard library, so that status answers at once and works when the
daemon is dead. `bouted status --json` is this document.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardTarget:
    """One target and how it is doing. `measured` and `planned` are None until known.

    Less is better, unless `at_least`.
    """

    name: str
    unit: str
    target: float
    planned: float | None
    measured: float | None
    at_least: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRoute:
    """The split for one model: planned share, share seen lately, and replicas that serve."""

    model: str
    planned_share: float
    seen_share: float | None
    ready: int
    wanted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardReplica:
    """One replica line. `pid` is set by launchers that run local processes; `progress` says how far a start
    is, `version` which engine runs, "" where nobody can tell."""

    name: str
    node: str
    model: str
    shape: str
    status: str
    reason: str
    since: str
    endpoint: str
    pid: int | None
    progress: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardNode:
    """One node line. Money is a decimal string."""

    name: str
    where: str
    instance_type: str
    gpu: str
    gpu_count: int
    market: str
    usd_per_hour: str
    status: str
    reason: str
    since: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPlan:
    """The plan in force, or the one proposed."""

    id: str
    created_at: str
    trigger: str
    usd_per_hour: str
    p95_s: float
    quality: float
    gap_to_bound: float
    rate_per_s: float
    thresholds: tuple[float, ...]
    routing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPlanning:
    """A plan that is being made: `done` of `total` evaluations of a stage, best and least possible cost so
    far. `left_s` is what the search may still take. What is not known yet is None."""

    stage: str
    done: int
    total: int
    best_usd_per_hour: float | None
    bound_usd_per_hour: float | None
    seconds: float
    left_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardTrial:
    """A kind of replica that was never measured here and takes a small `share` of its model's queries (None:
    all that is planned, for there is no other). `since` is when its step began; `worse` says why it goes
    badly, "" while it does not."""

    shape: str
    model: str
    replicas: int
    share: float | None
    since: str
    worse: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardEvent:
    """One line of recent history."""

    at: str
    severity: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Everything on the status screen. Times are ISO 8601 UTC, money decimal strings.

    `verdict` is one of OK, STARTING, CONVERGING, DEGRADED, PAUSED, DOWN; `note` says why in one line.
    `troubles` are what is wrong outside and needs a person, a line each.
    `planning` is the plan that is being made; `plan_error` says why the newest one failed, "" if it worked.
    `held_rate_per_s` is the load at which the plan in force was found to be the best one when planning was
    done last; None where that made another plan.
    """

    written_at: str
    deployment: str
    mode: str
    verdict: str
    note: str
    paused: bool
    pid: int
    plan: BoardPlan | None
    proposed: BoardPlan | None
    usd_per_hour: str
    budget_usd_per_hour: str
    spent_today_usd: str
    spent_month_usd: str
    forecast_month_usd: str
    rate_per_s: float | None
    requests_ok: int
    requests_failed: int
    targets: tuple[BoardTarget, ...] = ()
    routes: tuple[BoardRoute, ...] = ()
    nodes: tuple[BoardNode, ...] = ()
    replicas: tuple[BoardReplica, ...] = ()
    events: tuple[BoardEvent, ...] = ()
    config_error: str = ""
    planning: BoardPlanning | None = None
    plan_error: str = ""
    stale_sources: tuple[str, ...] = field(default=())
    trials: tuple[BoardTrial, ...] = ()
    troubles: tuple[str, ...] = ()
    held_rate_per_s: float | None = None

    def to_json(self) -> str:
        """The document, keys in a stable order."""
        return json.dumps(asdict(self), separators=(",", ":"))


def board_from_json(text: str) -> Board:
    """The board in `text`, as `to_json` wrote it."""
    doc: dict[str, Any] = json.loads(text)
    parts = {
        "targets": BoardTarget,
        "routes": BoardRoute,
        "nodes": BoardNode,
        "replicas": BoardReplica,
        "events": BoardEvent,
    }
    for key, kind in parts.items():
        doc[key] = tuple(kind(**item) for item in doc[key])
    for key in ("plan", "proposed"):
        if doc[key] is not None:
            doc[key] = BoardPlan(**{**doc[key], "thresholds": tuple(doc[key]["thresholds"])})
    if doc.get("planning") is not None:
        doc["planning"] = BoardPlanning(**doc["planning"])
    doc["stale_sources"] = tuple(doc["stale_sources"])
    doc["trials"] = tuple(BoardTrial(**item) for item in doc.get("trials", ()))
    doc["troubles"] = tuple(doc.get("troubles", ()))
    return Board(**doc)


def age_s(iso: str, now: datetime) -> float:
    """Seconds from an ISO time on the board to `now`."""
    return (now - datetime.fromisoformat(iso)).total_seconds()
