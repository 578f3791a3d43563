"""Everything that is asked of Google for prices, in one fetch, and what was kept from earlier ones."""

from concurrent.futures import Future
from datetime import datetime
from functools import partial

from bouted.errors import BoutedError, SourceFailed
from bouted.market.asking import in_thread
from bouted.market.quotes import Answer, Quote

from .gcp_advice import SpotAdvice
from .gcp_answer import Listed, gaps_of, on_demand_quotes, raise_for_nothing, spot_quotes, unread_rows
from .gcp_calls import Asking
from .gcp_clients import GcpClients, connect
from .gcp_compose import PriceTable
from .gcp_machine_list import MachineList
from .gcp_machines import Listing
from .gcp_obtain import Outlooks
from .gcp_options import GcpOptions
from .gcp_price_list import PriceLines, PriceList


class GcpDesk:
    """One project's questions to Google. It is asked one question at a time."""

    def __init__(self, options: GcpOptions, clients: GcpClients) -> None:
        self.options = options
        self.clients = clients
        self.machines = MachineList(clients.machine_types, options)
        self.prices = PriceList(clients.catalog, options)
        self.advice = SpotAdvice(clients.advice, options)
        self.outlooks = Outlooks(clients.advice, options)
        self._list_call: Future[PriceLines] | None = None

    @classmethod
    def open(cls, options: GcpOptions) -> "GcpDesk":
        """NotConfigured where there are no credentials."""
        return cls(options, connect(options))

    def asking(self) -> Asking:
        """The time that one question with all its calls may take, from now on."""
        options = self.options
        return Asking.start(self.clients.project, options.call_timeout_s, options.deadline_s)

    def listing(self, now: datetime, asking: Asking) -> Listing:
        """The machine types; SourceFailed where there are none."""
        listing = self.machines.get(now, asking)
        if not listing.machines and not listing.unread:
            where = ", ".join(self.options.regions)
            raise SourceFailed(f"no machine types of {', '.join(self.options.types)} in {where}")
        return listing

    def fetch(self, now: datetime) -> Answer:
        """Spot prices per zone and on-demand prices per region; what could not be asked is a gap."""
        asking = self.asking()
        listing = self.listing(now, asking)
        list_call = self._start_listing(now, asking)
        advised = self.advice.get(listing.machines, now, asking)
        outlooks, unanswered = self.outlooks.get(listing.machines, now, asking)
        listed = self._listed(list_call, asking)
        answer = Answer(
            quotes=(
                *spot_quotes(listing, advised, listed, outlooks, now),
                *on_demand_quotes(listing, listed),
            ),
            unread=(*listing.unread, *unread_rows(advised, listed)),
            gaps=(*listing.gaps, *gaps_of(advised, listed), *unanswered),
        )
        if not answer.quotes:
            raise_for_nothing(answer, advised, listed)
        return answer

    def spot_history(self, now: datetime, since: datetime) -> tuple[Quote, ...]:
        """The spot prices that began at `since` or later, in order of time, as observed when they began."""
        asking = self.asking()
        advised = self.advice.get(self.listing(now, asking).machines, now, asking)
        quotes = [
            history.quote(spell, observed_at=min(spell.start, now))
            for history in advised.histories
            for spell in history.spells
            if spell.start >= since
        ]
        return tuple(sorted(quotes, key=lambda quote: (quote.observed_at, quote.id)))

    def _start_listing(self, now: datetime, asking: Asking) -> "Future[PriceLines]":
        """Read the price list beside the rest; one that outlived its own fetch is waited for instead."""
        if self._list_call is None or self._list_call.done():
            self._list_call = in_thread(partial(self.prices.get, now, asking), "gcp-price-list")
        return self._list_call

    def _listed(self, call: "Future[PriceLines]", asking: Asking) -> Listed:
        error: BoutedError | None = None
        try:
            call.result(timeout=asking.left_s())
        except TimeoutError:
            error = SourceFailed("no time was left to read it; it goes on at the next refresh")
        except BoutedError as failed:
            error = failed
        lines = self.prices.kept
        return Listed(lines=lines, table=PriceTable(lines.lines if lines else ()), error=error)
