"""The handle on an open store, and its two kinds of short transaction."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import count
from threading import RLock

from sqlalchemy import Engine, bindparam, select
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.orm import Session

from bouted.errors import AlreadyRunning
from bouted.store import refuse
from bouted.store.engine import WRITES
from bouted.store.tables import Leases


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """The lease under which a daemon writes, and its token: writes under an older one are refused."""

    lease: str
    token: int


_HELD = select(Leases.token, Leases.holder).where(Leases.name == bindparam("name")).with_for_update(read=True)


@dataclass(slots=True)
class Writes:
    """The number of this process's latest write to a store, through any handle; no two have the same."""

    latest: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def note(self) -> None:
        """Another write. Threads may get here in any order, and then none goes unseen."""
        self.latest = next(self.numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """An open store: safe to share between threads, each call being its own short transaction.

    Where the store is a file, threads that write take turns: SQLite lets the unlucky wait until they fail.
    """

    engine: Engine
    url: str
    fence: Fence | None = None
    turns: AbstractContextManager[object] = field(default_factory=RLock, compare=False, repr=False)
    writes: Writes = field(default_factory=Writes, compare=False, repr=False)

    def fenced(self, lease: str, token: int) -> "Store":
        """The same store, for the holder of this token: whoever is overtaken writes nothing more."""
        return replace(self, fence=Fence(lease=lease, token=token))

    def close(self) -> None:
        """Closes every connection; the store is not used afterwards."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A read transaction: one consistent view, nothing is kept.

        Retryable while the database cannot be reached, Misconfigured with a hint when it is damaged.
        """
        with _refusing(self.url), Session(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A write transaction: committed at the end, rolled back on any error.

        Retryable, with nothing written, when another process held the write lock for longer than the busy
        timeout, or the disk is full. AlreadyRunning, before anything is written, when the store is fenced
        and its token is no longer the newest.
        """
        writer = self.engine.execution_options(**{WRITES: True})
        turn = self.turns if self.engine.dialect.name == "sqlite" else nullcontext()
        try:
            with (
                turn,
                _refusing(self.url),
                Session(writer, expire_on_commit=False) as session,
                session.begin(),
            ):
                if self.fence is not None:
                    require_token(session, self.fence.lease, self.fence.token)
                yield session
        finally:  # even what failed may have been written: nobody may go on with what was read before
            self.writes.note()


@contextmanager
def _refusing(url: str) -> Iterator[None]:
    """What a database says when it cannot work, as an error that says what to do; bugs stay as they are."""
    try:
        yield
    except OperationalError as cause:
        raise refuse.interrupted(url, cause.orig or cause) from cause
    except DatabaseError as cause:
        if cause.connection_invalidated:  # as when the server ended a session that idled in a transaction
            raise refuse.interrupted(url, cause.orig or cause) from cause
        if type(cause) is not DatabaseError:
            raise
        raise refuse.unusable(url, cause.orig or cause) from cause


def require_token(session: Session, lease: str, token: int) -> None:
    """AlreadyRunning unless `token` is the lease's newest. The lease cannot change hands before the end of
    the transaction."""
    held = session.execute(_HELD, {"name": lease}).one_or_none()
    if held is None or held.token != token:
        raise held_by(lease, held.holder if held is not None else "")


def held_by(lease: str, holder: str) -> AlreadyRunning:
    """The refusal that names who holds the lease."""
    return AlreadyRunning(
        f"the {lease} lease is held by {holder or 'nobody'}",
        hint="stop that one first, or wait for its lease to expire if it has died",
    )
