"""What the market believes and doubts, as rows of `price_claims`, and back. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any

from bouted.market.belief import Belief
from bouted.market.doubt import Doubt
from bouted.market.memory import Key
from bouted.market.quotes import Quote, belongs_to
from bouted.market.state import MarketState
from bouted.store.columns import plain
from bouted.store.kinds import Verdict

ClaimKey = tuple[str, str, bool]
"""The source's name, the offer's id, and whether the quote is set aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """One quote of a source with what is thought of it. `aside`: it is not the source's accepted one."""

    source: str
    aside: bool
    quote: Quote
    verdict: Verdict
    doubt: Doubt | None = None
    detail: str = ""
    fresh: bool = False

    @property
    def key(self) -> ClaimKey:
        return plain(self.source), plain(self.quote.id), self.aside

    def digest(self) -> str:
        """Names what makes a row worth writing: not when a fresh quote was seen, nor a stale one's age."""
        quote = self.quote
        said = (
            *(quote.provider, quote.region, quote.zone, quote.instance_type, quote.gpu, quote.gpu_count),
            *(quote.market, quote.price, quote.currency, quote.source, quote.effective_at, quote.confidence),
            *(quote.obtainable, quote.hazard_per_hour, quote.row),
            None if self.fresh else quote.observed_at,
            *(self.fresh, self.verdict, self.doubt, "" if self.doubt is Doubt.STALE else self.detail),
        )
        return blake2b(repr(said).encode(), digest_size=16).hexdigest()

    def values(self, digest: str, now: datetime) -> dict[str, Any]:
        """The row's columns."""
        quote = self.quote
        return {
            "source": self.source,
            "offer_id": quote.id,
            "aside": self.aside,
            "provider": quote.provider,
            "region": quote.region,
            "zone": quote.zone,
            "instance_type": quote.instance_type,
            "gpu": quote.gpu,
            "gpu_count": quote.gpu_count,
            "market": quote.market,
            "price": quote.price,
            "currency": quote.currency,
            "quoted_by": quote.source,
            "observed_at": quote.observed_at,
            "effective_at": quote.effective_at,
            "confidence": quote.confidence,
            "obtainable": quote.obtainable,
            "hazard_per_hour": quote.hazard_per_hour,
            "row": tuple((plain(name), plain(value)) for name, value in quote.row),
            "verdict": self.verdict,
            "doubt": self.doubt,
            "detail": self.detail,
            "fresh": self.fresh,
            "changed_at": now,
            "digest": digest,
        }


class Owners:
    """Which price source said something: the longest known name that fits, else what precedes `: `."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(names, key=len, reverse=True)
        self._found: dict[str, str] = {}

    def of(self, source: str) -> str:
        if source not in self._found:
            fits = (name for name in self._names if belongs_to(source, name))
            self._found[source] = next(fits, source.partition(": ")[0])
        return self._found[source]


def claim_rows(belief: Belief | MarketState, owners: Owners) -> dict[ClaimKey, ClaimRow]:
    """Every quote that is accepted or set aside, none of them marked fresh."""
    lost = {(owners.of(one.quote.source), one.quote.id) for one in belief.outvoted}
    stale: dict[Key, str] = {}
    rows: dict[ClaimKey, ClaimRow] = {}
    for one in belief.quarantined:
        source = owners.of(one.quote.source)
        if one.doubt is Doubt.STALE:
            stale[source, one.quote.id] = one.detail
            continue
        row = ClaimRow(
            source=source,
            aside=True,
            quote=one.quote,
            verdict=Verdict.QUARANTINED,
            doubt=one.doubt,
            detail=one.detail,
        )
        rows[row.key] = row
    for key, claim in belief.memory.items():
        if claim.accepted is None:
            continue
        verdict = Verdict.OUTVOTED if key in lost else Verdict.BELIEVED
        row = ClaimRow(source=key[0], aside=False, quote=claim.accepted, verdict=verdict)
        if key in stale:
            row = replace(row, verdict=Verdict.QUARANTINED, doubt=Doubt.STALE, detail=stale[key])
        rows[row.key] = row
    return rows


def newest(rows: Iterable[ClaimRow], sources: Iterable[str]) -> dict[str, datetime]:
    """When the freshest quote of each of these sources was observed."""
    seen: dict[str, datetime] = {}
    wanted = set(sources)
    for row in rows:
        if row.source in wanted:
            at = row.quote.observed_at
            seen[row.source] = max(seen.get(row.source, at), at)
    return seen


def marked_fresh(rows: Iterable[ClaimRow], seen: Mapping[str, datetime]) -> Iterator[ClaimRow]:
    """The rows, those marked whose quote is as new as the newest of its source."""
    for row in rows:
        yield replace(row, fresh=True) if row.quote.observed_at == seen.get(row.source) else row
