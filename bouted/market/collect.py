"""Asks every price source at once and joins the answers with what was known before."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Thread
from threading import enumerate as live_threads
from time import monotonic
from typing import Any, Protocol

from bouted import plugins
from bouted.errors import BoutedError, SourceBroken
from bouted.events import Event, EventKind, Severity
from bouted.market.offers import MarketSnapshot, Offer, StaleSource
from bouted.market.source import PriceSource

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The market as believed now, and what is worth telling: each source's first failure and its recovery."""

    snapshot: MarketSnapshot
    events: tuple[Event, ...]


@dataclass(slots=True)
class _Answer:
    """What one source said; `error` is "" once it has given offers."""

    source: PriceSource
    offers: tuple[Offer, ...] = ()
    error: str = "gave no answer in time"
    needs_person: bool = False


def collect_market(
    sources: tuple[PriceSource, ...], previous: MarketSnapshot | None, now: datetime, *, timeout_s: float
) -> Collected:
    """What the sources say, each asked in a thread of its own; returns within about `timeout_s`.

    A source that fails, gives nothing or is too slow keeps its offers of `previous`, with the time they were
    seen, and is listed as stale. Where sources disagree about one offer id the higher rank wins, then the
    later observation. Offers of sources that are no longer asked are dropped. Blocks: call it in a thread.
    """
    names = [source.name for source in sources]
    if len(set(names)) != len(names):
        raise ValueError(f"price sources need different names, got {names}")
    answers = _ask_all(sources, now, timeout_s)
    known = previous.offers if previous else ()
    ranked = [
        (answer.source.rank, offer)
        for answer in answers
        for offer in (answer.offers if not answer.error else _said_before(answer.source.name, known))
    ]
    before = {stale.name: stale for stale in previous.stale} if previous else {}
    stale = tuple(
        StaleSource(
            name=answer.source.name,
            since=before[answer.source.name].since if answer.source.name in before else now,
            error=answer.error,
            needs_person=answer.needs_person,
        )
        for answer in answers
        if answer.error
    )
    snapshot = MarketSnapshot(offers=_settle(ranked), taken_at=now, stale=stale)
    return Collected(snapshot=snapshot, events=_events(answers, before, now))


def belongs_to(offer: Offer, name: str) -> bool:
    """Whether the source called `name` said this: `offer.source` is its name, alone or before `: `."""
    return offer.source == name or offer.source.startswith(f"{name}: ")


def _said_before(name: str, known: tuple[Offer, ...]) -> tuple[Offer, ...]:
    return tuple(offer for offer in known if belongs_to(offer, name))


def _ask_all(sources: tuple[PriceSource, ...], now: datetime, timeout_s: float) -> list[_Answer]:
    """Answers in the order of `sources`. Threads are daemons: one that hangs delays nobody's exit."""
    busy = {thread.name for thread in live_threads()}
    answers, threads = [_Answer(source) for source in sources], []
    for answer in answers:
        name = f"prices:{answer.source.name}:{id(answer.source)}"
        if name in busy:  # still hanging from an earlier call: a second thread would only hang beside it
            answer.error = "has not answered since an earlier call"
            continue
        # The thread fills a cell of its own, so that an answer after the deadline changes nothing here.
        cell = _Answer(answer.source)
        thread = Thread(target=_ask, args=(cell, now), name=name, daemon=True)
        thread.start()
        threads.append((thread, cell, answer))
    deadline = monotonic() + timeout_s
    for thread, cell, answer in threads:
        thread.join(max(0.0, deadline - monotonic()))
        if not thread.is_alive():
            answer.offers, answer.error, answer.needs_person = cell.offers, cell.error, cell.needs_person
    return answers


def _ask(cell: _Answer, now: datetime) -> None:
    name = cell.source.name
    try:
        offers = cell.source.fetch(now)
    except BoutedError as error:
        cell.error, cell.needs_person = str(error), isinstance(error, SourceBroken)
    except Exception as error:  # the edge of a thread: a plug-in's bug must not take the others' prices along
        log.exception("price source %s", name)
        cell.error = f"bug in the source: {type(error).__name__}: {' '.join(str(error).split())}"
    else:
        cell.offers = tuple(
            offer if belongs_to(offer, name) else replace(offer, source=f"{name}: {offer.source}")
            for offer in offers
        )
        cell.error = "" if offers else "gave no offers"


def _settle(ranked: list[tuple[int, Offer]]) -> tuple[Offer, ...]:
    """One offer per id, sorted by id."""
    best: dict[str, Offer] = {}
    for _, offer in sorted(ranked, key=lambda item: (item[0], item[1].observed_at, item[1].source)):
        best[offer.id] = offer
    return tuple(best[offer_id] for offer_id in sorted(best))


def _events(answers: list[_Answer], before: Mapping[str, StaleSource], now: datetime) -> tuple[Event, ...]:
    events = []
    for answer in answers:
        name = answer.source.name
        if answer.error and name not in before:
            kind, severity = EventKind.SOURCE_FAILED, Severity.WARNING
            message = f"prices from {name}: {answer.error}; its last known prices stay in use"
        elif not answer.error and name in before:
            kind, severity = EventKind.SOURCE_RECOVERED, Severity.INFO
            message = f"prices from {name} are back after {_span(before[name].since, now)}"
        else:
            continue
        events.append(Event(at=now, kind=kind, severity=severity, subject=name, message=message))
    return tuple(events)


def _span(since: datetime, now: datetime) -> str:
    minutes = (now - since).total_seconds() / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"


class SourceRules(Protocol):
    """What a config says about one source: the plug-in's name, and its options."""

    @property
    def name(self) -> str: ...
    @property
    def options(self) -> Mapping[str, Any]: ...


def open_sources(rules: tuple[SourceRules, ...], config_dir: Path) -> tuple[PriceSource, ...]:
    """The sources a config lists; Misconfigured when a plug-in is missing or refuses its options.

    A plug-in of group `bouted.prices` has `from_config(options, *, config_dir)`.
    """
    return tuple(
        plugins.load("bouted.prices", rule.name).from_config(rule.options, config_dir=config_dir)
        for rule in rules
    )
