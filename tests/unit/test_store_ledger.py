"""The ledger in the store: told twice, late, in another order or after a clock's step, it stays the same."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bouted.errors import Gone
from bouted.ledger.bill import bill_usd
from bouted.ledger.bills import Billed
from bouted.ledger.charge import Account, as_decimal
from bouted.ledger.cost import By, summed
from bouted.ledger.rules import EXACT, SHIPPED, rule_for
from bouted.reconcile.observe import NodeTimes
from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.billed import billed_factors, factors_by_cloud, save_billed
from bouted.store.costs import costs_between, note_cut
from bouted.store.fleet import add_node, load_fleet, move_node
from bouted.store.open import Store, open_store
from bouted.store.spend import (
    accounts_between,
    believe_price,
    committed_usd_per_hour,
    correct_times,
    reprice,
    spend_by_node,
    spend_usd,
)
from bouted.store.tables import Nodes, SpendPrices
from bouted.testing.fleet import START, a_template, an_offer
from bouted.testing.store import a_node, fresh_store

N = NodeStatus
DONE = START + timedelta(hours=10)
FOREVER = START + timedelta(days=365)
FRESH = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def store(each_store: Store) -> Store:
    return each_store


def later(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def correct(store: Store, node: str, started_at: datetime | None, ended_at: datetime | None = None) -> None:
    """The provider's word on one node."""
    correct_times(store, [NodeTimes(name=node, started_at=started_at, ended_at=ended_at)])


def launch(store: Store, name: str = "t-1", usd: str = "6.00") -> None:
    add_node(store, a_node(name, usd_per_hour=usd))
    move_node(store, name, N.LAUNCHING, Reason.PLAN, START)


def spent(store: Store) -> Decimal:
    return spend_usd(store, START - timedelta(days=365), FOREVER)


def account(store: Store) -> Account:
    (found,) = accounts_between(store, START - timedelta(days=365), FOREVER)
    return found


# the provider's own times


def test_a_node_that_ended_while_nobody_looked_is_closed_at_the_providers_time(store: Store) -> None:
    launch(store)
    move_node(store, "t-1", N.UP, Reason.OBSERVED, later(2), launched_at=later(1))
    move_node(store, "t-1", N.FAILED, Reason.LOST, later(600), ended_at=later(61))
    assert spent(store) == Decimal(6)
    assert not any(line.estimated for line in costs_between(store, START, FOREVER))


def test_an_end_that_was_only_seen_is_an_estimate_until_the_provider_speaks(store: Store) -> None:
    launch(store)
    move_node(store, "t-1", N.UP, Reason.OBSERVED, later(2), launched_at=later(0))
    move_node(store, "t-1", N.FAILED, Reason.LOST, later(120))
    assert spent(store) == Decimal(12)
    assert all(line.estimated for line in costs_between(store, START, FOREVER))
    correct(store, "t-1", None, later(60))
    assert spent(store) == Decimal(6)
    assert not any(line.estimated for line in costs_between(store, START, FOREVER))


def test_a_launch_that_was_given_up_but_ran_costs_what_the_provider_says(store: Store) -> None:
    launch(store)
    move_node(store, "t-1", N.FAILED, Reason.TIMEOUT, later(10))
    assert spent(store) == 0
    correct(store, "t-1", later(5), later(65))
    assert spent(store) == Decimal(6)


def test_an_intent_that_was_given_up_but_ran_is_paid_for(store: Store) -> None:
    add_node(store, a_node(usd_per_hour="6.00"))
    move_node(store, "t-1", N.GONE, Reason.SUPERSEDED, later(30))
    correct(store, "t-1", later(0), later(10))
    assert spent(store) == Decimal(1)


def test_another_machine_under_the_name_is_paid_for_after_the_first_ones_end(store: Store) -> None:
    launch(store)
    correct(store, "t-1", later(0), later(10))
    assert committed_usd_per_hour(store) == 0
    correct(store, "t-1", later(20))
    assert committed_usd_per_hour(store) == Decimal(6)
    assert spend_usd(store, START, later(60)) == 5, "what its provider says did not run is not paid for"
    correct(store, "t-1", later(20), later(30))
    assert spent(store) == 2


def test_machines_under_one_name_cost_the_same_in_whatever_order_they_are_told_of(store: Store) -> None:
    ends = (None, 5, 10)
    told = [(later(at), later(at + end) if end else None) for at in (0, 20, 40) for end in ends]
    rng = random.Random(1)
    for n in range(12):
        name = f"t-{n}"
        add_node(store, a_node(name, usd_per_hour="6.00", slot=name))
        for start, end in rng.sample(told, len(told)):
            correct(store, name, start, end)
    found = {spend.usd for spend in spend_by_node(store, START, FOREVER, (EXACT,))}
    assert found == {Decimal(3)}
    assert committed_usd_per_hour(store) == 0


