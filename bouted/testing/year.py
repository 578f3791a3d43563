"""A year in the life of a large fleet, straight into a store: for tests and benches of size and speed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sqlalchemy import insert, update

from bouted.codec import content_hash
from bouted.events import EventKind, Severity
from bouted.market.offers import Offer
from bouted.planner.plan import PlanStatus
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.control import control_row
from bouted.store.kinds import ActionState
from bouted.store.prices import record_offers
from bouted.store.session import Store
from bouted.store.tables import (
    Actions,
    Base,
    Documents,
    Events,
    Nodes,
    Plans,
    PriceObservations,
    Replicas,
    SpendAccounts,
    SpendPrices,
)
from bouted.testing.fleet import a_template, an_offer
from bouted.testing.store import a_plan

DAY = timedelta(days=1)
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How much happens. Live nodes carry two replicas each; all else is per day, prices per offer and day."""

    nodes: int = 100
    offers: int = 1000
    prices: float = 4.0
    plans: int = 20
    ended_nodes: int = 20
    events: int = 600
    actions: int = 150
    problem_kib: int = 60
    frontier_kib: int = 20


def write_year(
    store: Store,
    until: datetime,
    *,
    days: int = 365,
    rates: Rates | None = None,
    each_day: Callable[[datetime], None] = lambda now: None,
    seed: int = 6,
) -> None:
    """Writes `days` of history that end at `until`, into an empty store; the same for the same seed.

    `each_day` is called at the end of each day with that time, e.g. to keep house. At the end the fleet of
    `rates` is live under the last plan.
    """
    year = _Year(store=store, rates=rates or Rates(), random=Random(seed), first=until - days * DAY)
    year.begin()
    for day in range(days):
        year.day(day)
        each_day(year.first + (day + 1) * DAY)


