"""The door to whatever runs nodes and replicas: SkyPilot, this machine, or a plug-in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from bouted.market.offers import Offer
from bouted.perf.costs import StepCosts
from bouted.perf.flags import EngineFlags
from bouted.perf.shapes import Engine, ReplicaShape
from bouted.reconcile.fleet import Fetched


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOrder:
    """An instance to rent, or `instances` equal ones as one group, under a name that is the same for every
    retry."""

    name: str
    offer: Offer
    instances: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaOrder:
    """An engine to start on a node.

    `weights` is where the model's weights are: a repository of the hub, a bucket's URL or an absolute path.
    `flags` are those that plans reckon with. `costs` paces engines that are simulated; real ones ignore it.
    """

    name: str
    node: str
    shape: ReplicaShape
    served_model: str
    weights: str
    flags: EngineFlags
    costs: StepCosts


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNode:
    """A node as its row has it. `instance_id` is what its provider calls it, "" until known."""

    name: str
    offer: Offer
    instance_id: str = ""


class Why(StrEnum):
    """Why a launch that was accepted came to nothing."""

    NO_CAPACITY = "no_capacity"
    QUOTA = "quota"
    MISCONFIGURED = "misconfigured"  # whoever asks again is refused again: a missing image, no permission
    BROKEN = "broken"  # it began and did not come up


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A launch that came to nothing after it was accepted; `detail` is one line, with what the cloud said."""

    why: Why
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenNode:
    """An instance that exists, or did: providers go on listing for a while what has ended, with its times.

    `up` says that replicas can be started on it. `started_at` and `ended_at` are when the provider began and
    ceased to bill, as it says itself. `offer_id` is what was rented, where the launcher can tell. `refused`
    is set, and nothing runs, when a launch was accepted and came to nothing. `progress` says in a word or
    two how far a launch is. `instance_id` is what the provider's notices call it, "" until known.
    """

    name: str
    up: bool
    started_at: datetime | None
    ended_at: datetime | None = None
    offer_id: str = ""
    refused: Refused | None = None
    progress: str = ""
    instance_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenReplica:
    """An engine that runs. `endpoint` is its base URL, "" until it listens; `progress` says in a word or two
    how far its start is. `last_word` is set when it ended although nobody asked: it is listed to say so, and
    `unprepared` when that was before its engine began, in a step that installs or fetches.
    `version` is the engine's own, "" where the launcher cannot tell; `fetched` is None there, and until its
    weights are on the machine.
    """

    name: str
    node: str
    endpoint: str
    pid: int | None = None
    progress: str = ""
    last_word: str = ""
    unprepared: bool = False
    version: str = ""
    fetched: Fetched | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that one launcher runs for this deployment, at one instant."""

    nodes: tuple[SeenNode, ...]
    replicas: tuple[SeenReplica, ...]


@runtime_checkable
class Closing(Protocol):
    """A launcher that holds something open in this process."""

    def close(self) -> None:
        """Let go of it when the daemon ends; nodes and engines go on."""
        ...


@runtime_checkable
class Worried(Protocol):
    """A launcher that leans on something that may fail by itself."""

    @property
    def trouble(self) -> str:
        """What keeps it from launching now, in one line; "" while nothing does."""
        ...


@runtime_checkable
class Choosy(Protocol):
    """A launcher that knows beforehand what it cannot launch."""

    def unlaunchable(self, offers: Sequence[Offer]) -> Mapping[str, str]:
        """Why not, by the id of each such offer; they are never planned. Blocks; made in a thread."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToLoad:
    """Weights that an engine is to load, and where the config has them, like `models[0].weights`."""

    path: str
    engine: Engine
    weights: str


@runtime_checkable
class Foresighted(Protocol):
    """A launcher's class that knows from the config alone what it could not start."""

    @classmethod
    def check_config(cls, options: Mapping[str, object], wanted: Sequence[ToLoad]) -> None:
        """ConfigErrors with every problem of the options, or of weights that its engines could not load with
        them. Looks only at this machine, and makes nothing."""
        ...


@runtime_checkable
class Versioned(Protocol):
    """A launcher that chooses which version of an engine it starts."""

    def versions(self) -> Mapping[Engine, str]:
        """What a start would bring now, in the words of `SeenReplica.version`; engines of which it does not
        choose are left out."""
        ...


def versions_of(launcher: object) -> Mapping[Engine, str]:
    """The versions that a launcher starts, as far as it chooses."""
    return launcher.versions() if isinstance(launcher, Versioned) else {}


class Launcher(Protocol):
    """Rents and returns. Every call blocks and is made in a thread.

    launch and start_replica are idempotent by name: a second call for a name that exists does nothing.
    They return when the request is accepted, not when the thing is up; `seen` tells the rest. They raise
    NoCapacity, QuotaExceeded, Retryable or Misconfigured, the last also for groups where it starts none.
    stop_replica and stop_node return when the thing is gone, raise NotYet when it needs more time, and
    treat a name that does not exist as done. Nothing that this deployment did not launch is ever listed or
    touched.
    """

    name: str

    def launch(self, order: NodeOrder) -> None:
        """Rent an instance."""
        ...

    def start_replica(self, order: ReplicaOrder) -> None:
        """Start an engine on an instance that is up; NotYet while it is not."""
        ...

    def stop_replica(self, name: str, node: str) -> None:
        """End an engine and everything it started."""
        ...

    def stop_node(self, name: str) -> None:
        """Give an instance back, with every engine on it."""
        ...

    def seen(self) -> Seen:
        """What exists now, as the launcher knows it; asked every second or so."""
        ...

    def sweep(self, known: Sequence[KnownNode] = ()) -> tuple[SeenNode, ...]:
        """Every instance that carries this deployment's mark, from the provider itself, however it came to
        be there; asked every few minutes, and may take as long. `known`: nodes of now and of late by their
        rows, for a launcher that has lost what it wrote down."""
        ...

    def renew(self, nodes: tuple[str, ...], for_s: float) -> None:
        """Hold the dead-man switch of these nodes for so long from now, by their own clock: one of the
        daemon's that was set back must not end a fleet."""
        ...


@runtime_checkable
class WithLogs(Protocol):
    """A launcher that shows what engines write. Its calls block, and raise Gone when there is no such engine,
    NotYet while its node comes up and Retryable while that is not reached."""

    def log(self, name: str, node: str, start: int) -> tuple[str, int]:
        """An engine's text from byte `start`, counted from its end if negative, and where it goes on. The end
        is reached when nothing comes. Engines that ended have one for a while, too."""
        ...

    def lives(self, name: str, node: str) -> bool:
        """Whether the engine runs, so that it may write more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A command of this machine that is a shell on a node, or runs one command there, and the folder to run
    it in."""

    argv: tuple[str, ...]
    folder: Path


@runtime_checkable
class WithShells(Protocol):
    """A launcher whose nodes can be entered. It blocks, and raises Gone when there is no such node and NotYet
    while it has no address."""

    def shell(self, node: str, command: tuple[str, ...]) -> Shell:
        """How to run a command on the node: its words, put in a row for a shell there; none: just a shell."""
        ...


@runtime_checkable
class LetsGo(Protocol):
    """A launcher that holds connections or processes in whatever process uses it,
    which go when that one has no more use for it."""

    def let_go(self) -> None:
        """Let go of them; nothing that others may use is ended."""
        ...
