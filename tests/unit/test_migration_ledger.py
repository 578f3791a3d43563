"""Revision 0005 turns intervals into what is known of each node, both ways, with rows in place."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, bindparam, text

from bouted.codec import dump
from bouted.ledger.rules import EXACT
from bouted.market.offers import Offer
from bouted.planner.planned import Template
from bouted.reconcile.observe import NodeTimes
from bouted.store.columns import UtcDateTime
from bouted.store.engine import WRITES, make_engine
from bouted.store.open import Store, open_store, sqlite_url
from bouted.store.spend import committed_usd_per_hour, correct_times, spend_by_node, spend_usd
from bouted.store.upgrade import alembic_config, scripts_folder, upgrade
from bouted.testing.fleet import START
from bouted.testing.store import a_node

FOREVER = START + timedelta(days=365)
as_intervals = import_module("bouted.migrations.versions.0005_ledger").as_intervals


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    made: str = request.getfixturevalue("new_on_postgres")()
    return made


def correct(store: Store, node: str, started_at: datetime | None, ended_at: datetime | None = None) -> None:
    """The provider's word on one node."""
    correct_times(store, [NodeTimes(name=node, started_at=started_at, ended_at=ended_at)])


@contextmanager
def changing(url: str) -> Iterator[Connection]:
    engine = make_engine(url, migrating=True).execution_options(**{WRITES: True})
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def later(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


TIMES = (bindparam("since", type_=UtcDateTime()), bindparam("ended", type_=UtcDateTime()))
NODES = text(
    "INSERT INTO nodes (name, slot, incarnation, plan_id, offer, template, launcher, status, reason, since, "
    "ended_at, note) VALUES (:name, :name, 1, 'p', :offer, :template, 'memory', :status, 'plan', :since, "
    ":ended, '')"
).bindparams(*TIMES)
SPENT = text(
    "INSERT INTO spend_intervals (node, started_at, ended_at, usd_per_hour, estimated) "
    "VALUES (:node, :since, :ended, :usd, :estimated)"
).bindparams(*TIMES)
INTERVALS = (
    ("two-prices", later(0), later(30), "6.00", False),
    ("two-prices", later(30), later(60), "12.00", False),
    ("refused", later(5), later(5), "6.00", True),
    ("running", later(10), later(20), "3.00", True),
    ("running", later(20), None, "6.00", True),
    ("repriced-at-once", later(0), later(0), "99.00", False),
    ("repriced-at-once", later(0), later(60), "1.00", False),
)


def make_0004(url: str) -> None:
    """A database at revision 0004 with nodes and what they cost."""
    node = a_node()
    offer, template = dump(Offer, node.offer).decode(), dump(Template, node.template).decode()
    with changing(url) as connection:
        command.upgrade(alembic_config(scripts_folder(), connection), "0004")
        for name in dict.fromkeys(row[0] for row in INTERVALS):
            ended = None if name == "running" else later(60)
            connection.execute(
                NODES,
                {
                    "name": name,
                    "offer": offer,
                    "template": template,
                    "status": "up" if ended is None else "gone",
                    "since": later(0),
                    "ended": ended,
                },
            )
        for node_name, start, end, usd, estimated in INTERVALS:
            connection.execute(
                SPENT,
                {"node": node_name, "since": start, "ended": end, "usd": usd, "estimated": estimated},
            )


def spent(store: Store) -> dict[str, Decimal]:
    return {one.node: one.usd for one in spend_by_node(store, START, later(60), (EXACT,))}


def test_what_was_spent_before_is_what_was_spent_after(url: str) -> None:
    make_0004(url)
    with closing(open_store(url)) as store:
        assert spent(store) == {
            "two-prices": Decimal(9),
            "running": Decimal("4.5"),
            "repriced-at-once": Decimal(1),
        }
        assert committed_usd_per_hour(store) == Decimal("6.00")
        correct(store, "running", later(0), later(50))
        assert spend_usd(store, START, FOREVER, (EXACT,)) == 9 + 1 + 1 + 3


def test_going_back_gives_intervals_of_the_same_dollars(url: str) -> None:
    make_0004(url)
    with closing(open_store(url)) as store:
        before = spent(store)
        with changing(url) as connection:
            command.downgrade(alembic_config(scripts_folder(), connection), "0004")
            rows = connection.execute(
                text("SELECT node, usd_per_hour, ended_at IS NULL FROM spend_intervals ORDER BY id")
            ).all()
        assert sorted((node, usd, bool(runs)) for node, usd, runs in rows) == [
            ("refused", "6.00", False),
            ("repriced-at-once", "1.00", False),
            ("running", "3.00", False),
            ("running", "6.00", True),
            ("two-prices", "12.00", False),
            ("two-prices", "6.00", False),
        ]
        store.engine.dispose()
        upgrade(url)
        assert spent(store) == before


def test_an_account_becomes_intervals_that_neither_overlap_nor_run_backwards() -> None:
    account = {
        "node": "n",
        "asked_at": later(0),
        "started_at": later(10),
        "noticed_end": later(90),
        "ended_at": later(40),
        "came_up": True,
        "usd_per_hour": "1",
    }
    steps = [{"at": later(minute), "usd_per_hour": str(minute)} for minute in (5, 20, 50)]
    assert [
        (row["started_at"], row["ended_at"], row["usd_per_hour"]) for row in as_intervals(account, steps)
    ] == [(later(10), later(20), "5"), (later(20), later(40), "20")]
    never = {**account, "started_at": None, "ended_at": None, "came_up": False}
    assert [(row["started_at"], row["ended_at"]) for row in as_intervals(never, [])] == [(later(0), later(0))]