def test_each_machine_under_a_name_is_billed_for_the_least_time_at_its_own_price(store: Store) -> None:
    launch(store, usd="3600")
    correct(store, "t-1", START, START + timedelta(seconds=12))
    correct(store, "t-1", later(5), later(5) + timedelta(seconds=12))
    reprice(store, "t-1", Decimal(7200), later(4))
    assert spent(store) == 60 + 120
    assert spend_usd(store, START, later(5)) == 60
    assert spend_usd(store, START, FOREVER, (EXACT,)) == 12 + 24


def test_times_of_an_unknown_node_are_refused(store: Store) -> None:
    with pytest.raises(Gone, match="t-9"):
        correct(store, "t-9", START)


def test_less_than_the_least_is_billed_in_full(store: Store) -> None:
    launch(store, usd="3600")
    move_node(store, "t-1", N.UP, Reason.OBSERVED, later(0.1), launched_at=START)
    move_node(store, "t-1", N.FAILED, Reason.LOST, later(1), ended_at=START + timedelta(seconds=12))
    assert spent(store) == 60
    assert spend_usd(store, START, FOREVER, (EXACT,)) == 12


# prices that are learned late


def test_a_price_learned_late_holds_from_when_it_took_effect(store: Store) -> None:
    launch(store)
    move_node(store, "t-1", N.UP, Reason.OBSERVED, later(0), launched_at=START)
    believe_price(store, "t-1", Decimal("12.00"), later(30), later(600))
    assert spend_usd(store, START, later(60)) == 3 + 6
    assert committed_usd_per_hour(store) == Decimal(12)
    assert load_fleet(store, later(600)).nodes[0].offer.usd_per_hour == Decimal(12)


def test_a_price_holds_from_when_its_provider_says_also_while_our_clock_is_a_day_behind(store: Store) -> None:
    launch(store)
    believe_price(store, "t-1", Decimal("12.00"), later(30), later(20 - 1440))
    assert committed_usd_per_hour(store) == Decimal(12)
    assert spend_usd(store, START, later(60)) == 3 + 6


def test_a_price_that_its_source_dates_far_ahead_by_mistake_holds_from_now_on(store: Store) -> None:
    launch(store)
    believe_price(store, "t-1", Decimal("12.00"), FOREVER, later(30))
    assert spend_usd(store, START, later(60)) == 3 + 6


def test_an_older_word_on_the_price_does_not_undo_a_newer_one(store: Store) -> None:
    launch(store)
    reprice(store, "t-1", Decimal("12.00"), later(30))
    reprice(store, "t-1", Decimal("3.00"), later(10))
    assert committed_usd_per_hour(store) == Decimal(12)
    assert load_fleet(store, later(40)).nodes[0].offer.usd_per_hour == Decimal(12)
    assert spend_usd(store, START, later(60)) == 1 + 1 + 6


def test_of_two_words_on_one_time_the_one_heard_later_stands(store: Store) -> None:
    launch(store)
    reprice(store, "t-1", Decimal("99"), later(0), heard_at=later(1))
    reprice(store, "t-1", Decimal("12"), later(0), heard_at=later(3))
    reprice(store, "t-1", Decimal("50"), later(0), heard_at=later(2))
    assert spend_usd(store, START, later(60)) == 12
    assert committed_usd_per_hour(store) == Decimal(12)


def test_a_price_that_is_believed_again_after_another_source_holds_from_now(store: Store) -> None:
    launch(store)
    believe_price(store, "t-1", Decimal("12.00"), later(10), later(20))
    believe_price(store, "t-1", Decimal("3.00"), None, later(30))
    believe_price(store, "t-1", Decimal("12.00"), later(10), later(40))
    assert committed_usd_per_hour(store) == Decimal(12)
    assert spend_usd(store, START, later(60)) == 1 + 4 + Decimal("0.5") + 4


def test_a_price_that_moves_after_the_clock_was_set_back_is_committed_at_once(store: Store) -> None:
    launch(store)
    believe_price(store, "t-1", Decimal("12.00"), None, later(2000))
    believe_price(store, "t-1", Decimal("3.00"), None, later(500))
    assert committed_usd_per_hour(store) == Decimal(3)
    assert load_fleet(store, later(500)).nodes[0].offer.usd_per_hour == Decimal(3)


# any order, any number of times


