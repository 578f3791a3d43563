"""The daemon's keeper of the market: nobody waits for a slow source, and everything is remembered."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import replace
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
from bouted.ledger.bills import Billed
from bouted.market.quotes import Answer, Quote, Unread
from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.billed import save_billed
from bouted.store.events import list_events
from bouted.store.fleet import add_node, load_fleet, move_node
from bouted.store.open import Store
from bouted.store.prices import believed_offers
from bouted.store.spend import spend_usd
from bouted.testing.clock import ManualClock
from bouted.testing.deployment import Deployment
from bouted.testing.fleet import an_offer
from bouted.testing.prices import NOON, ScriptedPrices, a_feed, a_quote
from bouted.testing.store import a_node, fresh_store

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


def test_a_source_that_hangs_is_given_its_time_once_more_after_the_clock_was_set_back_and_then_given_up(
    store: Store, config: Config, gate: Flag
) -> None:
    market = keeper(store, ScriptedPrices(at_the_gate(gate), name="slow"))

    async def steps() -> None:
        await market.tick(config)
        market.clock = clock = ManualClock(NOON - timedelta(days=1))
        for later_s, stale in ((0, ()), (29, ()), (1, ("slow: gave no answer in time",))):
            clock.advance(later_s)
            await market.tick(config)
            assert market.stale() == stale

    asyncio.run(steps())


@pytest.mark.parametrize("restarted", [False, True], ids=["in one life", "after a restart"])
def test_a_source_asked_while_the_clock_was_ahead_is_asked_again_once_it_is_right(
    store: Store, config: Config, restarted: bool
) -> None:
    source = ScriptedPrices((A,), (replace(A, price=Decimal("1.50")),))
    market = keeper(store, source)
    market.clock = ManualClock(NOON + timedelta(hours=6))
    asyncio.run(market.refresh(config))
    if restarted:
        market = keeper(store, source)
        market.recall(config)
    market.clock = ManualClock(NOON)

    async def steps() -> None:
        await market.tick(config)
        await until(lambda: not market.asking, lambda: market.tick(config))

    asyncio.run(steps())
    assert source.asked_at == [NOON + timedelta(hours=6), NOON]
    assert known(market) == {"a": Decimal("1.50")}


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


def a_running_node(store: Store, quote: Quote) -> None:
    """A node of the quoted offer, up since noon."""
    offer = an_offer(quote.provider, usd_per_hour=str(quote.price), market=quote.market, region=quote.region)
    offer = replace(offer, zone=quote.zone, instance_type=quote.instance_type)
    add_node(store, replace(a_node(), offer=offer))
    move_node(store, "t-1", NodeStatus.LAUNCHING, Reason.PLAN, NOON)
    move_node(store, "t-1", NodeStatus.UP, Reason.OBSERVED, NOON, launched_at=NOON)


def test_a_running_node_costs_its_new_price_since_the_source_says_so(store: Store, config: Config) -> None:
    hour = timedelta(hours=1)
    dearer = a_quote("3.00", instance_type="a", observed_at=NOON + 2 * hour, effective_at=NOON + hour)
    market = keeper(store, ScriptedPrices((dearer,)))
    a_running_node(store, A)
    assert isinstance(market.clock, ManualClock)
    market.clock.advance(7200)
    asyncio.run(market.refresh(config))
    assert spend_usd(store, NOON, NOON + 2 * hour) == 1 + 3
    assert load_fleet(store, market.clock.now()).committed_usd_per_hour() == Decimal("3.00")


def test_a_node_that_ended_while_its_source_was_down_costs_the_price_it_had_then(
    store: Store, config: Config
) -> None:
    hour = timedelta(hours=1)
    dearer = a_quote("3.00", instance_type="a", observed_at=NOON + 9 * hour, effective_at=NOON + hour)
    market = keeper(store, ScriptedPrices((A,), SourceFailed("down"), (dearer,)))
    a_running_node(store, A)
    assert isinstance(market.clock, ManualClock)
    asyncio.run(market.refresh(config))
    market.clock.advance(7200)
    asyncio.run(market.refresh(config))
    move_node(store, "t-1", NodeStatus.FAILED, Reason.LOST, NOON + 2 * hour, ended_at=NOON + 2 * hour)
    market.clock.advance(7 * 3600)
    asyncio.run(market.refresh(config))
    assert spend_usd(store, NOON, NOON + 9 * hour) == 1 + 3


def test_offers_and_running_nodes_count_at_what_the_cloud_bills(store: Store, config: Config) -> None:
    market = keeper(store, ScriptedPrices((A,)))
    a_running_node(store, A)
    billed = Billed(
        provider=A.provider,
        billed_usd=Decimal("115"),
        ledger_usd=Decimal(100),
        nodes=1,
        hours=10.0,
        since=NOON - timedelta(days=2),
        until=NOON - timedelta(days=1),
    )
    save_billed(store, (billed,), NOON)
    asyncio.run(market.refresh(config))
    (offer,) = (offer for offer in market.offers(config) if offer.instance_type == "a")
    assert (offer.usd_per_hour, offer.quoted) == (Decimal("1.15"), Decimal("1.00"))
    assert known(market) == {"a": Decimal("1.00")}, "what sources say stays what they say"
    assert load_fleet(store, NOON).committed_usd_per_hour() == Decimal("1.15")
    assert spend_usd(store, NOON, NOON + timedelta(hours=1)) == 1
