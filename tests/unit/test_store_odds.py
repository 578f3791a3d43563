"""The fleet's outcomes become odds: each counts once, whatever is restarted in between."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.market.odds import PRIOR_REFUSED, Odds, learned, refusal_odds
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.states import NODE_MOVES, NodeStatus, Reason
from bouted.store.fleet import add_node, load_fleet, move_node
from bouted.store.odds import learn, load_odds, note_hours, note_launch, note_loss, save_odds
from bouted.store.open import Store
from bouted.store.outcomes import Counted, odds_from_fleet
from bouted.testing.fleet import START
from bouted.testing.store import a_node, fresh_store

N = NodeStatus
OFFER = a_node().offer.id
EMPTY = FleetState(nodes=(), replicas=(), incarnations=())


@pytest.fixture
def store(each_store: Store) -> Store:
    return each_store


def later(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def launch(store: Store, name: str = "t-1", at: float = 0.0) -> None:
    add_node(store, a_node(name))
    move_node(store, name, N.LAUNCHING, Reason.PLAN, later(at))


def up(store: Store, name: str = "t-1", at: float = 0.0) -> None:
    launch(store, name, at)
    move_node(store, name, N.UP, Reason.OBSERVED, later(at), launched_at=later(at))


def look(store: Store, hours: float) -> Odds:
    """The odds after learning at this time."""
    learn(store, load_fleet(store, later(hours)), later(hours))
    return load_odds(store).get(OFFER, Odds(as_of=later(hours)))


def test_odds_come_back_as_they_were_saved(store: Store) -> None:
    odds = {
        "a": Odds(as_of=START, hours=0.1 + 0.2, losses=1.5, granted=2.0, refused=3.0),
        "b": Odds(as_of=later(1), refused=1.0, refused_in_row=2, refused_at=later(1)),
    }
    save_odds(store, odds)
    assert load_odds(store) == odds
    save_odds(store, {"b": odds["a"]})
    assert load_odds(store) == {"a": odds["a"], "b": odds["a"]}


@pytest.mark.parametrize("reason", [Reason.NO_CAPACITY, Reason.QUOTA])
def test_a_refused_launch_counts_once(reason: Reason, store: Store) -> None:
    launch(store)
    move_node(store, "t-1", N.FAILED, reason, later(0.1))
    for _ in range(3):
        odds = look(store, 0.1)
    assert (odds.refused, odds.granted, odds.refused_in_row, odds.hours) == (1.0, 0.0, 1, 0.0)


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.BUDGET])
def test_other_failures_to_launch_say_nothing_about_the_offer(reason: Reason, store: Store) -> None:
    launch(store)
    move_node(store, "t-1", N.FAILED, reason, later(0.1))
    look(store, 0.1)
    assert load_odds(store) == {}


def test_a_launch_that_was_refused_for_another_reason_counts_once_and_is_no_stock_out(store: Store) -> None:
    launch(store)
    move_node(store, "t-1", N.FAILED, Reason.ERROR, later(0.1))
    for _ in range(3):
        odds = look(store, 0.1)
    assert (odds.refused, odds.granted, odds.refused_in_row) == (1.0, 0.0, 0)
    assert refusal_odds(odds, later(0.1)) > PRIOR_REFUSED
    assert learned(a_node().offer, odds, later(0.1)).obtainable == a_node().offer.obtainable


def test_a_launch_that_came_up_counts_once_and_its_hours_by_the_piece(store: Store) -> None:
    up(store)
    assert look(store, 0.5).hours == 0.0
    assert look(store, 0.5).granted == 1.0
    assert look(store, 1.5).hours == pytest.approx(1.5, rel=0.01)
    before = load_odds(store)
    look(store, 2.0)
    assert load_odds(store) == before, "half an hour is not written down"
    assert look(store, 3.0).hours == pytest.approx(3.0, rel=0.01)


def test_a_lost_node_is_a_loss_after_its_hours(store: Store) -> None:
    up(store)
    look(store, 1.0)
    move_node(store, "t-1", N.FAILED, Reason.LOST, later(1.25))
    odds = look(store, 1.5)
    assert (odds.losses, round(odds.hours, 2), round(odds.granted, 2)) == (1.0, 1.25, 1.0)
    assert look(store, 9.0) == odds


def test_a_node_that_was_stopped_is_no_loss(store: Store) -> None:
    up(store)
    move_node(store, "t-1", N.STOPPING, Reason.SUPERSEDED, later(2))
    move_node(store, "t-1", N.GONE, Reason.SUPERSEDED, later(2.5))
    odds = look(store, 2.6)
    assert (odds.losses, round(odds.hours, 1)) == (0.0, 2.5)


def test_a_node_that_was_given_up_because_its_provider_takes_it_back_is_a_loss(store: Store) -> None:
    up(store)
    move_node(store, "t-1", N.STOPPING, Reason.NOTICED, later(2))
    move_node(store, "t-1", N.GONE, Reason.NOTICED, later(2.1))
    assert look(store, 2.2).losses == 1.0


def test_what_ended_while_nobody_looked_counts_too(store: Store) -> None:
    up(store)
    move_node(store, "t-1", N.FAILED, Reason.LOST, later(3))
    launch(store, "t-2", 3)
    move_node(store, "t-2", N.FAILED, Reason.NO_CAPACITY, later(3))
    assert load_fleet(store, later(30)).nodes == ()
    odds = look(store, 30)
    assert (round(odds.losses, 2), round(odds.refused, 2), round(odds.granted, 2)) == (1.0, 1.0, 0.99)
    assert look(store, 31) == odds


def test_a_node_that_was_never_asked_for_teaches_nothing(store: Store) -> None:
    add_node(store, a_node())
    move_node(store, "t-1", N.GONE, Reason.SUPERSEDED, later(1))
    look(store, 1)
    assert load_odds(store) == {}


def test_what_the_fleets_rows_do_not_tell_can_be_noted(store: Store) -> None:
    note_launch(store, "x", START, came=False)
    note_launch(store, "x", START, came=True)
    note_hours(store, "x", 5.0, START)
    note_loss(store, "x", START)
    assert load_odds(store)["x"] == Odds(as_of=START, hours=5.0, losses=1.0, granted=1.0, refused=1.0)


def test_learning_from_an_empty_fleet_writes_nothing(store: Store) -> None:
    assert learn(store, EMPTY, START) == 0
    assert load_odds(store) == {}


def test_a_crash_before_writing_counts_nothing_and_the_next_look_counts_all() -> None:
    node = replace(a_node(), status=N.UP, launched_at=START)
    once = odds_from_fleet({}, {}, [node], later(2))
    again = odds_from_fleet({}, {}, [node], later(2))
    assert once == again
    assert odds_from_fleet(once.odds, once.counted, [node], later(2)).odds == {}
    assert once.counted == {node.name: Counted(launch=True, hours_to=later(2))}


def test_a_clock_that_steps_back_counts_no_negative_hours() -> None:
    node = replace(a_node(), status=N.UP, launched_at=later(5))
    lessons = odds_from_fleet({}, {}, [node], START)
    assert lessons.odds[OFFER].hours == 0.0
    gone = replace(node, status=N.GONE, since=later(4))
    assert odds_from_fleet(lessons.odds, lessons.counted, [gone], START).odds == {}


steps = st.lists(
    st.tuples(st.sampled_from(N), st.sampled_from(Reason), st.integers(1, 300), st.integers(0, 3)), max_size=7
)


@settings(max_examples=30)
@given(lives=st.lists(steps, min_size=1, max_size=3))
def test_any_lives_count_the_same_however_often_one_looks(
    lives: list[list[tuple[NodeStatus, Reason, int, int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One store learns after every step, several times; another learns once at the end."""
    often, seldom = (fresh_store(tmp_path_factory.mktemp(name)) for name in ("often", "seldom"))
    end = START
    for number, life in enumerate(lives):
        now, name, status = START, f"t-{number}", N.PLANNED
        for store in (often, seldom):
            add_node(store, replace(a_node(name), since=START))
        for after, reason, minutes, looks in life:
            now += timedelta(minutes=minutes)
            if after not in NODE_MOVES[status] or status is N.FAILED:
                continue
            launched = now if after is N.UP else None
            for store in (often, seldom):
                move_node(store, name, after, reason, now, launched_at=launched)
            status = after
            for _ in range(looks):
                learn(often, load_fleet(often, now), now)
        end = max(end, now)
    end += timedelta(hours=2)
    learn(often, load_fleet(often, end), end)
    learn(seldom, load_fleet(seldom, end), end)
    one, other = load_odds(often), load_odds(seldom)
    assert one.keys() == other.keys()
    for offer in one:
        assert one[offer].refused == pytest.approx(other[offer].refused, rel=0.02)
        assert one[offer].granted == pytest.approx(other[offer].granted, rel=0.02)
        assert one[offer].losses == pytest.approx(other[offer].losses, rel=0.02)
        assert one[offer].hours == pytest.approx(other[offer].hours, rel=0.1)
    for store in (often, seldom):
        store.close()
