"""Old rows go, a few at a time; what is live or in force or numbers a name stays; room goes back."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from bouted.codec import content_hash
from bouted.config.running import DatabaseSettings
from bouted.daemon.keeping import HouseKeeper
from bouted.errors import Gone
from bouted.events import EventKind
from bouted.market.offers import Offer
from bouted.reconcile.observe import NodeTimes
from bouted.reconcile.rollout import Step, Trial
from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.documents import get_document
from bouted.store.events import list_events
from bouted.store.fleet import add_node, add_replica, load_fleet, move_node
from bouted.store.keeping import Keep, give_back, let_go_old, mend_future
from bouted.store.plans import desired_plan, list_plans
from bouted.store.prices import price_history, record_offers
from bouted.store.session import Store
from bouted.store.spend import correct_times, spend_usd
from bouted.store.tables import (
    Actions,
    Base,
    Documents,
    Events,
    Nodes,
    PriceObservations,
    Replicas,
    SpendTimes,
)
from bouted.store.trials import load_trials, save_trial
from bouted.testing.clock import ManualClock
from bouted.testing.fleet import START, an_offer
from bouted.testing.passes import at_once
from bouted.testing.store import a_node, a_replica, fresh_store
from bouted.testing.year import Rates, write_year

SMALL = Rates(nodes=3, offers=4, prices=6, plans=2, ended_nodes=2, events=20, actions=5, problem_kib=4,
              frontier_kib=1)  # fmt: skip
KEEP = Keep(journal=timedelta(days=5), history=timedelta(days=20))
DAYS = 30


def count(store: Store, table: type[Base]) -> int:
    with store.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def old(each_store: Store) -> Store:
    """Thirty days of a small fleet, never kept house in."""
    write_year(each_store, START, days=DAYS, rates=SMALL)
    return each_store


def test_the_journal_goes_and_the_rest_stays_as_it_was(old: Store) -> None:
    fleet = load_fleet(old, START)
    assert let_go_old(old, START, KEEP) > 0
    assert count(old, Events) == 5 * SMALL.events
    assert count(old, Actions) == 5 * SMALL.actions
    assert load_fleet(old, START) == fleet


def test_a_second_time_finds_nothing(old: Store) -> None:
    let_go_old(old, START, KEEP)
    assert let_go_old(old, START, KEEP) == 0


def test_money_of_the_time_that_is_kept_stays_to_the_cent(old: Store) -> None:
    since = START - timedelta(days=19)
    before = spend_usd(old, since, START)
    let_go_old(old, START, KEEP)
    assert spend_usd(old, since, START) == before > 0


def test_ended_nodes_go_with_their_money_but_the_last_of_each_slot_stays(old: Store) -> None:
    before = load_fleet(old, START).incarnations
    let_go_old(old, START, KEEP)
    assert load_fleet(old, START).incarnations == before
    with old.reading() as session:
        oldest = session.scalar(select(func.min(Nodes.ended_at)))
    assert oldest is not None
    assert oldest >= START - KEEP.history
    assert count(old, Nodes) == SMALL.nodes + 20 * SMALL.ended_nodes
    assert count(old, Replicas) == 2 * SMALL.nodes + 2 * 5 * SMALL.ended_nodes


def test_a_node_that_was_several_machines_goes_with_all_of_them(old: Store) -> None:
    with old.reading() as session:
        name = session.scalars(select(Nodes.name).where(Nodes.name.like("past-1-%")).limit(1)).one()
    for hours in (0, 2, 4):
        began = START + timedelta(days=1, hours=hours)
        correct_times(old, [NodeTimes(name=name, started_at=began, ended_at=began + timedelta(hours=1))])
    assert count(old, SpendTimes) > 0
    let_go_old(old, START + timedelta(days=DAYS), KEEP)
    assert count(old, SpendTimes) == 0


def test_the_last_node_of_a_slot_is_never_too_old(each_store: Store) -> None:
    for number in (1, 2):
        add_node(each_store, a_node(f"t-{number}", incarnation=number))
        move_node(each_store, f"t-{number}", NodeStatus.GONE, Reason.OPERATOR, START)
    let_go_old(each_store, START + timedelta(days=3650), KEEP)
    with each_store.reading() as session:
        assert session.scalars(select(Nodes.name)).all() == ["t-2"]


def test_the_plan_in_force_keeps_what_it_was_made_from_and_old_ones_do_not(old: Store) -> None:
    plan = desired_plan(old)
    assert plan is not None
    let_go_old(old, START + timedelta(days=3650), KEEP)
    assert [row.plan for row in list_plans(old, 100)] == [plan]
    assert len(get_document(old, plan.problem_hash)) == SMALL.problem_kib * 1024
    assert len(get_document(old, plan.frontier_hash)) == SMALL.frontier_kib * 1024
    with old.reading() as session:
        left = set(session.scalars(select(Documents.hash))) - {content_hash(b"{}")}
    assert left == {plan.problem_hash, plan.frontier_hash}


def test_a_plan_outlives_the_problem_it_was_made_from(old: Store) -> None:
    let_go_old(old, START, KEEP)
    plans = [row.plan for row in list_plans(old, 1000)]
    assert min(plan.created_at for plan in plans) == START - KEEP.history
    with pytest.raises(Gone):
        get_document(old, plans[-1].problem_hash)


def an_hourly(offer: Offer, at: datetime, usd: str) -> Offer:
    return Offer(**{name: getattr(offer, name) for name in offer.__dataclass_fields__}
                 | {"observed_at": at, "usd_per_hour": Decimal(usd)})  # fmt: skip


def test_of_old_prices_the_last_of_each_day_stays(each_store: Store) -> None:
    offer = an_offer()
    prices = tuple(
        an_hourly(offer, START + timedelta(days=day, hours=hour), f"{day + 1}.{hour:02}")
        for day in range(30) for hour in (1, 9, 23)
    )  # fmt: skip
    record_offers(each_store, prices, START)
    now = START + timedelta(days=30)
    recent = price_history(each_store, offer.id, now - KEEP.journal)
    let_go_old(each_store, now, KEEP)
    assert price_history(each_store, offer.id, now - KEEP.journal) == recent
    assert count(each_store, PriceObservations) == 5 * 3 + 15 + 1
    (first, *_) = price_history(each_store, offer.id, now - KEEP.history)
    assert first.usd_per_hour == Decimal("10.23"), "what was in force when history begins is known"


def test_a_file_gives_its_room_back(tmp_path: Path) -> None:
    store = fresh_store(tmp_path)
    write_year(store, START, days=5, rates=Rates(nodes=1, offers=1, plans=10, problem_kib=60))
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    before = (tmp_path / "bouted.db").stat().st_size
    let_go_old(store, START + timedelta(days=3650), KEEP)
    give_back(store)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert (tmp_path / "bouted.db").stat().st_size < before / 2
    store.close()


# a clock that was set back


def test_after_the_clock_was_set_back_a_day_waiting_begins_anew(each_store: Store) -> None:
    tomorrow, now = START + timedelta(days=1), START
    node = a_node()
    add_node(each_store, node)
    move_node(each_store, "t-1", NodeStatus.LAUNCHING, Reason.PLAN, tomorrow)
    add_replica(each_store, a_replica(node))
    with each_store.writing() as session:
        session.execute(update(Replicas).values(since=tomorrow))
    assert mend_future(each_store, now) == 2
    fleet = load_fleet(each_store, now)
    assert [node.since for node in fleet.nodes] == [now]
    assert [replica.since for replica in fleet.replicas] == [now]
    assert mend_future(each_store, now) == 0


def test_a_trial_that_is_ahead_of_the_clock_goes_on_from_its_step_and_the_others_stay(
    each_store: Store,
) -> None:
    now = START + timedelta(hours=1)
    reached = [
        Trial(kind="k", step=Step.CANARY, since=START),
        Trial(kind="k", step=Step.QUARTER, since=now + timedelta(hours=5)),
        Trial(kind="k", step=Step.HALF, since=now + timedelta(hours=6)),
        Trial(kind="proved", step=Step.PROVED, since=START),
    ]
    for trial in reached:
        save_trial(each_store, trial)
    assert mend_future(each_store, now) == 1
    assert load_trials(each_store) == {
        "k": Trial(kind="k", step=Step.HALF, since=now),
        "proved": reached[-1],
    }
    later = now + timedelta(hours=7)
    save_trial(each_store, Trial(kind="k", step=Step.CANARY, since=later))
    assert load_trials(each_store)["k"].step is Step.CANARY, "what was ahead never comes back"
    assert mend_future(each_store, later) == 0


def test_a_minute_ahead_is_no_reason_to_change_anything(each_store: Store) -> None:
    add_node(each_store, a_node())
    assert mend_future(each_store, START - timedelta(seconds=30)) == 0


def test_the_daemon_tells_that_the_clock_was_set_back(each_store: Store) -> None:
    add_node(each_store, a_node())
    clock = ManualClock(START - timedelta(days=1))
    house = HouseKeeper(store=each_store, clock=clock, in_thread=at_once)
    asyncio.run(house.tick(DatabaseSettings()))
    (event,) = list_events(each_store)
    assert event.kind is EventKind.CLOCK_BACK
    assert "1 row" in event.message


# once a day


def test_house_is_kept_once_a_day_and_a_copy_made(tmp_path: Path) -> None:
    store, clock = fresh_store(tmp_path), ManualClock(START)
    write_year(store, START, days=DAYS, rates=SMALL)
    house = HouseKeeper(store=store, clock=clock, in_thread=at_once)
    asyncio.run(house.tick(DatabaseSettings(journal_days=5)))
    kept = count(store, Events)
    assert kept == 5 * SMALL.events
    assert (tmp_path / "bouted.db.daily.backup").is_file()
    clock.advance(23 * 3600)
    asyncio.run(house.tick(DatabaseSettings(journal_days=1)))
    assert count(store, Events) == kept
    clock.advance(3600)
    asyncio.run(house.tick(DatabaseSettings(journal_days=2)))
    assert count(store, Events) == SMALL.events
    store.close()


def test_a_copy_from_the_future_is_replaced_and_one_of_today_kept(tmp_path: Path) -> None:
    store, now = fresh_store(tmp_path), datetime.now(UTC)
    copy = tmp_path / "bouted.db.daily.backup"
    for written_at, kept in ((now + timedelta(days=2), False), (now - timedelta(hours=1), True)):
        copy.write_bytes(b"old")
        os.utime(copy, (written_at.timestamp(), written_at.timestamp()))
        house = HouseKeeper(store=store, clock=ManualClock(now), in_thread=at_once)
        asyncio.run(house.tick(DatabaseSettings()))
        assert (copy.read_bytes() == b"old") is kept
    store.close()


def test_no_copy_is_made_where_none_is_wanted(tmp_path: Path) -> None:
    store = fresh_store(tmp_path)
    house = HouseKeeper(store=store, clock=ManualClock(START), in_thread=at_once)
    asyncio.run(house.tick(DatabaseSettings(daily_backup=False)))
    assert not list(tmp_path.glob("*.backup"))
    store.close()
