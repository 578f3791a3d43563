"""Frozen values to JSON bytes and back, exactly: Decimal as text, times with their zone, enums by value."""

from collections.abc import Hashable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


@lru_cache(maxsize=64)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def dump(kind: type[T], value: T) -> bytes:
    """`value` as JSON bytes: the same value gives the same bytes."""
    return _adapter(cast(Hashable, kind)).dump_json(value)


def parse(kind: type[T], body: bytes | str) -> T:
    """The value of type `kind` in `body`; pydantic.ValidationError when it does not fit."""
    value: T = _adapter(cast(Hashable, kind)).validate_json(body)
    return value


def misfit(error: Exception) -> str:
    """In one line what `parse` found wrong first, and where; of another error its own first line."""
    if not isinstance(error, ValidationError):
        return next(iter(str(error).splitlines()), "")
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]


def content_hash(body: bytes) -> str:
    """32 hex digits that name these bytes."""
    return blake2b(body, digest_size=16).hexdigest()
