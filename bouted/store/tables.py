"""Every table of the store. Rows stay inside `bouted.store`; only frozen values leave it."""

import enum
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from sqlalchemy import CheckConstraint, Enum, ForeignKey, Index, MetaData, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bouted.catalog.precision import Precision
from bouted.events import EventKind, Severity
from bouted.market.asking import Result
from bouted.market.doubt import Doubt
from bouted.market.notices import NoticeKind
from bouted.market.offers import Confidence, Market, Offer
from bouted.market.quotes import Row, Unread
from bouted.perf.learn import Correction
from bouted.perf.refused import StartFailure
from bouted.perf.shapes import Engine, ReplicaShape
from bouted.planner.plan import Plan, PlanStatus, Trigger
from bouted.planner.planned import Template
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.columns import Claimed, Count, Frozen, Money, Packed, Plain, UtcDateTime
from bouted.store.kinds import ActionState, AlertState, Verdict
from bouted.store.legible import Instant, Number, Whole, Word

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

LATER = text("''")
"""Default of a text column that came after its table: a daemon of an older release leaves it out."""


class Base(DeclarativeBase):
    """What all tables share: constraint names that migrations can rely on, and exact types."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar = {
        str: Plain(),
        datetime: UtcDateTime(),
        Decimal: Money(),
        bytes: Packed(),
        enum.Enum: Enum(
            enum.Enum,
            native_enum=False,
            length=32,
            values_callable=lambda kind: [member.value for member in kind],
        ),
    }


class Offers(Base):
    """What can be rented, as it was last believed. `last_observed_at` is when that was last confirmed."""

    __tablename__ = "offers"

    id: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str]
    region: Mapped[str]
    zone: Mapped[str]
    instance_type: Mapped[str]
    gpu: Mapped[str]
    gpu_count: Mapped[int] = mapped_column(Count())
    market: Mapped[Market]
    last_observed_at: Mapped[datetime]
    usd_per_hour: Mapped[Decimal]
    obtainable: Mapped[int] = mapped_column(Count())
    hazard_per_hour: Mapped[float]
    source: Mapped[str]
    confidence: Mapped[Confidence]


class PriceObservations(Base):
    """One row per change of an offer's price, obtainable count or confidence.

    `effective_at` is since when the price held, where the source said so.
    """

    __tablename__ = "price_observations"
    __table_args__ = (Index(None, "offer_id", "observed_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    offer_id: Mapped[str] = mapped_column(ForeignKey("offers.id"))
    usd_per_hour: Mapped[Decimal]
    obtainable: Mapped[int] = mapped_column(Count())
    hazard_per_hour: Mapped[float]
    source: Mapped[str]
    confidence: Mapped[Confidence]
    observed_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    effective_at: Mapped[datetime | None]


class PriceClaims(Base):
    """A source's word on an offer, and what is thought of it.

    `aside` tells a quote that was set aside from the last accepted one, which stays beside it. `quoted_by` is
    the source as the quote names it. `fresh` says that the source's `seen_at` holds, not `observed_at`, so
    that a poll which confirms a thousand quotes writes one row. `digest` is of all the rest.
    """

    __tablename__ = "price_claims"

    source: Mapped[str] = mapped_column(primary_key=True)
    offer_id: Mapped[str] = mapped_column(primary_key=True)
    aside: Mapped[bool] = mapped_column(primary_key=True)
    provider: Mapped[str]
    region: Mapped[str]
    zone: Mapped[str]
    instance_type: Mapped[str]
    gpu: Mapped[str]
    gpu_count: Mapped[int] = mapped_column(Count())
    market: Mapped[Market]
    price: Mapped[Decimal] = mapped_column(Claimed())
    currency: Mapped[str]
    quoted_by: Mapped[str]
    observed_at: Mapped[datetime]
    effective_at: Mapped[datetime | None]
    confidence: Mapped[Confidence]
    obtainable: Mapped[int | None] = mapped_column(Count())
    hazard_per_hour: Mapped[float | None]
    row: Mapped[Row] = mapped_column(Frozen(Row))
    verdict: Mapped[Verdict]
    doubt: Mapped[Doubt | None]
    detail: Mapped[str]
    fresh: Mapped[bool]
    changed_at: Mapped[datetime]
    digest: Mapped[str]


class PriceWaits(Base):
    """A new price of a source that waits to be confirmed, and those that came and went again before."""

    __tablename__ = "price_waits"

    source: Mapped[str] = mapped_column(primary_key=True)
    offer_id: Mapped[str] = mapped_column(primary_key=True)
    price: Mapped[Decimal | None]
    since: Mapped[datetime | None]
    times: Mapped[int]
    dropped: Mapped[tuple[Decimal, ...]] = mapped_column(Frozen(tuple[Decimal, ...]))


class PriceUnread(Base):
    """The rows of a source's last answer that could not be read."""

    __tablename__ = "price_unread"

    source: Mapped[str] = mapped_column(primary_key=True)
    rows: Mapped[tuple[Unread, ...]] = mapped_column(Frozen(tuple[Unread, ...]))


