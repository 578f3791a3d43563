"""A cloud in memory, with faults that tests script: stock-outs, slow launches, lost nodes, dead engines."""

import math
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from bouted.clock import Clock
from bouted.errors import BoutedError, Gone, Misconfigured, NoCapacity, NotYet, Retryable
from bouted.perf.shapes import Engine
from bouted.reconcile.launcher import KnownNode, NodeOrder, ReplicaOrder, Seen, SeenNode, SeenReplica

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class _Engine:
    order: ReplicaOrder
    listens_at: datetime
    pid: int
    version: str
    ends_at: datetime = _NEVER


@dataclass(slots=True, kw_only=True)
class _Node:
    order: NodeOrder
    launched_at: datetime
    up_at: datetime
    lease_until: datetime
    listed_at: datetime
    ends_at: datetime = _NEVER
    engines: dict[str, _Engine] = field(default_factory=dict)

    def ended_at(self, now: datetime) -> datetime | None:
        end = min(self.ends_at, self.lease_until)
        return end if end <= now else None


def _endpoint(order: ReplicaOrder) -> str:
    return f"http://{order.name}.test"


class MemoryCloud:
    """What runs, whoever launched it: it outlives every launcher object, as a real cloud does.

    A node is up after `boot_s`, an engine listens after `listen_s`, and either takes `end_s` to stop.
    Nothing happens between calls: the clock alone says how far things have come. `endpoint` names the
    URL of an engine, `engine_version` is what starts. `calls` holds (method, name) of every order that was
    given, oldest first.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        boot_s: float = 60.0,
        listen_s: float = 30.0,
        end_s: float = 0.0,
        endpoint: Callable[[ReplicaOrder], str] = _endpoint,
    ) -> None:
        self.clock = clock
        self.listen_s = listen_s
        self.end_s = end_s
        self.engine_version = "memory 1"
        self.endpoint = endpoint
        self.calls: list[tuple[str, str]] = []
        self._boot_s = boot_s
        self._nodes: dict[tuple[str, str], _Node] = {}
        self._stockouts: set[str] = set()
        self._slow: dict[str, float] = {}
        self._lag: dict[str, float] = {}
        self._unkillable: set[str] = set()
        self._failures: defaultdict[str, deque[BoutedError]] = defaultdict(deque)
        self._lost_answers: defaultdict[str, deque[BoutedError]] = defaultdict(deque)

    def stock_out(self, offers: str) -> None:
        """Refuse launches of offers whose id matches this glob."""
        self._stockouts.add(offers)

    def restock(self, offers: str) -> None:
        """Undo `stock_out` of the same glob."""
        self._stockouts.discard(offers)

    def slow_launch(self, nodes: str, boot_s: float = math.inf) -> None:
        """Let nodes launched from now on, whose name matches this glob, boot this long; inf is for ever."""
        self._slow[nodes] = boot_s

    def lag_lists(self, nodes: str, lag_s: float) -> None:
        """Let lists show nodes launched from now on, whose name matches this glob, only after so long."""
        self._lag[nodes] = lag_s

    def fail_next(self, method: str, error: BoutedError) -> None:
        """Raise `error` from the next call of this Launcher method, before it does anything."""
        self._failures[method].append(error)

    def lose_answer(self, method: str, error: BoutedError) -> None:
        """Raise `error` from the next call of this Launcher method, after it has done its work."""
        self._lost_answers[method].append(error)

    def lose_node(self, name: str) -> None:
        """Take a node away with all its engines, as a preemption does."""
        for (_, node_name), node in self._nodes.items():
            if node_name == name:
                node.ends_at = min(node.ends_at, self.clock.now())

    def kill_engine(self, name: str) -> None:
        """End an engine at once, as a crash does."""
        for node in self._nodes.values():
            node.engines.pop(name, None)

    def never_end(self, engines: str) -> None:
        """Let engines whose name matches this glob live until their node ends, whoever asks them to end."""
        self._unkillable.add(engines)

    def begin(self, method: str, name: str) -> None:
        """Note a call, and fail it if a failure was scripted."""
        self.calls.append((method, name))
        if self._failures[method]:
            raise self._failures[method].popleft()

    def end(self, method: str) -> None:
        """Fail a call that has done its work, if that was scripted."""
        if self._lost_answers[method]:
            raise self._lost_answers[method].popleft()

    def nodes(self, deployment: str) -> dict[str, _Node]:
        """The nodes of one deployment, by name."""
        return {name: node for (owner, name), node in sorted(self._nodes.items()) if owner == deployment}

    def create(self, deployment: str, order: NodeOrder, lease_s: float) -> None:
        """Rent out a node; NoCapacity when its offer is out of stock."""
        if any(fnmatchcase(order.offer.id, glob) for glob in self._stockouts):
            raise NoCapacity(order.offer.id)
        boots = [boot_s for glob, boot_s in self._slow.items() if fnmatchcase(order.name, glob)]
        lags = [lag_s for glob, lag_s in self._lag.items() if fnmatchcase(order.name, glob)]
        self._nodes[deployment, order.name] = _Node(
            order=order,
            launched_at=self.clock.now(),
            up_at=self.later(boots[-1] if boots else self._boot_s),
            lease_until=self.later(lease_s),
            listed_at=self.later(max(lags, default=0.0)),
        )

    def ends(self, engine: str) -> bool:
        """Whether an engine of this name ends when it is asked to."""
        return not any(fnmatchcase(engine, glob) for glob in self._unkillable)

    def later(self, seconds: float) -> datetime:
        """This long from now."""
        return _NEVER if math.isinf(seconds) else self.clock.now() + timedelta(seconds=seconds)


class MemoryLauncher:
    """One deployment's launcher on a MemoryCloud; any number of them may share it."""

    def __init__(
        self,
        cloud: MemoryCloud,
        deployment: str = "test",
        *,
        deadman_s: float = 43_200.0,
        name: str = "memory",
    ) -> None:
        self.name = name
        self._cloud = cloud
        self._deployment = deployment
        self._deadman_s = deadman_s

    def launch(self, order: NodeOrder) -> None:
        """Create the node, unless it is there. Misconfigured for a group."""
        if order.instances > 1:
            raise Misconfigured("launchers.memory", "cannot start groups of instances")
        self._cloud.begin("launch", order.name)
        if self._live(order.name) is None:
            self._cloud.create(self._deployment, order, self._deadman_s)
        self._cloud.end("launch")

    def start_replica(self, order: ReplicaOrder) -> None:
        """Start the engine, unless it runs. NotYet while the node boots, Gone when there is none."""
        self._cloud.begin("start_replica", order.name)
        now = self._cloud.clock.now()
        node = self._live(order.node)
        if node is None or node.ends_at != _NEVER:
            raise Gone(f"node {order.node} is not there")
        if now < node.up_at:
            raise NotYet(f"node {order.node} is booting")
        engine = node.engines.get(order.name)
        if engine is not None and now < engine.ends_at != _NEVER:
            raise NotYet(f"replica {order.name} is still ending")
        if engine is None or engine.ends_at <= now:
            pid = 1000 + len(self._cloud.calls)
            listens_at = self._cloud.later(self._cloud.listen_s)
            node.engines[order.name] = _Engine(
                order=order, listens_at=listens_at, pid=pid, version=self._cloud.engine_version
            )

    def versions(self) -> dict[Engine, str]:
        """What a start would bring now."""
        return dict.fromkeys(Engine, self._cloud.engine_version)

    def stop_replica(self, name: str, node: str) -> None:
        """End the engine; NotYet for `end_s`."""
        self._cloud.begin("stop_replica", name)
        holder = self._live(node)
        engine = holder.engines.get(name) if holder else None
        if engine is None:
            return
        if not self._cloud.ends(name):
            raise Retryable(f"replica {name} does not end", after_s=1.0)
        engine.ends_at = min(engine.ends_at, self._cloud.later(self._cloud.end_s))
        if self._cloud.clock.now() < engine.ends_at:
            raise NotYet(f"replica {name} is ending")

    def stop_node(self, name: str) -> None:
        """End the node and its engines; NotYet for `end_s`."""
        self._cloud.begin("stop_node", name)
        node = self._live(name)
        if node is None:
            return
        node.ends_at = min(node.ends_at, self._cloud.later(self._cloud.end_s))
        if self._cloud.clock.now() < node.ends_at:
            raise NotYet(f"node {name} is ending")

    def seen(self) -> Seen:
        """The nodes, those that ended too, and the engines that live."""
        self._cloud.begin("seen", "")
        now = self._cloud.clock.now()
        nodes, replicas = [], []
        for name, node in self._cloud.nodes(self._deployment).items():
            if now < node.listed_at:
                continue
            ended_at = node.ended_at(now)
            up = ended_at is None and node.ends_at == _NEVER and node.up_at <= now
            nodes.append(
                SeenNode(
                    name=name,
                    up=up,
                    started_at=node.launched_at,
                    ended_at=ended_at,
                    offer_id=node.order.offer.id,
                    instance_id=f"i-{name}",
                )
            )
            if ended_at is None:
                replicas += [
                    self._look(engine, now) for engine in node.engines.values() if engine.ends_at > now
                ]
        replicas.sort(key=lambda replica: replica.name)
        return Seen(nodes=tuple(nodes), replicas=tuple(replicas))

    def sweep(self, known: Sequence[KnownNode] = ()) -> tuple[SeenNode, ...]:
        """The same nodes: this cloud has one list."""
        return self.seen().nodes

    def renew(self, nodes: tuple[str, ...], for_s: float) -> None:
        """Move the leases of these nodes; a node that ended stays ended."""
        for name in nodes:
            self._cloud.begin("renew", name)
            node = self._live(name)
            if node is not None:
                node.lease_until = self._cloud.later(for_s)

    def _live(self, name: str) -> _Node | None:
        node = self._cloud.nodes(self._deployment).get(name)
        return None if node is None or node.ended_at(self._cloud.clock.now()) else node

    def _look(self, engine: _Engine, now: datetime) -> SeenReplica:
        order = engine.order
        endpoint = self._cloud.endpoint(order) if engine.listens_at <= now else ""
        return SeenReplica(
            name=order.name, node=order.node, endpoint=endpoint, pid=engine.pid, version=engine.version
        )
