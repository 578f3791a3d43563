"""Keeps the market: asks each source at its own pace, remembers what it said, prices the fleet anew."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from bouted.clock import Clock
from bouted.config.schema import Config
from bouted.errors import SourceBroken
from bouted.events import Severity
from bouted.market.allowed import allowed_offers
from bouted.market.asking import NO_ANSWER, Outcome, Result, start_asking
from bouted.market.billed import as_billed
from bouted.market.collect import fold
from bouted.market.odds import Odds, learned
from bouted.market.offers import Offer
from bouted.market.source import Feed, PriceSource
from bouted.market.state import MarketState
from bouted.reconcile.fleet import FleetState
from bouted.store.billed import factors_by_cloud
from bouted.store.claims import load_market, save_belief
from bouted.store.events import add_events
from bouted.store.fleet import load_fleet
from bouted.store.odds import learn, load_odds
from bouted.store.open import Store
from bouted.store.prices import effective_times, record_offers
from bouted.store.spend import believe_price
from bouted.threads import InThread

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Asking:
    """A source that was asked and has not answered. `given_up`: its time is over, its thread may hang on."""

    future: "Future[Outcome]"
    since: datetime
    for_s: float
    given_up: bool = False

    def left_s(self, now: datetime) -> float:
        """What is left of its time; all of it from now on once the clock was set back."""
        self.since = min(self.since, now)
        return self.for_s - (now - self.since).total_seconds()


@dataclass(slots=True)
class MarketKeeper:
    """Holds the market. Sources answer when they can: a slow or dead one never delays another's prices."""

    store: Store
    clock: Clock
    feeds: tuple[Feed, ...]
    state: MarketState | None = field(default=None)
    asking: dict[str, _Asking] = field(default_factory=dict)
    odds: Mapping[str, Odds] = field(default_factory=dict)
    factors: Mapping[str, Decimal] = field(default_factory=dict)
    rng: random.Random = field(default_factory=random.Random)
    start: Callable[[PriceSource, datetime], "Future[Outcome]"] = start_asking
    in_thread: InThread = asyncio.to_thread

    def recall(self, config: Config) -> None:
        """After a restart: what was believed when the daemon last looked, aged; nothing on a first start."""
        now = self.clock.now()
        before = load_market(self.store, now)
        self.odds, self.factors = load_odds(self.store), factors_by_cloud(self.store)
        if before is not None:
            self.state = fold(self.feeds, {}, before, now, trust=config.trust(), jitter=1.0).state

    def learn(self, fleet: FleetState) -> None:
        """Take what the fleet went through into the odds of the offers it stands on."""
        if learn(self.store, fleet, self.clock.now()):
            self.odds = load_odds(self.store)

    async def refresh(self, config: Config) -> None:
        """Ask every source and wait for all of them, each for as long as it is given."""
        self._start(tuple(feed for feed in self.feeds if not self._waits(feed.source.name)))
        while waited_for := [asking for asking in self.asking.values() if not asking.given_up]:
            left_s = min(asking.left_s(self.clock.now()) for asking in waited_for)
            futures = [asking.future for asking in waited_for]
            await self.in_thread(wait, futures, max(0.0, left_s), FIRST_COMPLETED)
            await self._gather(config)

    async def tick(self, config: Config) -> None:
        """Take in what has come, and ask the sources whose turn it is. Never waits for one."""
        await self._gather(config)
        now = self.clock.now()
        courses = self.state.courses if self.state is not None else {}
        due = tuple(
            feed
            for feed in self.feeds
            if feed.source.name not in self.asking
            and (feed.source.name not in courses or not courses[feed.source.name].waits(now))
        )
        self._start(due)

    def require_sound(self) -> None:
        """SourceBroken when a source needs a person: a daemon must not start on a file it cannot read."""
        broken = [c for c in self.state.troubled() if c.needs_person] if self.state is not None else []
        if broken:
            raise SourceBroken("; ".join(course.error for course in broken))

    def offers(self, config: Config) -> tuple[Offer, ...]:
        """What may be rented now, with the odds lived through, at what clouds bill: allowed offers, and
        machines of one's own."""
        if self.state is None:
            return ()
        now = self.clock.now()
        billed = (as_billed(offer, self.factors) for offer in self.state.offers)
        offers = tuple(learned(offer, self.odds.get(offer.id), now) for offer in billed)
        return allowed_offers((*offers, *config.owned_offers(self.state.taken_at)), config.supply_rules())

    def believed(self, config: Config) -> dict[str, Decimal]:
        """What each offer costs an hour, at the prices believed now."""
        offers = self.state.offers if self.state is not None else ()
        billed = (as_billed(offer, self.factors) for offer in offers)
        return {offer.id: offer.usd_per_hour for offer in (*billed, *config.owned_offers(self.clock.now()))}

    def stale(self) -> tuple[str, ...]:
        """Sources that gave nothing last time, each with its error."""
        if self.state is None:
            return ()
        return tuple(f"{course.name}: {course.error}" for course in self.state.troubled())

    def _waits(self, name: str) -> bool:
        """A source that is being asked, or that asked not to be just yet."""
        course = self.state.courses.get(name) if self.state is not None else None
        told_to = course is not None and course.result is Result.THROTTLED
        return name in self.asking or (told_to and course is not None and course.waits(self.clock.now()))

    def _start(self, feeds: tuple[Feed, ...]) -> None:
        now = self.clock.now()
        for feed in feeds:
            asking = _Asking(future=self.start(feed.source, now), since=now, for_s=feed.timeout_s)
            self.asking[feed.source.name] = asking

    async def _gather(self, config: Config) -> None:
        """Fold in every answer that came, and "no answer" for each that is late; a later one is ignored."""
        now = self.clock.now()
        heard: dict[str, Outcome] = {}
        for name, asking in tuple(self.asking.items()):
            if asking.future.done():
                del self.asking[name]
                if not asking.given_up:
                    heard[name] = asking.future.result()
            elif not asking.given_up and asking.left_s(now) <= 0:
                asking.given_up = True
                heard[name] = NO_ANSWER
        asked = {feed.source.name for feed in self.feeds}
        heard = {name: outcome for name, outcome in heard.items() if name in asked}
        if heard:
            self.state = await self.in_thread(self._fold, heard, config, now)

    def _fold(self, heard: dict[str, Outcome], config: Config, now: datetime) -> MarketState:
        before = self.state or MarketState(taken_at=now)
        collected = fold(self.feeds, heard, before, now, trust=config.trust(), jitter=self.rng.random())
        for event in collected.events:
            log.log(logging.INFO if event.severity is Severity.INFO else logging.WARNING, event.message)
        add_events(self.store, collected.events)
        state = collected.state
        since = effective_times(state.memory, state.offers)
        record_offers(self.store, state.offers, now, effective_at=since)
        save_belief(self.store, state, state.unread, state.courses, now)
        self.factors = factors_by_cloud(self.store)
        fleet = load_fleet(self.store, _quiet_since(heard, before, now))
        self._reprice((*state.offers, *config.owned_offers(now)), since, fleet, now)
        return state

    def _reprice(
        self, offers: tuple[Offer, ...], since: Mapping[str, datetime], fleet: FleetState, now: datetime
    ) -> None:
        """A running node costs what its offer costs: since the source says so, or from now on. One that ended
        since then cost it too."""
        prices = {offer.id: as_billed(offer, self.factors) for offer in offers}
        for node in fleet.nodes:
            offer, start = prices.get(node.offer.id), since.get(node.offer.id)
            cost_it = node.paid or (start is not None and start < node.since)
            if cost_it and offer is not None and offer.usd_per_hour != node.offer.usd_per_hour:
                believe_price(self.store, node.name, offer.quoted, start, now)


def _quiet_since(heard: Mapping[str, Outcome], before: MarketState, now: datetime) -> datetime:
    """When the first of those who answer now last did: what ended since may have cost a price unheard of."""
    courses = (before.courses.get(name) for name, outcome in heard.items() if outcome.result.good)
    return min((now, *(c.answered_at for c in courses if c is not None and c.answered_at is not None)))
