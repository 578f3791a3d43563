"""Every shipped price source keeps the contract; wrong rows of a price file are dropped by name."""

import csv
import os
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from bouted.providers.pricecsv import MOST_USD_PER_GPU_HOUR, read_price_table
from bouted.providers.pricefile import PriceFile
from bouted.providers.snapshot import SnapshotPrices
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.errors import SourceFailed
from bouted.market.offers import Confidence, Market
from bouted.market.source import PriceSource
from bouted.testing.price_contracts import CONTRACT_NOW, PriceSourceContract
from bouted.testing.prices import ScriptedPrices, an_offer

HEADER = (
    "provider,region,zone,instance_type,gpu,gpu_count,market,usd_per_hour,"
    "obtainable,hazard_per_hour,observed_on,confidence,source"
)
ON_DEMAND = "aws,us-east-1,,g6.xlarge,L4,1,on_demand,0.8048,8,0.0005,2025-11-30,high,quote 7"
SPOT = "aws,us-east-1,use1-az1,g6.xlarge,L4,1,spot,0.31,8,0.02,2025-11-30,medium,"


class TestSnapshot(PriceSourceContract):
    def make(self, folder: Path) -> PriceSource:
        return SnapshotPrices()


class TestFile(PriceSourceContract):
    def make(self, folder: Path) -> PriceSource:
        (folder / "mine.csv").write_text(f"{HEADER}\n{ON_DEMAND}\n{SPOT}\n")
        return PriceFile(folder / "mine.csv")

    def broken(self, folder: Path) -> PriceSource:
        return PriceFile(folder / "none.csv")


class TestScripted(PriceSourceContract):
    def make(self, folder: Path) -> PriceSource:
        return ScriptedPrices((an_offer("1.20"), an_offer("3.00", market=Market.ON_DEMAND)))

    def broken(self, folder: Path) -> PriceSource:
        return ScriptedPrices(SourceFailed("down"))


def test_the_snapshot_holds_what_it_promises_and_no_row_is_dropped() -> None:
    source = SnapshotPrices()
    offers = source.fetch(CONTRACT_NOW)
    assert source.rejected == ()
    assert len(offers) >= 60
    assert {"aws", "gcp", "azure", "lambda", "runpod", "vast"} <= {offer.provider for offer in offers}
    assert len({offer.gpu for offer in offers}) >= 10
    assert min(Counter(offer.market for offer in offers).values()) >= 20
    assert all(offer.source.startswith("snapshot: ") for offer in offers)


def test_undated_rows_of_the_snapshot_are_old_and_little_trusted() -> None:
    undated = [offer for offer in SnapshotPrices().fetch(CONTRACT_NOW) if "undated" in offer.source]
    assert undated
    for offer in undated:
        assert offer.observed_at == datetime(2026, 1, 1, tzinfo=UTC)
        assert offer.confidence is Confidence.LOW


def test_a_row_is_read_exactly(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(f"# our quotes\n\n{HEADER}\n{ON_DEMAND}\n")
    (offer,) = PriceFile(tmp_path / "mine.csv").fetch(CONTRACT_NOW)
    assert offer.id == "aws/us-east-1/g6.xlarge/on_demand"
    assert offer.usd_per_hour == Decimal("0.8048")
    assert offer.observed_at == datetime(2025, 11, 30, tzinfo=UTC)
    assert offer.source == "file:mine.csv: quote 7"


def test_a_short_row_is_as_old_as_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "provider,region,instance_type,gpu,gpu_count,market,usd_per_hour\nx,eu,box,L4,2,spot,0.5\n"
    )
    os.utime(path, (1_760_000_000, 1_760_000_000))
    (offer,) = PriceFile(path).fetch(CONTRACT_NOW)
    assert offer.observed_at == datetime.fromtimestamp(1_760_000_000, UTC)
    assert (offer.obtainable, offer.hazard_per_hour, offer.confidence) == (1, 0.05, Confidence.MEDIUM)


