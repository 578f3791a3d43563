"""Which version of its engine a replica runs is kept; the revision that keeps it goes up and down."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.engine import WRITES, make_engine
from bouted.store.fleet import add_node, add_replica, load_fleet, move_replica, note_versions
from bouted.store.open import Store, open_store, sqlite_url
from bouted.store.upgrade import alembic_config, scripts_folder
from bouted.testing.fleet import START
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


def at_revision(url: str, revision: str, *, up: bool) -> None:
    engine = make_engine(url, migrating=True).execution_options(**{WRITES: True})
    with engine.begin() as connection:
        move = command.upgrade if up else command.downgrade
        move(alembic_config(scripts_folder(), connection), revision)
    engine.dispose()
