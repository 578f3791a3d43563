"""Reads the status board in one quick connection, so that `bouted status` answers with the daemon dead.

For SQLite this needs the standard library only; SQLAlchemy is imported for other databases alone.
"""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

from bouted.board import Board, board_from_json
from bouted.errors import Misconfigured
from bouted.store.names import DAEMON_LEASE
from bouted.store.readonly import is_there, read_only, revision_of
from bouted.store.urls import shown, sqlite_path

_BOARD = "SELECT body FROM board WHERE id = 1"
_LEASE = f"SELECT holder, expires_at FROM leases WHERE name = '{DAEMON_LEASE}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStatus:
    """The last board, and who holds the daemon's lease until when ("" and None: nobody)."""

    board: Board | None
    holder: str
    expires_at: datetime | None

    def daemon_alive(self, now: datetime) -> bool:
        """A daemon held its lease at `now`."""
        return self.expires_at is not None and self.expires_at > now


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
    lease = connection.execute(_LEASE).fetchone()
    return _status(url, board and board[0], lease and (lease[0], datetime.fromisoformat(lease[1])))


def _from_server(url: str) -> StoredStatus:
    from bouted.store.read_server import read_rows

    return _status(url, *read_rows(url, _BOARD, _LEASE))


def _status(url: str, body: str | None, lease: tuple[str, datetime] | None) -> StoredStatus:
    holder, expires_at = lease or ("", None)
    if expires_at is not None and expires_at.tzinfo is None:
        expires_at = expires_at.replace(tzinfo=UTC)
    board = None if body is None else _parsed(url, body)
    return StoredStatus(board=board, holder=holder, expires_at=expires_at)


def _parsed(url: str, body: str) -> Board:
    try:
        return board_from_json(body)
    except (ValueError, TypeError, KeyError) as cause:
        raise Misconfigured(
            shown(url),
            "the status board was written by another version of bouted",
            hint="restart the daemon so that it writes a new one",
        ) from cause
