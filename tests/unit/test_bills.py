"""Clouds' bills, as they write them, against the ledger."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bouted.cli.bill_file import bill_lines
from bouted.errors import Misconfigured
from bouted.ledger.bills import Billed, BillLine, Matching, union
from bouted.ledger.charge import Account
from bouted.ledger.rules import SHIPPED
from bouted.ledger.times import Life
from bouted.testing.bills import CUR_1, CUR_2, aws_hour, gcp_hour, in_cur_2, write_csv, write_json_lines
from bouted.testing.fleet import START

NODE = "bt-prod-1a2b3c4d-1"
ACCOUNT = {
    provider: Account(
        node=NODE,
        provider=provider,
        life=Life(asked_at=START, started_at=START + timedelta(minutes=30), came_up=True),
        usd_per_hour=Decimal("2.00"),
    )
    for provider in ("aws", "gcp")
}


def read(file: Path, **usd_per: str) -> list[BillLine]:
    with bill_lines(file, {name: Decimal(worth) for name, worth in usd_per.items()}) as lines:
        return list(lines)


def compared(file: Path, provider: str, **usd_per: str) -> tuple[tuple[Billed, ...], Matching]:
    matching = Matching(accounts={NODE: ACCOUNT[provider]})
    for line in read(file, **usd_per):
        matching.take(line)
    return matching.billed(SHIPPED), matching


AWS_ROWS = [
    aws_hour(NODE, 0, "1.10"),  # half an hour of it ran
    aws_hour(NODE, 1, "2.20"),
    aws_hour(NODE, 2, "2.20"),
    aws_hour("web", 2, "0.40"),
    aws_hour(NODE, 1, "0.08", **{"lineItem/UsageType": "USW2-EBS:VolumeUsage.gp3"}),
    aws_hour(NODE, 1, "9.99", **{"lineItem/LineItemType": "Tax"}),
    aws_hour(NODE, 1, "-5.00", **{"lineItem/LineItemType": "Credit"}),
]


@pytest.mark.parametrize("kind", ["legacy", "legacy, packed", "CUR 2.0"])
def test_an_aws_report_says_what_instances_cost_and_nothing_else_counts(kind: str, tmp_path: Path) -> None:
    if kind == "CUR 2.0":
        file = write_csv(tmp_path / "cur.csv", CUR_2, [in_cur_2(row) for row in AWS_ROWS])
    else:
        file = write_csv(tmp_path / "cur.csv.gz", CUR_1, AWS_ROWS, packed="packed" in kind)
    (billed,), matching = compared(file, "aws")
    assert (billed.billed_usd, billed.ledger_usd) == (Decimal("5.50"), Decimal("5.00"))
    assert (billed.factor, billed.nodes, billed.hours, billed.doubt) == (Decimal("1.1000"), 1, 3.0, "")
    assert (billed.since, billed.until) == (START, START + timedelta(hours=3))
    assert matching.strangers_usd == Decimal("0.40")


@pytest.mark.parametrize(
    ("changes", "usd"),
    [
        ({"lineItem/LineItemType": "DiscountedUsage", "reservation/EffectiveCost": "1.25"}, "1.25"),
        ({"lineItem/LineItemType": "SavingsPlanCoveredUsage",
          "savingsPlan/SavingsPlanEffectiveCost": "1.5"}, "1.5"),
        ({"lineItem/LineItemType": "EdpDiscount", "lineItem/UnblendedCost": "-0.20"}, "-0.20"),
        ({"lineItem/UsageType": "BoxUsage:p5.48xlarge"}, "2.00"),
    ],
    ids=["reserved", "savings plan", "discount", "on demand"],
)  # fmt: skip
def test_what_an_hour_really_cost_depends_on_the_kind_of_line(
    changes: dict[str, object], usd: str, tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "cur.csv", CUR_1, [aws_hour(NODE, 0, "2.00", **changes)])
    assert [line.usd for line in read(file)] == [Decimal(usd)]


GCP_ROWS = [
    gcp_hour(NODE, 0, "A3 Instance Core running in Americas", 0.25),
    gcp_hour(NODE, 0, "Nvidia H100 80GB GPU attached to Spot Preemptible VMs running in Americas", 0.5),
    gcp_hour(NODE, 1, "A3 Instance Core running in Americas", 0.5),
    gcp_hour(NODE, 1, "Nvidia H100 80GB GPU attached to Spot Preemptible VMs running in Americas", 1.5,
             credits=[{"name": "Committed", "amount": -0.3, "type": "COMMITTED_USAGE_DISCOUNT"},
                      {"name": "Trial", "amount": -1.2, "type": "PROMOTION"}]),
    gcp_hour(NODE, 1, "Balanced PD Capacity in Americas", 0.1),
    gcp_hour(NODE, 1, "Network Internet Data Transfer Out from Americas to Americas", 0.7),
    gcp_hour("", 0, "", 0.19, cost_type="tax", resource=None, labels=[]),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["lines", "list", "CSV"])
def test_a_google_export_says_what_a_vms_parts_cost_together(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "export"
    if kind == "lines":
        write_json_lines(file, [{n: v for n, v in row.items() if v is not None} for row in GCP_ROWS[::-1]])
    elif kind == "list":
        file.write_text(json.dumps(GCP_ROWS, indent=1))
    else:
        rows = [flattened(row) for row in GCP_ROWS]
        write_csv(file, list(dict.fromkeys(name for row in rows for name in row)), rows)
    (billed,), _ = compared(file, "gcp")
    assert (billed.billed_usd, billed.ledger_usd) == (Decimal("2.45"), Decimal("3"))
    assert billed.factor == Decimal("0.8167")


def flattened(row: dict[str, Any]) -> dict[str, object]:
    """A row as a flat CSV of a query has it."""
    flat: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": item for inner, item in value.items()}
        elif value is not None:
            flat[name] = json.dumps(value) if isinstance(value, list) else value
    return flat


def test_other_currencies_are_turned_into_dollars(tmp_path: Path) -> None:
    row = gcp_hour(NODE, 0, "A3 Instance Core", 9.2, currency="EUR", currency_conversion_rate=0.92)
    assert [line.usd for line in read(write_json_lines(tmp_path / "a", [row]))] == [Decimal(10)]
    euros = aws_hour(NODE, 0, "10", **{"lineItem/CurrencyCode": "EUR"})
    file = write_csv(tmp_path / "b.csv", CUR_1, [euros])
    assert [line.usd for line in read(file, EUR="1.1")] == [Decimal(11)]
    with pytest.raises(Misconfigured, match=r"b\.csv:2: amounts are in EUR"):
        read(file)


def test_the_longest_node_name_that_fits_is_meant() -> None:
    names = ("bt-a-1", "bt-a-1-2")
    accounts = {
        name: Account(node=name, provider="aws", life=Life(asked_at=START), usd_per_hour=Decimal(1))
        for name in names
    }
    matching = Matching(accounts=accounts)
    for name in ("bt-a-1-2-head", "bt-a-1-worker", "bt-a-12", "i-0abc"):
        hour = timedelta(hours=1)
        matching.take(BillLine(provider="aws", names=(name,), start=START, end=START + hour, usd=Decimal(1)))
    assert {name: found.usd for name, found in matching.matched.items()} == {"bt-a-1-2": 1, "bt-a-1": 1}
    assert matching.strangers == {"bt-a-12", "i-0abc"}


def test_lines_that_overlap_count_the_ledger_once() -> None:
    hour = timedelta(hours=1)
    a, b, c = START, START + hour, START + 3 * hour
    assert list(union([(b, b + hour), (a, b), (a, b), (c, c + hour)])) == [(a, b + hour), (c, c + hour)]


def test_too_little_and_too_odd_is_not_believed(tmp_path: Path) -> None:
    wild = write_csv(tmp_path / "wild.csv", CUR_1, [aws_hour(NODE, hour, "40") for hour in (1, 2)])
    (billed,), _ = compared(wild, "aws")
    assert "20" in billed.doubt
    short = {**aws_hour(NODE, 1, "0.5"), "lineItem/UsageEndDate": "2026-11-01T01:15:00Z"}
    (billed,), _ = compared(write_csv(tmp_path / "short.csv", CUR_1, [short]), "aws")
    assert "0.25 node-hours" in billed.doubt


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "neither an AWS nor a Google bill"),
        (b"a,b\n1,2\n", "neither an AWS nor a Google bill"),
        (b"PAR1....", "Parquet"),
        (b"\x1f\x8b\x08\x00broken", "cannot be read"),
        (b"\xff\xfe\x00\x01", "not a CSV or JSON"),
        (b'{"usage_start_time": "2026-11-01", "cost": 1}\n{"usage_start', "bill:2: is not a JSON object"),
        (b'{"some": "json"}\n', "has no column usage_start_time, cost"),
        (b"[1, 2]", "bill:1: is not a JSON object"),
        (b"[1, 2", "not a CSV or JSON"),
        (b"line_item_usage_start_date,line_item_usage_type\n1,2\n", "has no column"),
        (b"line_item_usage_start_date,x\n1\n", "bill:2: has 1 columns, the header 2"),
    ],
    ids=["empty", "other CSV", "parquet", "half a gzip", "UTF-16", "cut off", "other JSON", "numbers",
         "half a list", "too few columns", "short row"],
)  # fmt: skip
def test_a_file_that_is_no_bill_is_told_in_one_line_with_a_hint(
    body: bytes, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "bill"
    file.write_bytes(body)
    with pytest.raises(Misconfigured) as refused:
        read(file)
    assert says in refused.value.message
    assert "\n" not in refused.value.message
    assert refused.value.hint


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        read(tmp_path / "bill")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("lineItem/UnblendedCost", "a lot"),
        ("lineItem/UnblendedCost", "NaN"),
        ("lineItem/UsageStartDate", "yesterday"),
        ("lineItem/UsageEndDate", "2020-01-01T00:00:00Z"),
    ],
)
def test_a_cell_that_cannot_be_read_names_its_row(column: str, value: str, tmp_path: Path) -> None:
    rows = [aws_hour(NODE, 0, "1"), aws_hour(NODE, 1, "1", **{column: value})]
    with pytest.raises(Misconfigured, match=r"cur\.csv:3: line_item"):
        read(write_csv(tmp_path / "cur.csv", CUR_1, rows))
