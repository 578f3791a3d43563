"""What every source said last and what was thought of it: kept across restarts, written when it changes."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from bouted.market.belief import Belief
from bouted.market.course import Course
from bouted.market.doubt import Doubt, Outvoted, Quarantined
from bouted.market.memory import Claim, Key, Memory
from bouted.market.quotes import Quote, Unread
from bouted.market.state import MarketState
from bouted.store.bulk import delete_rows, insert_rows
from bouted.store.claim_rows import ClaimRow, Owners, claim_rows, marked_fresh, newest
from bouted.store.kinds import Verdict
from bouted.store.session import Store
from bouted.store.sources import load_courses, save_courses, write_courses
from bouted.store.tables import PriceClaims, PriceSources
from bouted.store.unread import UNREAD_KEPT, load_unread, write_unread
from bouted.store.waits import load_waits, write_waits

__all__ = [
    "UNREAD_KEPT",
    "load_courses",
    "load_market",
    "load_memory",
    "load_outvoted",
    "load_quarantined",
    "load_unread",
    "save_belief",
    "save_courses",
]


def save_belief(
    store: Store,
    belief: Belief | MarketState,
    unread: tuple[Unread, ...],
    courses: Mapping[str, Course],
    now: datetime,
) -> int:
    """Puts all of this in place of what was kept before; returns how many claims had changed.

    A claim that was only confirmed is not written: that its source saw it again stands once, at the source.
    Of the rows that a source could not be read in, the first `UNREAD_KEPT` are kept.
    """
    names = {*courses, *(key[0] for key in belief.memory)}
    owners = Owners(names)
    rows = claim_rows(belief, owners)
    seen = newest(rows.values(), courses)
    with store.writing() as session:
        changed = _write(session, marked_fresh(rows.values(), seen), now)
        write_waits(session, belief.memory)
        write_unread(session, unread, owners)
        write_courses(session, courses, seen)
    return changed


def load_memory(store: Store) -> Memory:
    """What `save_belief` was last given to remember."""
    with store.reading() as session:
        rows = _rows(session, PriceClaims.aside.is_(False))
        waits = load_waits(session)
    claims: dict[Key, Claim] = dict(waits)
    for row in rows:
        wait = waits.get((row.source, row.quote.id), Claim(accepted=None))
        claims[row.source, row.quote.id] = Claim(
            accepted=row.quote, pending=wait.pending, dropped=wait.dropped
        )
    return claims


def load_quarantined(store: Store) -> tuple[Quarantined, ...]:
    """The quotes that are set aside, by offer and source; how stale one is, as of when it became so."""
    with store.reading() as session:
        rows = _rows(session, PriceClaims.verdict == Verdict.QUARANTINED)
    found = (Quarantined(quote=row.quote, doubt=row.doubt or Doubt.STALE, detail=row.detail) for row in rows)
    return tuple(sorted(found, key=lambda one: (one.quote.id, one.quote.source)))


def load_outvoted(store: Store) -> tuple[Outvoted, ...]:
    """The sound quotes that lost to another source's, by offer and source."""
    lost = select(PriceClaims.offer_id).where(PriceClaims.verdict == Verdict.OUTVOTED)
    with store.reading() as session:
        rows = _rows(session, PriceClaims.aside.is_(False) & PriceClaims.offer_id.in_(lost))
    winners = {row.quote.id: row.quote for row in rows if row.verdict is Verdict.BELIEVED}
    found = (
        Outvoted(quote=row.quote, winner=winners[row.quote.id])
        for row in rows
        if row.verdict is Verdict.OUTVOTED and row.quote.id in winners
    )
    return tuple(sorted(found, key=lambda one: (one.quote.id, one.quote.source)))


def load_market(store: Store, now: datetime) -> MarketState | None:
    """The market as it was left, None at first. It has no offers: folding nothing in gives those of `now`."""
    memory, courses = load_memory(store), load_courses(store)
    if not memory and not courses:
        return None
    return MarketState(
        taken_at=now,
        quarantined=load_quarantined(store),
        outvoted=load_outvoted(store),
        unread=load_unread(store),
        memory=memory,
        courses=courses,
    )


def _write(session: Session, rows: Iterable[ClaimRow], now: datetime) -> int:
    """Writes the rows that differ from what is there, and removes those that are no more."""
    found = session.execute(
        select(PriceClaims.source, PriceClaims.offer_id, PriceClaims.aside, PriceClaims.digest)
    )
    before = {(source, offer_id, aside): digest for source, offer_id, aside, digest in found}
    after = {row.key: (row.digest(), row) for row in rows}
    changed = [key for key, (digest, _) in after.items() if before.get(key) != digest]
    gone = before.keys() - after.keys()
    delete_rows(session, PriceClaims, [*gone, *(key for key in changed if key in before)])
    insert_rows(session, PriceClaims, [after[key][1].values(after[key][0], now) for key in changed])
    return len(changed) + len(gone)


def _rows(session: Session, wanted: ColumnElement[bool]) -> list[ClaimRow]:
    """The rows, every quote observed when it was last seen."""
    seen = {row.name: row.seen_at for row in session.execute(select(PriceSources.name, PriceSources.seen_at))}
    return [_row(row, seen.get(row.source)) for row in session.scalars(select(PriceClaims).where(wanted))]


def _row(row: PriceClaims, seen_at: datetime | None) -> ClaimRow:
    quote = Quote(
        provider=row.provider,
        region=row.region,
        zone=row.zone,
        instance_type=row.instance_type,
        gpu=row.gpu,
        gpu_count=row.gpu_count,
        market=row.market,
        price=row.price,
        currency=row.currency,
        source=row.quoted_by,
        observed_at=seen_at if row.fresh and seen_at is not None else row.observed_at,
        effective_at=row.effective_at,
        confidence=row.confidence,
        obtainable=row.obtainable,
        hazard_per_hour=row.hazard_per_hour,
        row=row.row,
    )
    return ClaimRow(
        source=row.source,
        aside=row.aside,
        quote=quote,
        verdict=row.verdict,
        doubt=row.doubt,
        detail=row.detail,
        fresh=row.fresh,
    )