@dataclass(slots=True)
class _Year:
    store: Store
    rates: Rates
    random: Random
    first: datetime
    last_plan: str = ""

    def begin(self) -> None:
        """What can be rented, and the fleet that lives all year."""
        offers = tuple(
            replace(an_offer(region=f"region-{n:04}", usd_per_hour="1.00"), observed_at=self.first)
            for n in range(self.rates.offers)
        )
        record_offers(self.store, offers, self.first)
        live = [
            self._node(f"live-{n}", offers[n % len(offers)], self.first, None)
            for n in range(self.rates.nodes)
        ]
        self._write(Nodes, live)
        self._write(SpendAccounts, [_account(node) for node in live])
        self._write(Replicas, [r for node in live for r in _replicas(node, ReplicaStatus.READY)])

    def day(self, number: int) -> None:
        """One day, written at its end."""
        start = self.first + number * DAY
        self._plans(number, start)
        self._prices(start)
        self._fleet(number, start)
        self._journal(start)

    def _plans(self, day: int, start: datetime) -> None:
        documents: Rows = []
        plans: Rows = []
        for n in range(self.rates.plans):
            at = start + n * DAY / self.rates.plans
            problem = self.random.randbytes(self.rates.problem_kib * 1024)
            frontier = self.random.randbytes(self.rates.frontier_kib * 1024)
            names = [content_hash(body) for body in (problem, frontier)]
            documents += [
                {"hash": names[0], "kind": "problem", "body": problem},
                {"hash": names[1], "kind": "frontier", "body": frontier},
            ]
            plans.append(self._plan(f"{day:04x}{n:02x}", at, *names))
        self._write(Documents, documents)
        self._write(Plans, plans)
        with self.store.writing() as session:
            if self.last_plan:
                before = update(Plans).where(Plans.id == self.last_plan)
                session.execute(before.values(status=PlanStatus.SUPERSEDED))
            self.last_plan = plans[-1]["id"]
            session.execute(update(Plans).where(Plans.id == self.last_plan).values(status=PlanStatus.APPLIED))
            control_row(session).desired_plan_id = self.last_plan

    def _plan(self, plan_id: str, at: datetime, problem: str, frontier: str) -> dict[str, Any]:
        plan = a_plan(self.store, plan_id, created_at=at)
        plan = replace(plan, problem_hash=problem, frontier_hash=frontier, why=("x" * 8000,))
        return {
            "id": plan_id, "created_at": at, "trigger": plan.trigger, "status": PlanStatus.SUPERSEDED,
            "problem_hash": problem, "frontier_hash": frontier, "config_hash": "c",
            "usd_per_hour": Decimal("100.00"), "p95_s": 3.0, "quality": 0.8, "gap": 0.02,
            "seconds_to_plan": 3.5, "body": plan,
        }  # fmt: skip

    def _prices(self, start: datetime) -> None:
        count = int(self.rates.offers * self.rates.prices)
        rows: Rows = []
        for n in range(count):
            at = start + n * DAY / count
            offer = an_offer(region=f"region-{self.random.randrange(self.rates.offers):04}").id
            rows.append({
                "offer_id": offer, "usd_per_hour": Decimal(self.random.randrange(50, 150)) / 100,
                "obtainable": 8, "hazard_per_hour": 0.01, "source": "test", "confidence": "high",
                "observed_at": at, "recorded_at": at, "effective_at": None,
            })  # fmt: skip
        self._write(PriceObservations, rows)
        self._write(SpendPrices, [
            {"node": f"live-{n}", "at": start + timedelta(hours=n % 24), "heard_at": start,
             "usd_per_hour": Decimal("1.01")} for n in range(self.rates.nodes)
        ])  # fmt: skip

    def _fleet(self, day: int, start: datetime) -> None:
        ended = [
            self._node(f"past-{day}-{n}", an_offer(region=f"region-{n:04}"), start, start + DAY / 2)
            for n in range(self.rates.ended_nodes)
        ]
        self._write(Nodes, ended)
        self._write(SpendAccounts, [_account(node) for node in ended])
        self._write(Replicas, [r for node in ended for r in _replicas(node, ReplicaStatus.STOPPED)])

    def _journal(self, start: datetime) -> None:
        events, actions = self.rates.events, self.rates.actions
        self._write(Events, [
            {"at": start + n * DAY / events, "kind": EventKind.REPLICA_STATUS, "severity": Severity.INFO,
             "subject": f"live-{n % 100}-r0",
             "message": f"replica live-{n % 100}-r0: starting -> ready (observed): after {n} s"}
            for n in range(events)
        ])  # fmt: skip
        self._write(Actions, [
            {"at": start + n * DAY / actions, "plan_id": self.last_plan, "kind": "start_replica",
             "subject": f"live-{n % 100}-r1", "state": ActionState.DONE, "detail": "",
             "finished_at": start + n * DAY / actions} for n in range(actions)
        ])  # fmt: skip

    def _node(self, name: str, offer: Offer, since: datetime, ended_at: datetime | None) -> dict[str, Any]:
        return {
            "name": name, "slot": f"slot-{name}" if ended_at is None else f"slot-{name.rpartition('-')[2]}",
            "incarnation": 1 + (since - self.first).days, "plan_id": self.last_plan, "offer": offer,
            "template": a_template("L4", 1, small=2), "launcher": "memory",
            "status": NodeStatus.UP if ended_at is None else NodeStatus.GONE, "reason": Reason.OBSERVED,
            "since": ended_at or since, "launched_at": since, "ended_at": ended_at, "note": "",
            "instance_id": "",
        }  # fmt: skip

    def _write(self, table: type[Base], rows: Rows) -> None:
        if rows:
            with self.store.writing() as session:
                session.execute(insert(table), rows)


def _replicas(node: dict[str, Any], status: ReplicaStatus) -> Rows:
    return [
        {
            "name": f"{node['name']}-r{n}", "node": node["name"], "position": n, "incarnation": 1,
            "shape": shape, "status": status, "reason": Reason.OBSERVED, "since": node["since"],
            "endpoint": f"http://10.0.0.1:{8000 + n}", "note": "", "version": "vllm 0.32.0",
        }
        for n, shape in enumerate(node["template"].replicas)
    ]  # fmt: skip


def _account(node: dict[str, Any]) -> dict[str, Any]:
    return {
        "node": node["name"], "provider": "aws", "asked_at": node["launched_at"],
        "started_at": node["launched_at"], "noticed_end": node["ended_at"], "ended_at": node["ended_at"],
        "came_up": True, "usd_per_hour": Decimal("1.00"),
    }  # fmt: skip
