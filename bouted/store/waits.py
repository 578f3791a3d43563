"""Prices that wait to be confirmed and those that came and went: what remembering steps takes."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from bouted.market.memory import Claim, Key, Memory, Pending
from bouted.store.bulk import delete_rows, insert_rows
from bouted.store.tables import PriceWaits


def load_waits(session: Session) -> dict[Key, Claim]:
    """The claims that wait or remember flips, without their accepted quotes."""
    return {(row.source, row.offer_id): _claim(row) for row in session.scalars(select(PriceWaits))}


def write_waits(session: Session, memory: Memory) -> None:
    """Puts those of `memory` in place of those kept before, writing what differs."""
    before = load_waits(session)
    after = {
        key: Claim(accepted=None, pending=claim.pending, dropped=claim.dropped)
        for key, claim in memory.items()
        if claim.pending is not None or claim.dropped
    }
    changed = [key for key, claim in after.items() if before.get(key) != claim]
    delete_rows(session, PriceWaits, [key for key in before if key not in after or key in changed])
    insert_rows(session, PriceWaits, [_values(key, after[key]) for key in changed])


def _claim(row: PriceWaits) -> Claim:
    pending = None
    if row.price is not None and row.since is not None:
        pending = Pending(price=row.price, since=row.since, times=row.times)
    return Claim(accepted=None, pending=pending, dropped=row.dropped)


def _values(key: Key, claim: Claim) -> dict[str, object]:
    pending = claim.pending
    return {
        "source": key[0],
        "offer_id": key[1],
        "price": pending.price if pending else None,
        "since": pending.since if pending else None,
        "times": pending.times if pending else 0,
        "dropped": claim.dropped,
    }
