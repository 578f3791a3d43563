"""Scenarios on real SkyPilot in which clouds refuse, machines are taken, and processes are killed."""

import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

from sky_load import Fate, SteadyLoad
from sky_serve import dollars_apart
from sky_stage import SMALL, SPOT_EAST, SkyStage, Sold, stage

from bouted.board import Board
from bouted.store.fleet import load_fleet
from bouted.store.odds import load_odds
from bouted.store.spend import accounts_between
from bouted.testing.bench import Bench
from bouted.testing.ec2.account import Rented
from bouted.testing.ec2.cloud import StandInCloud
from bouted.testing.processes import until

SPOT_EAST_B = Sold(
    zone="us-east-1b", instance_type="g5.xlarge", gpu="A10G", market="spot", usd_per_hour="0.410"
)
DEMAND_A10G_WEST = Sold(
    zone="us-west-2a", instance_type="g5.xlarge", gpu="A10G", market="on_demand", usd_per_hour="1.006"
)
AGAIN_WATCHED_S = 60.0
DEADLINE_S = 60
TWO = SMALL.replace("}", ", min_replicas: 2}")


def refused_rows(bench: Bench, cloud: StandInCloud) -> None:
    """Scenario 2: capacity refused where planned, then quota in the next zone: it goes elsewhere."""
    refusals = (
        cloud.faults.refuse("InsufficientInstanceCapacity", zone="us-east-1a", spot=True),
        cloud.faults.refuse("MaxSpotInstanceCountExceeded", zone="us-east-1b", spot=True),
    )
    asked_before = len(cloud.faults.attempts)
    with stage(cloud, "refused") as it:
        it.furnish([SPOT_EAST, SPOT_EAST_B, DEMAND_A10G_WEST])
        it.begin()
        it.until(_serves_on("us-west-2a"), "served from the third place", 600)
        bench.row("2: served from the third place", monotonic() - it.began, "s", None, "lower")
        reasons = _reasons(it)
        told_apart = len(reasons & {"no_capacity", "quota"})
        bench.row("2: refusals told apart (capacity, quota)", told_apart, "of 2", 2, "higher")
        asked = [one for one in cloud.faults.attempts[asked_before:] if one.refused]
        bench.row("2: launches asked of the two places", len(asked), "RunInstances", 20, "lower")
        it.processes[0].kill()
        it.processes[0].wait()
        it.start("run")
        before = len(cloud.faults.attempts)
        sleep(AGAIN_WATCHED_S)
        again = len(cloud.faults.attempts) - before
        bench.row("2: asked again in the minute after a restart", again, "RunInstances", 5, "lower")
        bench.row("2: places whose refusal is remembered", _remembered(it), "of 2", 2, "higher")
    cloud.faults.relent(*refusals)


def unready_rows(bench: Bench, cloud: StandInCloud) -> None:
    """Bad input: an instance that is rented and never answers ends at its deadline, and its cost is known."""
    what = "an instance that never answers"
    with stage(cloud, "unready") as it:
        it.furnish([SPOT_EAST], launch_timeout_s=DEADLINE_S)
        cloud.machines.boot_slowly(86_400.0)
        it.begin()
        until(lambda: bool(it.rented()), 120)
        began = monotonic()
        until(lambda: not it.rented()[0].running, DEADLINE_S + 240.0)
        bench.row(f"{what}: given back after", monotonic() - began, "s", DEADLINE_S + 120.0, "lower")
        cloud.machines.boot_slowly(0.0)
        it.until(lambda board: _ready(board) == 1, "another one serves", 480)
        status = " ".join(it.cli("status").stdout.split())
        told = sum(word in status for word in ("never_up", f"not up after {DEADLINE_S} s"))
        bench.row(f"{what}: `bouted status` says why", told, "of 2", 2, "higher")
        it.cli("down", "--yes")
        sleep(25)
        bench.row(f"{what}: ledger against the cloud's bill", dollars_apart(it), "$ apart", 0, "lower")
        bench.row(f"{what}: instances left", len(it.running()), "", 0, "lower")


