"""SkyPilot's own clock on each node, the backstop behind the keeper's lease: moved in time and checked."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bouted.clock import Clock
from bouted.errors import Retryable

from .sky_api import ApiServer, SkyApi
from .sky_record import NodeRecord, NodeRecords
from .sky_task import backstop_min
from .sky_wire import UNDER_WAY, RequestState, SkyRaised

log = logging.getLogger(__name__)

NEAR_LEASES = 1.5  # it takes seconds, so it is set anew only when this little of it is left
DEAF_S = 60.0  # a server that did not answer is not asked for every other node, too
NEVER_MIN = -1
"""SkyPilot's word for a clock that is off."""


@dataclass(slots=True, kw_only=True)
class Backstop:
    """Moves the clocks of nodes. SkyPilot takes its time, so what it was asked for is looked at next time: a
    clock counts as moved once its request has succeeded."""

    records: NodeRecords
    server: ApiServer
    client: SkyApi
    clock: Clock
    lease_s: float
    _deaf_until: datetime | None = field(default=None, init=False)

    def first(self, now: datetime) -> datetime | None:
        """When the clock of a node that is asked for now may run out at the earliest; None: never."""
        minutes = backstop_min(self.lease_s)
        return now + timedelta(minutes=minutes) if minutes else None

    def hold(self, nodes: Sequence[NodeRecord], for_s: float) -> None:
        """Have the clocks of these nodes run for some leases of `for_s` more, or not at all when that is for
        ever; Retryable, in the end, where that failed or could not be asked for."""
        failed = {record.name: why for record in nodes if (why := self._hold(record, for_s))}
        if failed:
            name, why = next(iter(failed.items()))
            said = f"the autodown of {name} could not be moved: {why}"
            raise Retryable(said if len(failed) == 1 else f"{said} ({len(failed)} nodes)", after_s=DEAF_S)

    def _hold(self, record: NodeRecord, for_s: float) -> str:
        """Why it is not as it should be; "" while nothing is wrong."""
        now, before = self.clock.now(), record
        if not self._due(record, for_s, now) and not record.moving:
            return ""
        try:
            self._require_ears(now)
            record, why = self._settled(record)
            if not record.moving and self._due(record, for_s, now):
                record = self._asked(record, for_s, now)
        except (Retryable, SkyRaised) as error:
            if isinstance(error, Retryable):
                self._deaf_until = now + timedelta(seconds=DEAF_S)
            return str(error)
        self.records.replace(before, record)
        return why or self._late(record, for_s, now)

    def _require_ears(self, now: datetime) -> None:
        if self.server.trouble:
            raise Retryable(self.server.trouble, after_s=DEAF_S)
        if self._deaf_until is not None and now < self._deaf_until <= now + timedelta(seconds=DEAF_S):
            raise Retryable("SkyPilot's API server does not answer", after_s=DEAF_S)

    def _settled(self, record: NodeRecord) -> tuple[NodeRecord, str]:
        """What came of the last request, if it is over, and why not when it failed."""
        if not record.moving:
            return record, ""
        state = self.client.state(record.moving)
        if state in UNDER_WAY:
            return record, ""
        over = replace(record, moving="", moving_to=None)
        if state is RequestState.SUCCEEDED:
            return replace(over, autodown_at=record.moving_to), ""
        error = self.client.error(record.moving) if state is not None else None
        return over, f"{error.type}: {error.message}" if error is not None else "SkyPilot lost the request"

    def _asked(self, record: NodeRecord, for_s: float, now: datetime) -> NodeRecord:
        minutes = backstop_min(for_s)
        request = self.client.autodown(record.name, minutes or NEVER_MIN)
        moving_to = now + timedelta(minutes=minutes) if minutes else None
        return replace(record, moving=request, moving_to=moving_to)

    def _due(self, record: NodeRecord, for_s: float, now: datetime) -> bool:
        wanted = bool(backstop_min(for_s))
        if record.autodown_at is None or not wanted:
            return wanted or record.autodown_at is not None
        return (record.autodown_at - now).total_seconds() <= NEAR_LEASES * for_s

    def _late(self, record: NodeRecord, for_s: float, now: datetime) -> str:
        """A request that is still under way is well as long as the clock runs for longer than a lease."""
        at = record.autodown_at
        if not record.moving or at is None or not backstop_min(for_s):
            return ""
        left_s = (at - now).total_seconds()
        return f"{record.moving} is not done, and {max(left_s, 0.0):.0f} s are left" if left_s < for_s else ""
