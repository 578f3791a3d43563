"""What must always hold, each in one plain sentence."""

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar, Protocol

from bouted.config.schema import Config
from bouted.reconcile.states import NodeStatus, ReplicaStatus
from bouted.testing.sim.cloud import Cloud
from bouted.testing.sim.rows import Rows


class Violation(AssertionError):
    """Something that must always hold did not."""

    def __init__(self, name: str, sentence: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}; {sentence}")
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What an invariant may look at. `healthy_s`: seconds so far in which one daemon was up, unpaused, could
    write and could see; `obstructed`: stock, quota or the cap may stand in the way of a launch now.
    `announced` are machines that the provider said it takes, whether it has or not.
    """

    now_s: float
    healthy_s: float
    rows: Rows
    before: Rows
    cloud: Cloud
    config: Config
    caps: Decimal
    shedding: bool
    obstructed: bool
    announced: frozenset[str] = frozenset()

    def committed(self) -> Decimal:
        """Dollars an hour, but for what the provider takes back anyway."""
        return self.rows.committed(self.announced)


class Invariant(Protocol):
    """Each method returns what is wrong, "" if nothing is."""

    sentence: ClassVar[str]

    def committed(self, at: Moment) -> str:
        """Rows have changed."""
        ...

    def ordered(self, at: Moment, method: str, name: str) -> str:
        """A daemon is about to order this from the cloud."""
        ...

    def passed(self, at: Moment) -> str:
        """Time has passed."""
        ...


class Holds:
    """Says nothing; invariants say what they care about."""

    def committed(self, at: Moment) -> str:
        return ""

    def ordered(self, at: Moment, method: str, name: str) -> str:
        return ""

    def passed(self, at: Moment) -> str:
        return ""


@dataclass(slots=True)
class IntentFirst(Holds):
    """No money without a row."""

    sentence: ClassVar[str] = "a machine is asked for only under a row that says so"

    def ordered(self, at: Moment, method: str, name: str) -> str:
        if method != "launch":
            return ""
        row = at.rows.nodes.get(name)
        if row is None:
            return f"{name} is launched and has no row"
        if row.status is not NodeStatus.LAUNCHING:
            return f"{name} is launched while its row says {row.status}"
        return ""


@dataclass(slots=True)
class NothingLeaks(Holds):
    """Unexplained machines end."""

    sentence: ClassVar[str] = "what runs and no live row explains ends within a sweep and its grace"
    most_s: float = 2400.0
    since: dict[str, float] = field(default_factory=dict)

    def passed(self, at: Moment) -> str:
        strays = {
            machine.name
            for machine in at.cloud.running()
            if (row := at.rows.nodes.get(machine.name)) is None or not row.live
        }
        self.since = {name: self.since.get(name, at.healthy_s) for name in sorted(strays)}
        for name, since in self.since.items():
            if at.healthy_s - since > self.most_s:
                return f"{name} has run for {at.healthy_s - since:.0f} healthy seconds without a live row"
        return ""


@dataclass(slots=True)
class OneNodePerSlot(Holds):
    """No doubles."""

    sentence: ClassVar[str] = "a place of the plan is filled by one live node at most"

    def committed(self, at: Moment) -> str:
        live = (NodeStatus.PLANNED, NodeStatus.LAUNCHING, NodeStatus.UP)
        slots = Counter(row.slot for row in at.rows.nodes.values() if row.status in live)
        double = [slot for slot, count in slots.items() if count > 1]
        return f"{double[0]} is filled {slots[double[0]]} times" if double else ""


@dataclass(slots=True)
class OneReplicaPerPlace(Holds):
    """No doubles on a node either."""

    sentence: ClassVar[str] = "a place on a node is filled by one live replica at most"

    def committed(self, at: Moment) -> str:
        places = Counter((r.node, r.position) for r in at.rows.replicas.values() if r.live)
        double = [place for place, count in places.items() if count > 1]
        return f"{double[0]} is filled {places[double[0]]} times" if double else ""


@dataclass(slots=True)
class ActsUnderCap(Holds):
    """Money is guarded when it is committed."""

    sentence: ClassVar[str] = (
        "no launch takes committed dollars an hour over the cap and the surge, but for what is taken anyway"
    )

    def committed(self, at: Moment) -> str:
        for name, row in at.rows.nodes.items():
            before = at.before.nodes.get(name)
            fresh = row.status is NodeStatus.LAUNCHING and (before is None or not before.paid)
            if fresh and at.committed() > at.caps:
                return f"launching {name} commits ${at.committed()}/h, allowed are ${at.caps}/h"
        return ""


@dataclass(slots=True)
class OverCapIsBounded(Holds):
    """A price rise is answered, by whatever is not the serving floor."""

    sentence: ClassVar[str] = (
        "after a price rise committed dollars an hour come back under the cap in time, but for serving floors"
    )
    most_s: float = 5400.0
    since: float | None = None

    def passed(self, at: Moment) -> str:
        if at.rows.committed() <= at.caps or self._only_floors(at):
            self.since = None
            return ""
        self.since = at.healthy_s if self.since is None else self.since
        over_s = at.healthy_s - self.since
        return f"over the cap for {over_s:.0f} healthy seconds" if over_s > self.most_s else ""

    def _only_floors(self, at: Moment) -> bool:
        floors = {model.name: max(1, model.min_replicas) for model in at.config.models}
        return all(at.rows.keeps_a_floor(node.name, floors) for node in at.rows.nodes.values() if node.paid)


@dataclass(slots=True)
class FloorIsKept(Holds):
    """Draining never takes what serves below the floor."""

    sentence: ClassVar[str] = "no drain or stop takes a model below its floor while there is a choice"

    def committed(self, at: Moment) -> str:
        if at.shedding or at.rows.desired is None:
            return ""
        for model in at.config.models:
            left = [
                r.name
                for r in at.rows.replicas.values()
                if r.model == model.name
                and r.status in (ReplicaStatus.DRAINING, ReplicaStatus.STOPPED)
                and (was := at.before.replicas.get(r.name)) is not None
                and was.status is ReplicaStatus.READY
            ]
            goes = all(at.rows.replicas[name].node in at.announced for name in left)
            floor = 1 if at.obstructed or goes else max(1, model.min_replicas)
            if left and at.rows.ready(model.name) < floor:
                return f"{left[0]} leaves {at.rows.ready(model.name)} of {model.name}, the floor is {floor}"
        return ""


@dataclass(slots=True)
class ServingIsNotStopped(Holds):
    """Drain, then stop."""

    sentence: ClassVar[str] = "no node ends while a replica on it lives, and no engine while it is routed to"

    def ordered(self, at: Moment, method: str, name: str) -> str:
        if method == "stop_node":
            row = at.rows.nodes.get(name)
            busy = [r for r in at.rows.on(name) if r.status in (ReplicaStatus.READY, ReplicaStatus.DRAINING)]
            if row is not None and row.live and busy:
                return f"{name} is stopped while {busy[0].name} is {busy[0].status}"
        if method == "stop_replica":
            replica = at.rows.replicas.get(name)
            if replica is not None and replica.status is ReplicaStatus.READY:
                return f"{name} is stopped while it is routed to"
        return ""


@dataclass(slots=True)
class LaunchesArePaced(Holds):
    """No storms."""

    sentence: ClassVar[str] = "launches of one offer that are refused are asked for again ever more slowly"
    most: int = 16  # a wave of four, seven askings further and further apart, and a crash amid them
    window_s: float = 600.0
    refusals: defaultdict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def refused(self, at_s: float, offer: str) -> str:
        """A launch of this offer was just refused."""
        times = self.refusals[offer]
        times.append(at_s)
        while times[0] < at_s - self.window_s:
            times.popleft()
        return f"{len(times)} refused launches of {offer} in ten minutes" if len(times) > self.most else ""


@dataclass(slots=True)
class PlanIsNotLost(Holds):
    """The plan in force survives."""

    sentence: ClassVar[str] = "once a plan is in force, one is"

    def committed(self, at: Moment) -> str:
        return "no plan is in force any more" if at.before.desired and not at.rows.desired else ""


def all_invariants() -> tuple[Invariant, ...]:
    """One of each, for one simulated day."""
    return (
        IntentFirst(),
        NothingLeaks(),
        OneNodePerSlot(),
        OneReplicaPerPlace(),
        ActsUnderCap(),
        OverCapIsBounded(),
        FloorIsKept(),
        ServingIsNotStopped(),
        PlanIsNotLost(),
    )
