"""Every price source that reads files keeps the contract; wrong rows of a price file are named."""

import csv
import os
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from bouted.providers.pricecsv import check_header, read_price_rows
from bouted.providers.pricefile import PriceFile
from bouted.providers.pricetable import parse_csv
from bouted.providers.snapshot import SnapshotPrices
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.errors import Misconfigured, SourceBroken, SourceFailed
from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Answer
from bouted.market.source import PriceSource
from bouted.testing.price_contracts import CONTRACT_NOW, Fault, PriceSourceContract
from bouted.testing.prices import ScriptedPrices, a_quote

HEADER = (
    "provider,region,zone,instance_type,gpu,gpu_count,market,usd_per_hour,"
    "obtainable,hazard_per_hour,observed_on,confidence,source"
)
ON_DEMAND = "aws,us-east-1,,g6.xlarge,L4,1,on_demand,0.8048,8,0.0005,2025-11-30,high,quote 7"
SPOT = "aws,us-east-1,use1-az1,g6.xlarge,L4,1,spot,0.31,8,0.02,2025-11-30,medium,"
AHEAD = CONTRACT_NOW.timestamp() + 86_400


def row(**changes: str) -> str:
    cells = {
        **dict(zip(HEADER.split(","), ON_DEMAND.split(","), strict=True)),
        "instance_type": "x",
        **changes,
    }
    return ",".join(cells.values())


def a_file(folder: Path, rows: Iterable[str], *, name: str = "mine.csv") -> PriceFile:
    (folder / name).write_text("\n".join([HEADER, *rows, ""]))
    return PriceFile(folder / name)


class TestSnapshot(PriceSourceContract):
    def make(self, folder: Path) -> PriceSource:
        return SnapshotPrices()


class TestFile(PriceSourceContract):
    def make(self, folder: Path) -> PriceSource:
        return a_file(folder, [ON_DEMAND, SPOT])

    def faulty(self, folder: Path, fault: Fault) -> PriceSource | None:
        if fault is Fault.EMPTY:
            return a_file(folder, [])
        if fault is Fault.BROKEN:
            (folder / "mine.csv").write_bytes(bytes(range(256)))
            return PriceFile(folder / "mine.csv")
        if fault is Fault.WRONG_TYPES:
            return a_file(folder, [ON_DEMAND, row(usd_per_hour="cheap"), row(gpu_count="{}"), "aws", SPOT])
        if fault is Fault.UNKNOWN_GPU:
            return a_file(folder, [ON_DEMAND, row(gpu="Mystery 9000")])
        if fault is Fault.CLOCK_SKEW:
            source = a_file(folder, [row(observed_on="2026-06-02"), row(instance_type="y", observed_on="")])
            os.utime(folder / "mine.csv", (AHEAD, AHEAD))
            return source
        return None


SKY = {
    "cloud": ["aws", "aws", "azure"],
    "InstanceType": ["p5.48xlarge", "g6.xlarge", "Standard_NC4as_T4_v3"],
    "AcceleratorName": ["H100", "L4", "T4"],
    "AcceleratorCount": [8.0, 1.0, 1.0],
    "Price": [55.04, 0.8048, 0.526],
    "SpotPrice": [17.63, 0.31, None],
    "Region": ["us-east-1", "us-east-1", "eastus"],
    "AvailabilityZone": ["use1-az1", "use1-az2", None],
    "snapshot_utc": ["2026-05-01T00:00:00Z"] * 3,
}


def sky_parquet(folder: Path, **changes: list[object]) -> PriceFile:
    pyarrow.parquet.write_table(pyarrow.table({**SKY, **changes}), folder / "sky.parquet")
    return PriceFile(folder / "sky.parquet")


