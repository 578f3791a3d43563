"""What ordering rests on beside the fleet and its changes, and what it comes to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from bouted.planner.problem import ModelRules
from bouted.reconcile.actions import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How things stand around the fleet at this moment.

    `rules` say how many replicas of each model must serve, whatever moves. `month_usd` is what this month
    has cost so far. `usd_per_hour` holds the prices believed now by offer; where it says nothing the plan's
    hold. `idle` names draining replicas with no running request. `unseen` names nodes that are
    launching but that the launcher does not list: their launch is asked for again, because the process may
    have died between the row and the call. `still_running` names replicas whose row has ended and that run
    on: their GPUs are not free yet. `counted` names the replicas that count as serving when old ones are let
    go (None: all that are ready). `down`: an operator wants everything stopped. `agreed`: one agreed that
    this plan stops much at once.
    """

    deployment: str
    launcher: str
    plan_id: str
    rules: tuple[ModelRules, ...] = ()
    month_usd: Decimal = Decimal(0)
    usd_per_hour: Mapping[str, Decimal] = field(default_factory=dict)
    idle: frozenset[str] = frozenset()
    unseen: frozenset[str] = frozenset()
    still_running: frozenset[str] = frozenset()
    counted: frozenset[str] | None = None
    down: bool = False
    agreed: bool = False


class HeldBy(StrEnum):
    """What keeps a change from being made now."""

    NO_PLAN = "no_plan"
    CAP = "cap"
    MONTH = "month"
    STOCK = "stock"
    BACK_OFF = "back_off"
    SURGE = "surge"
    FLOOR = "floor"
    CLOSED = "closed"
    MASS_STOP = "mass_stop"
    SHEDDING = "shedding"
    FOREIGN = "foreign"
    ROUTES = "routes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A change that waits, in words for an operator. `subject` is the node, offer, model or plan."""

    by: HeldBy
    subject: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The next actions, in an order that is safe to abandon after any one, and what waits. `agreed`: they
    may stop much at once, because an operator said so."""

    actions: tuple[Action, ...] = ()
    held: tuple[Held, ...] = ()
    agreed: bool = False