class PriceSources(Base):
    """How it goes with each source. `seen_at` is when its freshest quote was observed."""

    __tablename__ = "price_sources"

    name: Mapped[str] = mapped_column(primary_key=True)
    result: Mapped[Result]
    asked_at: Mapped[datetime]
    next_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    since: Mapped[datetime | None]
    failures: Mapped[int]
    error: Mapped[str]
    needs_person: Mapped[bool]
    quotes: Mapped[int]
    unread: Mapped[int]
    seen_at: Mapped[datetime | None]


class OfferOdds(Base):
    """What was lived through with an offer, its weight as it was at `as_of`."""

    __tablename__ = "offer_odds"

    offer_id: Mapped[str] = mapped_column(primary_key=True)
    as_of: Mapped[datetime]
    hours: Mapped[float]
    losses: Mapped[float]
    granted: Mapped[float]
    refused: Mapped[float]
    refused_in_row: Mapped[int]
    refused_at: Mapped[datetime | None]


class NodesCounted(Base):
    """How far each node has been counted into its offer's odds: every outcome counts once."""

    __tablename__ = "nodes_counted"

    node: Mapped[str] = mapped_column(ForeignKey("nodes.name"), primary_key=True)
    launch: Mapped[bool]
    hours_to: Mapped[datetime | None]
    ended: Mapped[bool]


class Documents(Base):
    """Large values that decisions rest on, named by the hash of their content."""

    __tablename__ = "documents"

    hash: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    body: Mapped[bytes]


class Plans(Base):
    """Every plan that was made, whole, with the figures that history lists. The problem and the search behind
    it may have been let go: they are large."""

    __tablename__ = "plans"

    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(Instant(), index=True)
    trigger: Mapped[Trigger] = mapped_column(Word(Trigger))
    status: Mapped[PlanStatus] = mapped_column(Word(PlanStatus))
    problem_hash: Mapped[str]
    config_hash: Mapped[str]
    usd_per_hour: Mapped[Decimal]
    p95_s: Mapped[float]
    quality: Mapped[float]
    gap: Mapped[float]
    seconds_to_plan: Mapped[float]
    body: Mapped[Plan] = mapped_column(Whole(Plan))
    frontier_hash: Mapped[str] = mapped_column(server_default=LATER)


