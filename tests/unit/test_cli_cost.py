"""`bouted cost`: against a store with nodes in it, without a daemon."""

import csv
import json
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pytest

from bouted.cli.main import run
from bouted.cli.moment import BEGINNING, Moment
from bouted.events import EventKind
from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.billed import factors_by_cloud
from bouted.store.events import list_events
from bouted.store.fleet import add_node, move_node
from bouted.store.open import Store, open_store, sqlite_url
from bouted.store.tables import Nodes
from bouted.testing.bills import CUR_1, aws_hour, write_csv
from bouted.testing.deployment import Deployment
from bouted.testing.fleet import a_template, an_offer
from bouted.testing.store import a_node, fresh_store

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
AGO = NOW - 10 * HOUR
NODE = "bt-prod-1a2b3c4d-1"


@dataclass(frozen=True)
class Here:
    """A state folder with a store in it, and the CLI beside it."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def store(self) -> "closing[Store]":
        return closing(open_store(sqlite_url(self.folder)))

    def node(self, name: str, *, cloud: str = "aws", known: bool = True, **models: int) -> None:
        """A node of four GPUs at $4/h that ran from ten hours ago to eight hours ago."""
        offer = an_offer(cloud, gpu_count=4, usd_per_hour="4.00")
        with self.store() as store:
            add_node(store, replace(a_node(name), offer=offer, template=a_template("L4", 4, **models)))
            move_node(store, name, NodeStatus.LAUNCHING, Reason.PLAN, AGO)
            started, ended = (AGO, AGO + 2 * HOUR) if known else (None, None)
            move_node(store, name, NodeStatus.UP, Reason.OBSERVED, AGO, launched_at=started)
            move_node(store, name, NodeStatus.STOPPING, Reason.PLAN, AGO + 2 * HOUR)
            move_node(store, name, NodeStatus.GONE, Reason.PLAN, AGO + 2 * HOUR, ended_at=ended)

    def run(self, *args: str) -> tuple[int, str, str]:
        code = run(["cost", *args, "--state", str(self.folder)])
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def json(self, *args: str) -> Any:
        code, out, err = self.run(*args, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    monkeypatch.delenv("BOUTED_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    fresh_store(tmp_path).close()
    return Here(tmp_path, capsys)


def amounts(told: Any) -> dict[str, str]:
    return {row["key"]: row["usd"] for row in told["rows"]}


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("model", {"small": "8", "large": "6", "idle": "2"}),
        ("cloud", {"aws": "8", "gcp": "8"}),
        ("market", {"spot": "16"}),
        ("node", {"a": "8", "b": "8"}),
        ("replica", {"a-r0 small": "4", "a-r1 small": "4", "b-r0 large": "6", "idle": "2"}),
    ],
)
def test_what_was_spent_is_told_by_each_side_of_it(here: Here, by: str, expected: dict[str, str]) -> None:
    here.node("a", small=2)
    here.node("b", cloud="gcp", large=1)
    with here.store() as store, store.writing() as session:
        row = session.get_one(Nodes, "b")
        row.template = replace(row.template, replicas=(replace(row.template.replicas[0], tp=3),))
    told = here.json("--by", by, "--since", "1d")
    assert amounts(told) == expected
    assert Decimal(told["total"]["usd"]) == 16


def test_only_the_time_that_was_asked_about_counts(here: Here) -> None:
    here.node("a", small=1)
    assert here.json("--since", (AGO + HOUR).isoformat())["total"]["usd"] == "4"
    assert here.json("--since", (AGO - timedelta(days=3)).date().isoformat())["total"]["usd"] == "8"
    code, out, _ = here.run("--since", "1m")
    assert code == 0
    assert "nothing was spent since" in out


def test_amounts_that_no_provider_confirmed_are_marked(here: Here) -> None:
    here.node("a", small=1)
    here.node("b", known=False, large=1)
    _, out, _ = here.run()
    rows = {line.split()[0]: line.split()[1] for line in out.splitlines() if line[:5] in ("small", "large")}
    assert rows == {"small": "$8.00", "large": "~$8.00"}
    assert "$8.00 of it is an estimate" in out


def test_an_export_is_in_the_columns_of_focus_and_sums_to_the_spend(here: Here) -> None:
    here.node("a", small=2)
    here.node("b", cloud="gcp", large=1)
    file = here.folder / "focus.csv"
    code, _, err = here.run("--export", str(file), "--since", "2d")
    assert code == 0
    assert f"charges written to {file}" in err
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert sum(Decimal(row["BilledCost"]) for row in rows) == 16
    first = rows[0]
    assert (first["ProviderName"], first["RegionId"], first["ResourceId"]) == ("aws", "us-east-1", "a")
    assert (first["ChargeCategory"], first["BillingCurrency"], first["PricingCategory"]) == (
        "Usage",
        "USD",
        "Dynamic",
    )
    assert json.loads(first["Tags"])["bouted-model"] == "small"
    for row in rows:
        start, end = (datetime.fromisoformat(row[f"ChargePeriod{edge}"]) for edge in ("Start", "End"))
        assert start < end <= start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def test_an_export_that_cannot_be_written_is_told(here: Here) -> None:
    code, _, err = here.run("--export", "no/such/folder.csv")
    assert code == 1
    assert "cannot be written: No such file" in err


def test_the_config_brings_the_months_budget_and_its_own_billing_rules(
    here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = Deployment(here.folder)
    deployment.write_config()
    text = deployment.config_path.read_text()
    rule = 'billing: [{provider: "a*", minimum_s: 10800}]\n'
    deployment.config_path.write_text(text.replace("budget:", f"{rule}budget:", 1))
    here.node("a", small=1)
    told = here.json("--config", str(deployment.config_path))
    assert told["total"]["usd"] == "12", "three hours at least"


def test_a_config_that_cannot_be_read_does_not_hide_the_ledger(here: Here) -> None:
    here.node("a", small=1)
    (here.folder / "bad.yaml").write_text("version: 9\n")
    code, out, err = here.run("--config", str(here.folder / "bad.yaml"))
    assert (code, "$8.00" in out) == (0, True)
    assert "version" in err


def test_a_bill_teaches_what_the_cloud_really_asks(here: Here) -> None:
    here.node(NODE, small=1)
    hours = [AGO.replace(minute=0, second=0, microsecond=0) + n * HOUR for n in range(3)]
    rows = [
        {
            **aws_hour(NODE, 0, str(Decimal("4.40") * share)),
            "lineItem/UsageStartDate": at.isoformat(),
            "lineItem/UsageEndDate": (at + HOUR).isoformat(),
        }
        for at, share in zip(hours, shares_of_hours(), strict=True)
    ]
    file = write_csv(here.folder / "cur.csv", CUR_1, [*rows, aws_hour("web", 1, "7")])
    told = here.json("--bill", str(file))
    (aws,) = told["clouds"]
    assert (aws["factor"], aws["used"], aws["nodes"]) == ("1.1000", True, 1)
    assert Decimal(told["unmatched"]["usd"]) == 7
    with here.store() as store:
        assert factors_by_cloud(store) == {"aws": Decimal("1.1000")}
        assert next(iter(list_events(store))).kind is EventKind.BILL_READ
    _, out, _ = here.run("--bill", str(file))
    assert "from the next plan on its prices count 1.100 times what is quoted" in out
    assert "1 instance for $7.00 that the ledger does not know" in out
    _, out, _ = here.run()
    assert "bills 1.1 times what is quoted" in out


def shares_of_hours() -> tuple[Decimal, Decimal, Decimal]:
    """How much of each clock hour a node that ran for two hours from AGO on was there."""
    late = Decimal((AGO - AGO.replace(minute=0, second=0, microsecond=0)) / HOUR)
    return 1 - late, Decimal(1), late


def test_a_bill_of_others_teaches_nothing(here: Here) -> None:
    here.node(NODE, small=1)
    file = write_csv(here.folder / "cur.csv", CUR_1, [aws_hour("web", 1, "7")])
    code, out, _ = here.run("--bill", str(file))
    assert code == 0
    assert "no line is about a node of the ledger" in out
    assert "hint:" in out
    with here.store() as store:
        assert factors_by_cloud(store) == {}


def test_a_file_that_is_no_bill_is_one_line_and_a_hint(here: Here) -> None:
    (here.folder / "x.csv").write_text("a,b\n1,2\n")
    code, out, err = here.run("--bill", str(here.folder / "x.csv"))
    assert (code, out) == (1, "")
    assert err.splitlines()[0].startswith("error: ")
    assert "neither an AWS nor a Google bill" in err
    assert err.splitlines()[1].startswith("hint: ")


@pytest.mark.parametrize("value", ["soon", "7", "2026-13-01", ""])
def test_a_moment_that_is_none_is_refused_with_examples(value: str) -> None:
    with pytest.raises(click.BadParameter, match="neither a span like 12h or 7d nor a date"):
        Moment().convert(value, None, None)


def test_a_moment_is_a_span_ago_or_a_date() -> None:
    assert Moment().convert("2026-11-01", None, None) == datetime(2026, 11, 1, tzinfo=UTC)
    assert Moment().convert("2026-11-01T02:00+02:00", None, None) == datetime(2026, 11, 1, tzinfo=UTC)
    before = datetime.now(UTC)
    assert before - 2 * HOUR <= Moment().convert("2h", None, None) <= datetime.now(UTC) - 2 * HOUR


def test_a_moment_before_there_were_clouds_is_the_beginning() -> None:
    assert Moment().convert("0001-01-01", None, None) == Moment().convert("99999w", None, None) == BEGINNING