class TestSkyParquet(PriceSourceContract):
    def make(self, folder: Path) -> PriceSource:
        columns = {name: cells for name, cells in SKY.items() if name != "snapshot_utc"}
        pyarrow.parquet.write_table(pyarrow.table(columns), folder / "sky.parquet")
        return PriceFile(folder / "sky.parquet")

    def faulty(self, folder: Path, fault: Fault) -> PriceSource | None:
        if fault is Fault.EMPTY:
            return sky_parquet(folder, **{name: [] for name in SKY})
        if fault is Fault.BROKEN:
            (folder / "sky.parquet").write_bytes(b"PAR1 is how it begins, and PAR1")
            return PriceFile(folder / "sky.parquet")
        if fault is Fault.WRONG_TYPES:
            return sky_parquet(folder, Price=["55.04", "[]", "0.526"], SpotPrice=["17.63", "x", "nan"])
        if fault is Fault.UNKNOWN_GPU:
            return sky_parquet(folder, AcceleratorName=["H100", "Mystery 9000", "T4"])
        if fault is Fault.CLOCK_SKEW:
            source = self.make(folder)
            os.utime(folder / "sky.parquet", (AHEAD, AHEAD))
            return source
        return None


class TestScripted(PriceSourceContract):
    def make(self, folder: Path) -> PriceSource:
        return ScriptedPrices((a_quote("1.20"), a_quote("3.00", market=Market.ON_DEMAND)))

    def faulty(self, folder: Path, fault: Fault) -> PriceSource | None:
        return ScriptedPrices(SourceFailed("down")) if fault in (Fault.EMPTY, Fault.BROKEN) else None


def test_the_snapshot_holds_what_it_promises_and_no_row_is_left_out() -> None:
    answer = SnapshotPrices().fetch(CONTRACT_NOW)
    assert answer.unread == ()
    assert len(answer.quotes) >= 60
    assert {"aws", "gcp", "azure", "lambda", "runpod", "vast"} <= {quote.provider for quote in answer.quotes}
    assert len({quote.gpu for quote in answer.quotes}) >= 10
    assert min(Counter(quote.market for quote in answer.quotes).values()) >= 20
    assert all(quote.source.startswith("snapshot: ") for quote in answer.quotes)


def test_undated_rows_of_the_snapshot_are_old_and_little_trusted() -> None:
    undated = [quote for quote in SnapshotPrices().fetch(CONTRACT_NOW).quotes if "undated" in quote.source]
    assert undated
    for quote in undated:
        assert quote.observed_at == datetime(2026, 1, 1, tzinfo=UTC)
        assert quote.confidence is Confidence.LOW


def test_a_row_is_read_exactly_and_kept_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(f"# our quotes\n\n{HEADER}\n{ON_DEMAND}\n")
    (quote,) = PriceFile(tmp_path / "mine.csv").fetch(CONTRACT_NOW).quotes
    assert quote.id == "aws/us-east-1/g6.xlarge/on_demand"
    assert quote.price == Decimal("0.8048")
    assert quote.currency == "USD"
    assert quote.observed_at == datetime(2025, 11, 30, tzinfo=UTC)
    assert quote.effective_at is None
    assert quote.source == "file:mine.csv: quote 7"
    assert quote.row == tuple(zip(HEADER.split(","), ON_DEMAND.split(","), strict=True))


def test_a_short_row_is_as_old_as_the_file_and_is_one_contract(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "provider,region,instance_type,gpu,gpu_count,market,usd_per_hour\nx,eu,box,L4,2,spot,0.5\n"
    )
    os.utime(path, (1_760_000_000, 1_760_000_000))
    (quote,) = PriceFile(path).fetch(CONTRACT_NOW).quotes
    assert quote.observed_at == datetime.fromtimestamp(1_760_000_000, UTC)
    assert (quote.obtainable, quote.hazard_per_hour, quote.confidence) == (1, None, Confidence.MEDIUM)


