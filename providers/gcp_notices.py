"""Spot VMs that Google has taken, as it lists them among the operations of a zone."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from threading import Event
from time import monotonic

from google.cloud import compute_v1

from bouted.clock import Clock
from bouted.market.notices import Notice, NoticeKind

from .gcp_calls import Asking
from .gcp_machines import last_part, region_of
from .gcp_preemption import instant

PERMISSION = "compute.zoneOperations.list"
OVERLAP = timedelta(minutes=10)  # operations may be listed late, and clocks differ
_MOST_PAGES = 20


class PreemptedVms:
    """Remembers up to when it has looked, and what was acknowledged since.

    The first look goes back ten minutes from `since`.
    """

    def __init__(self, client: compute_v1.ZoneOperationsClient, since: datetime, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._since = since - OVERLAP
        self._acknowledged: dict[str, datetime] = {}

    def look(self, zones: Iterable[str], asking: Asking) -> tuple[Notice, ...]:
        """The VMs taken in `zones` and not yet acknowledged, first taken first."""
        found = [
            notice
            for zone in zones
            for notice in list_preempted(self._client, zone, self._since, asking)
            if notice.receipt not in self._acknowledged
        ]
        return tuple(sorted(found, key=lambda notice: (notice.at, notice.receipt)))

    def wait(
        self, zones: tuple[str, ...], wait_s: float, poll_s: float, asking: Asking
    ) -> tuple[Notice, ...]:
        """Look until there is something, for up to `wait_s`."""
        until = monotonic() + wait_s
        while True:
            found = self.look(zones, asking)
            left_s = min(until - monotonic(), asking.left_s() - asking.call_timeout_s)
            if found or left_s <= 0:
                return found
            Event().wait(min(poll_s, left_s))

    def acknowledge(self, notices: Iterable[Notice]) -> None:
        """These are not given again; nor is what is older by ten minutes than the newest of them."""
        self._acknowledged |= {notice.receipt: notice.at for notice in notices}
        newest = min(max(self._acknowledged.values(), default=self._since), self._clock.now())
        self._since = max(self._since, newest - OVERLAP)
        self._acknowledged = {key: at for key, at in self._acknowledged.items() if at >= self._since}


def list_preempted(
    client: compute_v1.ZoneOperationsClient, zone: str, since: datetime, asking: Asking
) -> tuple[Notice, ...]:
    """The VMs that were taken in one zone since then; the newest operations come first."""
    found: list[Notice] = []
    token = ""
    for _ in range(_MOST_PAGES):
        page = _page(client, zone, token, asking)
        read = [notice for said in page.items if (notice := read_operation(said, zone)) is not None]
        found += [notice for notice in read if notice.at >= since]
        token = page.next_page_token
        if not token or any(notice.at < since for notice in read):
            break
    return tuple(found)


def _page(
    client: compute_v1.ZoneOperationsClient, zone: str, token: str, asking: Asking
) -> compute_v1.OperationList:
    request = compute_v1.ListZoneOperationsRequest(
        project=asking.project,
        zone=zone,
        filter='operationType="compute.instances.preempted"',
        order_by="creationTimestamp desc",
        max_results=100,
        page_token=token,
    )
    return asking.ask(
        PERMISSION,
        lambda retry, timeout: next(iter(client.list(request, retry=retry, timeout=timeout).pages)),
    )


def read_operation(said: compute_v1.Operation, zone: str) -> Notice | None:
    """The notice in an operation; None where it is of another kind, or lacks the VM or the time."""
    instance = last_part(said.target_link)
    receipt = said.name or (str(said.id) if said.id else "")
    if said.operation_type != "compute.instances.preempted" or not instance or not receipt:
        return None
    try:
        at = instant(said.insert_time)
    except ValueError:
        return None
    return Notice(
        provider="gcp",
        region=region_of(zone),
        zone=zone,
        instance=instance,
        kind=NoticeKind.PREEMPTED,
        at=at,
        deadline=None,
        receipt=f"{zone}/{receipt}",
    )
