"""Prices of GPU machines on Google Cloud, live: spot per zone, on demand per region.

Nothing of Google's is loaded, and no credential looked for, until the first question.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from bouted.clock import Clock, SystemClock
from bouted.market.diagnosis import Diagnosis
from bouted.market.notices import Notice
from bouted.market.quotes import Answer, Quote

from .gcp_options import GcpOptions, read_options

if TYPE_CHECKING:
    from .gcp_desk import GcpDesk
    from .gcp_notices import PreemptedVms


class GcpPrices:
    """The source `gcp`.

    Spot prices are Google's own for a whole machine, with its preemption rate; on-demand prices are added up
    from the public price list. Types that are listed but not sold on demand have no such quote.
    """

    name = "gcp"
    rank = 6

    def __init__(self, options: GcpOptions, clock: Clock | None = None) -> None:
        self._options = options
        self._clock = clock or SystemClock()
        self._began_at = self._clock.now()
        self._opening = Lock()  # notices are asked for in a thread of their own
        self._desk: GcpDesk | None = None
        self._preempted: PreemptedVms | None = None

    @classmethod
    def from_config(cls, options: Mapping[str, Any], *, config_dir: Path) -> "GcpPrices":
        """A source as a config names it; the options are those of GcpOptions."""
        return cls(read_options(options, config_dir))

    def fetch(self, now: datetime) -> Answer:
        """What Google asks for its machines with GPUs."""
        return self._open().fetch(now)

    def spot_history(self, now: datetime, since: datetime) -> tuple[Quote, ...]:
        """The spot prices that began at `since` or later and that Google still tells of, oldest first."""
        return self._open().spot_history(now, since)

    def diagnose(self, now: datetime) -> Diagnosis:
        """Credential, reach, missing permissions and GPU quotas."""
        from .gcp_doctor import diagnose

        return diagnose(self._open, now)

    def notices(self, wait_s: float) -> tuple[Notice, ...]:
        """Spot VMs that were taken since the source was made, until they are acknowledged."""
        from .gcp_notices import PreemptedVms

        desk = self._open()
        asking = desk.asking()
        machines = desk.listing(self._clock.now(), asking).machines
        if self._preempted is None:
            self._preempted = PreemptedVms(desk.clients.operations, self._began_at, self._clock)
        zones = tuple(sorted({machine.zone for machine in machines}))
        return self._preempted.wait(zones, wait_s, self._options.notice_poll_s, asking)

    def acknowledge(self, notices: tuple[Notice, ...]) -> None:
        """These have been acted on: they are not given again."""
        if self._preempted is not None:
            self._preempted.acknowledge(notices)

    def _open(self) -> "GcpDesk":
        from .gcp_desk import GcpDesk

        with self._opening:
            if self._desk is None:
                self._desk = GcpDesk.open(self._options)
            return self._desk
