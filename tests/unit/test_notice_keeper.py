"""Notices of machines about to be taken: stored first, acknowledged after, and never waited for."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bouted.daemon.notices import EMPTY_S, FAILED_S, IDLE_S, NoticeKeeper
from bouted.errors import SourceFailed
from bouted.events import EventKind
from bouted.market.notices import Notice, NoticeKind
from bouted.market.quotes import Answer
from bouted.reconcile.states import NodeStatus
from bouted.store.events import list_events
from bouted.store.fleet import add_node, load_fleet
from bouted.store.open import Store
from bouted.testing.clock import ManualClock
from bouted.testing.prices import NOON, ScriptedPrices, a_feed
from bouted.testing.processes import until
from bouted.testing.store import a_node, fresh_store

TAKEN = Notice(
    provider="aws",
    region="us-east-1",
    zone="use1-az4",
    instance="i-0abc",
    kind=NoticeKind.INTERRUPTION,
    at=NOON,
    deadline=NOON + timedelta(minutes=2),
    receipt="r1",
)


@dataclass
class Telling(ScriptedPrices):
    """A source that also gives `told` one by one, then nothing."""

    told: list[tuple[Notice, ...] | Exception]
    acknowledged: list[Notice] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(Answer(quotes=()), name="aws")

    def notices(self, wait_s: float) -> tuple[Notice, ...]:
        said = self.told.pop(0) if self.told else ()
        if isinstance(said, Exception):
            raise said
        return said

    def acknowledge(self, notices: tuple[Notice, ...]) -> None:
        self.acknowledged += notices


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(fresh_store(tmp_path)) as opened:
        yield opened


def poll(keeper: NoticeKeeper, source: Telling) -> tuple[Notice, ...]:
    """Start listening, wait for the answer, take it in."""
    feeds = (a_feed(source),)
    keeper.tick(feeds)
    if "aws" in keeper.listening:
        until(lambda: keeper.listening["aws"].done())
    return keeper.tick(feeds)


def test_a_notice_is_put_on_record_and_then_acknowledged(store: Store) -> None:
    keeper, source = NoticeKeeper(store=store, clock=ManualClock(NOON)), Telling([(TAKEN,)])
    assert poll(keeper, source) == (TAKEN,)
    (event,) = list_events(store, NOON - timedelta(days=1), 10)
    assert event.kind is EventKind.NOTICE
    assert event.message == "aws says that i-0abc in aws/use1-az4 will be taken at 12:02:00 UTC"
    assert source.acknowledged == [TAKEN]


def test_the_fleet_knows_from_then_on_when_the_node_goes(store: Store) -> None:
    keeper, source = NoticeKeeper(store=store, clock=ManualClock(NOON)), Telling([(TAKEN,)])
    add_node(store, replace(a_node(), status=NodeStatus.UP, instance_id="i-0abc"))
    poll(keeper, source)
    (node,) = load_fleet(store, NOON).nodes
    assert node.leaves_at == NOON + timedelta(minutes=2)
    (event,) = list_events(store, NOON - timedelta(days=1), 10)
    assert event.subject == "t-1"
    assert event.message == "aws says that t-1 (i-0abc) in aws/use1-az4 will be taken at 12:02:00 UTC"


def test_that_a_machine_may_be_taken_soon_is_told_and_changes_nothing(store: Store) -> None:
    feared = replace(TAKEN, kind=NoticeKind.REBALANCE, deadline=None)
    keeper, source = NoticeKeeper(store=store, clock=ManualClock(NOON)), Telling([(feared,)])
    add_node(store, replace(a_node(), status=NodeStatus.UP, instance_id="i-0abc"))
    poll(keeper, source)
    (node,) = load_fleet(store, NOON).nodes
    assert node.leaves_at is None
    assert len(list_events(store, NOON - timedelta(days=1), 10)) == 1
    assert source.acknowledged == [feared]


def test_a_source_without_notices_is_left_alone(store: Store) -> None:
    keeper = NoticeKeeper(store=store, clock=ManualClock(NOON))
    assert keeper.tick((a_feed(ScriptedPrices(Answer(quotes=()))),)) == ()
    assert keeper.listening == {}


@pytest.mark.parametrize(
    ("told", "pause_s"),
    [((), EMPTY_S), (SourceFailed("down"), FAILED_S), (KeyError("a bug"), IDLE_S)],
    ids=["nothing came", "it failed", "it has a bug"],
)
def test_a_poll_that_gave_nothing_is_followed_by_a_pause(
    store: Store, told: tuple[Notice, ...] | Exception, pause_s: float
) -> None:
    clock = ManualClock(NOON)
    keeper, source = NoticeKeeper(store=store, clock=clock), Telling([told, (TAKEN,)])
    assert poll(keeper, source) == ()
    clock.advance(pause_s - 0.1)
    assert poll(keeper, source) == ()
    assert keeper.listening == {}
    clock.advance(0.1)
    assert poll(keeper, source) == (TAKEN,)


def test_a_failing_source_is_logged_once_until_it_works_again(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock(NOON)
    keeper = NoticeKeeper(store=store, clock=clock)
    source = Telling([SourceFailed("down"), SourceFailed("down"), (TAKEN,), SourceFailed("again")])
    for _ in range(4):
        poll(keeper, source)
        clock.advance(FAILED_S)
    assert [record.getMessage() for record in caplog.records] == [
        "notices from aws: down",
        "notices from aws: again",
    ]


def test_a_clock_that_is_set_back_a_day_ends_the_pause(store: Store) -> None:
    keeper, source = NoticeKeeper(store=store, clock=ManualClock(NOON)), Telling([(), (TAKEN,)])
    assert poll(keeper, source) == ()
    keeper.clock = ManualClock(NOON - timedelta(days=1))
    assert poll(keeper, source) == (TAKEN,)
