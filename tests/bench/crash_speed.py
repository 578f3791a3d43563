"""How fast the reconciler decides and passes, and how fast `bouted status` answers after a year."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from bouted.board import BoardNode, BoardReplica
from bouted.config.running import DatabaseSettings
from bouted.planner.planned import PlannedNode
from bouted.reconcile.diff import diff
from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.order import order
from bouted.reconcile.standing import Standing
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.board import publish_board
from bouted.store.keeping import Keep, give_back, let_go_old
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.open import open_store
from bouted.testing.bench import Bench
from bouted.testing.fleet import START, an_offer, limits, planned
from bouted.testing.store import a_board, fresh_store
from bouted.testing.year import write_year

OFFERS = 1000
NODES_PER_OFFER = 5
REPLICAS_PER_NODE = 2
YEAR_DAYS, QUICK_DAYS = 365, 20
BOARD_NODES = 50
STATUS_RUNS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Seconds of repeated runs of the same thing: by the wall's clock, and of the processor."""

    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...]

    def told(self) -> str:
        """Medians and worst, in ms."""
        wall, cpu = sorted(self.wall_s), sorted(self.cpu_s)
        return (
            f"{len(wall)} runs: wall median {median(wall) * 1e3:.0f}, worst {wall[-1] * 1e3:.0f} ms;"
            f" processor median {median(cpu) * 1e3:.0f}, worst {cpu[-1] * 1e3:.0f} ms"
        )


def timed(call: Callable[[], object], runs: int) -> Timed:
    """Runs it `runs` times in this process."""
    wall, cpu = [], []
    for _ in range(runs):
        began, began_cpu = perf_counter(), process_time()
        call()
        wall.append(perf_counter() - began)
        cpu.append(process_time() - began_cpu)
    return Timed(wall_s=tuple(wall), cpu_s=tuple(cpu))