def taken_rows(bench: Bench, cloud: StandInCloud) -> None:
    """Scenario 3: an instance is terminated from outside while requests stream."""
    with stage(cloud, "taken") as it:
        it.furnish([SPOT_EAST], models=TWO)
        it.begin()
        it.serving_in()
        load = SteadyLoad(url=it.url, model="small")
        load.start()
        sleep(10)
        victim = it.running()[0]
        node = victim.tags["bouted-node"]
        began = monotonic()
        cloud.account.terminate([victim])
        until(lambda: node not in _routed(it), 60)
        bench.row("3: out of the route table", monotonic() - began, "s", 10, "lower")
        it.until(lambda board: _ready(board) == 1, "the loss is seen", 60)
        it.until(lambda board: _ready(board) == 2, "replaced", 600)
        bench.row("3: replaced", monotonic() - began, "s", None, "lower")
        sleep(5)
        load.stop()
        it.tell(f"{dict(load.fates)} {load.why[:3]}")
        bench.row("3: requests that failed before they streamed", load.fates[Fate.REFUSED], "", 0, "lower")
        bench.row("3: requests answered meanwhile", load.fates[Fate.DONE], "", None, "higher")
        bench.row("3: requests cut while they streamed", load.fates[Fate.CUT], "", None, "lower")
        sleep(25)
        apart_s = abs((_ended_at(it, node) - _gone_at(it, victim)).total_seconds())
        bench.row("3: the ledger's end of it against the cloud's", apart_s, "s", 1, "lower")


def daemon_killed_rows(bench: Bench, cloud: StandInCloud) -> None:
    """Scenario 4: the daemon is killed while two launches are in flight."""
    with stage(cloud, "killed") as it:
        it.furnish([SPOT_EAST], models=TWO)
        it.begin()
        until(lambda: len(it.running()) == 2, 300)
        it.processes[0].send_signal(signal.SIGKILL)
        it.processes[0].wait()
        it.tell("daemon killed with two launches in flight")
        before = {one.tags["bouted-node"] for one in it.rented()}
        sleep(5)
        it.start("run")
        took_s = it.serving_in()
        _same_again(bench, it, "4: daemon killed -9", before, took_s)


def server_killed_rows(bench: Bench, cloud: StandInCloud) -> None:
    """Scenario 5: SkyPilot's API server is killed while two launches are in flight."""
    with stage(cloud, "server") as it:
        it.furnish([SPOT_EAST], models=TWO)
        it.begin()
        until(lambda: len(it.running()) == 2, 300)
        before = {one.tags["bouted-node"] for one in it.rented()}
        it.tell(f"API server killed: {it.kill_server()} processes")
        took_s = it.serving_in()
        _same_again(bench, it, "5: API server killed -9", before, took_s)


def _same_again(bench: Bench, it: SkyStage, what: str, before: set[str], took_s: float) -> None:
    after = [one.tags["bouted-node"] for one in it.running()]
    bench.row(f"{what}: serving again", took_s, "s", None, "lower")
    bench.row(f"{what}: the same two nodes run", len(before & set(after)), "of 2", 2, "higher")
    bench.row(f"{what}: instances rented in all", len(it.rented()), "", 2, "lower")
    it.cli("down", "--yes")
    until(lambda: not it.running(), 120)
    bench.row(f"{what}: instances left after `bouted down`", len(it.running()), "", 0, "lower")


def _serves_on(zone: str) -> Callable[[Board], bool]:
    return lambda board: _ready(board) == 1 and any(zone in node.where for node in board.nodes)


def _ready(board: Board) -> int:
    return sum(replica.status == "ready" for replica in board.replicas)


def _routed(it: SkyStage) -> str:
    """The route table as text: a node's name is part of its replicas'."""
    return (it.state_dir / "routes.json").read_text(encoding="utf-8")


def _reasons(it: SkyStage) -> set[str]:
    store = it.read()
    try:
        return {node.reason.value for node in load_fleet(store, datetime.now(UTC)).nodes}
    finally:
        store.close()


def _remembered(it: SkyStage) -> int:
    store = it.read()
    try:
        odds = load_odds(store)
    finally:
        store.close()
    return sum("us-east-1" in offer for offer in odds)


def _ended_at(it: SkyStage, node: str) -> datetime:
    now, store = datetime.now(UTC), it.read()
    try:
        (account,) = [a for a in accounts_between(store, now - timedelta(days=1), now) if a.node == node]
    finally:
        store.close()
    return account.life.said_end or account.life.noticed_end or now


def _gone_at(it: SkyStage, victim: Rented) -> datetime:
    (ended,) = [one for one in it.rented() if one.id == victim.id]
    assert ended.ended_at is not None
    return ended.ended_at
