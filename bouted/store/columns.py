"""Column types that keep values exact: UTC times, Decimal money, whole frozen values, packed bytes; and
types that keep what strangers say in a form that every database takes."""

import zlib
from collections.abc import Hashable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import DateTime, Dialect, Integer, LargeBinary, Text
from sqlalchemy.types import TypeDecorator

from bouted.codec import dump, parse


class UtcDateTime(TypeDecorator[datetime]):
    """An instant, to the microsecond: aware in, aware UTC out. A naive time is refused.

    SQLite keeps no zone, so every instant is written in UTC.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"times are stored aware, got the naive {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Money(TypeDecorator[Decimal]):
    """An exact amount, kept as text. Floats and amounts that are not finite are refused."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite():
            raise ValueError(f"money is a finite Decimal, got {value!r}")
        return str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


def plain(text: str) -> str:
    """The text without what a database refuses: the character 0, and halves of surrogate pairs."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


class Plain(TypeDecorator[str]):
    """Text. What no database takes is replaced: a stranger's odd byte must not stop everybody's writing."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else plain(value)


class Claimed(TypeDecorator[Decimal]):
    """A number as somebody claimed it, kept as text: it may be absurd, and even not finite."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class Count(TypeDecorator[int]):
    """A count that somebody claimed, at most what 32 bits hold."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        return None if value is None else max(-(2**31), min(value, 2**31 - 1))


@lru_cache(maxsize=1024)
def _parsed(kind: Any, text: str) -> Any:
    """Values are frozen, and the same few are read several times a second: offers, cuts, shapes, the plan."""
    return parse(kind, text)


class Frozen(TypeDecorator[Any]):
    """A whole frozen value of one type, as the JSON that `bouted.codec` writes."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[Any]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else dump(self.kind, value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else _parsed(cast(Hashable, self.kind), value)


class Packed(TypeDecorator[bytes]):
    """Bytes, compressed at rest."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return None if value is None else zlib.compress(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return None if value is None else zlib.decompress(value)
