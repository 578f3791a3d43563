"""What prices were, how they differ between places, and how long one lives."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from bouted.errors import Gone
from bouted.market.memory import Claim
from bouted.market.offers import Market, Offer
from bouted.store.backfill import backfill
from bouted.store.open import Store
from bouted.store.prices import (
    PricePoint,
    believed_offers,
    effective_times,
    price_at,
    price_before,
    price_histories,
    price_history,
    record_offers,
)
from bouted.store.read_prices import read_offers
from bouted.store.spread import DWELL_WINDOW, Spread, dwell_time, spread_now
from bouted.testing.fleet import START, an_offer
from bouted.testing.prices import a_quote
from bouted.testing.store import fresh_store

L4 = an_offer(usd_per_hour="5")


@pytest.fixture
def store(each_store: Store) -> Store:
    return each_store


def later(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def seen(hours: float, usd: str, offer: Offer = L4) -> Offer:
    return replace(offer, observed_at=later(hours), usd_per_hour=Decimal(usd))


def points(*steps: tuple[float, str]) -> tuple[PricePoint, ...]:
    return tuple(PricePoint(at=later(hours), usd_per_hour=Decimal(usd)) for hours, usd in steps)


def zone(name: str, usd: str, **changes: object) -> Offer:
    return replace(an_offer(usd_per_hour=usd), zone=name, **changes)  # type: ignore[arg-type]


# finding


def test_a_price_at_any_time_is_one_step_down_the_index(tmp_path: Path) -> None:
    with closing(fresh_store(tmp_path)) as store, store.engine.connect() as connection:
        query = price_before(L4.id, START).compile(store.engine, compile_kwargs={"literal_binds": True})
        (step,) = connection.execute(text(f"EXPLAIN QUERY PLAN {query}")).all()
    assert "USING INDEX ix_price_observations_offer_id_observed_at (offer_id=? AND observed_at<?)" in step[-1]


def test_what_else_changes_about_an_offer_is_believed_without_an_observation(store: Store) -> None:
    record_offers(store, (L4,), START)
    changed = replace(L4, hazard_per_hour=0.2, source="other", gpu="L40S", observed_at=later(1))
    assert record_offers(store, (changed,), later(1)) == 0
    assert believed_offers(store) == (changed,)


def test_the_quick_reader_reads_the_same(store: Store) -> None:
    offers = tuple(zone(name, "0.123456789") for name in ("a", "B", "b", "é"))
    assert read_offers(store.url) == ()
    record_offers(store, (*offers, an_offer("gcp", market=Market.ON_DEMAND)), START)
    assert read_offers(store.url) == believed_offers(store)
    assert len(read_offers(store.url)) == 5


def test_many_offers_are_confirmed_at_once(store: Store) -> None:
    offers = tuple(zone(f"z{number}", "1") for number in range(1203))
    assert record_offers(store, offers, START) == 1203
    again = tuple(replace(offer, observed_at=later(number % 2)) for number, offer in enumerate(offers))
    assert record_offers(store, again, later(1)) == 0
    assert set(believed_offers(store)) == set(again)


def test_many_histories_at_once_are_what_each_is_alone(store: Store) -> None:
    offers = tuple(zone(f"z{number}", "1") for number in range(7))
    for hour in range(6):
        moved = tuple(
            seen(hour, str(1 + hour // (1 + place)), offer)
            for place, offer in enumerate(offers)
            if place <= hour
        )
        record_offers(store, moved, later(hour))
    ids = [*(offer.id for offer in offers), "nowhere"]
    for since in (later(-1), later(2), later(2.5), later(9)):
        alone = {id: price_history(store, id, since) for id in ids}
        assert price_histories(store, ids, since) == alone
    assert price_histories(store, [], START) == {}


# since when


def test_since_when_a_price_holds_is_what_its_own_source_says() -> None:
    quote = replace(a_quote(), source="aws", effective_at=START)
    other = replace(a_quote(), source="wide", effective_at=later(1))
    offer = replace(
        an_offer(), provider=quote.provider, instance_type=quote.instance_type, source="aws", zone=quote.zone
    )
    assert offer.id == quote.id
    memory = {
        ("aws", quote.id): Claim(accepted=quote),
        ("wide", quote.id): Claim(accepted=other),
        ("late", quote.id): Claim(accepted=None),
    }
    assert effective_times(memory, (offer, an_offer("gcp"))) == {quote.id: START}


def test_a_life_begins_when_the_source_says_so(store: Store) -> None:
    record_offers(store, (seen(1, "5"),), later(1), effective_at={L4.id: later(-9)})
    record_offers(store, (seen(3, "6"),), later(3), effective_at={L4.id: later(1)})
    assert dwell_time(store, L4.id, later(4)) == timedelta(hours=10)


def test_a_life_that_began_by_a_clock_ahead_of_ours_began_now(store: Store) -> None:
    record_offers(store, (seen(1, "5"),), later(1))
    record_offers(store, (seen(3, "6"),), later(3), effective_at={L4.id: later(5)})
    assert dwell_time(store, L4.id, later(4)) == timedelta(hours=3)


# the past


def test_a_history_from_before_is_taken_in_once(store: Store) -> None:
    record_offers(store, (L4,), START)
    past = points((-3, "3"), (-2, "3.0"), (-1, "4"), (0, "9"), (1, "8"))
    assert backfill(store, L4.id, reversed(past), source="aws", now=START) == 2
    assert backfill(store, L4.id, past, source="aws", now=later(1)) == 0
    assert price_history(store, L4.id, later(-9)) == points((-3, "3"), (-1, "4"), (0, "5"))
    assert price_at(store, L4.id, later(-1.5)) == Decimal(3)
    assert price_at(store, L4.id, later(-4)) is None
    assert believed_offers(store) == (L4,)


def test_a_gap_between_two_looks_is_filled(store: Store) -> None:
    record_offers(store, (seen(0, "5"), seen(10, "6")), later(10))
    past = points((-1, "5"), (2, "7"), (4, "5"), (8, "6"), (12, "9"))
    assert backfill(store, L4.id, past, source="aws", now=later(12)) == 4
    assert price_history(store, L4.id, later(-9)) == points((-1, "5"), (2, "7"), (4, "5"), (8, "6"))
    assert backfill(store, L4.id, past, source="aws", now=later(12)) == 0


def test_a_history_needs_its_offer_and_prices_that_are_some(store: Store) -> None:
    with pytest.raises(Gone, match="no offer nowhere"):
        backfill(store, "nowhere", points((0, "1")), source="aws", now=START)
    record_offers(store, (L4,), START)
    for price in ("0", "-1", "NaN"):
        with pytest.raises(ValueError, match="positive"):
            backfill(store, L4.id, points((-1, price)), source="aws", now=START)


steps = st.lists(
    st.tuples(st.integers(-20, 20), st.integers(1, 3)), max_size=12, unique_by=lambda step: step[0]
)


@settings(max_examples=30)
@given(live=steps, past=steps)
def test_any_history_is_idempotent_and_leaves_what_was_observed(
    live: list[tuple[int, int]], past: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = fresh_store(tmp_path_factory.mktemp("past"))
    for hour, price in sorted([*live, (21, 1)]):
        record_offers(store, (seen(hour, str(price)),), later(hour))
    before = {hour: price_at(store, L4.id, later(hour)) for hour, _ in live}
    changes = {hour for hour, _ in live if price_at(store, L4.id, later(hour - 0.5)) != before[hour]}
    told = points(*((hour, str(price)) for hour, price in past))
    backfill(store, L4.id, told, source="aws", now=later(30))
    history = price_history(store, L4.id, later(-30))
    assert backfill(store, L4.id, told, source="aws", now=later(30)) == 0
    assert price_history(store, L4.id, later(-30)) == history
    assert all(price_at(store, L4.id, later(hour)) == before[hour] for hour in changes)
    assert price_at(store, L4.id, later(30)) == believed_offers(store)[0].usd_per_hour == 1
    store.close()


# how long a price lives


def dwell(store: Store, lives_h: Sequence[float], running_h: float) -> timedelta | None:
    """The estimate after these lives in a row and one that still runs."""
    hour = 0.0
    for number, life in enumerate([*lives_h, running_h]):
        record_offers(store, (seen(hour, str(1 + number % 2)),), later(hour))
        hour += life
    return dwell_time(store, L4.id, later(hour))


@pytest.mark.parametrize(
    ("lives_h", "running_h", "median_h"),
    [
        ([], 5, 5),
        ([1, 2, 3], 0.1, 2),
        ([1, 2, 3], 100, 2),
        ([1, 3], 100, 3),
        ([4], 0, 4),
        ([4], 100, 4),
        ([1, 1, 1, 9, 9], 2, 1),
        ([9, 9, 1], 2, 9),
    ],
)
def test_a_price_lives_for_the_median_life(
    lives_h: list[float], running_h: float, median_h: float, store: Store
) -> None:
    assert dwell(store, lives_h, running_h) == timedelta(hours=median_h)


def test_an_offer_without_a_price_has_no_life(store: Store) -> None:
    assert dwell_time(store, "nowhere", START) is None
    record_offers(store, (seen(5, "1"),), later(5))
    assert dwell_time(store, L4.id, START) is None, "it had not been seen by then"


def test_lives_of_long_ago_do_not_count_but_the_price_in_force_does(store: Store) -> None:
    record_offers(store, tuple(seen(hour, str(hour + 1)) for hour in range(9)), later(9))
    now = START + DWELL_WINDOW + timedelta(days=30)
    assert dwell_time(store, L4.id, now) == DWELL_WINDOW


# spread


def test_the_spread_is_per_type_and_market_over_the_places_seen_lately(store: Store) -> None:
    offers = (
        zone("a", "1.00"),
        zone("b", "2.00"),
        zone("c", "4.00"),
        zone("d", "0.10", observed_at=later(-25)),
        zone("a", "9.00", market=Market.ON_DEMAND),
        an_offer("gcp", gpu="H100", usd_per_hour="3"),
    )
    record_offers(store, offers, START)
    spot, firm, gcp = spread_now(store, START)[1], spread_now(store, START)[0], spread_now(store, START)[2]
    assert spot == Spread(
        provider="aws", instance_type="1xL4", gpu="L4", gpu_count=1, market=Market.SPOT, places=3,
        low_usd_per_hour=Decimal("1.00"), median_usd_per_hour=Decimal("2.00"),
        high_usd_per_hour=Decimal("4.00"), cheapest=offers[0].id,
    )  # fmt: skip
    assert (firm.market, firm.places, firm.median_usd_per_hour) == (Market.ON_DEMAND, 1, Decimal(9))
    assert gcp.provider == "gcp"
    assert spread_now(store, START, gpu="H100") == (gcp,)
    assert spread_now(store, START, market=Market.SPOT, instance_type="1xL4") == (spot,)
    assert spread_now(store, START, within=timedelta(days=2), gpu="L4")[1].places == 4
    assert spread_now(store, START, gpu="nothing") == ()


def test_the_middle_of_two_prices_is_exact(store: Store) -> None:
    record_offers(store, (zone("a", "0.1"), zone("b", "0.2")), START)
    assert spread_now(store, START)[0].median_usd_per_hour == Decimal("0.15")
