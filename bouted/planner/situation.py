"""What a plan was made for, to be compared with what is true now."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from bouted.market.offers import Offer
from bouted.planner.plan import Trigger


class Direction(StrEnum):
    """Which way the load went."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadShift:
    """The load has been off the planned rate, this way, since then."""

    direction: Direction
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What planning answers to. One is kept with each plan, as it was when planning began.

    `config_hash` is the `planning_hash` of the config. `offers` are the allowed offers as priced, `held` one
    offer id per node of the fleet. `rate_per_s` is the believed rate: in a plan's own situation it is the
    planned rate. `load_shift` is None while the load fits the plan. `out_of_stock` are ids of wanted offers
    that could not be had, `not_launching` has those whose launches fail again and again for other reasons,
    with what was said last. `lost_nodes` are names of nodes that failed, vanished or are taken back.
    `adopted_usd_per_hour` is what others' endpoints cost. `targets_met` is None until measured.
    """

    at: datetime
    config_hash: str
    offers: tuple[Offer, ...]
    held: tuple[str, ...]
    rate_per_s: float
    load_shift: LoadShift | None = None
    out_of_stock: tuple[str, ...] = ()
    not_launching: Mapping[str, str] = field(default_factory=dict)
    lost_nodes: tuple[str, ...] = ()
    adopted_usd_per_hour: Decimal = Decimal(0)
    targets_met: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplanReason:
    """Why to plan again, in one line for people."""

    trigger: Trigger
    detail: str


class ReplanPolicy(Protocol):
    """Decides when the plan in force should be thought over. Both calls are pure."""

    def load_shift(
        self,
        planned_per_s: float,
        low_per_s: float,
        high_per_s: float,
        before: LoadShift | None,
        now: datetime,
    ) -> LoadShift | None:
        """Whether the rate's interval is off the planned rate and since when; `before` is the last answer."""
        ...

    def reason(self, previous: Situation | None, current: Situation, now: datetime) -> ReplanReason | None:
        """Why to plan again now, or None. `previous` is what the last plan was made for."""
        ...