class Nodes(Base):
    """Every instance ever intended. `ended_at` is set while the node is gone or failed; `instance_id` is what
    its provider calls it, "" until known; `took_s` is how long its launch took."""

    __tablename__ = "nodes"
    __table_args__ = (Index(None, "slot", "incarnation"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[str]
    incarnation: Mapped[int] = mapped_column(Number())
    plan_id: Mapped[str]
    offer: Mapped[Offer] = mapped_column(Whole(Offer))
    template: Mapped[Template] = mapped_column(Whole(Template))
    launcher: Mapped[str]
    status: Mapped[NodeStatus] = mapped_column(Word(NodeStatus), index=True)
    reason: Mapped[Reason] = mapped_column(Word(Reason))
    since: Mapped[datetime] = mapped_column(Instant())
    launched_at: Mapped[datetime | None] = mapped_column(Instant())
    ended_at: Mapped[datetime | None] = mapped_column(Instant(), index=True)
    note: Mapped[str]
    instance_id: Mapped[str] = mapped_column(server_default=LATER)
    took_s: Mapped[float | None]


class Notices(Base):
    """Machines that their providers take back: what they call each, and until when it stays."""

    __tablename__ = "notices"

    provider: Mapped[str] = mapped_column(primary_key=True)
    instance: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[NoticeKind] = mapped_column(Word(NoticeKind))
    heard_at: Mapped[datetime] = mapped_column(Instant())
    leaves_at: Mapped[datetime] = mapped_column(Instant(), index=True)


class Replicas(Base):
    """Every engine ever intended on a node; `took_s` is how long its start took, so far, and `fetch_s` how
    much of that was fetching `fetched_gib`, where it told."""

    __tablename__ = "replicas"

    name: Mapped[str] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(ForeignKey("nodes.name"), index=True)
    position: Mapped[int] = mapped_column(Number())
    incarnation: Mapped[int] = mapped_column(Number())
    shape: Mapped[ReplicaShape] = mapped_column(Whole(ReplicaShape))
    status: Mapped[ReplicaStatus] = mapped_column(Word(ReplicaStatus), index=True)
    reason: Mapped[Reason] = mapped_column(Word(Reason))
    since: Mapped[datetime] = mapped_column(Instant(), index=True)
    endpoint: Mapped[str]
    note: Mapped[str]
    version: Mapped[str] = mapped_column(server_default=LATER)
    took_s: Mapped[float | None]
    fetched_gib: Mapped[float | None]
    fetch_s: Mapped[float | None]


class SpendAccounts(Base):
    """When a node was paid for, as far as is known, and what it cost first: one row per node that ever cost.

    `started_at`, `restarted_at` (the earliest and the latest start it told of) and `ended_at` (the latest
    end) are the provider's own word; `asked_at` and `noticed_end` are ours. What was paid is worked out from
    these rows (`bouted.ledger`) and is nowhere stored.
    """

    __tablename__ = "spend_accounts"

    node: Mapped[str] = mapped_column(ForeignKey("nodes.name"), primary_key=True)
    provider: Mapped[str]
    asked_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    restarted_at: Mapped[datetime | None]
    noticed_end: Mapped[datetime | None] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    came_up: Mapped[bool]
    usd_per_hour: Mapped[Decimal]


class SpendTimes(Base):
    """The provider's word on a node's machines that came one after the other under its name: the starts and
    ends that the account has no room for. Nodes that one machine carried have no rows."""

    __tablename__ = "spend_times"

    node: Mapped[str] = mapped_column(ForeignKey("nodes.name"), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    began: Mapped[bool] = mapped_column(primary_key=True)


class SpendPrices(Base):
    """From `at` on a node cost this, all its instances together. Of two words on one time the one heard later
    stands."""

    __tablename__ = "spend_prices"

    node: Mapped[str] = mapped_column(ForeignKey("nodes.name"), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    usd_per_hour: Mapped[Decimal]
    heard_at: Mapped[datetime]


class SpendCuts(Base):
    """From `at` on a node was cut like this; nodes that were cut once have no rows."""

    __tablename__ = "spend_cuts"

    node: Mapped[str] = mapped_column(ForeignKey("nodes.name"), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    template: Mapped[Template] = mapped_column(Frozen(Template))


class BilledFactors(Base):
    """What a cloud's newest bill came to against the ledger, over the nodes and the times that both know."""

    __tablename__ = "billed_factors"

    provider: Mapped[str] = mapped_column(primary_key=True)
    factor: Mapped[Decimal]
    billed_usd: Mapped[Decimal]
    ledger_usd: Mapped[Decimal]
    nodes: Mapped[int]
    hours: Mapped[float]
    since: Mapped[datetime]
    until: Mapped[datetime]
    read_at: Mapped[datetime]


class Actions(Base):
    """What the reconciler did: written before it acts, finished after."""

    __tablename__ = "actions"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant(), index=True)
    plan_id: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    state: Mapped[ActionState] = mapped_column(Word(ActionState))
    detail: Mapped[str]
    finished_at: Mapped[datetime | None] = mapped_column(Instant())


class Events(Base):
    """What happened."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant(), index=True)
    kind: Mapped[EventKind] = mapped_column(Word(EventKind))
    severity: Mapped[Severity] = mapped_column(Word(Severity))
    subject: Mapped[str]
    message: Mapped[str]


class Profiles(Base):
    """Latency profiles by the hash of what they were computed from: a cache, safe to empty.

    `used_at` is when one was last looked up, to the day.
    """

    __tablename__ = "profiles"

    hash: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[bytes]
    used_at: Mapped[datetime] = mapped_column(index=True)


class Corrections(Base):
    """What measurements taught about a model on a shape; `shape` is its id under the catalog's model name."""

    __tablename__ = "corrections"

    shape: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[Correction] = mapped_column(Frozen(Correction))
    updated_at: Mapped[datetime]


class RefusedStarts(Base):
    """Engines that did not start. `model` is the catalog's name."""

    __tablename__ = "refused_starts"

    replica: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str]
    gpu: Mapped[str]
    tp: Mapped[int]
    pp: Mapped[int]
    precision: Mapped[Precision]
    engine: Mapped[Engine]
    kind: Mapped[StartFailure]
    at: Mapped[datetime]
    detail: Mapped[str]


class Leases(Base):
    """Who may act. `token` grows with every change of holder and never shrinks."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    token: Mapped[int]
    expires_at: Mapped[datetime]


class Control(Base):
    """What the operator and the daemon want, in one row."""

    __tablename__ = "control"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    paused: Mapped[bool]
    down_requested: Mapped[bool]
    accepted_plan_id: Mapped[str | None] = mapped_column(ForeignKey("plans.id"))
    desired_plan_id: Mapped[str | None] = mapped_column(ForeignKey("plans.id"))
    updated_at: Mapped[datetime | None] = mapped_column(Instant())
    updated_by: Mapped[str]


class BoardRow(Base):
    """The status board, in one row."""

    __tablename__ = "board"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[str]
    written_at: Mapped[datetime]


class Alerts(Base):
    """One row per incident that people were told of, by its dedupe key."""

    __tablename__ = "alerts"

    key: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[AlertState]
    opened_at: Mapped[datetime]
    last_sent_at: Mapped[datetime | None]
    body: Mapped[str]