def decisions(runs: int = 15) -> dict[str, Timed]:
    """`diff` and `order` over 10,000 replicas on 5,000 nodes of 1,000 offers, by what there is to do."""
    fleet, wanted, other = _fleet_of_ten_thousand()
    empty = FleetState(nodes=(), replicas=(), incarnations=())
    cases: dict[str, tuple[FleetState, tuple[PlannedNode, ...]]] = {
        "nothing to do": (fleet, wanted),
        "a tenth is replaced": (fleet, (*other[: len(other) // 10], *wanted[len(wanted) // 10 :])),
        "all is replaced": (fleet, other),
        "all is let go": (fleet, ()),
        "a first rollout": (empty, wanted),
    }
    return {name: timed(lambda case=case: _decide(*case), runs) for name, case in cases.items()}  # type: ignore[misc]


def _decide(fleet: FleetState, wanted: tuple[PlannedNode, ...]) -> None:
    generous = limits("100000", "100000", max_launches=100_000)
    changes = diff(wanted, fleet, "memory")
    order(changes, fleet, generous, START, Standing(deployment="d", launcher="memory", plan_id="p"))


def _fleet_of_ten_thousand() -> tuple[FleetState, tuple[PlannedNode, ...], tuple[PlannedNode, ...]]:
    """A fleet that stands, the plan it stands for, and a plan that shares no offer with it."""
    here = tuple(_wanted(f"region-{number}") for number in range(OFFERS))
    there = tuple(_wanted(f"other-{number}") for number in range(OFFERS))
    wanted = tuple(node for nodes in here for node in nodes)
    nodes = tuple(_node(node, number) for number, node in enumerate(wanted))
    replicas = tuple(replica for node in nodes for replica in _replicas(node))
    fleet = FleetState(
        nodes=nodes, replicas=replicas, incarnations=tuple(sorted((node.slot, 1) for node in nodes))
    )
    return fleet, wanted, tuple(node for nodes in there for node in nodes)


def _wanted(region: str) -> tuple[PlannedNode, ...]:
    offer = an_offer(region=region, gpu_count=REPLICAS_PER_NODE)
    return planned(offer, NODES_PER_OFFER, small=1, large=1)


def _node(wanted: PlannedNode, number: int) -> Node:
    return Node(
        name=f"n{number:05d}",
        slot=wanted.slot,
        incarnation=1,
        plan_id="p",
        offer=wanted.offer,
        template=wanted.template,
        launcher="memory",
        status=NodeStatus.UP,
        reason=Reason.OBSERVED,
        since=START,
        launched_at=START,
    )


def _replicas(node: Node) -> tuple[Replica, ...]:
    return tuple(
        Replica(
            name=f"{node.name}-{at}-1",
            node=node.name,
            position=at,
            incarnation=1,
            shape=shape,
            status=ReplicaStatus.READY,
            reason=Reason.OBSERVED,
            since=START,
        )
        for at, shape in enumerate(node.template.replicas)
    )


def status_after(days: int, runs: int = STATUS_RUNS) -> tuple[Timed, float, float]:
    """`bouted status` from a cold start, over a store with that much history; that store's MB, and its MB
    once the daily house-keeping has let go of what is old by default."""
    with tempfile.TemporaryDirectory() as folder:
        _history(Path(folder), days)
        size_mb = _size_mb(folder)
        command = [sys.executable, "-m", "bouted.cli", "status", "--state", folder]
        wall, cpu = [], []
        for _ in range(runs):
            began, before = perf_counter(), os.times()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=60)
            after = os.times()
            wall.append(perf_counter() - began)
            cpu.append(
                after.children_user + after.children_system - before.children_user - before.children_system
            )
        _keep_house(folder)
        return Timed(wall_s=tuple(wall), cpu_s=tuple(cpu)), size_mb, _size_mb(folder)


def _size_mb(folder: str) -> float:
    return sum(path.stat().st_size for path in Path(folder).glob("bouted.db*")) / 1e6


def _keep_house(folder: str) -> None:
    default = DatabaseSettings()
    keep = Keep(journal=timedelta(days=default.journal_days), history=timedelta(days=default.keep_days))
    with closing(open_store(f"sqlite:///{folder}/bouted.db")) as store:
        let_go_old(store, datetime.now(UTC), keep)
        give_back(store)


def _history(folder: Path, days: int) -> None:
    """A board of 50 nodes and 200 replicas, and so many days of a large fleet behind it."""
    now = datetime.now(UTC)
    at = now.isoformat()
    nodes = tuple(
        BoardNode(
            name=f"n{i}", where="aws/us-east-1a", instance_type="g6.12xlarge", gpu="L4", gpu_count=4,
            market="spot", usd_per_hour="1.16", status="up", reason="observed", since=at, note="",
        )
        for i in range(BOARD_NODES)
    )  # fmt: skip
    replicas = tuple(
        BoardReplica(
            name=f"{node.name}-r{i}", node=node.name, model="small", shape="1xL4 tp1", status="ready",
            reason="observed", since=at, endpoint="http://127.0.0.1:1", pid=None,
        )
        for node in nodes
        for i in range(4)
    )  # fmt: skip
    with closing(fresh_store(folder)) as store:
        publish_board(store, replace(a_board(now), nodes=nodes, replicas=replicas), now)
        take_lease(store, DAEMON_LEASE, "me", now, 86_400)
        write_year(store, now, days=days)


def decision_rows(bench: Bench) -> None:
    """`diff` and `order` at 10,000 replicas on 1,000 offers: processor time, for they wait for nothing."""
    found = decisions()
    slowest = max(found, key=lambda name: median(found[name].cpu_s))
    bench.row(
        "diff and order, 10,000 replicas, 1,000 offers, slowest of five situations, processor",
        median(found[slowest].cpu_s) * 1e3,
        "ms",
        200,
        "lower",
    )
    for name, timing in found.items():
        bench.note(f"{name}: {timing.told()}")


def status_rows(bench: Bench, *, quick: bool) -> None:
    """`bouted status` after a year, all of it kept: processor time, for it waits for one row of a file."""
    days = QUICK_DAYS if quick else YEAR_DAYS
    timing, all_mb, kept_mb = status_after(days)
    bench.row(
        f"bouted status from a cold start, {days} days of history, processor",
        median(timing.cpu_s) * 1e3,
        "ms",
        300,
        "lower",
    )
    bench.note(f"with all of it still there, {all_mb:.0f} MB; {timing.told()}")
    bench.row(f"store after {days} days of 200 replicas, kept as by default", kept_mb, "MB", 1000, "lower")
