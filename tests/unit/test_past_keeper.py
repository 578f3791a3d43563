"""What prices were before the daemon looked: asked for once, and added where it was not known."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bouted.daemon.past import BACK, PastKeeper
from bouted.errors import NotConfigured, SourceFailed
from bouted.market.quotes import Quote
from bouted.store.open import Store
from bouted.store.prices import price_at, record_offers
from bouted.testing.clock import ManualClock
from bouted.testing.prices import NOON, ScriptedPrices, a_feed, a_quote, an_offer
from bouted.testing.processes import until
from bouted.testing.store import fresh_store

HOUR = timedelta(hours=1)


class Remembering(ScriptedPrices):
    """A source that knows `past`, or fails to tell it."""

    def __init__(self, past: tuple[Quote, ...] | Exception) -> None:
        super().__init__((), name="aws")
        self.past = past
        self.since: list[datetime] = []

    def spot_history(self, now: datetime, since: datetime) -> tuple[Quote, ...]:
        self.since.append(since)
        if isinstance(self.past, Exception):
            raise self.past
        return self.past


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(fresh_store(tmp_path)) as opened:
        record_offers(opened, (an_offer("0.40"),), NOON)
        yield opened


def run(store: Store, source: ScriptedPrices) -> int:
    """How many past prices were new, over several ticks."""
    keeper, feeds = PastKeeper(store=store, clock=ManualClock(NOON)), (a_feed(source),)
    new = keeper.tick(feeds)
    until(lambda: all(future is None or future.done() for future in keeper.asked.values()))
    return new + keeper.tick(feeds) + keeper.tick(feeds)


def test_past_prices_are_added_once(store: Store) -> None:
    past = tuple(a_quote(usd, effective_at=NOON - hours * HOUR) for usd, hours in (("0.30", 9), ("0.35", 3)))
    source = Remembering(past)
    assert (run(store, source), run(store, source)) == (2, 0)
    assert source.since == [NOON - BACK] * 2
    offer = an_offer("0.40").id
    seen = [price_at(store, offer, NOON - hours * HOUR) for hours in (10, 9, 3, 0)]
    assert seen == [None, Decimal("0.30"), Decimal("0.35"), Decimal("0.40")]


@pytest.mark.parametrize(
    "past",
    [
        (a_quote("0", effective_at=NOON - HOUR),),
        (a_quote("0.3", currency="EUR", effective_at=NOON - HOUR),),
        (a_quote("0.3", region="elsewhere", effective_at=NOON - HOUR),),
        SourceFailed("down"),
        NotConfigured("no credentials"),
        KeyError("a bug"),
    ],
    ids=["no price", "another currency", "never offered", "it fails", "not configured", "it has a bug"],
)
def test_what_cannot_be_taken_in_is_left_out(store: Store, past: tuple[Quote, ...] | Exception) -> None:
    assert run(store, Remembering(past)) == 0


def test_a_source_without_a_past_is_left_alone(store: Store) -> None:
    assert run(store, ScriptedPrices((a_quote(),))) == 0
