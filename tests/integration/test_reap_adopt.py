"""`bouted reap` and `bouted adopt` on real processes of this machine, with no daemon running."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bouted.providers.local import LocalLauncher

from bouted.cli.main import run
from bouted.clock import SystemClock
from bouted.daemon.health import HealthProber
from bouted.daemon.sight import Look, Sight
from bouted.gateway.query import Query, read_query
from bouted.gateway.table import Route
from bouted.gateway.upstream import Upstream
from bouted.reconcile.names import node_name
from bouted.reconcile.routes import routes, serving
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.fleet import add_node, add_replica, load_fleet, move_node, move_replica
from bouted.store.open import Store, open_store, sqlite_url
from bouted.store.spend import committed_usd_per_hour, spend_by_node
from bouted.testing.deployment import Deployment
from bouted.testing.fleet import limits
from bouted.testing.orders import a_node_order, a_replica_order
from bouted.testing.processes import end_engines, until
from bouted.testing.store import a_node, a_replica, fresh_store

NAME = node_name("test", "slot", 3)
SECOND = node_name("test", "slot", 4)


@dataclass
class Bench:
    """A deployment with a store and a launcher, and the CLI beside it."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def __post_init__(self) -> None:
        self.deployment = Deployment(self.folder)
        self.deployment.write_config()
        self.state_dir = self.deployment.state_dir
        self.state_dir.mkdir()
        fresh_store(self.state_dir).close()
        self.launcher = LocalLauncher(self.state_dir, "test", boot_s=0.0)

    def store(self) -> "closing[Store]":
        return closing(open_store(sqlite_url(self.state_dir)))

    def run(self, *words: str) -> tuple[int, list[str], list[str]]:
        code = run([*words, "--config", str(self.deployment.config_path)])
        said = self.capsys.readouterr()
        return code, said.out.splitlines(), said.err.splitlines()

    def running(self) -> list[str]:
        return [node.name for node in self.launcher.seen().nodes if node.ended_at is None]

    def start(self, launcher: LocalLauncher, node: str, *, served: str = "small") -> str:
        """A node with an engine that answers; the engine's address."""
        launcher.launch(a_node_order(node))
        order = replace(a_replica_order(f"{node}-r0", node), served_model=served)
        launcher.start_replica(order)
        until(lambda: any(r.endpoint for r in launcher.seen().replicas if r.node == node))
        return next(r.endpoint for r in launcher.seen().replicas if r.node == node)


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    yield Bench(tmp_path, capsys)
    end_engines(tmp_path)


def test_an_orphan_is_shown_and_then_ended_and_its_money_is_on_the_books(bench: Bench) -> None:
    bench.start(bench.launcher, NAME)
    code, out, _ = bench.run("reap", "--dry-run")
    assert (code, out) == (0, [f"{NAME}: runs without a row", "would end 1 thing; do it: bouted reap"])
    assert bench.running() == [NAME]
    code, out, _ = bench.run("reap", "--yes")
    assert (code, out[-2:]) == (0, ["no daemon runs; ending it from here", "done"])
    assert bench.running() == []
    with bench.store() as store:
        (row,) = load_fleet(store, datetime.now(UTC)).nodes
        assert (row.status, row.launched_at) == (NodeStatus.GONE, bench.launcher.seen().nodes[0].started_at)
        assert "price" in row.note or row.offer.usd_per_hour == 0
    assert bench.run("reap")[:2] == (
        0,
        ["nothing to reap: every node that runs has its row, and none needs attention"],
    )


def test_what_runs_although_its_row_has_ended_is_ended_by_name(bench: Bench) -> None:
    for name in (NAME, SECOND):
        bench.launcher.launch(a_node_order(name))
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    with bench.store() as store:
        add_node(store, replace(a_node(NAME), status=NodeStatus.LAUNCHING, since=long_ago, launcher="local"))
        move_node(store, NAME, NodeStatus.FAILED, Reason.TIMEOUT, long_ago)
    _, out, _ = bench.run("reap", "--dry-run")
    assert out[:2] == sorted([f"{NAME}: runs although it is failed", f"{SECOND}: runs without a row"])
    code, out, _ = bench.run("reap", NAME, "--yes")
    assert (code, out[-1]) == (0, "done")
    assert bench.running() == [SECOND]
    with bench.store() as store:
        assert spend_by_node(store, long_ago, datetime.now(UTC))[0].node == NAME


def test_a_row_that_needs_attention_is_cleared(bench: Bench) -> None:
    now = datetime.now(UTC)
    bench.launcher.launch(a_node_order(NAME))
    with bench.store() as store:
        add_node(store, replace(a_node(NAME), status=NodeStatus.UP, since=now, launcher="local"))
        move_node(store, NAME, NodeStatus.NEEDS_ATTENTION, Reason.UNEXPECTED, now, note="odd")
    _, out, _ = bench.run("reap", "--dry-run")
    assert out[0] == f"{NAME}: needs attention: odd"
    assert bench.run("reap", "--yes")[0] == 0
    with bench.store() as store:
        assert [node.status for node in load_fleet(store, now).nodes] == [NodeStatus.GONE]
    assert bench.running() == []


def test_reap_asks_a_person_and_says_what_it_does_not_know(bench: Bench) -> None:
    bench.launcher.launch(a_node_order(NAME))
    code, _, err = bench.run("reap")
    assert (code, err[0]) == (1, "error: reap ends things, and nobody is there to ask")
    code, _, err = bench.run("reap", "nobody", "--yes")
    assert (code, err) == (
        1,
        ["error: nobody is nothing to reap", "hint: see: bouted reap --dry-run"],
    )
    assert bench.running() == [NAME]


