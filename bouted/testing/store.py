"""A fresh store in milliseconds, and small values to put in it."""

import tempfile
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

from bouted.board import Board
from bouted.perf.profile import Metric
from bouted.planner.design import Design, Estimate, Judge
from bouted.planner.plan import Plan, Trigger
from bouted.planner.planned import ModelShare, PlannedNode
from bouted.quality.route_split import RouteRule, RouteSplit
from bouted.reconcile.fleet import Node, Replica
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.documents import put_document
from bouted.store.open import Store, open_store, sqlite_url
from bouted.testing.fleet import START, an_offer, planned


@cache
def _empty_database() -> bytes:
    """An SQLite file with the schema and no rows, made once per process."""
    with tempfile.TemporaryDirectory() as folder:
        open_store(sqlite_url(Path(folder))).close()
        return (Path(folder) / "bouted.db").read_bytes()


def fresh_store(folder: Path) -> Store:
    """A new, empty store in `folder`; the caller closes it."""
    (folder / "bouted.db").write_bytes(_empty_database())
    return open_store(sqlite_url(folder))


def a_node(
    name: str = "t-1", *, usd_per_hour: str = "1.00", slot: str = "", incarnation: int = 1, **replicas: int
) -> Node:
    """An intent to launch, cut as `model=count` (one `small` by default)."""
    (wanted,) = planned(an_offer(usd_per_hour=usd_per_hour), **(replicas or {"small": 1}))
    return Node(
        name=name,
        slot=slot or wanted.slot,
        incarnation=incarnation,
        plan_id="p",
        offer=wanted.offer,
        template=wanted.template,
        launcher="memory",
        status=NodeStatus.PLANNED,
        reason=Reason.PLAN,
        since=START,
        launched_at=None,
    )


def a_replica(node: Node, *, position: int = 0, incarnation: int = 1) -> Replica:
    """An intent to start the engine at this place of the node's template."""
    return Replica(
        name=f"{node.name}-{position}-{incarnation}",
        node=node.name,
        position=position,
        incarnation=incarnation,
        shape=node.template.replicas[position],
        status=ReplicaStatus.PLANNED,
        reason=Reason.PLAN,
        since=START,
    )


def a_plan(
    store: Store, plan_id: str, *, created_at: datetime = START, nodes: tuple[PlannedNode, ...] = ()
) -> Plan:
    """A plan whose problem is put in the store; the plan itself is not."""
    design = Design(nodes=nodes, shares=(ModelShare(model="small", share=1.0),))
    return Plan(
        id=plan_id,
        created_at=created_at,
        trigger=Trigger.FIRST,
        design=design,
        split=RouteSplit(models=("small",), shares=(1.0,), rules=(RouteRule(),), scorer_hash="s"),
        shapes=(),
        estimate=Estimate(
            usd_per_hour=design.usd_per_hour,
            ttft_p95_s=0.1 + 0.2,
            tpot_p95_s=0.02,
            e2e_p95_s=3.0,
            quality=0.8,
            quality_low=0.79,
            bound_usd_per_hour=float(design.usd_per_hour),
            judge=Judge.PROFILES,
            spread=0.1,
        ),
        objective=Metric.TTFT,
        rate_per_s=2.0,
        why=("cheapest",),
        runner_up="",
        problem_hash=put_document(store, "problem", b"{}"),
        config_hash="c",
        seed=1,
        seconds_to_plan=0.5,
    )


def a_board(now: datetime, *, verdict: str = "OK") -> Board:
    """A board with nothing on it but its verdict."""
    return Board(
        written_at=now.isoformat(),
        deployment="t",
        mode="apply",
        verdict=verdict,
        note="",
        paused=False,
        pid=1,
        plan=None,
        proposed=None,
        usd_per_hour=str(Decimal(0)),
        budget_usd_per_hour="10",
        spent_today_usd="0",
        spent_month_usd="0",
        forecast_month_usd="0",
        rate_per_s=None,
        requests_ok=0,
        requests_failed=0,
    )
