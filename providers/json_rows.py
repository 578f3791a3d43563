"""A source's JSON objects, read strictly: a wrong or missing field leaves its row out, by name."""

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, TypeVar

from bouted.errors import SourceFailed
from bouted.market.quotes import Row, Unread

T = TypeVar("T")
MOST_CELLS = 24
MOST_CELL = 200


class Odd(Exception):
    """Why a row cannot be read, in one line."""


class JsonRow:
    """One object of a source's answer. Each look at a field that is not as it must be raises Odd."""

    def __init__(self, value: Any) -> None:
        self._odd = not isinstance(value, dict)
        self._fields: dict[str, Any] = {"row": value} if self._odd else value

    def require(self) -> None:
        """Odd when this is no object at all."""
        if self._odd:
            raise Odd("the row is no object")

    def has(self, key: str) -> bool:
        """Whether there is anything under `key`; null counts as nothing."""
        return self._fields.get(key) is not None

    def blank(self, key: str) -> bool:
        """Whether there is nothing under `key`, or an empty text."""
        return self._fields.get(key) in (None, "")

    def text(self, key: str) -> str:
        """A printable text, not empty and not endless."""
        value = self._need(key)
        if isinstance(value, str) and value.isprintable() and 0 < len(value.strip()) <= MOST_CELL:
            return value.strip()
        raise self._wrong(key, value, "a text")

    def hint(self, key: str) -> str:
        """The text under `key`, "" for anything else: for looks that may fail silently."""
        value = self._fields.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> Decimal:
        """A number, exactly as it was written. It may be zero or negative, but not astronomical."""
        value = self._need(key)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self._wrong(key, value, "a number")
        exact = Decimal(value)
        if not exact.is_finite() or abs(exact.adjusted()) > 12:
            raise self._wrong(key, value, "a usable number")
        return exact

    def whole(self, key: str, least: int, most: int) -> int:
        """A whole number between `least` and `most`."""
        value = self.number(key)
        if value != value.to_integral_value() or not least <= value <= most:
            raise self._wrong(key, self._fields[key], f"a whole number from {least} to {most}")
        return int(value)

    def flag(self, key: str) -> bool:
        """true or false."""
        value = self._need(key)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def child(self, key: str) -> "JsonRow":
        """The object under `key`."""
        value = self._need(key)
        if not isinstance(value, dict):
            raise self._wrong(key, value, "an object")
        return JsonRow(value)

    def children(self, key: str) -> tuple["JsonRow", ...]:
        """The list of objects under `key`."""
        value = self._need(key)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self._wrong(key, value, "a list of objects")
        return tuple(JsonRow(one) for one in value)

    def cells(self, columns: Iterable[str] = ()) -> Row:
        """The row in its own words: these columns, or all there are when it has none of them."""
        chosen = [key for key in columns if key in self._fields] or list(self._fields)
        return tuple((_cell(key), _cell(self._fields[key])) for key in chosen[:MOST_CELLS]) or (
            ("row", "{}"),
        )

    def _need(self, key: str) -> Any:
        self.require()
        if self._fields.get(key) is None:
            raise Odd(f"no {key}")
        return self._fields[key]

    def _wrong(self, key: str, value: Any, what: str) -> Odd:
        return Odd(f"{key} {json.dumps(_cell(value)[:40])} is not {what}")


def _cell(value: Any) -> str:
    """`value` as one printable line."""
    if not isinstance(value, Decimal) and not (isinstance(value, str) and value.isprintable()):
        try:
            value = json.dumps(value, default=str)
        except RecursionError:
            value = "(nested too deep)"
    return str(value)[:MOST_CELL]


def read_each(
    source: str, items: Iterable[Any], columns: Iterable[str], read: Callable[[JsonRow], Iterable[T]]
) -> tuple[list[T], list[Unread]]:
    """What `read` makes of each item, and the items for which it raised Odd."""
    found: list[T] = []
    unread: list[Unread] = []
    for item in items:
        row = JsonRow(item)
        try:
            row.require()
            found.extend(read(row))
        except Odd as odd:
            unread.append(Unread(source=source, row=row.cells(columns), reason=str(odd)))
    return found, unread


def list_under(body: Any, key: str) -> list[Any]:
    """The list that an answer is there to bring; SourceFailed when the answer is something else."""
    items = body.get(key) if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise SourceFailed(f"the answer is something else: it has no list of {key}")
    return items
