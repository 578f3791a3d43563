"""Prices from a CSV file of your own: contracts, quotes, anything the other sources get wrong."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bouted.errors import Misconfigured, SourceBroken
from bouted.market.offers import Offer

from .pricecsv import Rejected, read_price_table

log = logging.getLogger(__name__)


class PriceFile:
    """The offers in one file, read anew each time; rank 10, so they win over the snapshot's.

    Columns as in `pricecsv`. Rows without `observed_on` were observed when the file was last written.
    """

    rank = 10

    def __init__(self, path: Path, *, name: str = "") -> None:
        self.path = path
        self.name = name or f"file:{path.name}"
        self.rejected: tuple[Rejected, ...] = ()

    @classmethod
    def from_config(cls, options: Mapping[str, Any], *, config_dir: Path) -> "PriceFile":
        """A source as a config names it: `path`, relative to the config's folder."""
        unknown = sorted(set(options) - {"path"})
        if unknown:
            raise Misconfigured("prices.sources", f"file has no option {unknown[0]!r}", hint="it takes path")
        path = options.get("path")
        if not isinstance(path, str) or not path:
            raise Misconfigured("prices.sources", "file needs a path", hint="{name: file, path: prices.csv}")
        return cls(config_dir / path, name=f"file:{path}")

    def fetch(self, now: datetime) -> tuple[Offer, ...]:
        """Every right row of the file; `rejected` then holds the wrong ones, logged when they change."""
        try:
            written_at = datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
            text = self.path.read_text(encoding="utf-8")
        except OSError as error:
            raise SourceBroken(f"{self.path}: {error.strerror}", hint="check prices.sources") from error
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise SourceBroken(f"{self.path}:{line}: not UTF-8 text", hint="save it as plain CSV") from error
        table = read_price_table(text, file=str(self.path), source=self.name, undated_at=written_at, now=now)
        if table.rejected != self.rejected:
            for row in table.rejected:
                log.warning("%s:%d: row dropped: %s", self.path, row.line, row.reason)
        self.rejected = table.rejected
        return table.offers
