"""The rows of each source's last answer that could not be read."""

from collections import defaultdict
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from bouted.market.quotes import Unread
from bouted.store.bulk import delete_rows, insert_rows
from bouted.store.claim_rows import Owners
from bouted.store.columns import plain
from bouted.store.session import Store
from bouted.store.tables import PriceUnread

UNREAD_KEPT = 1000  # of one source: a feed may break in every row, and a person reads the first few


def load_unread(store: Store) -> tuple[Unread, ...]:
    """What could not be read, by source, in the order of the answer."""
    with store.reading() as session:
        found = session.scalars(select(PriceUnread).order_by(PriceUnread.source))
        return tuple(unread for row in found for unread in row.rows)


def write_unread(session: Session, unread: tuple[Unread, ...], owners: Owners) -> None:
    """Puts these in place of those kept before; a source whose rows are the same is not written."""
    after: dict[str, list[Unread]] = defaultdict(list)
    for one in unread:
        kept = after[owners.of(one.source)]
        if len(kept) < UNREAD_KEPT:
            row = tuple((plain(name), plain(value)) for name, value in one.row)
            kept.append(replace(one, row=row, reason=plain(one.reason)))
    before = {row.source: list(row.rows) for row in session.scalars(select(PriceUnread))}
    changed = [source for source, rows in after.items() if before.get(source) != rows]
    stale = [source for source in before if source not in after or source in changed]
    delete_rows(session, PriceUnread, [(source,) for source in stale])
    rows = [{"source": source, "rows": tuple(after[source])} for source in changed]
    insert_rows(session, PriceUnread, rows)
