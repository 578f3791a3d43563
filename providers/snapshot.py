"""The dated price snapshot that ships with bouted: works offline, and everything else outranks it."""

from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from bouted.errors import Misconfigured
from bouted.market.offers import Offer

from .pricecsv import UNDATED_AT, Rejected, read_price_table


class SnapshotPrices:
    """Real prices as they were on the dates the offers carry; rank 0."""

    name = "snapshot"
    rank = 0

    def __init__(self) -> None:
        self.rejected: tuple[Rejected, ...] = ()

    @classmethod
    def from_config(cls, options: Mapping[str, Any], *, config_dir: Path) -> "SnapshotPrices":
        """A source as a config names it; it has no options."""
        if options:
            raise Misconfigured(
                "prices.sources", f"snapshot has no option {min(options)!r}", hint="remove it"
            )
        return cls()

    def fetch(self, now: datetime) -> tuple[Offer, ...]:
        """Every offer of the snapshot. `rejected` then holds the rows left out."""
        text = files("bouted.catalog").joinpath("data/prices.csv").read_text(encoding="utf-8")
        table = read_price_table(text, file="prices.csv", source=self.name, undated_at=UNDATED_AT, now=now)
        self.rejected = table.rejected
        return table.offers
