"""How long prices are expected to hold, for the offers that a plan may rest on."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bouted.daemon.price_lives import LEAST_ENDED, MOST_PER_GPU, price_lives
from bouted.market.offers import Market, Offer
from bouted.store.open import Store
from bouted.store.prices import record_offers
from bouted.testing.fleet import START, an_offer
from bouted.testing.store import fresh_store

SPOT = an_offer("spot", market=Market.SPOT)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(fresh_store(tmp_path)) as store:
        yield store


def lived(store: Store, offer: Offer, lives_h: list[float], running_h: float) -> datetime:
    """Prices of `offer` that lived so long one after the other, and one that still runs; returns now."""
    now = START
    for number, life in enumerate([*lives_h, running_h]):
        seen = replace(offer, usd_per_hour=Decimal(1 + number % 2), observed_at=now)
        record_offers(store, (seen,), now)
        now += timedelta(hours=life)
    return now


def hours(store: Store, offers: tuple[Offer, ...], now: datetime, *held: str) -> dict[str, float]:
    return {life.offer_id: life.hours for life in price_lives(store, offers, held, 6.0, now)}


@pytest.mark.parametrize(
    ("lives_h", "running_h", "expected"),
    [
        ([2.0] * LEAST_ENDED, 0.5, 2.0),
        ([0.1] * LEAST_ENDED, 0.5, 0.1),
        ([30.0] * LEAST_ENDED, 0.5, 30.0),
        ([], 48.0, 48.0),
        ([0.1], 48.0, None),
        ([], 5.9, None),
        ([0.02] * (LEAST_ENDED - 1), 1.0, None),
    ],
    ids=[
        "the median of enough lives",
        "also a short one",
        "also a long one",
        "a price that has stood for long is a lower bound",
        "one short life tells nothing",
        "a price younger than what is taken for granted tells nothing",
        "too few lives tell nothing",
    ],
)
def test_a_life_is_told_only_where_history_tells_it(
    lives_h: list[float], running_h: float, expected: float | None, store: Store
) -> None:
    now = lived(store, SPOT, lives_h, running_h)
    found = hours(store, (SPOT,), now)
    assert found == ({} if expected is None else {SPOT.id: pytest.approx(expected)})


def test_only_the_cheapest_of_each_gpu_and_market_and_what_is_held_are_looked_up(store: Store) -> None:
    spot = tuple(an_offer(f"t{n}", usd_per_hour=f"{n + 1}.00") for n in range(MOST_PER_GPU + 2))
    firm = an_offer("firm", usd_per_hour="99.00", market=Market.ON_DEMAND)
    mine = an_offer("mine", usd_per_hour="0", market=Market.OWNED)
    offers = (*spot, firm, mine)
    record_offers(store, offers, START)
    now = START + timedelta(hours=50)
    cheapest = {offer.id for offer in spot[:MOST_PER_GPU]}
    assert set(hours(store, offers, now)) == cheapest | {firm.id}
    assert set(hours(store, offers, now, spot[-1].id)) == cheapest | {firm.id, spot[-1].id}


def test_what_was_never_priced_has_no_life(store: Store) -> None:
    assert hours(store, (SPOT,), START, "gone/nowhere/x/spot") == {}
