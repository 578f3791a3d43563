"""What is kept of a replica: version, time of its start, what that fetched; revisions go up and down."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from bouted.config.running import ChangeSettings
from bouted.planner.terms import UsualStart
from bouted.reconcile.fleet import Fetched
from bouted.reconcile.observe import Told
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.fetches import usual_gib
from bouted.store.fleet import add_node, add_replica, load_fleet, move_node, move_replica, note_told
from bouted.store.names import SCHEMA_REVISION
from bouted.store.open import Store, open_store, sqlite_url
from bouted.store.starts import usual_start
from bouted.testing.fleet import START
from bouted.testing.revisions import at_revision
from bouted.testing.store import a_node, a_replica, fresh_store

REPLICA = a_replica(a_node())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(fresh_store(tmp_path)) as made:
        yield made


def a_fleet(store: Store) -> None:
    add_node(store, replace(a_node(), status=NodeStatus.UP))
    add_replica(store, replace(REPLICA, status=ReplicaStatus.READY))


def test_a_version_is_kept_and_what_has_no_row_is_passed_over(store: Store) -> None:
    a_fleet(store)
    name = REPLICA.name
    note_told(store, {name: Told(version="vllm 0.32.0"), "nobody": Told(version="vllm 9")})
    note_told(store, {})
    assert [(r.name, r.version) for r in load_fleet(store, START).replicas] == [(name, "vllm 0.32.0")]


def start(store: Store, number: int, boot_s: float, load_s: float, fetched: Fetched | None = None) -> None:
    """A node that came up and an engine that first warmed and then served."""
    node = replace(
        a_node(), name=f"n{number}", slot=f"s{number}", status=NodeStatus.LAUNCHING, reason=Reason.PLAN
    )
    engine = replace(a_replica(node), status=ReplicaStatus.STARTING)
    up, served = START + timedelta(seconds=boot_s), START + timedelta(seconds=load_s)
    add_node(store, node)
    move_node(store, node.name, NodeStatus.UP, Reason.OBSERVED, up)
    add_replica(store, engine)
    middle = START + timedelta(seconds=load_s / 2)
    move_replica(store, engine.name, ReplicaStatus.WARMING, Reason.OBSERVED, middle)
    move_replica(store, engine.name, ReplicaStatus.READY, Reason.OBSERVED, served)
    note_told(store, {engine.name: Told(version="vllm 1", fetched=fetched)})


def usual(boot_s: float, load_s: float, count: int) -> UsualStart:
    """A start of which nothing is known apart."""
    return UsualStart(hours=(boot_s + load_s) / 3600, starts=count)


def test_the_usual_start_is_the_median_of_nodes_and_of_engines_once_there_are_three(store: Store) -> None:
    for number, (boot_s, load_s) in enumerate(((60.0, 200.0), (90.0, 100.0), (300.0, 120.0))):
        assert usual_start(store) is None
        start(store, number, boot_s, load_s)
    assert usual_start(store) == usual(90.0, 120.0, 3)


def test_what_failed_to_start_or_was_started_while_the_clock_went_back_says_nothing_odd(store: Store) -> None:
    for number in range(3):
        start(store, number, 60.0, 100.0)
    start(store, 3, -500.0, -100.0)
    failed = replace(a_node(), name="n9", slot="s9", status=NodeStatus.LAUNCHING)
    add_node(store, failed)
    move_node(store, "n9", NodeStatus.FAILED, Reason.TIMEOUT, START + timedelta(hours=9))
    assert usual_start(store) == usual(60.0, 100.0, 4)


def test_an_engine_that_still_warms_or_failed_while_it_did_is_no_start(store: Store) -> None:
    for number, last in enumerate((ReplicaStatus.WARMING, ReplicaStatus.FAILED, ReplicaStatus.READY)):
        node = replace(a_node(), name=f"n{number}", slot=f"s{number}", status=NodeStatus.LAUNCHING)
        add_node(store, node)
        move_node(store, node.name, NodeStatus.UP, Reason.OBSERVED, START + timedelta(seconds=60))
        engine = replace(a_replica(node), status=ReplicaStatus.STARTING)
        add_replica(store, engine)
        move_replica(store, engine.name, ReplicaStatus.WARMING, Reason.OBSERVED, START + timedelta(seconds=9))
        move_replica(store, engine.name, last, Reason.TIMEOUT, START + timedelta(seconds=99))
    assert usual_start(store) is None
    for number in (7, 8):
        start(store, number, 60.0, 99.0)
    assert usual_start(store) == usual(60.0, 99.0, 5)


def test_fetching_is_told_apart_once_three_starts_fetched_some(store: Store) -> None:
    for number, gib in enumerate((10.0, 20.0)):
        start(store, number, 60.0, 40.0 + 2 * gib, Fetched(gib=gib, seconds=2 * gib))
    start(store, 2, 60.0, 70.0, Fetched(gib=0.0, seconds=30.0))
    assert usual_start(store) == usual(60.0, 70.0, 3), "two are too few"
    start(store, 3, 60.0, 140.0, Fetched(gib=40.0, seconds=100.0))
    found = usual_start(store)
    assert found is not None
    assert found.hours == pytest.approx(100 / 3600), "40 s of loading each"
    assert found.fetch_h_per_gib == pytest.approx(2 / 3600)
    assert (found.starts, found.fetches) == (4, 3)


def test_what_a_node_fetched_for_a_model_is_the_sum_of_its_engines(store: Store) -> None:
    assert usual_gib(store) == {}
    for number, gib in enumerate((14.0, 15.0, 16.0)):
        start(store, number, 60.0, 100.0, Fetched(gib=gib, seconds=9.0))
    node = replace(a_node(), name="n0", slot="s0")
    second = replace(a_replica(node), name="second")
    add_replica(store, second)
    note_told(store, {"second": Told(fetched=Fetched(gib=2.0, seconds=1.0))})
    shape = second.shape
    assert usual_gib(store) == {(shape.model, shape.precision): 16.0}


def test_fetches_that_were_edited_by_hand_say_nothing(store: Store) -> None:
    for number in range(3):
        start(store, number, 60.0, 100.0, Fetched(gib=10.0, seconds=20.0))
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE replicas SET fetched_gib = 'many', fetch_s = -1"))
    assert usual_start(store) == usual(60.0, 100.0, 3)
    assert usual_gib(store) == {}
    assert all(r.fetched is None for r in load_fleet(store, START).replicas)


def test_the_config_wins_over_what_was_learned() -> None:
    usual = UsualStart(hours=0.5, starts=7, fetch_h_per_gib=0.01, fetches=4)
    learned = ChangeSettings().switching(usual)
    assert (learned.start_h, learned.starts, learned.fetch_h_per_gib, learned.fetches) == (0.5, 7, 0.01, 4)
    assert learned.overlap_h > 0.5
    for said in ({"start_hours": 0.1}, {"fetch_gib_per_s": 1.0}):
        settings = ChangeSettings.model_validate(said)
        assert settings.switching(usual) == settings.switching()
        assert (settings.switching(usual).start_h, settings.switching(usual).starts) == (0.1, 0)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_revision_0008_goes_up_and_down_with_replicas_in_the_store(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = sqlite_url(tmp_path) if kind == "sqlite" else request.getfixturevalue("new_on_postgres")()
    with closing(open_store(url)) as store:
        a_fleet(store)
        note_told(store, {REPLICA.name: Told(version="vllm 0.32.0")})
        move_replica(store, REPLICA.name, ReplicaStatus.DRAINING, Reason.UPGRADED, START)
        (was,) = load_fleet(store, START).replicas
        store.engine.dispose()
        at_revision(url, "0007", up=False)
        with store.engine.connect() as connection:
            assert connection.execute(text("SELECT reason FROM replicas")).scalars().all() == ["superseded"]
        store.engine.dispose()
        at_revision(url, SCHEMA_REVISION, up=True)
        (replica,) = load_fleet(store, START).replicas
        assert replica == replace(was, reason=Reason.SUPERSEDED, version="")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_revision_0009_goes_up_and_down_with_replicas_in_the_store(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = sqlite_url(tmp_path) if kind == "sqlite" else request.getfixturevalue("new_on_postgres")()
    with closing(open_store(url)) as store:
        a_fleet(store)
        note_told(store, {REPLICA.name: Told(version="vllm 1", fetched=Fetched(gib=15.0, seconds=9.0))})
        given_up = replace(
            a_node(), name="n2", slot="s2", status=NodeStatus.FAILED, reason=Reason.NEVER_UP, since=START
        )
        add_node(store, given_up)
        (was,) = load_fleet(store, START).replicas
        assert was.fetched == Fetched(gib=15.0, seconds=9.0)
        store.engine.dispose()
        at_revision(url, "0008", up=False)
        at_revision(url, SCHEMA_REVISION, up=True)
        fleet = load_fleet(store, START)
        assert fleet.replicas == (replace(was, fetched=None),)
        assert replace(given_up, reason=Reason.TIMEOUT) in fleet.nodes
