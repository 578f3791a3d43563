"""What goes over the planning worker's pipes: one JSON object a line.

To the worker `{"request": name, "body": value}`; back `{"progress": value}` any number of times, then
`{"answer": value}` or `{"error": {...}}`. `STOP`, sent meanwhile, cuts a search short: its best so far is
the answer.
"""

import json
from enum import StrEnum
from typing import Any

from bouted import errors
from bouted.errors import BoutedError, Misconfigured, NoCapacity, Retryable


class Request(StrEnum):
    """What the worker can be asked for."""

    PLAN = "plan"
    PROFILES = "profiles"
    QUALITY = "quality"


STOP = b'{"request": "stop"}\n'


def line(name: str, body: bytes, *, request: Request | None = None) -> bytes:
    """One line that carries `body` (JSON) under `name`."""
    head = f'"request": "{request}", ' if request is not None else ""
    return f'{{{head}"{name}": '.encode() + body + b"}\n"


def dump_error(error: BoutedError) -> bytes:
    """The error as JSON, with what its class needs to be made again."""
    body: dict[str, Any] = {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
    match error:
        case Retryable(after_s=after_s):
            body["after_s"] = after_s
        case NoCapacity(offer_id=offer_id):
            body["offer_id"] = offer_id
        case Misconfigured(path=path):
            body["path"] = path
    return json.dumps(body).encode()


def parse_error(body: dict[str, Any]) -> BoutedError:
    """The error that `dump_error` was given: same class, message and hint."""
    kind = getattr(errors, str(body["kind"]))
    message, hint = str(body["message"]), str(body["hint"])
    if kind is Retryable:
        return Retryable(message, after_s=float(body["after_s"]), hint=hint)
    if kind is NoCapacity:
        return NoCapacity(str(body["offer_id"]), message=message, hint=hint)
    if kind is Misconfigured:
        path = str(body["path"])
        return Misconfigured(path, message.removeprefix(f"{path}: "), hint=hint)
    found: BoutedError = kind(message, hint=hint)
    return found
