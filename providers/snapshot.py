"""The dated price snapshot that ships with bouted: works offline, and everything else outranks it."""

from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from bouted.market.diagnosis import Diagnosis
from bouted.market.quotes import Answer

from .pricecsv import UNDATED_AT, check_header, read_price_rows
from .pricetable import parse_csv
from .source_options import Options


class SnapshotPrices:
    """Real prices as they were on the dates that the quotes carry; rank 0."""

    name = "snapshot"
    rank = 0

    @classmethod
    def from_config(cls, options: Mapping[str, Any], *, config_dir: Path) -> "SnapshotPrices":
        """A source as a config names it; it has no options."""
        Options(cls.name, options).close()
        return cls()

    def fetch(self, now: datetime) -> Answer:
        """Every quote of the snapshot."""
        text = files("bouted.catalog").joinpath("data/prices.csv").read_text(encoding="utf-8")
        table = parse_csv(text, "prices.csv")
        check_header(table)
        return read_price_rows(table, table.lines, source=self.name, undated_at=UNDATED_AT, now=now)

    def diagnose(self, now: datetime) -> Diagnosis:
        """It is always there."""
        return Diagnosis(credential="not needed", reachable=True)
