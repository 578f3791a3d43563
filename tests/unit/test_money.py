"""What the daemon says was spent: summed once a minute, and going on in between."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.daemon.money import SUM_EVERY, Purse, Sums, month_so_far_usd, spend_so_far
from bouted.ledger.rules import EXACT
from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.fleet import add_node, load_fleet, move_node
from bouted.store.open import Store
from bouted.testing.fleet import START
from bouted.testing.store import a_node, fresh_store

NOON = START + timedelta(days=2, hours=12)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(fresh_store(tmp_path)) as opened:
        yield opened


def launch(store: Store, at: datetime, name: str = "t-1") -> None:
    add_node(store, a_node(name, usd_per_hour="3600"))
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
