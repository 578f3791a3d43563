"""Judges a recorded feed, look by look, as the daemon would have judged it live."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bouted.market.belief import Belief, Said, Trust
from bouted.market.believe import believe
from bouted.market.doubt import Quarantined
from bouted.market.memory import Memory
from bouted.market.quotes import Answer, Quote, Unread

RANK = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What is believed at the end, and everything that was set aside on the way, in order of time."""

    belief: Belief
    quarantined: tuple[Quarantined, ...]
    unread: tuple[Unread, ...]
    looks: int


def replay(
    feed: Iterable[tuple[datetime, Answer]],
    trust: Trust,
    *,
    beside: tuple[Said, ...] = (),
    memory: Memory | None = None,
    hand_kept: bool = False,
) -> Replayed:
    """Judge every look of `feed`, which is in order of time.

    Each provider in it counts as a source of its own: a look that has only some of them says nothing of
    the others. `beside` is what other sources say, at every look; `memory` what was believed before.
    """
    names: dict[str, str] = {}
    aside: list[Quarantined] = []
    unread: list[Unread] = []
    before = memory or {}
    belief = Belief(offers=(), quarantined=(), outvoted=(), memory={})
    looks = 0
    for at, answer in feed:
        by_provider: dict[str, list[Quote]] = defaultdict(list)
        for quote in answer.quotes:
            by_provider[quote.provider].append(quote)
            names.setdefault(quote.provider, f"{quote.source.partition(': ')[0]}/{quote.provider}")
        said = tuple(
            Said(
                name=name,
                rank=RANK,
                quotes=tuple(by_provider[provider]),
                whole=bool(by_provider[provider]) and not answer.gaps,
                hand_kept=hand_kept,
            )
            for provider, name in names.items()
        )
        belief = believe((*said, *beside), {**before, **belief.memory}, trust, at)
        said_now = {(quote.id, quote.source) for quote in answer.quotes}
        aside += [one for one in belief.quarantined if (one.quote.id, one.quote.source) in said_now]
        unread += answer.unread
        looks += 1
    return Replayed(belief=belief, quarantined=tuple(aside), unread=tuple(unread), looks=looks)
