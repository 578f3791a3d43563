"""Notices in the store: which nodes they name, in whatever order things become known, and for how long."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from bouted.market.notices import Notice, NoticeKind
from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.fleet import add_node, load_fleet, move_node
from bouted.store.keeping import Keep, let_go_old
from bouted.store.names import SCHEMA_REVISION
from bouted.store.notices import FORGOTTEN, keep_notices, nodes_of, note_instances
from bouted.store.open import Store, open_store, sqlite_url
from bouted.testing.fleet import START
from bouted.testing.revisions import at_revision
from bouted.testing.store import a_node, fresh_store

GOES = START + timedelta(minutes=2)
UP = replace(a_node(), status=NodeStatus.UP, reason=Reason.OBSERVED)


def a_notice(
    instance: str = "i-1", provider: str = "aws", kind: NoticeKind = NoticeKind.INTERRUPTION
) -> Notice:
    return Notice(
        provider=provider,
        region="us-east-1",
        zone="",
        instance=instance,
        kind=kind,
        at=START,
        deadline=GOES if kind is NoticeKind.INTERRUPTION else None,
        receipt="r",
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        opened = fresh_store(tmp_path)
    else:
        opened = open_store(request.getfixturevalue("new_on_postgres")())
    with closing(opened):
        yield opened


def hear(store: Store, notice: Notice) -> None:
    keep_notices(store, (notice,), (), START)


def goes_at(store: Store, after: timedelta = timedelta(0)) -> object:
    (node,) = load_fleet(store, START + after).nodes
    return node.leaves_at


def test_a_node_goes_when_the_notice_of_its_machine_says(store: Store) -> None:
    add_node(store, replace(UP, instance_id="i-1"))
    assert goes_at(store) is None
    hear(store, a_notice())
    assert goes_at(store) == GOES


def test_a_notice_may_come_before_the_name_of_the_machine_is_known(store: Store) -> None:
    add_node(store, UP)
    hear(store, a_notice())
    assert goes_at(store) is None
    note_instances(store, {"t-1": "i-1", "nobody": "i-2"})
    assert goes_at(store) == GOES
    assert nodes_of(store, {"i-1", "i-2"}) == {"i-1": "t-1"}


def test_a_notice_may_name_the_node_itself(store: Store) -> None:
    add_node(store, UP)
    hear(store, a_notice("t-1"))
    assert goes_at(store) == GOES
    assert nodes_of(store, {"t-1"}) == {"t-1": "t-1"}


@pytest.mark.parametrize(
    "other", [a_notice("i-2"), a_notice(provider="gcp"), a_notice(kind=NoticeKind.REBALANCE), a_notice("")]
)
def test_other_notices_say_nothing_about_a_node(store: Store, other: Notice) -> None:
    add_node(store, UP)
    hear(store, other)
    assert goes_at(store) is None


def test_what_was_taken_goes_at_once_and_a_later_word_holds(store: Store) -> None:
    add_node(store, replace(UP, instance_id="i-1"))
    hear(store, a_notice())
    hear(store, a_notice(kind=NoticeKind.PREEMPTED))
    assert goes_at(store) == START


def test_a_machine_that_is_there_a_day_later_was_not_taken(store: Store) -> None:
    add_node(store, replace(UP, instance_id="i-1"))
    hear(store, a_notice())
    assert goes_at(store, FORGOTTEN) == GOES
    assert goes_at(store, FORGOTTEN + timedelta(minutes=3)) is None


def test_what_has_ended_does_not_leave_any_more(store: Store) -> None:
    add_node(store, replace(UP, instance_id="i-1"))
    hear(store, a_notice())
    move_node(store, "t-1", NodeStatus.FAILED, Reason.LOST, START)
    assert goes_at(store) is None
    assert nodes_of(store, {"i-1"}) == {}


def test_old_notices_are_let_go_of(store: Store) -> None:
    hear(store, a_notice())
    keep = Keep(journal=timedelta(days=1), history=timedelta(days=2))
    assert let_go_old(store, GOES, keep) == 0
    assert let_go_old(store, GOES + timedelta(days=2), keep) == 1


def test_a_time_that_somebody_spoilt_is_no_notice(tmp_path: Path) -> None:
    with closing(fresh_store(tmp_path)) as store:
        add_node(store, replace(UP, instance_id="i-1"))
        hear(store, a_notice())
        with store.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE notices SET leaves_at = 'soon'")
        assert goes_at(store) is None


# revision 0007


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_revision_0007_goes_up_and_down_with_nodes_in_the_store(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = sqlite_url(tmp_path) if kind == "sqlite" else request.getfixturevalue("new_on_postgres")()
    with closing(open_store(url)) as store:
        add_node(store, replace(UP, instance_id="i-1"))
        move_node(store, "t-1", NodeStatus.STOPPING, Reason.NOTICED, START)
        hear(store, a_notice())
        before = load_fleet(store, START)
        store.engine.dispose()
        at_revision(url, "0006", up=False)
        assert "notices" not in inspect(store.engine).get_table_names()
        with store.engine.connect() as connection:
            assert connection.execute(text("SELECT reason FROM nodes")).scalars().all() == ["superseded"]
        store.engine.dispose()
        at_revision(url, SCHEMA_REVISION, up=True)
        (node,), (was,) = load_fleet(store, START).nodes, before.nodes
        assert node == replace(was, reason=Reason.SUPERSEDED, instance_id="", leaves_at=None)
