"""Large values by the hash of their content as first kept: the problems that plans were made from."""

from sqlalchemy import select

from bouted.codec import content_hash
from bouted.errors import Gone
from bouted.store.session import Store
from bouted.store.tables import Documents
from bouted.store.upsert import insert_into


def put_document(store: Store, kind: str, body: bytes) -> str:
    """Keeps `body` and returns its hash; keeping the same bytes again changes nothing."""
    name = content_hash(body)
    with store.writing() as session:
        row = insert_into(session, Documents).values(hash=name, kind=kind, body=body)
        session.execute(row.on_conflict_do_nothing())
    return name


def list_documents(store: Store, kind: str) -> tuple[bytes, ...]:
    """Every value of this kind, in the order of their names."""
    of_kind = select(Documents.body).where(Documents.kind == kind).order_by(Documents.hash)
    with store.reading() as session:
        return tuple(session.scalars(of_kind))


def get_document(store: Store, name: str) -> bytes:
    """The bytes behind a hash; Gone when the store has none."""
    with store.reading() as session:
        row = session.get(Documents, name)
        if row is None:
            raise Gone(f"the store has no document {name}")
        return row.body
