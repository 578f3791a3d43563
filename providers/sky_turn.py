"""One turn of the SkyPilot launcher: ask its API server how things are, and do what follows for each node.

At most one turn runs at a time, in whatever process; it never waits for SkyPilot to finish anything.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bouted.clock import Clock
from bouted.errors import BoutedError

from .node_look import Word
from .sky_api import ApiServer, SkyApi
from .sky_deaf import Deaf
from .sky_record import NodeRecord, NodeRecords, Phase
from .sky_refusals import raced, refused
from .sky_steps import MOST_TRIES, Ask, Next, asked_again, failed, next_step
from .sky_task import NodeTask, backstop_min
from .sky_wire import SkyLook, SkyRaised

log = logging.getLogger(__name__)

WORTH_TELLING_S = 90.0  # a server takes most of a minute to start
BUSY_S, QUIET_S = 1.5, 10.0
"""How long after a turn the next one waits: every look leaves a row and a file with SkyPilot."""
_UNASKED = frozenset({Phase.INTENT, Phase.ENDING})
_THERE = frozenset({Phase.UP, Phase.CHECKING})
_DEAF = "SkyPilot's API server answers and does nothing that it is asked"


@dataclass(slots=True, kw_only=True)
class SkyTurn:
    """Moves the records on. `task` makes the task of a node; `lease_s` is the keeper's lease,
    `learn_times` asks the clouds when nodes began and ended."""

    records: NodeRecords
    server: ApiServer
    client: SkyApi
    clock: Clock
    task: Callable[[NodeRecord], NodeTask]
    word: Callable[[str], Word]
    learn_times: Callable[[], None]
    lease_s: float
    clusters: SkyLook = field(default_factory=lambda: SkyLook(requests=(), clusters=()))
    _starts: int = 0
    _stuck: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    _deaf: Deaf = field(default_factory=Deaf)
    silent_since: datetime | None = None
    _elsewhere_since: datetime | None = None
    _taken_at: datetime | None = None

    @property
    def trouble(self) -> str:
        """Why SkyPilot is not asked, does not answer, or cannot do for a node what is asked, once that has
        lasted for WORTH_TELLING_S."""
        if self._elsewhere_since is not None:
            why = f"{self.records.whose_turn()} is asking SkyPilot and lets nobody else"
            return self._lasting(why, self._elsewhere_since)
        if self.silent_since is not None:
            return self._lasting(self.server.trouble or _DEAF, self.silent_since)
        stuck = sorted((since, f"for {name}: {why}") for name, (why, since) in self._stuck.items())
        return next((told for since, why in stuck if (told := self._lasting(why, since))), "")

    def _lasting(self, why: str, since: datetime) -> str:
        lasted_s = (self.clock.now() - since).total_seconds()
        return f"{why}, for {lasted_s:.0f} s" if lasted_s > WORTH_TELLING_S else ""

    def take(self) -> None:
        """One turn, unless one is under way elsewhere. Never raises for what SkyPilot or a cloud does."""
        with self.records.turn() as ours:
            if ours:
                self._elsewhere_since = None
                self._take()
            else:
                self._elsewhere_since = self._elsewhere_since or self.clock.now()

    def _take(self) -> None:
        now = self.clock.now()
        records = [record for record in self.records.all() if record.phase is not Phase.ENDED]
        pause_s = BUSY_S if any(self._moves(record) for record in records) else QUIET_S
        if self._taken_at is not None and 0 <= (now - self._taken_at).total_seconds() < pause_s:
            return
        self._taken_at = now
        if not self.server.tend():
            self.silent_since = self.silent_since or now
            return
        if self.server.starts != self._starts:
            self.client.close()  # its SDK remembers the server before
            self._starts = self.server.starts
        if not self._listens(records, now):
            return
        for record in records:
            try:
                self._advance(record)
                self._stuck.pop(record.name, None)
            except (BoutedError, SkyRaised) as error:
                self._note_stuck(record.name, str(error), now)
        self._stuck = {one.name: self._stuck[one.name] for one in records if one.name in self._stuck}
        self.learn_times()

    def _listens(self, records: list[NodeRecord], now: datetime) -> bool:
        """Look how things are; False when that failed. A server that is well by its own word and fails that
        for long is ended, and with that replaced: what it was asked for is on record."""
        try:
            self.clusters = self._look(records)
        except (BoutedError, SkyRaised) as error:
            if self.silent_since is None:
                log.warning("SkyPilot: %s", error)
            self.silent_since = self.silent_since or now
            self._replace_if(self._deaf.failed(now))
            return False
        self.silent_since = None
        self._replace_if(self._deaf.answered(self.clusters.requests, now))
        return True

    def _replace_if(self, deaf: bool) -> None:
        if deaf:
            log.error("%s: it is replaced", _DEAF)
            self._deaf.forget()
            self.server.stop()

    def _note_stuck(self, name: str, why: str, now: datetime) -> None:
        """It is tried again with every turn; told when it begins, and when it is another thing."""
        before, since = self._stuck.get(name, ("", now))
        if why != before:
            log.warning("SkyPilot, %s: %s", name, why)
        self._stuck[name] = (why, since)

    def _moves(self, record: NodeRecord) -> bool:
        """Is SkyPilot needed for what comes next?"""
        return record.phase is not Phase.UP or not self.word(record.name).answers

    def _look(self, records: list[NodeRecord]) -> SkyLook:
        requests = [record.request for record in records if record.request]
        unasked = [r.name for r in records if r.phase in _UNASKED and not r.request]
        return self.client.look(requests, unasked)

    def _advance(self, record: NodeRecord) -> None:
        now = self.clock.now()
        step = next_step(record, self.clusters, self.word(record.name), now, blind=self._is_blind(record))
        after = self._done(step, now)
        if after != record:
            if after.phase is not record.phase:
                log.info("%s: %s -> %s %s", record.name, record.phase, after.phase, after.said)
            self.records.replace(record, after)

    def _is_blind(self, record: NodeRecord) -> bool:
        """There are other nodes at its cloud, and none of them answers."""
        if record.phase is not Phase.CHECKING or record.offer is None:
            return False
        cloud, others = record.offer.provider, (one for one in self.records.all() if one.name != record.name)
        there = [one for one in others if one.phase in _THERE and one.offer and one.offer.provider == cloud]
        return bool(there) and not any(self.word(one.name).answers for one in there)

    def _done(self, step: Next, now: datetime) -> NodeRecord:
        """Ask for what the step asks; the record as it is then."""
        record, client = step.record, self.client
        match step.ask:
            case Ask.NOTHING:
                return record
            case Ask.WHY:
                return self._done(self._why(record, now), now)
            case Ask.LAUNCH:
                return self._launched(record, now)
            case Ask.REFRESH:
                return record.to(Phase.CHECKING, now, client.refresh(record.name))
            case Ask.RUN_AGAIN:
                self._run_again(record)
                return record
            case Ask.CANCEL_AND_DOWN:
                running = self.clusters.launching(record.name)
                if running is not None:
                    client.cancel(running.id)
                return replace(record, request=client.down(record.name))
            case Ask.DOWN:
                return replace(record, request=client.down(record.name))

    def _run_again(self, record: NodeRecord) -> None:
        """Once: whether it helped shows in the keeper's word."""
        task = self.task(record)
        try:
            self.client.run_again(record.name, task.config, task.secrets)
        except SkyRaised as error:
            log.warning("%s: its keeper could not be started again: %s", record.name, error)

    def _launched(self, record: NodeRecord, now: datetime) -> NodeRecord:
        task, minutes = self.task(record), backstop_min(self.lease_s)
        request = self.client.launch(record.name, task.config, task.secrets, minutes)
        log.info("%s: SkyPilot was asked to launch it, request %s", record.name, request)
        autodown_at = now + timedelta(minutes=minutes) if minutes else None
        asked = replace(record, tries=record.tries + 1, autodown_at=autodown_at)
        return asked.to(Phase.LAUNCHING, now, request)

    def _why(self, record: NodeRecord, now: datetime) -> Next:
        """What a launch that did not succeed came to."""
        error = self.client.error(record.request)
        cluster = self.clusters.cluster(record.name)
        if error is None:  # it did succeed meanwhile
            return Next(record=record.to(Phase.REACHING, now))
        said = self.client.launch_log(record.request, record.name, record.since)
        if raced(said) and record.tries < MOST_TRIES:
            log.info("%s: another launch prepared the same region at that moment; once more", record.name)
            return asked_again(record, now)
        why = refused(error, said)
        log.warning("%s: %s: %s", record.name, why.why, why.detail)
        return failed(record, why, cluster, now)
