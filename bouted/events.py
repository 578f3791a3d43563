"""What happened, built by named constructors, stored and logged from the same value."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """Who should care."""

    INFO = "info"
    NOTICE = "notice"
    WARNING = "warning"
    PAGE = "page"


class EventKind(StrEnum):
    """What kind of thing happened."""

    DAEMON_STARTED = "daemon_started"
    DAEMON_STOPPED = "daemon_stopped"
    PLAN_PROPOSED = "plan_proposed"
    PLAN_APPLIED = "plan_applied"
    PLAN_HELD = "plan_held"
    PLAN_FAILED = "plan_failed"
    PLAN_RECOVERED = "plan_recovered"
    PLAN_ROLLED_BACK = "plan_rolled_back"
    ROLLOUT = "rollout"
    REPLAN = "replan"
    PRICE_STEP = "price_step"
    LOAD_STEP = "load_step"
    SOURCE_FAILED = "source_failed"
    SOURCE_RECOVERED = "source_recovered"
    NOTICE = "notice"
    CONFIG_CHANGED = "config_changed"
    CONFIG_REJECTED = "config_rejected"
    NODE_STATUS = "node_status"
    REPLICA_STATUS = "replica_status"
    ACTION_FAILED = "action_failed"
    BUDGET = "budget"
    HELD = "held"
    AGREED = "agreed"
    BILL_READ = "bill_read"
    PAUSED = "paused"
    RESUMED = "resumed"
    CLOCK_BACK = "clock_back"
    DOWN = "down"
    ALERT_FAILED = "alert_failed"
    SIGHT = "sight"
    SWEEP = "sweep"
    ADOPTED = "adopted"
    RELEASED = "released"
    DEADMAN = "deadman"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened. `subject` is the node, replica, plan, source or file it is about."""

    at: datetime
    kind: EventKind
    severity: Severity
    subject: str
    message: str
