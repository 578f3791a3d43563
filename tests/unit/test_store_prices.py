"""Prices are recorded when they change, and found again as of any instant."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.market.offers import Confidence, Offer
from bouted.store.open import Store
from bouted.store.prices import PricePoint, believed_offers, price_at, price_history, record_offers
from bouted.testing.fleet import START, an_offer
from bouted.testing.store import fresh_store

L4 = an_offer(usd_per_hour="0.80")


@pytest.fixture
def store(each_store: Store) -> Store:
    return each_store


def later(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def seen(offer: Offer, minutes: float, usd: str) -> Offer:
    return replace(offer, observed_at=later(minutes), usd_per_hour=Decimal(usd))


def test_offers_come_back_as_they_were_recorded(store: Store) -> None:
    offers = (an_offer("aws", usd_per_hour="0.123456789"), an_offer("gcp", gpu="H100-80GB", gpu_count=8))
    assert record_offers(store, offers, START) == 2
    assert believed_offers(store) == offers


def test_a_confirmed_price_adds_no_row_but_stays_fresh(store: Store) -> None:
    record_offers(store, (L4,), START)
    assert record_offers(store, (seen(L4, 30, "0.80"),), later(30)) == 0
    assert believed_offers(store)[0].observed_at == later(30)


@pytest.mark.parametrize(
    "change",
    [
        {"usd_per_hour": Decimal("0.81")},
        {"obtainable": 0},
        {"confidence": Confidence.LOW},
    ],
    ids=["price", "obtainable count", "confidence"],
)
def test_a_change_of(change: dict[str, object], store: Store) -> None:
    record_offers(store, (L4,), START)
    changed = replace(L4, observed_at=later(1), **change)  # type: ignore[arg-type]
    assert record_offers(store, (changed,), later(1)) == 1
    assert record_offers(store, (changed,), later(2)) == 0
    assert believed_offers(store) == (changed,)


def test_the_same_amount_written_otherwise_is_no_change(store: Store) -> None:
    record_offers(store, (L4,), START)
    assert record_offers(store, (seen(L4, 1, "0.8"),), later(1)) == 0


def test_old_news_changes_nothing(store: Store) -> None:
    record_offers(store, (seen(L4, 10, "0.80"),), later(10))
    assert record_offers(store, (seen(L4, 5, "0.50"),), later(11)) == 0
    assert believed_offers(store)[0].usd_per_hour == Decimal("0.80")


def test_a_history_is_recorded_in_the_order_of_its_times(store: Store) -> None:
    past = tuple(seen(L4, minute, usd) for minute, usd in [(20, "3"), (0, "1"), (10, "2"), (15, "2")])
    assert record_offers(store, past, later(30)) == 3
    assert [str(point.usd_per_hour) for point in price_history(store, L4.id, START)] == ["1", "2", "3"]


def test_a_history_starts_with_the_price_in_force(store: Store) -> None:
    record_offers(store, tuple(seen(L4, minute, usd) for minute, usd in [(0, "1"), (20, "2")]), START)
    assert price_history(store, L4.id, later(10)) == (
        PricePoint(at=later(10), usd_per_hour=Decimal(1)),
        PricePoint(at=later(20), usd_per_hour=Decimal(2)),
    )
    assert price_history(store, "unknown", START) == ()


def test_a_history_has_no_step_where_only_the_obtainable_count_changed(store: Store) -> None:
    record_offers(store, (L4, replace(L4, obtainable=1, observed_at=later(5))), START)
    assert len(price_history(store, L4.id, START - timedelta(days=1))) == 1


def test_there_is_no_price_before_the_first(store: Store) -> None:
    record_offers(store, (L4,), START)
    assert price_at(store, L4.id, START - timedelta(microseconds=1)) is None
    assert price_at(store, L4.id, START) == Decimal("0.80")
    assert price_at(store, "unknown", START) is None


@settings(max_examples=12)
@given(prices=st.lists(st.integers(1, 4), min_size=1, max_size=8))
def test_rows_are_the_changes_and_every_instant_finds_its_price(
    prices: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = fresh_store(tmp_path_factory.mktemp("prices"))
    rows = [
        record_offers(store, (seen(L4, minute, str(price)),), later(minute))
        for minute, price in enumerate(prices)
    ]
    changes = [1] + [int(now != before) for before, now in itertools.pairwise(prices)]
    assert rows == changes
    found = [price_at(store, L4.id, later(minute + 0.5)) for minute in range(len(prices))]
    assert found == [Decimal(price) for price in prices]
    assert sum(rows) == len(price_history(store, L4.id, START))
    store.close()