@dataclass(frozen=True)
class Told:
    """One thing that the ledger is told of the node."""

    what: str
    minute: int
    cents: int = 0
    heard: int = 0

    def to(self, store: Store) -> None:
        match self.what:
            case "price":
                usd = Decimal(self.cents) / 100
                reprice(store, "t-1", usd, later(self.minute), heard_at=later(self.heard))
            case "start":
                correct(store, "t-1", later(self.minute), None)
            case "end":
                correct(store, "t-1", None, later(self.minute))


minutes = st.integers(0, 300)
told = st.one_of(
    st.builds(Told, what=st.just("price"), minute=minutes, cents=st.integers(1, 5000), heard=minutes),
    st.builds(Told, what=st.sampled_from(["start", "end"]), minute=minutes),
)


@FRESH
@given(data=st.data(), facts=st.lists(told, min_size=1, max_size=6), end=st.none() | minutes)
def test_facts_told_twice_late_or_in_another_order_leave_the_same_ledger(
    data: st.DataObject, facts: list[Told], end: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = data.draw(st.permutations([*facts, *data.draw(st.lists(st.sampled_from(facts), max_size=3))]))
    stop_after = data.draw(st.integers(0, len(again)))
    with_order: list[tuple[Account, Decimal]] = []
    for order, close_at in ((facts, 0), (again, stop_after)):
        store = fresh_store(tmp_path_factory.mktemp("order"))
        launch(store)
        move_node(store, "t-1", N.UP, Reason.OBSERVED, later(1))
        for place, fact in enumerate([*order, None]):
            if place == close_at and end is not None:
                move_node(store, "t-1", N.FAILED, Reason.LOST, later(end))
            if fact is not None:
                fact.to(store)
        with_order.append((account(store), committed_usd_per_hour(store)))
        store.close()
    assert with_order[0] == with_order[1]


CHANGES: dict[str, Callable[[Store, int], object]] = {
    "up": lambda store, at: move_node(store, "t-1", N.UP, Reason.OBSERVED, later(at)),
    "stop": lambda store, at: move_node(store, "t-1", N.STOPPING, Reason.PLAN, later(at)),
    "gone": lambda store, at: move_node(store, "t-1", N.GONE, Reason.PLAN, later(at)),
    "lost": lambda store, at: move_node(store, "t-1", N.FAILED, Reason.LOST, later(at)),
    "start": lambda store, at: correct(store, "t-1", later(at), None),
    "end": lambda store, at: correct(store, "t-1", None, later(at)),
    "price": lambda store, at: believe_price(store, "t-1", Decimal(at + 1), None, later(at)),
}


@FRESH
@given(steps=st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(-300, 300)), max_size=10))
def test_no_clock_and_no_order_of_events_makes_negative_or_double_time(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The clock jumps with every step, and after each the store is opened anew and told the step again."""
    store = fresh_store(tmp_path_factory.mktemp("clock"))
    launch(store)
    for what, at in steps:
        for _ in range(2):
            with suppress(ValueError):  # where the table of moves forbids it
                CHANGES[what](store, at)
            store.close()
            store = open_store(store.url)
    lines = costs_between(store, START - timedelta(days=30), FOREVER)
    stretches = sorted((line.start, line.end) for line in lines)
    assert all(start < end for start, end in stretches)
    assert all(before[1] <= after[0] for before, after in pairwise(stretches))
    assert sum((line.usd for line in lines), Fraction(0)) >= 0
    assert as_decimal(sum((line.usd for line in lines), Fraction(0))) == spend_usd(
        store, START - timedelta(days=30), FOREVER
    )
    store.close()


nodes_that_ran = st.lists(
    st.tuples(
        st.sampled_from(["aws", "gcp", "lambda", "local"]),
        st.integers(0, 10**10),
        st.integers(0, 10**10),
        st.lists(st.tuples(st.integers(0, 2 * 10**10), st.integers(1, 10**6)), max_size=4),
    ),
    min_size=1,
    max_size=5,
)


@FRESH
@given(ran=nodes_that_ran)
def test_the_ledger_equals_the_clouds_bill(
    ran: list[tuple[str, int, int, list[tuple[int, int]]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each cloud works its bill out by itself; the daemon hears of everything an hour late."""
    store, owed = fresh_store(tmp_path_factory.mktemp("bill")), Fraction(0)
    for number, (cloud, start_us, lasts_us, changes) in enumerate(ran):
        name, start = f"t-{number}", START + timedelta(microseconds=start_us)
        end = start + timedelta(microseconds=lasts_us)
        moved = {START + timedelta(microseconds=at): Decimal(cents) / 100 for at, cents in changes}
        offer = an_offer(cloud, usd_per_hour="2.50")
        add_node(store, replace(a_node(name), offer=offer))
        late = end + timedelta(hours=1)
        move_node(store, name, N.LAUNCHING, Reason.PLAN, start - timedelta(seconds=3))
        move_node(store, name, N.UP, Reason.OBSERVED, late, launched_at=start)
        move_node(store, name, N.FAILED, Reason.LOST, late, ended_at=end)
        for at, usd in moved.items():
            reprice(store, name, usd, at, heard_at=late)
        owed += bill_usd(
            start, end, [(START - timedelta(days=1), Decimal("2.50")), *moved.items()], rule_for(cloud)
        )
    assert spent(store) == as_decimal(owed)
    store.close()


# what it was spent for


def test_costs_are_told_by_model_cloud_market_and_node_and_sum_to_the_spend(store: Store) -> None:
    for name, cloud, gpus, models in (
        ("a", "aws", 4, {"small": 2}),
        ("b", "gcp", 8, {"large": 1, "small": 1}),
    ):
        offer = an_offer(cloud, gpu_count=gpus, usd_per_hour=f"{gpus}.00")
        node = replace(a_node(name), offer=offer, template=a_template("L4", gpus, **models))
        add_node(store, node)
        move_node(store, name, N.LAUNCHING, Reason.PLAN, START)
    lines = costs_between(store, START, later(60))
    assert {row.key: row.usd for row in summed(lines, By.MODEL).rows} == {"small": 8, "large": 4}
    assert {row.key: row.usd for row in summed(lines, By.CLOUD).rows} == {"aws": 4, "gcp": 8}
    assert {row.key: row.usd for row in summed(lines, By.NODE).rows} == {"a": 4, "b": 8}
    assert {row.key: row.usd for row in summed(lines, By.MARKET).rows} == {"spot": 12}
    for by in By:
        assert as_decimal(summed(lines, by).total.usd) == spend_usd(store, START, later(60))


def test_a_node_that_was_cut_anew_costs_its_new_places_from_then_on(store: Store) -> None:
    before, after = a_template("L4", 4, large=1), a_template("L4", 4, small=2)
    add_node(store, replace(a_node("a", usd_per_hour="4.00"), template=before))
    move_node(store, "a", N.LAUNCHING, Reason.PLAN, START)
    for _ in range(2):
        with store.writing() as session:
            row = session.get_one(Nodes, "a")
            note_cut(session, row, after, later(45))
            row.template = after
    rows = summed(costs_between(store, START, later(60)), By.MODEL).rows
    assert [(row.key, row.usd) for row in rows] == [("large", Fraction(3)), ("small", Fraction(1))]


def test_more_nodes_than_one_question_may_name_are_told(store: Store) -> None:
    for number in range(501):
        launch(store, f"t-{number}", "1.00")
    assert len(costs_between(store, START, later(60))) == 501
    assert spend_usd(store, START, later(60)) == 501


# what clouds bill


def a_bill(factor: str, *, until: datetime = DONE, provider: str = "aws") -> Billed:
    return Billed(
        provider=provider,
        billed_usd=Decimal(factor) * 100,
        ledger_usd=Decimal(100),
        nodes=2,
        hours=10.0,
        since=START,
        until=until,
    )


def test_the_newest_bill_of_a_cloud_stands_in_whatever_order_they_are_read(store: Store) -> None:
    save_billed(store, (a_bill("1.10"), a_bill("0.90", provider="gcp")), later(700))
    save_billed(store, (a_bill("1.20", until=later(300)),), later(800))
    assert factors_by_cloud(store) == {"aws": Decimal("1.1"), "gcp": Decimal("0.9")}
    save_billed(store, (a_bill("1.05", until=later(900)),), later(1000))
    assert [(known.provider, known.factor) for known in billed_factors(store)] == [
        ("aws", Decimal("1.0500")),
        ("gcp", Decimal("0.9000")),
    ]


def test_caps_count_what_is_billed_and_the_ledger_what_is_quoted(store: Store) -> None:
    save_billed(store, (a_bill("1.10"),), later(0))
    launch(store, usd="6.00")
    believe_price(store, "t-1", Decimal("10.00"), None, later(0))
    assert load_fleet(store, later(1)).committed_usd_per_hour() == Decimal("11.00")
    assert spend_usd(store, START, later(60)) == 10
    with store.reading() as session:
        assert session.scalars(select(SpendPrices.usd_per_hour)).all() == [Decimal("10.00")]


def test_every_shipped_rule_rounds_by_less_than_the_ledger_looks_back() -> None:
    assert all(max(rule.minimum_s, rule.granularity_s) <= 86_400 for rule in SHIPPED)
