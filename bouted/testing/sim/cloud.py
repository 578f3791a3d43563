"""A simulated provider: machines, engines, stock, lists and a bill, with every fault that clouds have."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from random import Random
from typing import TypeVar

from bouted.reconcile.launcher import NodeOrder, Refused, ReplicaOrder, Seen, SeenNode, SeenReplica
from bouted.testing.sim.money import PriceList
from bouted.testing.sim.vtime import VirtualLoop

T = TypeVar("T")

LEAST_BILLED = timedelta(seconds=60)  # as both providers say
LISTED_FOR = timedelta(hours=2)
SWEPT_FOR = timedelta(hours=48)
GIVEN_BACK = "given back"


@dataclass(slots=True, kw_only=True)
class Engine:
    """An engine on a machine."""

    order: ReplicaOrder
    started_at: datetime
    listens_at: datetime
    hung: bool = False
    pid: int = 0
    version: str = ""


@dataclass(slots=True, kw_only=True)
class Machine:
    """One rented machine. `id` is the provider's own name for it; `listed_at` is when its lists begin to hold
    it. `stray`: no daemon asked for it. `ended_why` is GIVEN_BACK where one ended it.
    """

    name: str
    id: str
    offer_id: str
    instances: int
    started_at: datetime
    listed_at: datetime
    up_at: datetime
    lease_until: datetime
    stray: bool = False
    ended_at: datetime | None = None
    ended_why: str = ""
    engines: dict[str, Engine] = field(default_factory=dict)

    def end(self, now: datetime) -> datetime | None:
        """When it ended, by somebody's order or by its own dead-man switch; None while it runs."""
        if self.ended_at is not None:
            return self.ended_at
        return self.lease_until if self.lease_until <= now else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedAway:
    """A launch that was accepted and comes to nothing: known at `at`."""

    name: str
    offer_id: str
    refused: Refused
    at: datetime

    def seen(self, at: datetime) -> SeenNode:
        """How it is listed: on its way, then as refused."""
        known = self.at <= at
        return SeenNode(
            name=self.name,
            up=False,
            started_at=None,
            ended_at=self.at if known else None,
            offer_id=self.offer_id,
            refused=self.refused if known else None,
        )


@dataclass(slots=True)
class Weather:
    """What is wrong with the provider now. `lists` is "", "stale", "partial", "empty" or "twice"."""

    out: set[str] = field(default_factory=set)
    over_quota: set[str] = field(default_factory=set)
    late_s: float = 0.0
    lists: str = ""
    lists_since: datetime | None = None
    slow_s: float = 0.0
    failing: bool = False
    next_launch: list[str] = field(default_factory=list)  # "lost", "no capacity", "bug"


