"""Pages that Google's client cannot parse as a whole, read again row by row.

One field of another type fails a page of thousands of rows. The rows are then parsed one at a time, by the
same client library, and only the wrong ones are lost.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import requests

from bouted.market.quotes import Row, Unread

from .gcp_calls import ODD_BODY, Unreadable, one_line

_LONGEST = 200

T = TypeVar("T")


class LastBody:
    """Keeps the last body that came in on a session, for when the client cannot read it."""

    def __init__(self, session: requests.Session) -> None:
        self._body = b""
        session.hooks["response"].append(self._keep)

    def _keep(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self._body = response.content

    def drop(self) -> None:
        """It is not needed: let go of its memory."""
        self._body = b""

    def take(self, why: Unreadable) -> Mapping[str, Any]:
        """The body as a JSON object; `why` is raised when it is none."""
        body, self._body = self._body, b""
        try:
            read = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise why from error
        if not isinstance(read, dict):
            raise why
        return read


def parse_rows(
    rows: Any, parse: Callable[[str], T], *, source: str, said: Row = ()
) -> tuple[tuple[T, ...], tuple[Unread, ...]]:
    """Those of `rows` that parse, and the others with the reason; `said` goes before their own columns."""
    read: list[T] = []
    unread: list[Unread] = []
    for row in rows if isinstance(rows, list) else [rows]:
        try:
            read.append(parse(json.dumps(row)))
        except ODD_BODY as error:
            unread.append(Unread(source=source, row=(*said, *columns(row)), reason=one_line(error)))
    return tuple(read), tuple(unread)


def columns(row: Any) -> Row:
    """A raw row's own columns, long values cut."""
    if not isinstance(row, dict):
        return (("row", _cut(row)),)
    return tuple((str(key), _cut(value)) for key, value in row.items()) or (("row", "{}"),)


def _cut(value: Any) -> str:
    said = value if isinstance(value, str) else json.dumps(value)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."
