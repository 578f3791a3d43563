"""Reads the status board from a database server; kept apart so that SQLite needs no SQLAlchemy."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bouted.store import refuse
from bouted.store.engine import make_engine


def read_rows(url: str, board: str, lease: str) -> tuple[str | None, tuple[str, datetime] | None]:
    """The board's text and the lease's holder and expiry, by these two queries, in one connection."""
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            body = connection.execute(text(board)).scalar()
            row = connection.execute(text(lease)).one_or_none()
    except SQLAlchemyError as cause:
        raise refuse.unusable(url, cause) from cause
    finally:
        engine.dispose()
    return body, None if row is None else (row[0], row[1])
