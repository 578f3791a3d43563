"""Files of prices over time: which of them holds now, and all of them replayed."""

import gzip
import os
import random
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from bouted.providers.pricedates import date_in
from bouted.providers.pricefile import PriceFile, feed
from bouted.providers.pricetable import read_table

from bouted.errors import SourceBroken, SourceFailed
from bouted.market.quotes import Answer

NOW = datetime(2026, 5, 1, tzinfo=UTC)
OWN = "provider,region,instance_type,gpu,gpu_count,market,usd_per_hour"
SKY = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,SpotPrice,Region,AvailabilityZone"


def own(path: Path, *prices: str, provider: str = "corp") -> Path:
    rows = [f"{provider},eu,box{n},L4,1,on_demand,{price}" for n, price in enumerate(prices)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([OWN, *rows, ""]))
    return path


def sky_text(*prices: str) -> str:
    rows = [f"type{n},L4,1.0,8.0,64.0,{price},,eu," for n, price in enumerate(prices)]
    return "\n".join([SKY, *rows, ""])


def said(answer: Answer) -> dict[str, Decimal]:
    return {f"{quote.provider}/{quote.instance_type}": quote.price for quote in answer.quotes}


def day(number: int, month: int = 4) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("prices-2026-04-02.csv", datetime(2026, 4, 2, tzinfo=UTC)),
        ("20260402T161742Z.parquet", datetime(2026, 4, 2, 16, 17, 42, tzinfo=UTC)),
        ("aws_2026-04-02T16:17.csv", datetime(2026, 4, 2, 16, 17, tzinfo=UTC)),
        ("aws_2026-04-02_16-17-42.csv", datetime(2026, 4, 2, 16, 17, 42, tzinfo=UTC)),
        ("2026-04-02/gcp.csv", datetime(2026, 4, 2, tzinfo=UTC)),
        ("2026-04-02/2026-04-03.csv", datetime(2026, 4, 3, tzinfo=UTC)),
        ("a-2026-13-02.csv", None),
        ("build120260402.csv", None),
        ("prices.csv", None),
    ],
)
def test_a_date_is_found_in_a_name(name: str, at: datetime | None) -> None:
    assert date_in(name) == at


def test_the_newest_file_of_a_folder_that_is_not_of_the_future_holds(tmp_path: Path) -> None:
    own(tmp_path / "prices-2026-04-01.csv", "1.0", "5.0")
    own(tmp_path / "prices-2026-04-20.csv", "2.0")
    own(tmp_path / "prices-2026-06-01.csv", "3.0")
    answer = PriceFile(tmp_path).fetch(NOW)
    assert said(answer) == {"corp/box0": Decimal("2.0")}
    assert answer.quotes[0].observed_at == day(20)
    assert said(PriceFile(tmp_path).fetch(day(2)))["corp/box0"] == Decimal("1.0")
    with pytest.raises(SourceFailed, match="no usable price not after 2026-03-01"):
        PriceFile(tmp_path).fetch(day(1, month=3))


def test_files_that_differ_in_more_than_the_date_hold_side_by_side(tmp_path: Path) -> None:
    own(tmp_path / "a-2026-04-01.csv", "1.0", provider="a")
    own(tmp_path / "b-2026-04-02.csv", "2.0", provider="b")
    (tmp_path / "notes.txt").write_text("not prices")
    (tmp_path / ".b-2026-04-03.csv").write_text("half written")
    assert said(PriceFile(tmp_path).fetch(NOW)) == {"b/box0": Decimal("2.0"), "a/box0": Decimal("1.0")}


def test_files_without_a_date_follow_each_other_as_they_were_written(tmp_path: Path) -> None:
    for number, price in enumerate(["1.0", "2.0"], start=1):
        path = own(tmp_path / f"day{number}" / "prices.csv", price)
        os.utime(path, (day(number).timestamp(),) * 2)
    looks = list(feed(tmp_path, NOW))
    assert [(at, said(answer)["corp/box0"]) for at, answer in looks] == [
        (day(1), Decimal("1.0")),
        (day(2), Decimal("2.0")),
    ]


def test_a_feed_replays_every_file_in_order_of_time(tmp_path: Path) -> None:
    for number, price in ((3, "3.0"), (1, "1.0"), (2, "2.0")):
        own(tmp_path / f"2026-04-0{number}.csv", price)
    looks = list(feed(tmp_path / "2026-*.csv", NOW))
    assert [(at, *said(answer).values()) for at, answer in looks] == [
        (day(1), Decimal("1.0")),
        (day(2), Decimal("2.0")),
        (day(3), Decimal("3.0")),
    ]
    assert all(quote.observed_at == at for at, answer in looks for quote in answer.quotes)


def test_a_column_of_snapshots_is_replayed_and_its_newest_holds_per_cloud(tmp_path: Path) -> None:
    lines = [
        f"2026-04-0{number}T10:00:00Z,{cloud},type,L4,1.0,8,64,{price},,eu,"
        for number, cloud, price in ((2, "aws", "2.0"), (1, "aws", "1.0"), (1, "azure", "7.0"))
    ]
    path = tmp_path / "feed.csv"
    path.write_text("\n".join([f"snapshot_utc,cloud,{SKY}", *lines, ""]))
    looks = [(at.day, said(answer)) for at, answer in feed(path, NOW)]
    assert looks == [
        (1, {"aws/type": Decimal("1.0"), "azure/type": Decimal("7.0")}),
        (2, {"aws/type": Decimal("2.0")}),
    ]
    assert said(PriceFile(path).fetch(NOW)) == {"aws/type": Decimal("2.0"), "azure/type": Decimal("7.0")}
    early = datetime(2026, 4, 1, 12, tzinfo=UTC)
    assert said(PriceFile(path).fetch(early))["aws/type"] == Decimal("1.0")