def test_a_row_may_be_in_another_currency_and_say_since_when(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "provider,region,instance_type,gpu,gpu_count,market,usd_per_hour,currency,effective_on\n"
        "x,eu,box,NVIDIA H100 80GB,8,on_demand,19.90,eur,2026-05-01\n"
        "x,eu,later,L4,1,on_demand,0.5,,2027-01-01\n"
    )
    first, later = PriceFile(path).fetch(CONTRACT_NOW).quotes
    assert (first.price, first.currency, first.gpu) == (Decimal("19.90"), "EUR", "H100-80GB")
    assert first.effective_at == datetime(2026, 5, 1, tzinfo=UTC)
    assert (later.currency, later.effective_at) == ("USD", CONTRACT_NOW)


def test_an_edit_of_the_file_is_seen_at_the_next_look(tmp_path: Path) -> None:
    source = a_file(tmp_path, [ON_DEMAND])
    assert source.fetch(CONTRACT_NOW).quotes[0].price == Decimal("0.8048")
    a_file(tmp_path, [ON_DEMAND.replace("0.8048", "0.9")])
    assert source.fetch(CONTRACT_NOW).quotes[0].price == Decimal("0.9")


@pytest.mark.parametrize(
    "absurd",
    [
        row(usd_per_hour="0"),
        row(usd_per_hour="-1"),
        row(usd_per_hour="731"),
        SPOT.replace("0.31", "0.9"),
    ],
)
def test_a_price_that_cannot_be_true_is_still_what_the_file_says(tmp_path: Path, absurd: str) -> None:
    answer = a_file(tmp_path, [ON_DEMAND, absurd]).fetch(CONTRACT_NOW)
    assert answer.unread == ()
    assert answer.quotes[1].price == Decimal(absurd.split(",")[7])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(usd_per_hour="nan"), "usd_per_hour 'nan' is no usable number"),
        (row(usd_per_hour="1e99"), "usd_per_hour '1e99' is no usable number"),
        (row(usd_per_hour="$1"), "usd_per_hour '$1' is no number"),
        (row(usd_per_hour=""), "no usd_per_hour"),
        (row(market="reserved"), "market 'reserved' is neither spot nor on_demand"),
        (row(market="owned"), "owned machines are declared in the config, under supply.owned"),
        (row(gpu_count="0"), "gpu_count '0' is no whole number from 1 to 72"),
        (row(gpu_count="1.5"), "gpu_count '1.5' is no whole number from 1 to 72"),
        (row(gpu=""), "no gpu"),
        (row(obtainable="-1"), "obtainable '-1' is no whole number from 0 to 100000"),
        (row(hazard_per_hour="2"), "hazard_per_hour 2 is not between 0 and 1"),
        (row(observed_on="yesterday"), "observed_on 'yesterday' is no date like 2026-04-30"),
        (row(confidence="sure"), "confidence 'sure' is none of high, medium, low"),
        (
            row(instance_type="g6.xlarge", usd_per_hour="0.9"),
            "aws/us-east-1/g6.xlarge/on_demand again at 0.9; the first row, at 0.8048, holds",
        ),
        ("aws,us-east-1,,g6.2x", "4 cells under 13 columns"),
        (row() + ",more", "14 cells under 13 columns"),
        (row(gpu="L\x004"), "holds a control character"),
    ],
    ids=lambda value: value if "," not in value else "",
)
def test_a_row_that_cannot_be_read_is_named_by_line_and_reason_and_the_rest_stays(
    tmp_path: Path, bad: str, reason: str
) -> None:
    answer = a_file(tmp_path, [ON_DEMAND, bad, row(instance_type="last")]).fetch(CONTRACT_NOW)
    assert [quote.instance_type for quote in answer.quotes] == ["g6.xlarge", "last"]
    (unread,) = answer.unread
    assert unread.reason == f"line 3: {reason}"
    assert unread.row[0] == ("provider", "aws")
    assert all(value.isprintable() for _, value in unread.row)


def test_the_same_row_twice_is_one_quote_and_no_fault(tmp_path: Path) -> None:
    answer = a_file(tmp_path, [ON_DEMAND, ON_DEMAND]).fetch(CONTRACT_NOW)
    assert len(answer.quotes) == 1
    assert answer.unread == ()


