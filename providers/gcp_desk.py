"""Everything that is asked of Google for prices, in one fetch, and what was kept from earlier ones."""

from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from bouted.errors import BoutedError, PermissionMissing, Retryable, SourceFailed
from bouted.market.asking import in_thread
from bouted.market.offers import Market
from bouted.market.quotes import Answer, Quote, Unread

from .gcp_advice import Advised, SpotAdvice
from .gcp_calls import Asking
from .gcp_clients import GcpClients, connect
from .gcp_compose import PriceTable, sold_on_demand
from .gcp_machine_list import MachineList
from .gcp_machines import Listing, Machine
from .gcp_options import GcpOptions
from .gcp_outlook import Outlook, Outlooks
from .gcp_price_list import PriceLines, PriceList


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """The price list, as new as could be had, and what went wrong on the way."""

    lines: PriceLines | None
    table: PriceTable
    error: BoutedError | None


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
            quotes=(*_spot(listing, advised, listed, outlooks, now), *_on_demand(listing, listed)),
            unread=(*listing.unread, *_unread(advised, listed)),
            gaps=(*listing.gaps, *_gaps(advised, listed), *unanswered),
        )
        if not answer.quotes:
            _raise_for_nothing(answer, advised, listed)
        return answer

    def spot_history(self, now: datetime) -> tuple[Quote, ...]:
        """Every spot price that Google still tells of, in order of time, as observed when it began."""
        asking = self.asking()
        advised = self.advice.get(self.listing(now, asking).machines, now, asking)
        quotes = [
            history.quote(spell, observed_at=min(spell.start, now))
            for history in advised.histories
            for spell in history.spells
        ]
        return tuple(sorted(quotes, key=lambda quote: (quote.observed_at, quote.id)))

    def _start_listing(self, now: datetime, asking: Asking) -> "Future[PriceLines]":
        """Read the price list beside the rest; one that outlived its own fetch is waited for instead."""
        if self._list_call is None or self._list_call.done():
            self._list_call = in_thread(partial(self.prices.get, now, asking), "gcp-price-list")
        return self._list_call

    def _listed(self, call: "Future[PriceLines]", asking: Asking) -> _Listed:
        error: BoutedError | None = None
        try:
            call.result(timeout=asking.left_s())
        except TimeoutError:
            error = SourceFailed("no time was left to read it; it goes on at the next refresh")
        except BoutedError as failed:
            error = failed
        lines = self.prices.kept
        return _Listed(lines=lines, table=PriceTable(lines.lines if lines else ()), error=error)


def _spot(
    listing: Listing,
    advised: Advised,
    listed: _Listed,
    outlooks: dict[tuple[str, str], Outlook],
    now: datetime,
) -> list[Quote]:
    """What advice says; where it may not be asked or has no price, the price list's parts added up."""
    quotes: list[Quote] = []
    told = {history.machine: history for history in advised.histories}
    for machine in listing.machines:
        history = told.get(machine)
        spell = history.in_force(now) if history else None
        quote: Quote | None = None
        if history is not None and spell is not None:
            quote = history.quote(spell, observed_at=min(history.at, now))
        elif (history is not None and not history.unread) or advised.denied is not None:
            quote = listed.table.quote(machine, Market.SPOT, listed.lines.at) if listed.lines else None
        if quote is not None:
            quotes.append(_with_outlook(quote, outlooks.get((machine.zone, machine.name))))
    return quotes


def _with_outlook(quote: Quote, outlook: Outlook | None) -> Quote:
    if outlook is None:
        return quote
    hazard = outlook.hazard_per_hour
    return replace(
        quote,
        obtainable=outlook.obtainable,
        hazard_per_hour=quote.hazard_per_hour if hazard is None else hazard,
    )


def _on_demand(listing: Listing, listed: _Listed) -> list[Quote]:
    if listed.lines is None:
        return []
    sold = {(one.region, one.name): one for one in reversed(listing.machines) if sold_on_demand(one)}
    quotes = (listed.table.quote(sold[key], Market.ON_DEMAND, listed.lines.at) for key in sorted(sold))
    return [quote for quote in quotes if quote is not None]


def _unread(advised: Advised, listed: _Listed) -> tuple[Unread, ...]:
    from_advice = tuple(unread for history in advised.histories for unread in history.unread)
    return (*from_advice, *(listed.lines.unread if listed.lines else ()), *listed.table.unclear)


def _gaps(advised: Advised, listed: _Listed) -> tuple[str, ...]:
    gaps = [f"on-demand prices: {listed.error.message}"] if listed.error else []
    if advised.denied is not None:
        gaps.append(f"spot prices: {advised.denied.message}; added up from the price list instead")
        return tuple(gaps)
    by_reason: dict[str, list[Machine]] = {}
    for machine, why in advised.failed.items():
        by_reason.setdefault(why, []).append(machine)
    for why, machines in by_reason.items():
        names = sorted(f"{machine.zone}/{machine.name}" for machine in machines)
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        gaps.append(f"spot prices of {', '.join(names[:3])}{more}: {why}")
    return tuple(gaps)


def _raise_for_nothing(answer: Answer, advised: Advised, listed: _Listed) -> None:
    """The error that says most about what to do."""
    for error in (advised.denied, advised.throttled, listed.error):
        if isinstance(error, PermissionMissing | Retryable):
            raise error
    if answer.gaps:
        raise SourceFailed(f"no prices; {answer.gaps[0]}")
    if not answer.unread:
        raise SourceFailed("no prices for any machine type")