def test_a_row_of_no_time_or_of_no_cloud_is_unread_once(tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    rows = [
        "2026-04-01,aws,type,L4,1.0,8,64,1.0,,eu,",
        "soon,aws,type,L4,1.0,8,64,1.0,,eu,",
        "2026-04-01,,type,L4,1.0,8,64,1.0,,eu,",
        "2026-04-01,aws,type",
        "2026-04-02,aws,type,L4,1.0,8,64,2.0,,eu,",
    ]
    path.write_text("\n".join([f"snapshot_utc,cloud,{SKY}", *rows, ""]))
    looks = list(feed(path, NOW))
    assert [len(answer.unread) for _, answer in looks] == [3, 0]
    assert [unread.reason for unread in looks[0][1].unread] == [
        "line 3: snapshot_utc 'soon' is no date like 2026-04-30",
        "line 4: no cloud",
        "line 5: 3 cells under 11 columns",
    ]
    assert dict(looks[0][1].unread[0].row)["snapshot_utc"] == "soon"


@pytest.mark.parametrize("name", ["latest_gcp.csv.gz", "gcp/vms.csv.gz", "2026-04-01-gcp.csv.gz"])
def test_the_cloud_of_a_file_in_skypilots_schema_stands_in_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(sky_text("0.5").encode()))
    assert said(PriceFile(path).fetch(NOW)) == {"gcp/type0": Decimal("0.5")}


def test_the_cloud_may_be_an_option_and_without_any_a_person_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(sky_text("0.5"))
    with pytest.raises(SourceBroken, match="of which cloud"):
        PriceFile(path).fetch(NOW)
    source = PriceFile.from_config({"path": "export.csv", "cloud": "nebius"}, config_dir=tmp_path)
    assert source.name == "file:export.csv"
    assert said(source.fetch(NOW)) == {"nebius/type0": Decimal("0.5")}


def test_parquet_says_what_csv_says_to_the_last_digit(tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "provider": pyarrow.array(["corp", "corp"]).dictionary_encode(),
            "region": ["eu", "eu"],
            "instance_type": ["a", "b"],
            "gpu": ["L4", "L4"],
            "gpu_count": pyarrow.array([1, 2], pyarrow.int8()),
            "market": ["spot", "spot"],
            "usd_per_hour": pyarrow.array([0.1, 1e-05], pyarrow.float32()),
            "hazard_per_hour": [0.25, None],
            "observed_on": pyarrow.array([day(1), None], pyarrow.timestamp("us", tz="UTC")),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    first, second = PriceFile(tmp_path / "a.parquet").fetch(NOW).quotes
    assert (first.price, second.price) == (Decimal("0.1"), Decimal("0.00001"))
    assert (first.gpu_count, second.gpu_count) == (1, 2)
    assert (first.hazard_per_hour, second.hazard_per_hour) == (0.25, None)
    assert first.observed_at == day(1)


def test_a_column_that_is_no_text_is_shown_and_not_read(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"a": [[1, 2]], "b": [True]}), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").lines[0].cells == ("[1, 2]", "true")


def test_a_damaged_parquet_file_fails_as_a_source_does_or_says_what_it_still_holds(tmp_path: Path) -> None:
    columns = {name: [f"{name}{n}" for n in range(9)] for name in OWN.split(",")}
    columns |= {"gpu_count": ["1"] * 9, "market": ["spot"] * 9, "usd_per_hour": ["0.5"] * 9}
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table(columns), path, compression="none")
    whole = path.read_bytes()
    chosen = random.Random(0)
    told: list[str] = []
    for _ in range(150):
        body = bytearray(whole)
        body[chosen.randrange(len(body))] = chosen.randrange(256)
        path.write_bytes(body[: chosen.choice((len(body), chosen.randrange(len(body))))])
        try:
            answer = PriceFile(path).fetch(NOW)
        except SourceFailed as error:
            told.append(str(error))
        else:
            assert all(quote.price == Decimal(dict(quote.row)["usd_per_hour"]) for quote in answer.quotes)
    assert len(told) > 50
    assert all("\n" not in one for one in told)


def test_a_file_that_cannot_be_read_beside_others_is_a_gap(tmp_path: Path) -> None:
    own(tmp_path / "a-2026-04-01.csv", "1.0")
    (tmp_path / "b-2026-04-01.csv").write_text("what,is,this\n1,2,3\n")
    answer = PriceFile(tmp_path).fetch(NOW)
    assert said(answer) == {"corp/box0": Decimal("1.0")}
    assert len(answer.gaps) == 1
    assert "b-2026-04-01.csv" in answer.gaps[0]
    assert [len(answer.gaps) for _, answer in feed(tmp_path, NOW)] == [1]


@pytest.mark.parametrize("name", [".", "*.csv"])
def test_a_place_without_price_files_needs_a_person(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceBroken, match="no price file there"):
        PriceFile(tmp_path / name).fetch(NOW)


def test_one_file_in_our_own_columns_is_kept_by_hand_and_anything_else_is_a_feed(tmp_path: Path) -> None:
    ours = own(tmp_path / "contract.csv", "1.0")
    theirs = tmp_path / "aws.csv"
    theirs.write_text(sky_text("1.0"))
    assert PriceFile(ours).hand_kept
    assert not PriceFile(ours, hand_kept=False).hand_kept
    assert not PriceFile(theirs).hand_kept
    assert not PriceFile(tmp_path).hand_kept
    assert not PriceFile(tmp_path / "*.csv").hand_kept
    ours.write_text(f"{OWN},snapshot_utc\ncorp,eu,box,L4,1,spot,1,2026-04-01\n")
    assert not PriceFile(ours).hand_kept
