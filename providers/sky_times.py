"""When nodes began and ceased to cost, as their clouds say: SkyPilot's own times are those of its work."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bouted.clock import Clock
from bouted.errors import BoutedError

from .sky_instances import Instance, Instances
from .sky_record import NodeRecord, NodeRecords, Phase

log = logging.getLogger(__name__)

LISTED = timedelta(minutes=30)  # how long after its end an instance is listed
_TELL_STARTS = frozenset({"aws", "azure", "gcp", "runpod", "vast"})
_TELL_ENDS = frozenset({"aws"})  # the others list nothing that was deleted
_RENTED = frozenset({Phase.LAUNCHING, Phase.REACHING, Phase.UP, Phase.CHECKING, Phase.ENDING})


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudTimes:
    """Writes the clouds' times into the records. A cloud that tells none leaves SkyPilot's."""

    records: NodeRecords
    instances: Instances
    clock: Clock

    def learn(self) -> None:
        """Ask once for each node that began or ended and whose time is not known yet."""
        now = self.clock.now()
        lacking = [record for record in self.records.all() if _lacks(record, now)]
        if not lacking:
            return
        try:
            found = self.instances.list(record.offer for record in lacking if record.offer is not None)
        except BoutedError as error:
            log.warning("times of nodes: %s", error)
            return
        for record in lacking:
            for instance in found:
                if instance.node == record.name and instance.started_at is not None:
                    self.records.replace(record, _with(record, instance))


def _lacks(record: NodeRecord, now: datetime) -> bool:
    cloud = "" if record.offer is None else record.offer.provider
    if record.phase in _RENTED:
        return cloud in _TELL_STARTS and not record.start_told and record.address is not None
    if cloud not in _TELL_ENDS:
        return False
    ended = record.phase is Phase.ENDED and record.ended_at is not None and record.refused is None
    return ended and not record.end_told and now - (record.ended_at or now) < LISTED


def _with(record: NodeRecord, instance: Instance) -> NodeRecord:
    ended = record.phase is Phase.ENDED and instance.ended_at is not None
    return replace(
        record,
        instance_id=instance.id,
        started_at=instance.started_at,
        start_told=True,
        ended_at=instance.ended_at if ended else record.ended_at,
        end_told=ended,
    )
