"""Which accepted quotes stand: not too old, and not merely dated where somebody is asked live. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bouted.market.alone import Verdict, doubt_age
from bouted.market.belief import Said, Trust
from bouted.market.doubt import Doubt, Quarantined
from bouted.market.memory import Memory
from bouted.market.quotes import Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """An accepted quote, its source's rank, and how old it may get; None for any age."""

    quote: Quote
    rank: int
    limit: timedelta | None

    @property
    def dated(self) -> bool:
        """From a source that is dated on purpose."""
        return self.rank <= 0


def in_force(
    said: tuple[Said, ...], claims: Memory, trust: Trust, now: datetime
) -> tuple[list[Quote], list[Quarantined]]:
    """The accepted quotes that stand, the most trusted last; and the others with the reason.

    What is dated on purpose stands in for a provider's market only while nobody who is asked now, and keeps
    no file by hand, answers for it.
    """
    sources = {source.name: source for source in said}
    accepted = [
        _Standing(quote=claim.accepted, rank=source.rank, limit=_limit(source, claim.accepted, trust))
        for (name, _), claim in claims.items()
        if claim.accepted is not None
        for source in (sources[name],)
    ]
    accepted.sort(key=lambda one: (one.rank, one.quote.observed_at, one.quote.source))
    fresh = [one for one in accepted if doubt_age(one.quote.observed_at, one.limit, now) is None]
    live = {
        (one.quote.provider, one.quote.market): one.quote.source for one in fresh if one.limit is not None
    }
    kept: list[Quote] = []
    others: list[Quarantined] = []
    for one in accepted:
        asked = live.get((one.quote.provider, one.quote.market), "") if one.dated else ""
        verdict = doubt_age(one.quote.observed_at, one.limit, now) or _outdated(one.quote, asked)
        if verdict is None:
            kept.append(one.quote)
        else:
            others.append(Quarantined(quote=one.quote, doubt=verdict[0], detail=verdict[1]))
    return kept, others


def _limit(source: Said, quote: Quote, trust: Trust) -> timedelta | None:
    return None if source.hand_kept else trust.limit(quote.market, source.rank)


def _outdated(quote: Quote, asked: str) -> Verdict | None:
    if not asked:
        return None
    return Doubt.DATED, f"of {quote.observed_at:%Y-%m-%d}; {asked} is asked now"