def test_an_edit_of_the_file_is_seen_at_the_next_look(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(f"{HEADER}\n{ON_DEMAND}\n")
    source = PriceFile(path)
    assert source.fetch(CONTRACT_NOW)[0].usd_per_hour == Decimal("0.8048")
    path.write_text(f"{HEADER}\n{ON_DEMAND}\n".replace("0.8048", "0.9"))
    assert source.fetch(CONTRACT_NOW)[0].usd_per_hour == Decimal("0.9")


def row(**changes: str) -> str:
    cells = {
        **dict(zip(HEADER.split(","), ON_DEMAND.split(","), strict=True)),
        "instance_type": "x",
        **changes,
    }
    return ",".join(cells.values())


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(usd_per_hour="0"), "usd_per_hour 0 is not above 0"),
        (row(usd_per_hour="-1"), "usd_per_hour -1 is not above 0"),
        (row(usd_per_hour="nan"), "usd_per_hour 'nan' is no usable number"),
        (row(usd_per_hour="$1"), "usd_per_hour '$1' is no number"),
        (row(usd_per_hour=""), "no usd_per_hour"),
        (row(usd_per_hour="731"), "usd_per_hour 731 is more than $100 an hour per GPU"),
        (row(market="reserved"), "market 'reserved' is neither spot nor on_demand"),
        (row(market="owned"), "owned machines are declared in the config, under supply.owned"),
        (row(gpu_count="0"), "gpu_count '0' is no whole number from 1 to 72"),
        (row(gpu_count="1.5"), "gpu_count '1.5' is no whole number from 1 to 72"),
        (row(gpu=""), "no gpu"),
        (row(obtainable="-1"), "obtainable '-1' is no whole number from 0 to 100000"),
        (row(hazard_per_hour="2"), "hazard_per_hour 2 is not between 0 and 1"),
        (row(observed_on="yesterday"), "observed_on 'yesterday' is no date like 2026-04-30"),
        (row(confidence="sure"), "confidence 'sure' is none of high, medium, low"),
        (row(instance_type="g6.xlarge"), "aws/us-east-1/g6.xlarge/on_demand again, first on line 2"),
        (SPOT.replace("0.31", "0.8048"), "spot at 0.8048 is not below on-demand at 0.8048"),
        (SPOT.replace("0.31", "0.9"), "spot at 0.9 is not below on-demand at 0.8048"),
        ("aws,us-east-1,,g6.2x", "4 cells under 13 columns"),
        (row() + ",more", "14 cells under 13 columns"),
        (row(gpu="L\x004"), "holds a control character"),
    ],
    ids=lambda value: value if "," not in value else "",
)
def test_a_wrong_row_is_dropped_by_line_and_reason_and_the_rest_stays(
    tmp_path: Path, bad: str, reason: str
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(f"{HEADER}\n{ON_DEMAND}\n{bad}\n{row(instance_type='last')}\n")
    source = PriceFile(path)
    offers = source.fetch(CONTRACT_NOW)
    assert [offer.instance_type for offer in offers] == ["g6.xlarge", "last"]
    assert [(one.line, one.reason) for one in source.rejected] == [(3, reason)]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "mine.csv:1: the file is empty (the first row names the columns"),
        (b"provider,region\n", "mine.csv:1: the header lacks instance_type, gpu, gpu_count"),
        (f"{HEADER},colour\n".encode(), "mine.csv:1: the header has colour (columns are provider"),
        (f"{HEADER}\n".encode(), "mine.csv: no usable price"),
        (f"{HEADER}\n{row(gpu='')}\n".encode(), "mine.csv: no usable price; line 2: no gpu"),
        (f'{HEADER}\n"unclosed\n'.encode(), "mine.csv:2: not CSV"),
        (f"{HEADER}\n\xff".encode("latin-1"), "mine.csv:2: not UTF-8 text"),
    ],
    ids=[
        "empty",
        "columns missing",
        "a column too many",
        "no rows",
        "no right row",
        "an open quote",
        "binary",
    ],
)
def test_a_file_that_is_no_price_table_fails_naming_the_line(tmp_path: Path, body: bytes, told: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(body)
    with pytest.raises(SourceFailed) as caught:
        PriceFile(path).fetch(CONTRACT_NOW)
    assert told in str(caught.value)


CELLS = st.sampled_from(ON_DEMAND.split(",") + SPOT.split(",") + ["-1", "0", "nan", "1e99", "", '"', "owned"])


@given(rows=st.lists(st.lists(CELLS | st.text(max_size=6), min_size=11, max_size=14), max_size=5))
@settings(max_examples=150)
def test_whatever_a_file_holds_only_plausible_offers_come_out(rows: list[list[str]]) -> None:
    out = StringIO()
    csv.writer(out).writerows([HEADER.split(","), ON_DEMAND.split(","), *rows])
    table = read_price_table(out.getvalue(), file="f", source="s", undated_at=CONTRACT_NOW, now=CONTRACT_NOW)
    assert table.offers
    for offer in table.offers:
        assert 0 < offer.usd_per_hour <= MOST_USD_PER_GPU_HOUR * offer.gpu_count
        assert offer.observed_at <= CONTRACT_NOW
