"""The daemon's keeper of the market: nobody waits for a slow source, and everything is remembered."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Event as Flag

import pytest

from bouted.clock import SystemClock
from bouted.config.schema import Config
from bouted.daemon.parts import load
from bouted.daemon.prices import MarketKeeper
from bouted.errors import SourceBroken, SourceFailed
from bouted.events import EventKind
from bouted.market.quotes import Answer, Quote, Unread
from bouted.store.events import list_events
from bouted.store.open import Store
from bouted.store.prices import believed_offers
from bouted.testing.clock import ManualClock
from bouted.testing.deployment import Deployment
from bouted.testing.prices import NOON, ScriptedPrices, a_feed, a_quote
from bouted.testing.store import fresh_store

A, B = a_quote("1.00", instance_type="a"), a_quote("2.00", instance_type="b")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(fresh_store(tmp_path)) as opened:
        yield opened


@pytest.fixture
def config(tmp_path: Path) -> Config:
    deployment = Deployment(tmp_path)
    deployment.write_config()
    return load(deployment.config_path).config


@pytest.fixture
def gate() -> Iterator[Flag]:
    """A source waits at it; opened at the end, so that no thread outlives its test."""
    flag = Flag()
    yield flag
    flag.set()


def at_the_gate(gate: Flag) -> Callable[[], tuple[Quote, ...]]:
    def wait() -> tuple[Quote, ...]:
        gate.wait(30)
        return (B,)

    return wait


def keeper(store: Store, *sources: ScriptedPrices, timeout_s: float = 30.0) -> MarketKeeper:
    feeds = tuple(a_feed(source, timeout_s=timeout_s) for source in sources)
    return MarketKeeper(store=store, clock=ManualClock(NOON), feeds=feeds)


def known(market: MarketKeeper) -> dict[str, Decimal]:
    assert market.state is not None
    return {offer.instance_type: offer.usd_per_hour for offer in market.state.offers}


async def until(done: Callable[[], bool], step: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.timeout(20):
        while not done():
            await step()
            await asyncio.sleep(0)


def test_a_refresh_asks_everybody_and_stores_what_is_believed(store: Store, config: Config) -> None:
    market = keeper(store, ScriptedPrices((A,), name="x"), ScriptedPrices((B,), name="y"))
    asyncio.run(market.refresh(config))
    assert known(market) == {"a": Decimal("1.00"), "b": Decimal("2.00")}
    assert [offer.usd_per_hour for offer in believed_offers(store)] == [Decimal("1.00"), Decimal("2.00")]


def test_a_source_that_hangs_delays_nobody_and_is_not_asked_again(
    store: Store, config: Config, gate: Flag
) -> None:
    slow = ScriptedPrices(at_the_gate(gate), name="slow")
    quick = ScriptedPrices((A,), (a_quote("1.10", instance_type="a"),), name="quick")
    market = keeper(store, slow, quick)
    clock = market.clock
    assert isinstance(clock, ManualClock)

    async def steps() -> None:
        async def tick() -> None:
            await market.tick(config)

        await until(lambda: market.state is not None and "a" in known(market), tick)
        clock.advance(31)  # past the slow one's patience
        await market.tick(config)
        assert market.stale() == ("slow: gave no answer in time",)
        clock.advance(600)
        await until(lambda: known(market)["a"] == Decimal("1.10"), tick)
        assert len(slow.asked_at) == 1
        gate.set()
        await until(lambda: len(slow.asked_at) == 2, tick)
        await until(lambda: "b" in known(market), tick)

    asyncio.run(steps())
    assert market.stale() == ()


def test_a_source_is_asked_again_when_its_turn_comes(store: Store, config: Config) -> None:
    source = ScriptedPrices((A,))
    market = keeper(store, source)
    clock = market.clock
    assert isinstance(clock, ManualClock)

    async def steps() -> None:
        await market.refresh(config)
        clock.advance(299)
        await market.tick(config)
        assert len(source.asked_at) == 1
        clock.advance(1)
        await market.tick(config)
        await until(lambda: not market.asking, lambda: market.tick(config))

    asyncio.run(steps())
    assert len(source.asked_at) == 2


def test_a_refresh_waits_no_longer_than_the_sources_patience(
    store: Store, config: Config, gate: Flag
) -> None:
    fresh = a_quote("1.00", instance_type="a", observed_at=datetime.now(UTC))
    slow, quick = ScriptedPrices(at_the_gate(gate), name="slow"), ScriptedPrices((fresh,), name="quick")
    market = keeper(store, slow, quick, timeout_s=0.5)
    market.clock = SystemClock()
    asyncio.run(market.refresh(config))
    assert known(market) == {"a": Decimal("1.00")}
    assert market.stale() == ("slow: gave no answer in time",)


def test_first_failure_and_recovery_are_a_line_and_an_event_each(
    store: Store, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "bouted.daemon.prices")
    market = keeper(store, ScriptedPrices((A,), SourceFailed("down"), SourceFailed("down"), (A,)))

    async def steps() -> None:
        for _ in range(4):
            await market.refresh(config)

    asyncio.run(steps())
    kinds = [event.kind for event in reversed(list_events(store, NOON - timedelta(days=1), 10))]
    assert kinds == [EventKind.SOURCE_FAILED, EventKind.SOURCE_RECOVERED]
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "prices from scripted: down",
        "prices from scripted are back after 0 min",
    ]


def test_a_source_that_needs_a_person_stops_the_start(store: Store, config: Config) -> None:
    market = keeper(
        store, ScriptedPrices(SourceBroken("prices.csv:3: not CSV")), ScriptedPrices((A,), name="b")
    )
    asyncio.run(market.refresh(config))
    with pytest.raises(SourceBroken, match=r"prices\.csv:3"):
        market.require_sound()


def test_after_a_restart_the_last_prices_are_known_before_anybody_answers(
    store: Store, config: Config
) -> None:
    asyncio.run(keeper(store, ScriptedPrices((A, B))).refresh(config))
    again = keeper(store, ScriptedPrices(SourceFailed("down")))
    again.recall(config)
    asyncio.run(again.refresh(config))
    assert known(again) == {"a": Decimal("1.00"), "b": Decimal("2.00")}
    assert again.stale() == ("scripted: down",)


class Late(ScriptedPrices):
    """Waits at the gate, then has a broken row only."""

    def __init__(self, gate: Flag) -> None:
        super().__init__((), name="old")
        self.gate = gate

    def fetch(self, now: datetime) -> Answer:
        self.gate.wait(30)
        return Answer(quotes=(), unread=(Unread(source="old", row=(("price", "?"),), reason="no number"),))


def test_an_answer_of_a_source_that_an_edit_removed_meanwhile_is_ignored(
    store: Store, config: Config, gate: Flag
) -> None:
    market = keeper(store, Late(gate))

    async def steps() -> None:
        await market.tick(config)
        market.feeds = (a_feed(ScriptedPrices((A,), name="new")),)
        gate.set()
        await until(lambda: not market.asking and market.state is not None, lambda: market.tick(config))

    asyncio.run(steps())
    assert known(market) == {"a": Decimal("1.00")}
    assert market.state is not None
    assert set(market.state.courses) == {"new"}
    assert market.state.unread == ()
