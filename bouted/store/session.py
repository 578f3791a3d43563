"""The handle on an open store, and its two kinds of short transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from bouted.store import refuse
from bouted.store.engine import WRITES


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """An open store: safe to share between threads, each call being its own short transaction."""

    engine: Engine
    url: str

    def close(self) -> None:
        """Closes every connection; the store is not used afterwards."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A read transaction: one consistent view, nothing is kept."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A write transaction: committed at the end, rolled back on any error.

        Retryable when another process held the write lock for longer than the busy timeout.
        """
        writer = self.engine.execution_options(**{WRITES: True})
        try:
            with Session(writer, expire_on_commit=False) as session, session.begin():
                yield session
        except OperationalError as cause:
            if "locked" not in str(cause.orig):
                raise
            raise refuse.unusable(self.url, cause) from cause
