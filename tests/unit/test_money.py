"""What the daemon says was spent: summed once a minute, and going on in between."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.daemon.money import SUM_EVERY, Purse, Sums, month_so_far_usd, spend_so_far
from bouted.ledger.bills import Billed
from bouted.ledger.rules import EXACT
from bouted.market.offers import Market
from bouted.reconcile.actions import Limits
from bouted.reconcile.diff import diff
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.guards import refuse_launch
from bouted.reconcile.scene import scene
from bouted.reconcile.shedding import breach
from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.billed import save_billed
from bouted.store.fleet import add_node, load_fleet, move_node
from bouted.store.open import Store
from bouted.store.spend import believe_price, spend_usd
from bouted.testing.fleet import START, an_offer, limits, must_serve, standing
from bouted.testing.store import a_node, fresh_store

NOON = START + timedelta(days=2, hours=12)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(fresh_store(tmp_path)) as opened:
        yield opened


def launch(store: Store, at: datetime, name: str = "t-1", market: Market = Market.SPOT) -> None:
    add_node(store, replace(a_node(name), offer=an_offer(usd_per_hour="3600", market=market)))
    move_node(store, name, NodeStatus.LAUNCHING, Reason.PLAN, at)
    move_node(store, name, NodeStatus.UP, Reason.OBSERVED, at, launched_at=at)


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_today_this_month_and_where_it_goes(store: Store) -> None:
    launch(store, START + timedelta(days=1))
    spend = spend_so_far(store, load_fleet(store, NOON), NOON)
    assert spend.today_usd == 12 * 3600
    assert spend.month_usd == 36 * 3600 == month_so_far_usd(store, NOON)
    assert spend.forecast_month_usd == 29 * 24 * 3600


def test_between_sums_it_goes_on_at_what_is_committed(store: Store) -> None:
    purse = Purse(store=store, rules=lambda: (EXACT,))
    launch(store, later(-10))
    assert purse.month_usd(NOON) == 10
    launch(store, later(1), "t-2")
    assert purse.month_usd(later(5)) == 15, "the second is not seen yet"
    assert purse.spend(None, later(61)).today_usd == 71 + 60


def test_a_new_day_another_month_and_a_clock_set_back_are_summed_at_once(store: Store) -> None:
    purse = Purse(store=store, rules=lambda: (EXACT,))
    midnight = START.replace(day=4)
    launch(store, midnight - timedelta(seconds=20))
    assert purse.spend(None, midnight - timedelta(seconds=10)).today_usd == 10
    assert purse.spend(None, midnight + timedelta(seconds=5)).today_usd == 5
    assert purse.spend(None, midnight - timedelta(seconds=5)).today_usd == 15


def bills(store: Store, factor: str, cloud: str = "aws") -> None:
    """The cloud's own bill says that it bills this many times what it quotes; running nodes are repriced."""
    bill = Billed(
        provider=cloud,
        billed_usd=Decimal(factor) * 100,
        ledger_usd=Decimal(100),
        nodes=1,
        hours=10.0,
        since=START,
        until=NOON,
    )
    save_billed(store, (bill,), NOON)
    for node in load_fleet(store, NOON).nodes:
        believe_price(store, node.name, node.offer.quoted, None, NOON)


def test_what_was_spent_and_where_it_goes_count_what_is_billed_and_the_ledger_what_is_quoted(
    store: Store,
) -> None:
    launch(store, START + timedelta(days=1))
    bills(store, "1.3")
    spend = spend_so_far(store, load_fleet(store, NOON), NOON)
    assert spend.today_usd == 12 * 3600 * Decimal("1.3")
    assert spend.month_usd == 36 * 3600 * Decimal("1.3") == month_so_far_usd(store, NOON)
    assert spend.forecast_month_usd == 29 * 24 * 3600 * Decimal("1.3")
    assert spend_usd(store, START, NOON) == 36 * 3600


def test_a_price_that_changed_is_billed_so_many_times_before_and_after(store: Store) -> None:
    launch(store, later(-7200))
    believe_price(store, "t-1", Decimal(1800), later(-3600), NOON)
    bills(store, "0.9")
    assert month_so_far_usd(store, NOON) == (3600 + 1800) * Decimal("0.9")


def test_between_sums_it_goes_on_at_what_is_billed(store: Store) -> None:
    purse = Purse(store=store, rules=lambda: (EXACT,))
    launch(store, later(-10))
    bills(store, "1.3")
    assert (purse.month_usd(NOON), purse.month_usd(later(5))) == (Decimal(13), Decimal("19.5"))


def test_other_clouds_and_reserved_machines_cost_what_they_did(store: Store) -> None:
    launch(store, later(-10), "t-1", Market.OWNED)
    bills(store, "1.3")
    bills(store, "1.5", "gcp")
    assert month_so_far_usd(store, NOON) == 10
    launch(store, later(-10), "t-2")
    assert month_so_far_usd(store, NOON) == 10 + 13


def capped(cap: str) -> Limits:
    return limits("10000", "0", cap_usd_per_month=Decimal(cap))


@pytest.mark.parametrize(("cap", "refused"), [("46800", False), ("46799", True)])
def test_the_months_cap_refuses_a_launch_by_what_was_billed(store: Store, cap: str, refused: bool) -> None:
    launch(store, later(-9 * 3600))
    move_node(store, "t-1", NodeStatus.STOPPING, Reason.PLAN, NOON)
    move_node(store, "t-1", NodeStatus.GONE, Reason.PLAN, NOON)
    bills(store, "1.3")
    node = replace(a_node("t-2"), offer=an_offer(usd_per_hour="4680"))
    fleet = FleetState(nodes=(), replicas=(), incarnations=())
    spent = month_so_far_usd(store, NOON)
    said = refuse_launch(node, fleet, capped(cap), must_serve(small=1), spent, NOON)
    assert bool(said) is refused
    assert not refused or "would take this month to $46800.00 within an hour" in str(said)


@pytest.mark.parametrize(("cap", "over"), [("42121", False), ("42120", True)])
def test_the_months_cap_is_broken_by_what_was_billed(store: Store, cap: str, over: bool) -> None:
    launch(store, later(-9 * 3600))
    bills(store, "1.3")
    known = standing(month_usd=Purse(store=store, rules=lambda: (EXACT,)).month_usd(NOON))
    fleet = load_fleet(store, NOON)
    said = breach(scene(diff((), fleet, "memory"), fleet, capped(cap), NOON, known))
    assert bool(said) is over
    assert not over or said == "$42120.00 were spent this month, the cap is $42120.00"


@given(
    seconds=st.floats(-100, 100),
    rate=st.decimals("0", "1000", places=2),
    spent=st.decimals("0", "10", places=4),
)
def test_going_on_never_gives_less(seconds: float, rate: Decimal, spent: Decimal) -> None:
    before = Sums(at=NOON, day_usd=spent, month_usd=spent, usd_per_hour=rate)
    after = before.gone_on(later(seconds))
    wait = timedelta(seconds=seconds)
    assert (after is None) == (wait < timedelta(0) or wait >= SUM_EVERY)
    if after is not None:
        assert after.month_usd - spent == after.day_usd - spent >= 0
        assert after.day_usd - spent <= rate * 60 / 3600
