"""Puts together what Google's several answers say: quotes, rows set aside, gaps. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from bouted.errors import BoutedError, PermissionMissing, Retryable, SourceFailed
from bouted.market.offers import Market
from bouted.market.quotes import Answer, Quote, Unread

from .gcp_advice import Advised
from .gcp_compose import PriceTable, sold_on_demand
from .gcp_machines import Listing, Machine
from .gcp_outlook import Outlook
from .gcp_price_list import PriceLines


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The price list, as new as could be had, and what went wrong on the way."""

    lines: PriceLines | None
    table: PriceTable
    error: BoutedError | None


def spot_quotes(
    listing: Listing,
    advised: Advised,
    listed: Listed,
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


def on_demand_quotes(listing: Listing, listed: Listed) -> list[Quote]:
    """One per region and type that is sold so."""
    if listed.lines is None:
        return []
    sold = {(one.region, one.name): one for one in reversed(listing.machines) if sold_on_demand(one)}
    quotes = (listed.table.quote(sold[key], Market.ON_DEMAND, listed.lines.at) for key in sorted(sold))
    return [quote for quote in quotes if quote is not None]


def unread_rows(advised: Advised, listed: Listed) -> tuple[Unread, ...]:
    """Rows of the advice and of the price list that make no sense."""
    from_advice = tuple(unread for history in advised.histories for unread in history.unread)
    return (*from_advice, *(listed.lines.unread if listed.lines else ()), *listed.table.unclear)


def gaps_of(advised: Advised, listed: Listed) -> tuple[str, ...]:
    """A line per part that was not answered this time."""
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


def raise_for_nothing(answer: Answer, advised: Advised, listed: Listed) -> None:
    """The error that says most about what to do."""
    for error in (advised.denied, advised.throttled, listed.error):
        if isinstance(error, PermissionMissing | Retryable):
            raise error
    if answer.gaps:
        raise SourceFailed(f"no prices; {answer.gaps[0]}")
    if not answer.unread:
        raise SourceFailed("no prices for any machine type")
