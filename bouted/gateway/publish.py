"""The route table on disk: the daemon writes it whole, every gateway reads it."""

import os
from pathlib import Path

from pydantic import ValidationError

from bouted.codec import dump, misfit, parse
from bouted.errors import Misconfigured
from bouted.gateway.table import RouteTable

_HINT = "the daemon writes it: is `bouted run` up?"


def write_table(path: Path, table: RouteTable) -> None:
    """Put `table` at `path`, whole or not at all; readers see the old table or this one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(dump(RouteTable, table))
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def read_table(path: Path) -> RouteTable:
    """The table at `path`; Misconfigured when it is missing, broken, or names no model."""
    try:
        table = parse(RouteTable, path.read_bytes())
    except OSError as cause:
        raise Misconfigured(str(path), cause.strerror or "cannot be read", hint=_HINT) from cause
    except ValidationError as cause:
        raise Misconfigured(str(path), f"not a route table: {misfit(cause)}", hint=_HINT) from cause
    if not table.split.fits:
        raise Misconfigured(str(path), "not a route table: models, shares and rules do not fit", hint=_HINT)
    return table
