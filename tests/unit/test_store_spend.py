"""Money is exact: every paid microsecond is counted once, at the price of its time."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.ledger.rules import EXACT
from bouted.reconcile.observe import NodeTimes
from bouted.reconcile.states import NODE_MOVES, NODE_PAID, NodeStatus, Reason
from bouted.store.fleet import add_node, move_node
from bouted.store.open import Store, open_store
from bouted.store.prices import record_offers
from bouted.store.spend import (
    NodeSpend,
    committed_usd_per_hour,
    correct_times,
    reprice,
    spend_by_node,
    spend_usd,
)
from bouted.testing.fleet import START
from bouted.testing.store import a_node, fresh_store

N = NodeStatus
YEAR = timedelta(days=365)


@pytest.fixture
def store(each_store: Store) -> Store:
    return each_store


def later(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def launch(store: Store, name: str = "t-1", usd: str = "6.00", at: float = 0.0) -> None:
    add_node(store, a_node(name, usd_per_hour=usd))
    move_node(store, name, N.LAUNCHING, Reason.PLAN, later(at))


def test_a_planned_node_costs_nothing(store: Store) -> None:
    add_node(store, a_node())
    move_node(store, "t-1", N.GONE, Reason.SUPERSEDED, later(60))
    assert spend_usd(store, START - YEAR, START + YEAR) == 0


def test_a_node_costs_from_launch_to_its_end_through_every_status(store: Store) -> None:
    launch(store)
    for minute, status in [(10, N.UP), (50, N.STOPPING), (60, N.GONE)]:
        move_node(store, "t-1", status, Reason.PLAN, later(minute))
    assert spend_usd(store, START - YEAR, START + YEAR) == Decimal("6.00")
    assert committed_usd_per_hour(store) == 0


def test_the_question_cuts_the_interval(store: Store) -> None:
    launch(store)
    move_node(store, "t-1", N.STOPPING, Reason.PLAN, later(50))
    assert spend_usd(store, later(10), later(20)) == Decimal(1)
    assert spend_usd(store, later(30), later(90)) == Decimal(6)
    assert spend_usd(store, later(-20), later(0)) == 0


def test_the_providers_start_replaces_the_time_of_asking(store: Store) -> None:
    launch(store)
    move_node(store, "t-1", N.UP, Reason.OBSERVED, later(10), launched_at=later(5))
    assert spend_usd(store, START, later(65)) == Decimal(6)


def test_the_providers_start_moves_only_the_first_of_several_prices(store: Store) -> None:
    launch(store)
    reprice(store, "t-1", Decimal("12.00"), later(10))
    move_node(store, "t-1", N.UP, Reason.OBSERVED, later(20), launched_at=later(5))
    assert spend_usd(store, START, later(40)) == Decimal("0.5") + 6


@pytest.mark.parametrize("reason", [Reason.NO_CAPACITY, Reason.QUOTA])
def test_a_refused_launch_cost_nothing(store: Store, reason: Reason) -> None:
    launch(store)
    move_node(store, "t-1", N.FAILED, reason, later(30))
    assert spend_usd(store, START - YEAR, START + YEAR) == 0


def test_a_launch_that_never_came_up_cost_nothing(store: Store) -> None:
    launch(store)
    assert spend_usd(store, START, later(10)) == Decimal(1), "it may be running"
    move_node(store, "t-1", N.FAILED, Reason.TIMEOUT, later(10))
    assert spend_usd(store, START, START + YEAR) == 0


def test_a_launch_that_is_given_up_may_run_until_it_has_ended_and_cost_nothing(store: Store) -> None:
    launch(store)
    move_node(store, "t-1", N.STOPPING, Reason.NEVER_UP, later(10))
    assert committed_usd_per_hour(store) == Decimal(6)
    assert spend_usd(store, START, later(20)) == Decimal(2), "it may be running"
    move_node(store, "t-1", N.FAILED, Reason.NEVER_UP, later(20))
    assert spend_usd(store, START, START + YEAR) == 0


def test_a_failed_node_that_proves_to_run_on_leaves_no_gap(store: Store) -> None:
    launch(store)
    move_node(store, "t-1", N.FAILED, Reason.TIMEOUT, later(10))
    move_node(store, "t-1", N.STOPPING, Reason.STRAY, later(20))
    move_node(store, "t-1", N.GONE, Reason.STRAY, later(30))
    assert spend_usd(store, START, START + YEAR) == Decimal(3)


def test_a_launch_that_was_given_up_and_ended_to_be_safe_cost_nothing_unless_its_provider_says_so(
    store: Store,
) -> None:
    launch(store)
    move_node(store, "t-1", N.FAILED, Reason.TIMEOUT, later(10))
    move_node(store, "t-1", N.STOPPING, Reason.SUPERSEDED, later(20))
    assert spend_usd(store, START, later(20)) == Decimal(2), "it may be running"
    move_node(store, "t-1", N.GONE, Reason.SUPERSEDED, later(30))
    assert spend_usd(store, START, START + YEAR) == 0
    correct_times(store, (NodeTimes(name="t-1", started_at=later(5), ended_at=later(25)),))
    assert spend_usd(store, START, START + YEAR) == Decimal(2)


def quoted(store: Store, usd: str, at: float, heard: float) -> None:
    """The offer of `a_node` costs this from minute `at` on, as is heard a little later."""
    offer = replace(a_node().offer, usd_per_hour=Decimal(usd), observed_at=later(heard))
    record_offers(store, (offer,), later(heard), effective_at={offer.id: later(at)})


def test_a_node_found_running_cost_what_its_offer_did_since_it_began(store: Store) -> None:
    for usd, at, heard in (("9.00", -90, -80), ("6.00", -30, -20), ("3.00", 20, 25)):
        quoted(store, usd, at, heard)
    found = a_node(usd_per_hour="3.00")
    add_node(
        store, replace(found, status=N.STOPPING, reason=Reason.ORPHAN, since=later(40), launched_at=START)
    )
    move_node(store, "t-1", N.GONE, Reason.SUPERSEDED, later(60))
    assert spend_usd(store, START - YEAR, START + YEAR) == Decimal(2) + Decimal(2)
    assert committed_usd_per_hour(store) == 0


def test_a_node_found_running_before_its_offer_was_ever_quoted_cost_the_first_quote(store: Store) -> None:
    quoted(store, "3.00", 20, 25)
    found = a_node(usd_per_hour="3.00")
    add_node(
        store, replace(found, status=N.STOPPING, reason=Reason.ORPHAN, since=later(40), launched_at=START)
    )
    move_node(store, "t-1", N.GONE, Reason.SUPERSEDED, later(60))
    assert spend_usd(store, START - YEAR, START + YEAR) == Decimal(3)


def test_a_new_price_counts_from_its_time_on(store: Store) -> None:
    launch(store)
    reprice(store, "t-1", Decimal("12.00"), later(30))
    reprice(store, "t-1", Decimal("12.0"), later(45))
    move_node(store, "t-1", N.UP, Reason.OBSERVED, later(50))
    assert committed_usd_per_hour(store) == Decimal(12)
    assert spend_usd(store, START, later(60)) == Decimal(9)
    move_node(store, "t-1", N.STOPPING, Reason.PLAN, later(60))
    move_node(store, "t-1", N.GONE, Reason.PLAN, later(60))
    reprice(store, "t-1", Decimal("99"), later(70))
    assert spend_usd(store, START, START + YEAR) == Decimal(9)


def test_a_price_set_at_the_start_leaves_one_interval(store: Store) -> None:
    launch(store)
    reprice(store, "t-1", Decimal("12.00"), START)
    assert spend_usd(store, START, later(60)) == Decimal(12)


def test_spend_is_told_per_node(store: Store) -> None:
    launch(store, "b", "6.00")
    launch(store, "a", "3.00", at=30)
    assert spend_by_node(store, START, later(60)) == (
        NodeSpend(node="a", usd=Decimal("1.5")),
        NodeSpend(node="b", usd=Decimal("6")),
    )


def test_asking_again_after_a_restart_does_not_pay_twice(tmp_path: Path) -> None:
    store = fresh_store(tmp_path)
    launch(store)
    for minute in (10, 20, 30):
        store.close()
        store = open_store(store.url)
        add_node(store, a_node(usd_per_hour="6.00"))
        move_node(store, "t-1", N.LAUNCHING, Reason.PLAN, later(minute))
    assert committed_usd_per_hour(store) == Decimal(6)
    assert spend_usd(store, START, later(60)) == Decimal(6)
    store.close()


moves = st.tuples(st.sampled_from(N), st.integers(0, 10**10), st.integers(1, 10**7).map(Decimal))


@settings(max_examples=20)
@given(steps=st.lists(moves, max_size=8))
def test_any_life_costs_price_times_paid_time_to_the_last_digit(
    steps: list[tuple[NodeStatus, int, Decimal]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Replays random moves and prices, each by another opening of the store, against a plain sum."""
    store = fresh_store(tmp_path_factory.mktemp("spend"))
    price, status, now, owed, came_up = Decimal("6.00"), N.PLANNED, START, Fraction(0), False
    add_node(store, a_node(usd_per_hour="6.00"))
    for after, microseconds, tenths in steps:
        store.close()
        store = open_store(store.url)
        now += timedelta(microseconds=microseconds)
        if status in NODE_PAID:
            owed += Fraction(price) * microseconds
        if after in NODE_MOVES[status] and after is not N.FAILED:
            move_node(store, "t-1", after, Reason.PLAN, now)
            status, came_up = after, came_up or after is N.UP
        if status in NODE_PAID:
            price = tenths / 10000
        reprice(store, "t-1", price, now)
    exact = owed / 3_600_000_000 if came_up or status in NODE_PAID else Fraction(0)
    assert spend_usd(store, START, now, (EXACT,)) == Decimal(exact.numerator) / Decimal(exact.denominator)
    assert committed_usd_per_hour(store) == (price if status in NODE_PAID else 0)
    store.close()


def test_a_clock_that_steps_back_never_makes_negative_money(store: Store) -> None:
    launch(store, at=30)
    move_node(store, "t-1", N.STOPPING, Reason.PLAN, later(20))
    move_node(store, "t-1", N.GONE, Reason.PLAN, later(10))
    assert spend_usd(store, START - YEAR, START + YEAR) == 0


def test_an_adopted_node_costs_from_when_it_was_launched(store: Store) -> None:
    add_node(store, replace(a_node(usd_per_hour="6.00"), status=N.UP, launched_at=later(-60)))
    assert spend_usd(store, later(-120), START) == Decimal(6)


def test_a_group_costs_what_all_its_instances_cost(store: Store) -> None:
    node = a_node(usd_per_hour="6.00")
    add_node(store, replace(node, template=replace(node.template, instances=2)))
    move_node(store, "t-1", N.LAUNCHING, Reason.PLAN, later(0))
    assert committed_usd_per_hour(store) == Decimal(12)
    reprice(store, "t-1", Decimal("5.00"), later(30))
    reprice(store, "t-1", Decimal("5.00"), later(45))
    assert committed_usd_per_hour(store) == Decimal(10)
    assert spend_usd(store, START, later(60)) == Decimal(11)
