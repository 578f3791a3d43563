"""The three kinds of history as rows of named values, for text and for JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bouted.cli.columns import columns, paragraph
from bouted.cli.units import seconds, usd
from bouted.store.actions import list_actions
from bouted.store.events import list_events
from bouted.store.plans import list_plans
from bouted.store.session import Store

Row = Mapping[str, Any]


def events(store: Store, since: datetime, limit: int) -> list[Row]:
    """Events since then, oldest first, the latest `limit` of them."""
    return [
        {
            "at": event.at.isoformat(),
            "severity": event.severity.value,
            "kind": event.kind.value,
            "subject": event.subject,
            "message": event.message,
        }
        for event in reversed(list_events(store, since, limit))
    ]


def plans(store: Store, since: datetime, limit: int) -> list[Row]:
    """Plans made since then, oldest first, the latest `limit` of them."""
    return [
        {
            "at": row.plan.created_at.isoformat(),
            "id": row.plan.id,
            "status": row.status.value,
            "trigger": row.plan.trigger.value,
            "usd_per_hour": str(row.plan.estimate.usd_per_hour),
            "p95_s": row.plan.estimate.p95_s(row.plan.objective),
            "quality": row.plan.estimate.quality,
            "gap_to_bound": row.plan.estimate.gap_to_bound,
            "seconds_to_plan": row.plan.seconds_to_plan,
            "nodes": len(row.plan.design.nodes),
            "why": list(row.plan.why),
        }
        for row in reversed(list_plans(store, limit))
        if row.plan.created_at >= since
    ]


def actions(store: Store, since: datetime, limit: int) -> list[Row]:
    """Actions begun since then, oldest first, the latest `limit` of them."""
    return [
        {
            "at": row.at.isoformat(),
            "kind": row.kind,
            "subject": row.subject,
            "state": row.state.value,
            "detail": row.detail,
            "plan_id": row.plan_id,
            "finished_at": row.finished_at and row.finished_at.isoformat(),
        }
        for row in reversed(list_actions(store, limit))
        if row.at >= since
    ]


def as_lines(what: str, rows: Sequence[Row]) -> list[str]:
    """Rows of one kind as text; times are UTC."""
    if what == "events":
        return [line for row in rows for line in _event(row)]
    table, right = (_PLANS, frozenset({4, 5, 6, 7})) if what == "plans" else (_ACTIONS, frozenset[int]())
    cells = _plan if what == "plans" else _action
    return columns([table, *(cells(row) for row in rows)], right=right)


_PLANS: tuple[str, ...] = ("MADE (UTC)", "PLAN", "STATUS", "TRIGGER", "$/H", "P95", "QUALITY", "NODES", "WHY")
_ACTIONS: tuple[str, ...] = ("AT (UTC)", "STATE", "ACTION", "SUBJECT", "PLAN", "DETAIL")


def _event(row: Row) -> list[str]:
    severity = "" if row["severity"] == "info" else f"{row['severity'].upper()}: "
    return paragraph(_time(row["at"]), severity + row["message"])


def _plan(row: Row) -> tuple[str, ...]:
    why = row["why"][0] if row["why"] else ""
    figures = (usd(row["usd_per_hour"]), seconds(row["p95_s"]), f"{row['quality']:.3f}", str(row["nodes"]))
    return (_time(row["at"]), row["id"], row["status"], row["trigger"], *figures, why)


def _action(row: Row) -> tuple[str, ...]:
    state = "not finished" if row["state"] == "intent" else row["state"]
    return (_time(row["at"]), state, row["kind"], row["subject"], row["plan_id"], row["detail"])


def _time(iso: str) -> str:
    return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M:%S}"
