"""Column types that never raise on reading: what cannot be read comes as `Garbled`.

Rows may have been edited by hand. One that cannot be read must not hide all the others, so the tables that
every pass reads have these types; whoever reads a row asks `garbled_in` first.
"""

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Dialect, Integer, String
from sqlalchemy.types import TypeDecorator

from bouted.store.columns import Frozen, UtcDateTime

E = TypeVar("E", bound=enum.StrEnum)
_SHOWN = 60  # characters of what stood there


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbled:
    """What stood where a value should be."""

    text: str

    def __str__(self) -> str:
        cut = self.text if len(self.text) <= _SHOWN else f"{self.text[:_SHOWN]}..."
        return '"' + " ".join(cut.split()) + '"'


def garbled_in(row: object, names: Iterable[str]) -> tuple[str, Garbled] | None:
    """The first of these columns that cannot be read, with what stands there; None when all can."""
    for name in names:
        value = getattr(row, name)
        if isinstance(value, Garbled):
            return name, value
    return None


class Word(TypeDecorator[Any]):
    """A member of one enum, kept as its word."""

    impl = String(32)
    cache_ok = True

    def __init__(self, kind: type[enum.StrEnum]) -> None:
        super().__init__(32)
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        try:
            return None if value is None else self.kind(value)
        except ValueError:
            return Garbled(text=str(value))


class Number(TypeDecorator[Any]):
    """A whole number. SQLite keeps whatever text somebody writes in its place."""

    impl = Integer
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return value if value is None or isinstance(value, int) else Garbled(text=str(value))


class Instant(UtcDateTime):
    """A time."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return _never_raising(super().result_processor(dialect, coltype))


class Whole(Frozen):
    """A whole frozen value of one type, as JSON."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return _never_raising(super().result_processor(dialect, coltype))


def _never_raising(read: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    if read is None:
        return None

    def legible(value: Any) -> Any:
        try:
            return read(value)
        except (ValueError, TypeError, ArithmeticError, LookupError):
            return Garbled(text=str(value))

    return legible
