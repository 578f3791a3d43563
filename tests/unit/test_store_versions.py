"""What is kept of a replica's version and of how long starts took; the revision goes up and down."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from bouted.config.running import ChangeSettings
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.fleet import add_node, add_replica, load_fleet, move_node, move_replica, note_versions
from bouted.store.open import Store, open_store, sqlite_url
from bouted.store.starts import UsualStart, usual_start
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
    note_versions(store, {name: "vllm 0.32.0", "nobody": "vllm 9"})
    note_versions(store, {})
    assert [(r.name, r.version) for r in load_fleet(store, START).replicas] == [(name, "vllm 0.32.0")]


def start(store: Store, number: int, boot_s: float, load_s: float) -> None:
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


def test_the_usual_start_is_the_median_of_nodes_and_of_engines_once_there_are_three(store: Store) -> None:
    for number, (boot_s, load_s) in enumerate(((60.0, 200.0), (90.0, 100.0), (300.0, 120.0))):
        assert usual_start(store) is None
        start(store, number, boot_s, load_s)
    assert usual_start(store) == UsualStart(seconds=90.0 + 120.0, count=3)


def test_what_failed_to_start_or_was_started_while_the_clock_went_back_says_nothing_odd(store: Store) -> None:
    for number in range(3):
        start(store, number, 60.0, 100.0)
    start(store, 3, -500.0, -100.0)
    failed = replace(a_node(), name="n9", slot="s9", status=NodeStatus.LAUNCHING)
    add_node(store, failed)
    move_node(store, "n9", NodeStatus.FAILED, Reason.TIMEOUT, START + timedelta(hours=9))
    assert usual_start(store) == UsualStart(seconds=60.0 + 100.0, count=4)


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
    assert usual_start(store) == UsualStart(seconds=60.0 + 99.0, count=5)


def test_the_config_wins_over_what_was_learned() -> None:
    learned = ChangeSettings().switching(0.5, 7)
    assert (learned.start_h, learned.starts) == (0.5, 7)
    assert learned.overlap_h > 0.5
    for said in ({"start_hours": 0.1}, {"fetch_gib_per_s": 1.0}):
        declared = ChangeSettings.model_validate(said).switching(0.5, 7)
        assert (declared.start_h, declared.starts) == (0.1, 0)
    assert ChangeSettings().switching() == ChangeSettings().switching(None, 7)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_revision_0008_goes_up_and_down_with_replicas_in_the_store(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = sqlite_url(tmp_path) if kind == "sqlite" else request.getfixturevalue("new_on_postgres")()
    with closing(open_store(url)) as store:
        a_fleet(store)
        note_versions(store, {REPLICA.name: "vllm 0.32.0"})
        move_replica(store, REPLICA.name, ReplicaStatus.DRAINING, Reason.UPGRADED, START)
        (was,) = load_fleet(store, START).replicas
        store.engine.dispose()
        at_revision(url, "0007", up=False)
        with store.engine.connect() as connection:
            assert connection.execute(text("SELECT reason FROM replicas")).scalars().all() == ["superseded"]
        store.engine.dispose()
        at_revision(url, "0008", up=True)
        (replica,) = load_fleet(store, START).replicas
        assert replica == replace(was, reason=Reason.SUPERSEDED, version="")
