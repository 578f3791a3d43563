"""Opens the price sources a config names, and folds what they say into the market."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from bouted import plugins
from bouted.events import Event
from bouted.market.asking import NOTHING, Outcome
from bouted.market.belief import Said, Trust
from bouted.market.believe import believe
from bouted.market.course import Course, course_event, next_course
from bouted.market.doubt import Doubt, Quarantined
from bouted.market.quotes import belongs_to
from bouted.market.source import Feed
from bouted.market.state import MarketState


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The market after a look, and what is worth telling: each source's first failure and its recovery."""

    state: MarketState
    events: tuple[Event, ...]


def fold(
    feeds: tuple[Feed, ...],
    heard: Mapping[str, Outcome],
    before: MarketState,
    now: datetime,
    *,
    trust: Trust,
    jitter: float,
) -> Collected:
    """The market after these outcomes, by source name; sources not heard from stay as they were. Pure.

    A source that fails keeps its last accepted prices, aged, and is an error, never a price of zero. What
    sources said that are no longer asked is dropped. `jitter` between 0 and 1 spreads retries.
    """
    names = [feed.source.name for feed in feeds]
    if len(set(names)) != len(names):
        raise ValueError(f"price sources need different names, got {names}")
    said = tuple(_said(feed, heard.get(feed.source.name)) for feed in feeds)
    belief = believe(said, before.memory, trust, now)
    silent = [one.name for one in said if one.name not in heard or heard[one.name].answer == NOTHING]
    courses: dict[str, Course] = {}
    events: list[Event] = []
    for feed in feeds:
        name = feed.source.name
        course = before.courses.get(name)
        if name in heard:
            after = next_course(name, course, heard[name], now, every_s=feed.every_s, jitter=jitter)
            event = course_event(course, after, now)
            events += [event] if event is not None else []
            course = after
        if course is not None:
            courses[name] = course
    state = MarketState(
        taken_at=now,
        offers=belief.offers,
        quarantined=_in_order((*_kept(before.quarantined, silent), *belief.quarantined)),
        outvoted=belief.outvoted,
        unread=(
            *(unread for unread in before.unread if any(belongs_to(unread.source, name) for name in silent)),
            *(unread for outcome in heard.values() for unread in outcome.answer.unread),
        ),
        memory=belief.memory,
        courses=courses,
    )
    return Collected(state=state, events=tuple(events))


def _said(feed: Feed, outcome: Outcome | None) -> Said:
    quotes = outcome.answer.quotes if outcome is not None else ()
    whole = outcome is not None and outcome.result.good and not outcome.answer.gaps
    source = feed.source
    return Said(name=source.name, rank=source.rank, quotes=quotes, whole=whole, hand_kept=feed.hand_kept)


def _kept(quarantined: tuple[Quarantined, ...], silent: list[str]) -> list[Quarantined]:
    """What stays in quarantine because its source has said nothing new; ages are judged anew each time."""
    anew = (Doubt.STALE, Doubt.DATED)
    return [
        one
        for one in quarantined
        if one.doubt not in anew and any(belongs_to(one.quote.source, name) for name in silent)
    ]


def _in_order(quarantined: tuple[Quarantined, ...]) -> tuple[Quarantined, ...]:
    return tuple(sorted(quarantined, key=lambda one: (one.quote.id, one.quote.source)))


class SourceRules(Protocol):
    """What a config says about one source: the plug-in's name, its options and its pace."""

    @property
    def name(self) -> str: ...
    @property
    def options(self) -> Mapping[str, Any]: ...
    @property
    def every_s(self) -> float | None: ...
    @property
    def timeout_s(self) -> float | None: ...


def open_feeds(
    rules: tuple[SourceRules, ...], config_dir: Path, *, every_s: float, timeout_s: float
) -> tuple[Feed, ...]:
    """The sources a config lists; Misconfigured when a plug-in is missing or refuses its options.

    A plug-in of group `bouted.prices` has `from_config(options, *, config_dir)`, and `hand_kept = True` where
    a person writes its prices. `every_s` and `timeout_s` hold for rules that name none.
    """
    feeds = []
    for rule in rules:
        source = plugins.load("bouted.prices", rule.name).from_config(rule.options, config_dir=config_dir)
        feeds.append(
            Feed(
                source=source,
                every_s=rule.every_s or every_s,
                timeout_s=rule.timeout_s or timeout_s,
                hand_kept=bool(getattr(source, "hand_kept", False)),
            )
        )
    return tuple(feeds)
