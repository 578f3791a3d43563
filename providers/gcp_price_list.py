"""Asks for Google's price list, once a day: tens of thousands of lines, of which a few hundred are kept.

A listing that runs out of time goes on where it stopped at the next call; prices are added up only from a
whole one.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from google.cloud import billing_v1
from google.cloud.billing_v1.services.cloud_catalog.transports.rest import CloudCatalogRestTransport

from bouted.errors import BoutedError, SourceFailed
from bouted.market.quotes import Unread

from .gcp_calls import BILLING_API, Absent, Asking, Unreadable
from .gcp_options import GcpOptions
from .gcp_pages import LastBody, parse_rows
from .gcp_skus import ListPrice, read_sku

COMPUTE = "services/6F81-5844-456A"
_PAGE = 5000
_MOST_PAGES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLines:
    """The lines for machines with GPUs, as they were read at `at`."""

    at: datetime
    lines: tuple[ListPrice, ...]
    unread: tuple[Unread, ...]


@dataclass(slots=True)
class _Progress:
    began_at: datetime
    token: str = ""
    pages: int = 0
    rows: int = 0
    lines: list[ListPrice] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


class PriceList:
    """The list, kept for `listing_every_s`; `kept` is the last whole one, of whatever age."""

    def __init__(self, client: billing_v1.CloudCatalogClient, options: GcpOptions) -> None:
        self._client = client
        self._options = options
        self._body = LastBody(cast(CloudCatalogRestTransport, client.transport)._session)
        self._progress: _Progress | None = None
        self.kept: PriceLines | None = None

    def get(self, now: datetime, asking: Asking) -> PriceLines:
        """The kept list, or a new one; an error where it could not be read to its end."""
        every = timedelta(seconds=self._options.listing_every_s)
        if self.kept is not None and timedelta() <= now - self.kept.at < every:
            return self.kept
        progress = self._progress or _Progress(began_at=now)
        self._progress = None
        try:
            while not progress.pages or (progress.token and progress.pages < _MOST_PAGES):
                self._read_page(progress, now, asking)
        except Absent:  # a page token that is too old: from the start next time
            raise
        except BoutedError:
            self._progress = progress if progress.pages else None
            raise
        if not progress.rows:
            raise SourceFailed("the price list is empty")
        at = min(progress.began_at, now)
        self.kept = PriceLines(at=at, lines=tuple(progress.lines), unread=tuple(progress.unread))
        return self.kept

    def _read_page(self, progress: _Progress, now: datetime, asking: Asking) -> None:
        page, wrong = self._page(progress.token, _PAGE, asking)
        for sku in page.skus:
            read = read_sku(sku, now)
            if isinstance(read, Unread):
                progress.unread.append(read)
            elif read is not None:
                progress.lines.append(read)
        progress.unread += wrong
        progress.rows += len(page.skus) + len(wrong)
        progress.token = page.next_page_token
        progress.pages += 1

    def try_one(self, asking: Asking) -> None:
        """Ask for a single line, to see whether one may."""
        self._page("", 1, asking)

    def _page(
        self, token: str, size: int, asking: Asking
    ) -> tuple[billing_v1.ListSkusResponse, tuple[Unread, ...]]:
        request = billing_v1.ListSkusRequest(
            parent=COMPUTE, currency_code="USD", page_size=size, page_token=token
        )
        try:
            return asking.ask(
                BILLING_API,
                lambda retry, timeout: next(
                    iter(self._client.list_skus(request, retry=retry, timeout=timeout).pages)
                ),
            ), ()
        except Unreadable as error:
            return _page_by_row(self._body, error)
        finally:
            self._body.drop()


def _page_by_row(body: LastBody, error: Unreadable) -> tuple[billing_v1.ListSkusResponse, tuple[Unread, ...]]:
    raw = body.take(error)
    if "skus" not in raw:
        raise error
    read, wrong = parse_rows(raw["skus"], _sku, source="gcp")
    token = raw.get("nextPageToken")
    return billing_v1.ListSkusResponse(
        skus=read, next_page_token=token if isinstance(token, str) else ""
    ), wrong


def _sku(text: str) -> billing_v1.Sku:
    read: billing_v1.Sku = billing_v1.Sku.from_json(text, ignore_unknown_fields=True)
    return read
