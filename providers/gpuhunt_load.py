"""The program that reads gpuhunt's catalog, for `gpuhunt`: JSON lines on standard output.

gpuhunt waits for its server without limit, in threads that hold up their process's exit. So it has a process
of its own, which ends by itself.
"""

import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any

STALLED_S = 10.0
NO_PACKAGE = "no package"


class _Skipped(logging.Handler):
    """Keeps gpuhunt's warnings: each is about a row it passed over."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:
            self.told.append(record.getMessage())


def main(limit_s: str, *providers: str) -> None:
    """Print every GPU item of these providers, what was passed over, and which providers are missing."""
    signal.alarm(int(float(limit_s)) + 1)
    socket.setdefaulttimeout(STALLED_S)
    skipped = _Skipped()
    logger = logging.getLogger("gpuhunt")
    logger.addHandler(skipped)
    logger.propagate = False
    for line in _lines(providers):
        print(json.dumps(line))
    for told in skipped.told:
        print(json.dumps({"skipped": told}))


def _lines(providers: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    try:
        import gpuhunt
    except ModuleNotFoundError as error:
        yield {"failed": NO_PACKAGE if error.name == "gpuhunt" else str(error), "status": 0}
        return
    catalog = gpuhunt.Catalog(auto_reload=False)
    if "GPUHUNT_CATALOG_DIR" not in os.environ:
        try:
            catalog.load()
        except gpuhunt.GPUHuntError as error:
            cause = error.__cause__ or error
            yield {"failed": str(cause), "status": getattr(cause, "code", 0)}
            return
    for provider in providers:
        yield from _items(catalog, provider)


def _items(catalog: Any, provider: str) -> Iterator[dict[str, Any]]:
    loaded = catalog.catalog.get(provider)
    if loaded is None and "GPUHUNT_CATALOG_DIR" not in os.environ:
        yield {"missing": provider}
        return
    try:
        items = catalog.query(provider=provider, min_gpu_count=1)
    except OSError:
        yield {"missing": provider}
        return
    yield {"provider": provider, "version": loaded.version if loaded else ""}
    for item in items:
        yield {"item": {name: _text(value) for name, value in vars(item).items() if name != "provider_data"}}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return "" if value is None else str(getattr(value, "value", value))


if __name__ == "__main__":
    main(*sys.argv[1:])