def look(bench: Bench, store: Store) -> Look:
    """One look of the daemon."""
    return asyncio.run(_look(bench, store))


async def _look(bench: Bench, store: Store) -> Look:
    clock = SystemClock()
    prober = HealthProber(clock)
    sight = Sight(store=store, launcher=bench.launcher, prober=prober, clock=clock, limits=limits)
    try:
        return await sight.look()
    finally:
        await prober.close()


async def _ask(route: Route, query: Query) -> int:
    upstream = Upstream()
    async with upstream.ask(route, query, {}) as answer:
        status = answer.status_code
    await upstream.close()
    return status


def test_an_engine_of_somebody_else_is_adopted_routed_to_and_let_go(bench: Bench) -> None:
    theirs = LocalLauncher(bench.folder / "theirs", "theirs", boot_s=0.0)
    (bench.folder / "theirs").mkdir()
    url = bench.start(theirs, "their-node", served="org/Model-8B")
    words = ("adopt", f"{url}/v1", "--model", "small", "--usd-per-hour", "2.50", "--gpu", "L4")
    code, out, err = bench.run(*words)
    assert (code, err) == (0, [])
    name = out[0].split(" ")[0]
    assert out[0] == f"{name} is adopted: small at $2.50/h; let it go with: bouted adopt --release {name}"
    with bench.store() as store:
        for _ in range(3):
            seen = look(bench, store)
        assert [(h.replica, h.ok) for h in seen.health] == [(f"{name}-r0", True)]
        fleet = load_fleet(store, datetime.now(UTC))
        (replica,) = serving(fleet)
        (route,) = routes((replica,), {replica.shape.id: 1.0}, {})
        assert (route.endpoint, route.served_model, route.model) == (url, "org/Model-8B", "small")
        assert f"{committed_usd_per_hour(store):.2f}" == "2.50"
        query = read_query("/v1/completions", b'{"model": "small", "prompt": "hi", "max_tokens": 2}')
        assert query is not None
        assert asyncio.run(_ask(route, query)) == 200
    code, _, err = bench.run(*words)
    assert (code, err[0]) == (1, f"error: {url} is in the fleet already, as {name}")
    code, out, _ = bench.run("adopt", "--release", name)
    assert (code, out) == (0, [f"{name} is let go; it goes on by itself"])
    with bench.store() as store:
        look(bench, store)
        fleet = load_fleet(store, datetime.now(UTC))
        assert [(n.status, n.reason) for n in fleet.nodes] == [(NodeStatus.GONE, Reason.RELEASED)]
        assert [r.status for r in fleet.replicas] == [ReplicaStatus.STOPPED]
    assert [r.name for r in theirs.seen().replicas] == ["their-node-r0"]
    assert bench.run(*words)[0] == 0  # and back again, under another name
    end_engines(bench.folder / "theirs")


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (("http://127.0.0.1:9", "--model", "small", "--usd-per-hour", "1"), "does not answer", "address"),
        (("ftp://x", "--model", "small", "--usd-per-hour", "1"), "no URL of an engine", "http://HOST:PORT"),
        (("http://h:x", "--model", "small", "--usd-per-hour", "1"), "is no URL", "http://HOST:PORT"),
        (("http://h", "--model", "tiny", "--usd-per-hour", "1"), "no model tiny", "small, large"),
        (("http://h", "--model", "small", "--usd-per-hour", "two"), "'two' is no price", "2.50"),
        (("http://h", "--model", "small"), "--usd-per-hour is missing", "bouted adopt URL"),
        (("--release", "x"), "no adopted endpoint is called x", "no endpoint is adopted"),
        (("http://h", "--model", "small", "--usd-per-hour", "1", "--gpu", "L5"), "L5", "L4"),
    ],
)
def test_what_cannot_be_adopted_is_one_line_and_a_hint(
    bench: Bench, words: tuple[str, ...], error: str, hint: str
) -> None:
    code, out, err = bench.run("adopt", *words)
    assert (code, out) == (1, [])
    assert error in err[0]
    assert hint in err[1]


def test_an_engine_that_calls_its_models_otherwise_must_be_told_apart(bench: Bench) -> None:
    from bouted.daemon.adopting import Heard, served_model
    from bouted.errors import Misconfigured
    from bouted.perf.shapes import Engine

    two = Heard(models=("a", "b"), engine=Engine.VLLM)
    assert served_model("a", "", two, "u") == ""
    assert served_model("small", "b", two, "u") == "b"
    with pytest.raises(Misconfigured, match="u serves a, b, not small"):
        served_model("small", "", two, "u")


def test_a_process_that_was_killed_is_lost_at_the_next_look(bench: Bench) -> None:
    url, now = bench.start(bench.launcher, NAME), datetime.now(UTC)
    node = replace(a_node(NAME), status=NodeStatus.UP, since=now, launcher="local")
    replica = replace(a_replica(node), name=f"{NAME}-r0", status=ReplicaStatus.READY, endpoint=url, since=now)
    with bench.store() as store:
        add_node(store, node)
        add_replica(store, replica)
        assert (look(bench, store)).observation.replicas == ()
        end_engines(bench.state_dir)
        (move,) = (look(bench, store)).observation.replicas
        assert (move.status, move.reason) == (ReplicaStatus.FAILED, Reason.LOST)
        move_replica(store, replica.name, ReplicaStatus.FAILED, Reason.LOST, now)
