"""Reads the status board in one quick connection, so that `bouted status` answers with the daemon dead.

For SQLite this needs the standard library only; SQLAlchemy is imported for other databases alone.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bouted.board import Board, board_from_json
from bouted.errors import Misconfigured
from bouted.store.names import DAEMON_LEASE, STANDBY_LEASE
from bouted.store.readonly import is_there, read_only, revision_of
from bouted.store.urls import shown, sqlite_path

_BOARD = "SELECT body FROM board WHERE id = 1"
_LEASES = f"SELECT name, holder, expires_at FROM leases WHERE name IN ('{DAEMON_LEASE}', '{STANDBY_LEASE}')"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStatus:
    """The last board, who holds the daemon's lease until when ("" and None: nobody), and the same of the
    daemon that waits for it."""

    board: Board | None
    holder: str
    expires_at: datetime | None
    standby: str = ""
    standby_until: datetime | None = None

    def daemon_alive(self, now: datetime) -> bool:
        """A daemon held its lease at `now`."""
        return self.expires_at is not None and self.expires_at > now

    def waiting(self, now: datetime) -> str:
        """The daemon that waited at `now` to take over; "" without one."""
        return self.standby if self.standby_until is not None and self.standby_until > now else ""


_NOTHING = StoredStatus(board=None, holder="", expires_at=None)


def read_status(url: str) -> StoredStatus:
    """Board and lease in one connection; empty when there is no database yet.

    Misconfigured, with a hint, when the database cannot be read or is from a newer bouted.
    """
    path = sqlite_path(url)
    if path is None:
        return _from_server(url)
    if not is_there(path, url):
        return _NOTHING
    with read_only(path, url) as connection:
        return _from_sqlite(connection, url)


def read_board(url: str) -> Board | None:
    """The last board the daemon published; None when there is none."""
    return read_status(url).board


def daemon_alive(url: str, now: datetime) -> bool:
    """A daemon holds this store's lease at `now`."""
    return read_status(url).daemon_alive(now)


def _from_sqlite(connection: sqlite3.Connection, url: str) -> StoredStatus:
    if revision_of(connection, url) is None:
        return _NOTHING
    board = connection.execute(_BOARD).fetchone()
    leases = connection.execute(_LEASES).fetchall()
    return _status(url, board and board[0], [(n, who, datetime.fromisoformat(at)) for n, who, at in leases])


def _from_server(url: str) -> StoredStatus:
    from bouted.store.read_server import read_rows

    return _status(url, *read_rows(url, _BOARD, _LEASES))


def _status(url: str, body: str | None, leases: Sequence[tuple[str, str, datetime]]) -> StoredStatus:
    held = {name: (holder, at if at.tzinfo else at.replace(tzinfo=UTC)) for name, holder, at in leases}
    holder, expires_at = held.get(DAEMON_LEASE, ("", None))
    standby, standby_until = held.get(STANDBY_LEASE, ("", None))
    return StoredStatus(
        board=None if body is None else _parsed(url, body),
        holder=holder,
        expires_at=expires_at,
        standby=standby,
        standby_until=standby_until,
    )


def _parsed(url: str, body: str) -> Board:
    try:
        return board_from_json(body)
    except (ValueError, TypeError, KeyError) as cause:
        raise Misconfigured(
            shown(url),
            "the status board was written by another version of bouted",
            hint="restart the daemon so that it writes a new one",
        ) from cause
