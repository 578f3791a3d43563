"""A daemon's side of the simulated cloud: the launcher it orders through, and its eyes on the engines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from bouted.clock import Clock
from bouted.errors import Gone, NoCapacity, NotYet, QuotaExceeded, Retryable
from bouted.perf.shapes import Engine
from bouted.reconcile.launcher import KnownNode, NodeOrder, Refused, ReplicaOrder, Seen, SeenNode, Why
from bouted.reconcile.observe import Health
from bouted.testing.sim.cloud import GIVEN_BACK, LISTED_FOR, SWEPT_FOR, Cloud
from bouted.testing.sim.gate import Gate
from bouted.testing.sim.vtime import pause

_REFUSED_S = 90.0  # how late a launch that was accepted may be refused
_REQUEST_S = 30.0  # how late a request of a process that died may still arrive


class Watched(Protocol):
    """Who wants to know of a daemon's orders before they are carried out."""

    def ordered(self, gate: Gate, method: str, name: str) -> None:
        """This is about to happen."""
        ...

    def refused(self, offer_id: str) -> None:
        """A launch was refused."""
        ...


@dataclass(slots=True, kw_only=True)
class SimLauncher:
    """See `bouted.reconcile.launcher.Launcher`. One per daemon process: a dead one's calls go nowhere."""

    cloud: Cloud
    gate: Gate
    watched: Watched
    name: str = "local"
    ending: set[str] = field(default_factory=set)

    def launch(self, order: NodeOrder) -> None:
        """Rent a machine, or refuse as the weather says."""
        self._called("launch", order.name, self._ghost(order))
        weather = self.cloud.weather
        if self.cloud.considers(order.name) or self._turned_away(order):
            return
        lie = weather.next_launch.pop() if weather.next_launch else ""
        self.cloud.rent(order)
        self.gate.passed(f"after launching {order.name}")
        pause(self.cloud.rng.random())
        match lie:
            case "lost":
                raise Retryable("the answer was lost", after_s=5.0)
            case "no capacity":
                self.watched.refused(order.offer.id)
                raise NoCapacity(order.offer.id)
            case "bug":
                raise RuntimeError("500 internal error")

    def start_replica(self, order: ReplicaOrder) -> None:
        """Start an engine on a machine that is up."""
        self._called("start_replica", order.name)
        machine = self.cloud.find(order.node)
        if machine is None:
            raise Gone(f"node {order.node} is not there")
        if self.cloud.loop.now() < machine.up_at:
            raise NotYet(f"node {order.node} is booting")
        if order.name not in machine.engines:
            self.cloud.start_engine(machine, order)
        self.gate.passed(f"after starting {order.name}")

    def versions(self) -> dict[Engine, str]:
        """What a start would bring now."""
        return {Engine.VLLM: self.cloud.engine_version}

    def stop_replica(self, name: str, node: str) -> None:
        """End an engine."""
        self._called("stop_replica", name)
        machine = self.cloud.find(node)
        if machine is not None and machine.engines.pop(name, None) is not None:
            self.cloud.changed(f"cloud: engine {name} ends")
        self.gate.passed(f"after stopping {name}")

    def stop_node(self, name: str) -> None:
        """Give a machine back; it takes a moment."""
        self._called("stop_node", name)
        if self.cloud.considers(name):
            del self.cloud.turned_away[name]
        machine = self.cloud.find(name)
        if machine is None:
            return
        if name not in self.ending and self.cloud.rng.random() < 0.5:
            self.ending.add(name)
            raise NotYet(f"node {name} is ending")
        self.cloud.end(machine, GIVEN_BACK)
        self.gate.passed(f"after stopping {name}")

    def seen(self) -> Seen:
        """What the provider's quick list says."""
        self.gate.passed("before looking")
        self._weather()
        at = self.cloud.list_time()
        seen = Seen(nodes=self.cloud.list_nodes(LISTED_FOR, at), replicas=self.cloud.list_engines(at))
        return self.cloud.looked_at(seen)

    def sweep(self, known: Sequence[KnownNode] = ()) -> tuple[SeenNode, ...]:
        """What the provider's full list says; as stale or partial as the quick one."""
        self.gate.passed("before sweeping")
        self._weather()
        self.cloud.swept_s, self.cloud.swept_with = self.cloud.loop.time(), self.gate.token
        listed = self.cloud.list_nodes(SWEPT_FOR, self.cloud.list_time())
        return self.cloud.looked_at(Seen(nodes=listed, replicas=())).nodes

    def renew(self, nodes: tuple[str, ...], for_s: float) -> None:
        """Move the leases of these machines."""
        self.gate.passed("before renewing")
        self._weather()
        for name in nodes:
            machine = self.cloud.find(name)
            if machine is not None:
                machine.lease_until = self.cloud.loop.now() + timedelta(seconds=for_s)

    def _called(self, method: str, name: str, on_death: Callable[[], None] = lambda: None) -> None:
        self.watched.ordered(self.gate, method, name)
        self.gate.passed(f"before {method} {name}")
        try:
            pause(self.cloud.rng.random() * 2 + self.cloud.weather.slow_s)
        except BaseException:
            on_death()  # the request left before its process died
            raise
        self.gate.passed(f"while {method} {name}")
        self._weather()

    def _weather(self) -> None:
        if self.cloud.weather.failing:
            raise Retryable("503 service unavailable", after_s=5.0)

    def _turned_away(self, order: NodeOrder) -> bool:
        """Half of what is refused is refused at once, the other half is accepted first, as SkyPilot does."""
        why, offer = self._refusal(order), order.offer.id
        if why is None:
            return False
        if self.cloud.rng.random() < 0.5:
            after_s = _REFUSED_S * self.cloud.rng.random()
            self.cloud.turn_away(order, Refused(why=why, detail=f"{why} for {offer}"), after_s)
            self.cloud.loop.call_later(after_s, self.watched.refused, offer)
            return True
        self.watched.refused(offer)
        raise QuotaExceeded(f"quota for {offer}") if why is Why.QUOTA else NoCapacity(offer)

    def _refusal(self, order: NodeOrder) -> Why | None:
        weather, offer = self.cloud.weather, order.offer.id
        if self.cloud.find(order.name) is not None:
            return None
        if offer in weather.over_quota:
            return Why.QUOTA
        held = sum(machine.offer_id == offer for machine in self.cloud.running())
        return Why.NO_CAPACITY if offer in weather.out or held >= self.cloud.stock.get(offer, 0) else None

    def _ghost(self, order: NodeOrder) -> Callable[[], None]:
        def arrive() -> None:
            if self.cloud.rng.random() < 0.5:
                delay_s = self.cloud.rng.random() * _REQUEST_S
                self.cloud.loop.call_later(delay_s, self.cloud.rent, order)

        return arrive


@dataclass(slots=True)
class SimProber:
    """Asks the simulated engines how they are, and remembers since when each has been failing."""

    cloud: Cloud
    clock: Clock
    metrics: dict[str, str] = field(default_factory=dict)
    failing: dict[str, datetime] = field(default_factory=dict)

    async def probe(self, seen: Seen) -> tuple[Health, ...]:
        """One answer per engine that has an endpoint."""
        answers = [self._ask(r.name, r.node) for r in seen.replicas if r.endpoint]
        names = {answer.replica for answer in answers}
        self.failing = {name: at for name, at in self.failing.items() if name in names}
        return tuple(answers)

    async def close(self) -> None:
        """Nothing to close."""

    def _ask(self, name: str, node: str) -> Health:
        machine = self.cloud.find(node)
        if machine is None or not self.cloud.answers(machine, name):
            since = self.failing.setdefault(name, self.clock.now())
            return Health(replica=name, ok=False, running=0, waiting=0, failing_since=since)
        self.failing.pop(name, None)
        busy = 2 if self.cloud.loop.now() - machine.engines[name].started_at < timedelta(minutes=30) else 0
        return Health(replica=name, ok=True, running=busy, waiting=0)
