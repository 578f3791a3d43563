"""A daemon of an older release, whose schema was upgraded under it, goes on writing rows."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, insert, inspect, select

from bouted.planner.plan import PlanStatus
from bouted.reconcile.states import NodeStatus, ReplicaStatus
from bouted.store.engine import make_engine
from bouted.store.fleet import add_node, add_replica, load_fleet
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.names import SCHEMA_REVISION
from bouted.store.open import Store, open_store, sqlite_url
from bouted.store.plans import desired_plan, save_plan, set_desired_plan
from bouted.store.upgrade import alembic_config, scripts_folder
from bouted.testing.fleet import START
from bouted.testing.revisions import at_revision
from bouted.testing.store import a_node, a_plan, a_replica

EXPANDED_SINCE = "0005"
"""The oldest schema whose daemons may still run: nothing of it was taken away since."""

DIRECTORY = ScriptDirectory.from_config(alembic_config(scripts_folder()))
OLDER = [
    script.revision
    for script in DIRECTORY.walk_revisions()
    if EXPANDED_SINCE <= script.revision < SCHEMA_REVISION
]
Rows = dict[str, list[dict[str, Any]]]


def with_rows(store: Store) -> None:
    """A plan in force, a node and a replica of it."""
    fenced = store.fenced(DAEMON_LEASE, take_lease(store, DAEMON_LEASE, "here", START, 15.0))
    save_plan(fenced, a_plan(store, "aaa1"), PlanStatus.PROPOSED)
    set_desired_plan(fenced, "aaa1")
    add_node(fenced, replace(a_node(), status=NodeStatus.UP))
    add_replica(fenced, replace(a_replica(a_node()), status=ReplicaStatus.READY))


def known_tables(engine: Engine) -> MetaData:
    """The tables with the columns that they have now."""
    known = MetaData()
    known.reflect(engine)
    known.remove(known.tables["alembic_version"])
    return known


def taken_out(engine: Engine, known: MetaData) -> Rows:
    """Every row, by the columns that were known; the tables are empty after."""
    with engine.begin() as connection:
        rows = {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in known.sorted_tables
        }
        for table in reversed(known.sorted_tables):
            connection.execute(table.delete())
    return rows


@pytest.mark.parametrize("before", OLDER)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_rows_written_as_an_older_release_does_are_taken_by_the_newest_schema(
    kind: str, before: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = sqlite_url(tmp_path) if kind == "sqlite" else request.getfixturevalue("new_on_postgres")()
    with closing(open_store(url)) as store:
        with_rows(store)
        fleet, plan = load_fleet(store, START), desired_plan(store)
        store.engine.dispose()
        at_revision(url, before, up=False)
        known = known_tables(store.engine)
        store.engine.dispose()
        at_revision(url, SCHEMA_REVISION, up=True)
        rows = taken_out(store.engine, known)
        assert load_fleet(store, START).nodes == ()
        with store.engine.begin() as connection:
            for table in known.sorted_tables:
                for row in rows[table.name]:
                    connection.execute(insert(table).values(row))
        assert (load_fleet(store, START), desired_plan(store)) == (fleet, plan)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_column_that_came_since_must_be_named(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = sqlite_url(tmp_path) if kind == "sqlite" else request.getfixturevalue("new_on_postgres")()
    at_revision(url, EXPANDED_SINCE, up=True)
    engine = make_engine(url, migrating=True)
    known = known_tables(engine)
    at_revision(url, SCHEMA_REVISION, up=True)
    found = inspect(engine)
    for table in known.sorted_tables:
        now = {column["name"]: column for column in found.get_columns(table.name)}
        assert set(table.columns.keys()) <= now.keys(), "a column was taken away"
        came = [now[name] for name in now.keys() - set(table.columns.keys())]
        must = [column["name"] for column in came if not column["nullable"] and column["default"] is None]
        assert must == [], table.name
    engine.dispose()
