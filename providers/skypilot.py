"""Runs a fleet on SkyPilot: one cluster per node, with the node's keeper as its job and engines under that.

What is wanted of each node is on disk before SkyPilot is asked (`sky_record`); what follows is decided in
`sky_steps` and done in `sky_turn`, in a thread of its own, since SkyPilot takes seconds for a word.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import isinf
from pathlib import Path

from bouted.errors import Gone, Misconfigured, NotConfigured, NotYet, PermissionMissing
from bouted.market.offers import Offer
from bouted.perf.shapes import Engine
from bouted.reconcile.checkup import Finding
from bouted.reconcile.launcher import (
    KnownNode,
    NodeOrder,
    ReplicaOrder,
    Seen,
    SeenNode,
    SeenReplica,
    Shell,
    ToLoad,
)

from .kept_seen import runs, seen_replicas
from .local_files import FOREVER
from .node_client import NodeClient
from .node_look import READY
from .sky_instances import Instance
from .sky_launchable import unlaunchable
from .sky_learned import with_usual
from .sky_options import SkyOptions
from .sky_parts import SkyParts, sky_parts
from .sky_record import NodeRecord, Phase
from .sky_seen import seen_cluster, seen_node

log = logging.getLogger(__name__)

KEEP_ENDED = timedelta(days=1)
_REACHED = frozenset({Phase.INTENT, Phase.LAUNCHING, Phase.REACHING, Phase.UP, Phase.CHECKING, Phase.ENDING})
_OVER = frozenset({Phase.ENDING, Phase.ENDED})
_THERE = frozenset({Phase.UP, Phase.CHECKING})


class SkyLauncher:
    """Nodes and replicas of one deployment; any number of such objects, in many processes, share a folder."""

    name = "skypilot"

    def __init__(self, parts: SkyParts) -> None:
        self._parts = parts
        self._records, self._clock, self._keepers = parts.records, parts.clock, parts.keepers
        self._turning = threading.Lock()
        self._models: dict[str, str] = {}
        self._known: tuple[KnownNode, ...] = ()  # of the last sweep: what may run without a record

    @classmethod
    def from_config(
        cls, options: Mapping[str, object], *, state_dir: Path, deployment: str, deadman_s: float
    ) -> "SkyLauncher":
        """A launcher with these options (see `sky_options`); ConfigErrors with every problem found."""
        return cls(sky_parts(options, state_dir=state_dir, deployment=deployment, deadman_s=deadman_s))

    @classmethod
    def check_config(cls, options: Mapping[str, object], wanted: Sequence[ToLoad]) -> None:
        """ConfigErrors with every problem of the options, or of weights that engines could not load."""
        SkyOptions.from_config(options).engines.require_loadable(wanted)

    @property
    def trouble(self) -> str:
        """Why SkyPilot's API server does not answer, once it has not for a while."""
        return self._parts.turn.trouble

    def let_go(self) -> None:
        """Let go of what this object holds; nodes, engines, ways and SkyPilot's server go on."""
        with self._turning:
            self._keepers.close()
            self._parts.turn.client.close()

    def close(self) -> None:
        """Let go of what this object holds; nodes, engines and ways go on, and SkyPilot's server as long as
        there is a node."""
        self.let_go()
        with self._turning:
            if all(record.phase is Phase.ENDED for record in self._records.all()):
                self._parts.turn.server.stop()

    def unlaunchable(self, offers: Sequence[Offer]) -> Mapping[str, str]:
        """Why SkyPilot cannot rent some of these offers, by their ids."""
        return unlaunchable(offers, self._parts.names.names(tuple(offers)))

    def launch(self, order: NodeOrder) -> None:
        """Write down that the node is wanted; SkyPilot is asked in a turn. Misconfigured for a group."""
        if order.instances > 1:
            hint = "set planner.groups to 1"
            raise Misconfigured("launcher", "cannot start groups of instances on SkyPilot yet", hint=hint)
        why = self.unlaunchable((order.offer,)).get(order.offer.id)
        if why is not None:
            raise Misconfigured("", f"{order.offer.id} cannot be launched: {why}")
        now = self._clock.now()
        with self._records.alone():
            known = self._records.read(order.name)
            if known is None or known.phase is Phase.ENDED:
                self._records.write(
                    NodeRecord(
                        name=order.name,
                        offer=order.offer,
                        asked_at=now,
                        since=now,
                        autodown_at=self._parts.backstop.first(now),
                    )
                )
        self._take_turn()

    def start_replica(self, order: ReplicaOrder) -> None:
        """Have the node's keeper start the engine. NotYet while the node boots, Gone when there is none."""
        record = self._there(order.node, hint=f"replica {order.name} needs another node")
        start = self._parts.engines.start_of(order)
        self._models[order.name] = order.shape.model
        self._keepers.ask(record, lambda keeper: keeper.start(start))

    def versions(self) -> dict[Engine, str]:
        """What a start would bring now, of the engines whose version the config chooses."""
        return self._parts.engines.versions()

    def stop_replica(self, name: str, node: str) -> None:
        """Have the keeper end the engine; NotYet until it is gone."""
        record = self._records.read(node)
        if record is not None and record.phase in _THERE:
            self._keepers.ask(record, lambda keeper: keeper.stop(name))

    def stop_node(self, name: str) -> None:
        """Give the instance back; NotYet until SkyPilot has nothing left of it."""
        now = self._clock.now()
        with self._records.alone():
            record = self._records.read(name)
            if record is not None and record.phase not in _OVER:
                ending = replace(record.to(Phase.ENDING, now), refused=record.refused)
                self._records.write(ending)
            elif record is None and self._parts.turn.clusters.cluster(name) is not None:
                record = NodeRecord(name=name, offer=None, asked_at=now, since=now, phase=Phase.ENDING)
                self._records.write(record)
        self._take_turn()
        if record is not None and record.phase is not Phase.ENDED:
            raise NotYet(f"node {name} is ending")
        self._end_orphan(name)

    def seen(self) -> Seen:
        """The nodes on record and the engines that their keepers told of; those that do not answer for now
        are told as they were last heard of."""
        self._take_turn()
        self._prune(self._clock.now())
        records = tuple(self._records.all())
        self._keepers.look(record for record in records if record.phase in _REACHED and record.address)
        for record in records:
            if record.hold_until is not None and record.phase in _THERE:
                self._keepers.hold(record, record.hold_until)
        replicas = [one for record in records for one in self._replicas(record)]
        self._learn(records)
        return Seen(
            nodes=tuple(self._with_usual(record) for record in records),
            replicas=tuple(sorted(replicas, key=lambda replica: replica.name)),
        )

    def sweep(self, known: Sequence[KnownNode] = ()) -> tuple[SeenNode, ...]:
        """The records, with the cloud's own times, and what has none: every instance of ours that the clouds
        of records and known nodes list, and every cluster that SkyPilot itself lists."""
        self._known = tuple(known)
        clusters = self._parts.turn.clusters.clusters  # looked at before the records: those come first
        records = {record.name: record for record in self._records.all()}
        listed = sorted(self._instances(), key=lambda one: not one.ending)
        found = {instance.node: instance for instance in listed}  # of two under one name, the one that runs
        told = [_told(record, found.get(name)) for name, record in records.items()]
        told += [instance.seen() for name, instance in found.items() if name not in records]
        told += [seen_cluster(one) for one in clusters if one.name not in records | found]
        return tuple(sorted(told, key=lambda node: node.name))

    def renew(self, nodes: tuple[str, ...], for_s: float) -> None:
        """Move the leases that keepers hold, and the backstop behind them; Retryable where that failed."""
        held = [record for name in nodes if (record := self._hold(name, for_s)) is not None]
        there = [record for record in held if record.phase in _THERE]
        try:
            self._keepers.renew(there, for_s)
        finally:
            self._parts.backstop.hold(there, for_s)

    def log(self, name: str, node: str, start: int) -> tuple[str, int]:
        """What an engine wrote, by its node's keeper: until it is stopped, also if it failed."""
        return self._keepers.ask(self._there(node), lambda keeper: keeper.log(name, start))

    def lives(self, name: str, node: str) -> bool:
        """Whether the keeper has the engine, and it did not fail."""
        return runs(self._keepers.ask(self._there(node), NodeClient.look), name)

    def shell(self, node: str, command: tuple[str, ...]) -> Shell:
        """SSH to the node, through the connection that stands, if one does."""
        record = self._records.read(node)
        if record is None or record.phase is Phase.ENDED:
            raise Gone(f"node {node} is not there")
        if record.address is None:
            raise NotYet(f"node {node} has no address yet: it is {seen_node(record).progress}")
        way = self._keepers.way(record)
        way.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Shell(argv=way.command(*command), folder=way.folder)

    def check_up(self) -> tuple[Finding, ...]:
        """What SkyPilot needs on this machine and at the clouds."""
        return self._parts.check_up()

    def _there(self, node: str, hint: str = "") -> NodeRecord:
        """The record of a node that is up; NotYet while it is not, Gone when there is none."""
        record = self._records.read(node)
        if record is None or record.phase in _OVER:
            raise Gone(f"node {node} is not there", hint=hint)
        if record.phase not in _THERE:
            raise NotYet(f"node {node} is {seen_node(record).progress}")
        return record

    def _hold(self, name: str, for_s: float) -> NodeRecord | None:
        """Write down how far a lease is to go: a keeper that is not reached now is told later."""
        until = FOREVER if isinf(for_s) else self._clock.now() + timedelta(seconds=for_s)
        with self._records.alone():
            record = self._records.read(name)
            if record is None or record.phase in _OVER:
                return None
            self._records.write(held := replace(record, hold_until=until))
            return held

    def _learn(self, records: Sequence[NodeRecord]) -> None:
        """Note how long nodes took to come up, and engines to their first token."""
        times = self._parts.times
        for record in records:
            look = self._keepers.heard.get(record.name)
            if record.phase is not Phase.UP or look is None:
                continue
            times.note(_cloud(record), record.name, (look.started_at - record.asked_at).total_seconds())
            for kept in look.replicas:
                if kept.phase == READY and kept.name in self._models:
                    kind = f"{_cloud(record)}/{self._models[kept.name]}"
                    times.note(kind, kept.name, (kept.phase_since - kept.started_at).total_seconds())

    def _with_usual(self, record: NodeRecord) -> SeenNode:
        seen = seen_node(record)
        if record.phase not in (Phase.INTENT, Phase.LAUNCHING, Phase.REACHING):
            return seen
        return replace(seen, progress=with_usual(seen.progress, self._parts.times.usual_s(_cloud(record))))

    def _replicas(self, record: NodeRecord) -> tuple[SeenReplica, ...]:
        look = self._keepers.heard.get(record.name)
        if look is None or record.phase not in _THERE:
            return ()
        found = seen_replicas(look, lambda port: self._keepers.endpoint(record.name, port))
        return tuple(
            replace(
                one, progress=with_usual(one.progress, self._parts.times.usual_s(self._kind(record, one)))
            )
            for one in found
        )

    def _kind(self, record: NodeRecord, replica: SeenReplica) -> str:
        return f"{_cloud(record)}/{self._models.get(replica.name, '')}"

    def _instances(self) -> tuple[Instance, ...]:
        recorded = [record.offer for record in self._records.all() if record.offer is not None]
        places = {(offer.provider, offer.region) for offer in recorded}
        beyond = [one.offer for one in self._known if (one.offer.provider, one.offer.region) not in places]
        found = list(self._parts.instances.list(recorded, self._ids))
        for cloud in sorted({offer.provider for offer in beyond}):
            found += self._without_record(cloud, [offer for offer in beyond if offer.provider == cloud])
        return tuple(found)

    def _without_record(self, cloud: str, offers: list[Offer]) -> tuple[Instance, ...]:
        """What a cloud lists where nothing is written down here. One that bouted may no more ask is left out,
        so that the rest is swept."""
        try:
            return self._parts.instances.list(offers, self._ids)
        except (NotConfigured, PermissionMissing) as error:
            log.info("%s is not asked for what ran there: %s", cloud, error)
            return ()

    @property
    def _ids(self) -> frozenset[tuple[str, str]]:
        return frozenset((node.name, node.instance_id) for node in self._known if node.instance_id)

    def _end_orphan(self, name: str) -> None:
        """What runs under our tag and has no record, or one that says it ended, is unknown to SkyPilot: the
        cloud itself ends it."""
        left = [one for one in self._instances() if one.node == name and not one.ending]
        for instance in left:
            self._parts.instances.end(instance)
        if left:
            raise NotYet(f"node {name} is ending")

    def _take_turn(self) -> None:
        """Start a turn unless one is under way."""
        if self._turning.acquire(blocking=False):
            threading.Thread(target=self._turn, name="sky turn", daemon=True).start()

    def _turn(self) -> None:
        try:
            self._parts.turn.take()
        except Exception:  # the thread's edge: a bug must not end the launcher's only hand
            log.exception("a turn of the SkyPilot launcher failed")
        finally:
            self._turning.release()

    def _prune(self, now: datetime) -> None:
        for record in self._records.all():
            if record.phase is Phase.ENDED:
                self._keepers.forget(record.name)
                if record.ended_at is None or now - record.ended_at > KEEP_ENDED:
                    self._records.forget(record.name)


def _cloud(record: NodeRecord) -> str:
    return record.offer.provider if record.offer is not None else "unknown"


def _told(record: NodeRecord, found: Instance | None) -> SeenNode:
    seen = seen_node(record)
    if found is None:
        return seen
    ended_at = found.ended_at or (seen.ended_at if found.ending else None)
    return replace(
        seen, started_at=found.started_at or seen.started_at, ended_at=ended_at, instance_id=found.id
    )