def test_a_file_with_every_row_wrong_has_no_quotes_and_says_why_of_each(tmp_path: Path) -> None:
    answer = a_file(tmp_path, [row(gpu=""), row(market="x")]).fetch(CONTRACT_NOW)
    assert answer.quotes == ()
    assert answer.unread[0].reason == "line 2: no gpu"
    assert len(answer.unread) == 2


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "mine.csv:1: the file is empty (the first row names the columns"),
        (b"provider,region\n", "mine.csv:1: the header lacks instance_type, gpu, gpu_count"),
        (f"{HEADER},colour\n".encode(), "mine.csv:1: the header has colour (columns are provider"),
        (f"{HEADER},zone\n".encode(), "mine.csv:1: the header has a column twice"),
        (f"{HEADER}\n".encode(), "mine.csv: no usable price"),
        (f'{HEADER}\n"unclosed\n'.encode(), "mine.csv:2: not CSV"),
        (f"{HEADER}\n\xff".encode("latin-1"), "mine.csv:2: not UTF-8 text"),
    ],
    ids=[
        "empty",
        "columns missing",
        "a column too many",
        "a column twice",
        "no rows",
        "an open quote",
        "binary",
    ],
)
def test_a_file_that_is_no_price_table_fails_naming_the_line(tmp_path: Path, body: bytes, told: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(body)
    with pytest.raises(SourceBroken) as caught:
        PriceFile(path).fetch(CONTRACT_NOW)
    assert told in str(caught.value)


def test_a_file_that_is_not_there_needs_a_person(tmp_path: Path) -> None:
    source = PriceFile(tmp_path / "none.csv")
    with pytest.raises(SourceBroken, match=r"none\.csv: No such file"):
        source.fetch(CONTRACT_NOW)
    assert source.hand_kept
    assert source.diagnose(CONTRACT_NOW).reachable is False


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "path"),
        ({"path": ""}, "path"),
        ({"path": 3}, "path"),
        ({"path": "a.csv", "pth": 1}, "pth"),
        ({"path": "a.csv", "hand_kept": "yes"}, "hand_kept"),
    ],
)
def test_wrong_options_of_a_file_are_refused_by_name(
    tmp_path: Path, options: dict[str, object], told: str
) -> None:
    with pytest.raises(Misconfigured, match=told):
        PriceFile.from_config(options, config_dir=tmp_path)


CELLS = st.sampled_from(ON_DEMAND.split(",") + SPOT.split(",") + ["-1", "0", "nan", "1e99", "", '"', "owned"])


@given(rows=st.lists(st.lists(CELLS | st.text(max_size=6), min_size=11, max_size=14), max_size=5))
@settings(max_examples=150)
def test_whatever_a_file_holds_every_quote_has_a_price_that_stands_there(rows: list[list[str]]) -> None:
    out = StringIO()
    csv.writer(out).writerows([HEADER.split(","), ON_DEMAND.split(","), *rows])
    table = parse_csv(out.getvalue(), "f")
    check_header(table)
    answer = read_price_rows(table, table.lines, source="s", undated_at=CONTRACT_NOW, now=CONTRACT_NOW)
    _require_honest(answer)


@given(body=st.binary(max_size=200), ending=st.sampled_from([".csv", ".csv.gz", ".parquet"]))
@settings(max_examples=150)
def test_whatever_bytes_a_file_holds_it_fails_as_a_source_does(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, ending: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"fuzz{ending}"
    path.write_bytes(body)
    with pytest.raises(SourceFailed):
        PriceFile(path).fetch(CONTRACT_NOW)


def _require_honest(answer: Answer) -> None:
    assert answer.quotes
    for quote in answer.quotes:
        said = dict(quote.row)
        assert quote.price == Decimal(said["usd_per_hour"])
        assert quote.observed_at <= CONTRACT_NOW