@dataclass(slots=True)
class Cloud:
    """Everything that exists at the provider, whoever asked for it. Its time is the true time.

    `changed` is called after every change, with a line that tells it; `stir` when something comes up.
    `swept_s` is when a daemon last asked for the full list, `swept_with` its token: one that was overtaken
    meanwhile writes nothing of what it saw.
    """

    loop: VirtualLoop
    rng: Random
    prices: PriceList
    stock: dict[str, int]
    changed: Callable[[str], None]
    stir: Callable[[], None]
    lease_s: float
    weather: Weather = field(default_factory=Weather)
    engine_version: str = "vllm 1"
    machines: list[Machine] = field(default_factory=list)
    turned_away: dict[str, TurnedAway] = field(default_factory=dict)
    swept_s: float = -1.0
    swept_with: int = 0

    def running(self) -> list[Machine]:
        """The machines that are billed now."""
        now = self.loop.now()
        return [machine for machine in self.machines if machine.end(now) is None]

    def find(self, name: str) -> Machine | None:
        """The running machine of this name."""
        return next((machine for machine in self.running() if machine.name == name), None)

    def next_id(self) -> str:
        """What the next machine is called here."""
        return f"i-{len(self.machines):04}"

    def answers(self, machine: Machine, name: str) -> bool:
        """Whether an engine on a machine answers now."""
        engine = machine.engines.get(name)
        return engine is not None and not engine.hung and engine.listens_at <= self.loop.now()

    def rent(self, order: NodeOrder) -> None:
        """Start billing a machine; nothing when one of that name runs."""
        if self.find(order.name) is not None:
            return
        now = self.loop.now()
        late = timedelta(seconds=self.weather.late_s * self.rng.random())
        up_at = now + late + timedelta(seconds=self.rng.uniform(20, 90))
        self.machines.append(
            Machine(
                name=order.name,
                id=self.next_id(),
                offer_id=order.offer.id,
                instances=order.instances,
                started_at=now,
                listed_at=now + late,
                up_at=up_at,
                lease_until=now + timedelta(seconds=self.lease_s),
            )
        )
        self._wake_at(up_at)
        self._wake_at(now + late)
        self.changed(f"cloud: {order.name} runs ({order.offer.id}), listed in {late.total_seconds():.0f} s")

    def turn_away(self, order: NodeOrder, refused: Refused, after_s: float) -> None:
        """Accept a launch that will have come to nothing after so long."""
        at = self.loop.now() + timedelta(seconds=after_s)
        self.turned_away[order.name] = TurnedAway(
            name=order.name, offer_id=order.offer.id, refused=refused, at=at
        )
        self._wake_at(at)
        self.changed(f"cloud: {order.name} will be refused in {after_s:.0f} s ({refused.why})")

    def considers(self, name: str) -> bool:
        """Whether a launch of that name was accepted and will be refused."""
        turned = self.turned_away.get(name)
        return turned is not None and self.loop.now() < turned.at

    def start_engine(self, machine: Machine, order: ReplicaOrder) -> None:
        """Start an engine that listens after a while."""
        now = self.loop.now()
        listens_at = now + timedelta(seconds=self.rng.uniform(10, 60))
        engine = Engine(
            order=order,
            started_at=now,
            listens_at=listens_at,
            pid=1000 + len(machine.engines),
            version=self.engine_version,
        )
        machine.engines[order.name] = engine
        self._wake_at(listens_at)
        self.changed(f"cloud: engine {order.name} starts")

    def end(self, machine: Machine, why: str) -> None:
        """End a machine now, with everything on it."""
        machine.ended_at, machine.ended_why = self.loop.now(), why
        machine.engines.clear()
        self.changed(f"cloud: {machine.name} ends: {why}")
        self.stir()

    def list_nodes(self, kept: timedelta, at: datetime) -> tuple[SeenNode, ...]:
        """What the provider's list said at `at`."""
        listed = []
        for machine in self.machines:
            ended = machine.end(self.loop.now())
            ended = ended if ended is not None and ended <= at else None
            if machine.listed_at <= at and (ended is None or at - ended < kept):
                listed.append(
                    SeenNode(
                        name=machine.name,
                        up=ended is None and machine.up_at <= at,
                        started_at=machine.started_at,
                        ended_at=ended,
                        offer_id=machine.offer_id,
                        instance_id=machine.id,
                    )
                )
        told = (turned for turned in self.turned_away.values() if at - turned.at < kept)
        return (*listed, *(turned.seen(at) for turned in told))

    def list_engines(self, at: datetime) -> tuple[SeenReplica, ...]:
        """The engines that run, on machines that do."""
        return tuple(
            SeenReplica(
                name=engine.order.name,
                node=machine.name,
                endpoint=f"http://{engine.order.name}.test" if engine.listens_at <= at else "",
                pid=engine.pid,
                version=engine.version,
            )
            for machine in self.running()
            for engine in machine.engines.values()
            if engine.started_at <= at
        )

    def looked_at(self, seen: Seen) -> Seen:
        """The same list, as today's weather shows it."""
        match self.weather.lists:
            case "empty":
                return Seen(nodes=(), replicas=())
            case "partial":
                return Seen(nodes=self._some(seen.nodes), replicas=self._some(seen.replicas))
            case "twice":
                return Seen(nodes=seen.nodes * 2, replicas=seen.replicas * 2)
        return seen

    def list_time(self) -> datetime:
        """The instant that lists tell of."""
        if self.weather.lists == "stale" and self.weather.lists_since is not None:
            return self.weather.lists_since
        return self.loop.now()

    def bill(self, name: str, until: datetime) -> Fraction:
        """Exact dollars for all machines that ever had this name."""
        total = Fraction(0)
        for machine in self.machines:
            if machine.name == name:
                end = min(machine.end(self.loop.now()) or until, until)
                end = max(end, machine.started_at + LEAST_BILLED)
                total += machine.instances * self.prices.usd(machine.offer_id, machine.started_at, end)
        return total

    def _some(self, things: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(thing for thing in things if self.rng.random() < 0.5)

    def _wake_at(self, at: datetime) -> None:
        delay_s = max(0.0, (at - self.loop.now()).total_seconds())
        self.loop.call_later(delay_s + 0.001, self.stir)
