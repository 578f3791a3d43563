"""Asks which machine types there are, once a day."""

from datetime import datetime, timedelta
from threading import Lock
from typing import cast

from google.cloud import compute_v1
from google.cloud.compute_v1.services.machine_types.transports import MachineTypesRestTransport

from bouted.errors import BoutedError
from bouted.market.quotes import Unread

from .gcp_calls import Asking, Unreadable
from .gcp_machines import Listing, Machine, last_part, read_machine
from .gcp_options import GcpOptions
from .gcp_pages import LastBody, parse_rows

PERMISSION = "compute.machineTypes.list"
_MOST_PAGES = 200
_QUIET = ("NO_RESULTS_ON_PAGE", "NO_WARNING", "")


class MachineList:
    """The machine types of every zone that is wanted; a whole listing is kept for `listing_every_s`."""

    def __init__(self, client: compute_v1.MachineTypesClient, options: GcpOptions) -> None:
        self._client = client
        self._options = options
        self._body = LastBody(cast(MachineTypesRestTransport, client.transport)._session)
        self._reading = Lock()  # prices and notices ask from threads of their own
        self._kept: Listing | None = None

    def get(self, now: datetime, asking: Asking) -> Listing:
        """The kept listing, or a new one; half of one has gaps and is not kept."""
        every = timedelta(seconds=self._options.listing_every_s)
        with self._reading:
            if self._kept is not None and timedelta() <= now - self._kept.at < every:
                return self._kept
            listing = self._read(now, asking)
            self._kept = None if listing.gaps else listing
            return listing

    def _read(self, now: datetime, asking: Asking) -> Listing:
        machines: dict[tuple[str, str], Machine] = {}
        unread: list[Unread] = []
        gaps: list[str] = []
        token = ""
        for number in range(1, _MOST_PAGES + 1):
            try:
                page, wrong = self._page(token, asking)
            except BoutedError as error:
                if number == 1:
                    raise
                gaps.append(f"machine types from page {number} on: {error.message}")
                break
            unread += wrong
            for zone, scoped in page.items.items():
                gaps += _warned(zone, scoped)
                for said in scoped.machine_types:
                    read = read_machine(said, last_part(zone), self._options)
                    if isinstance(read, Unread):
                        unread.append(read)
                    elif read is not None:
                        machines[read.zone, read.name] = read
            token = page.next_page_token
            if not token:
                break
        found = tuple(machines[key] for key in sorted(machines))
        return Listing(at=now, machines=found, unread=tuple(unread), gaps=tuple(gaps))

    def _page(
        self, token: str, asking: Asking
    ) -> tuple[compute_v1.MachineTypeAggregatedList, tuple[Unread, ...]]:
        request = compute_v1.AggregatedListMachineTypesRequest(
            project=asking.project, filter=name_filter(self._options.types), max_results=500, page_token=token
        )
        try:
            return asking.ask(
                PERMISSION,
                lambda retry, timeout: next(
                    iter(self._client.aggregated_list(request, retry=retry, timeout=timeout).pages)
                ),
            ), ()
        except Unreadable as error:
            return _page_by_row(self._body, error)
        finally:
            self._body.drop()


def name_filter(types: tuple[str, ...]) -> str:
    """A filter in Google's language that lets these families and names through."""
    return f'name eq "({"|".join(types)})(-.*)?"'


def _warned(zone: str, scoped: compute_v1.MachineTypesScopedList) -> tuple[str, ...]:
    code = cast(compute_v1.Warning, scoped.warning).code
    return () if code in _QUIET else (f"machine types of {zone}: {' '.join(code.split())}",)


def _page_by_row(
    body: LastBody, error: Unreadable
) -> tuple[compute_v1.MachineTypeAggregatedList, tuple[Unread, ...]]:
    raw = body.take(error)
    items = raw.get("items")
    if not isinstance(items, dict):
        raise error
    page = compute_v1.MachineTypeAggregatedList()
    unread: list[Unread] = []
    for zone, scoped in items.items():
        rows = scoped.get("machineTypes", []) if isinstance(scoped, dict) else scoped
        read, wrong = parse_rows(rows, _machine_type, source="gcp", said=(("zone", zone),))
        page.items[zone] = compute_v1.MachineTypesScopedList(machine_types=read)
        unread += wrong
    token = raw.get("nextPageToken")
    page.next_page_token = token if isinstance(token, str) else ""
    return page, tuple(unread)


def _machine_type(text: str) -> compute_v1.MachineType:
    read: compute_v1.MachineType = compute_v1.MachineType.from_json(text, ignore_unknown_fields=True)
    return read
