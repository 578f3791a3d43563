"""`bouted prices` in its other guises, and `bouted doctor`: against a store, and against files."""

import json
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bouted.cli.doctor_rows import state
from bouted.cli.main import run
from bouted.errors import SourceFailed
from bouted.market.asking import ask
from bouted.market.belief import Trust
from bouted.market.collect import fold
from bouted.market.diagnosis import Diagnosis
from bouted.market.examine import examine
from bouted.market.offers import Market
from bouted.market.quotes import Answer, Unread
from bouted.market.state import MarketState
from bouted.store.claims import save_belief
from bouted.store.open import Store, open_store, sqlite_url
from bouted.store.prices import record_offers
from bouted.testing.deployment import Deployment
from bouted.testing.prices import ScriptedPrices, a_feed, a_quote
from bouted.testing.store import fresh_store

NOW = datetime.now(UTC)
SKY = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,SpotPrice,Region,AvailabilityZone"


@dataclass(frozen=True)
class Here:
    """A state folder with a store in it, and the CLI beside it."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def store(self) -> "closing[Store]":
        return closing(open_store(sqlite_url(self.folder)))

    def hear(self, *sources: ScriptedPrices, at: datetime = NOW) -> None:
        """The daemon heard these sources at that time."""
        heard = {source.name: ask(source, at) for source in sources}
        feeds = tuple(a_feed(source) for source in sources)
        state = fold(feeds, heard, MarketState(taken_at=at), at, trust=Trust(), jitter=1.0).state
        with self.store() as store:
            record_offers(store, state.offers, at)
            save_belief(store, state, state.unread, state.courses, at)

    def run(self, *args: str) -> tuple[int, str, str]:
        code = run([*args, "--state", str(self.folder)])
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def json(self, *args: str) -> Any:
        code, out, err = self.run(*args, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Here:
    fresh_store(tmp_path).close()
    return Here(folder=tmp_path, capsys=capsys)


def quotes(*prices: str, **changes: Any) -> tuple[Any, ...]:
    return tuple(
        replace(a_quote(usd, region=f"us-{at}", **changes), observed_at=NOW) for at, usd in enumerate(prices)
    )


def test_prices_are_filtered_by_region(here: Here) -> None:
    here.hear(ScriptedPrices(quotes("1", "2", "3")))
    found = here.json("prices", "--region", "us-[12]")["offers"]
    assert [offer["region"] for offer in found] == ["us-1", "us-2"]


def test_what_a_source_no_longer_offers_is_not_listed(here: Here) -> None:
    source = ScriptedPrices(quotes("1", "2"), quotes("1"))
    here.hear(source)
    assert len(here.json("prices")["offers"]) == 2
    here.hear(source)
    assert [offer["region"] for offer in here.json("prices")["offers"]] == ["us-0"]


def test_what_is_not_believed_is_listed_with_its_reason_and_counted(here: Here) -> None:
    unread = Unread(source="cloud", row=(("price", "n/a"),), reason="price 'n/a' is no number")
    here.hear(
        ScriptedPrices(
            Answer(quotes=tuple(replace(q, source="cloud") for q in quotes("0", "2")), unread=(unread,)),
            name="cloud",
        ),
        ScriptedPrices(quotes("5", "2.5"), name="other", rank=1),
    )
    code, out, _ = here.run("prices", "--quarantined")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["DOUBT", "GPU", "MARKET", "WHERE", "INSTANCE", "PRICE", "SOURCE", "WHY"]
    assert "0 is not above 0" in lines[1]
    assert any("price 'n/a' is no number" in line for line in lines)
    assert any("cloud says 2" in line for line in lines)
    assert "     1  not_positive: a price of nothing is no price" in lines
    told = here.json("prices", "--quarantined")
    assert [one["doubt"] for one in told["quarantined"]] == ["not_positive", "unread"]
    assert told["quarantined"][0]["reason"] == "a price of nothing is no price: 0 is not above 0"
    assert told["quarantined"][1]["price"] == "n/a"
    assert [one["source"] for one in told["outvoted"]] == ["other"]


def test_when_everything_is_believed_it_says_so(here: Here) -> None:
    here.hear(ScriptedPrices(quotes("1")))
    assert here.run("prices", "--quarantined") == (0, "", "everything that was said is believed\n")


def test_how_a_price_moved_is_a_line_with_a_sparkline(here: Here) -> None:
    for hours, usd in ((20, "1.00"), (10, "2.00"), (1, "1.50")):
        at = NOW - timedelta(hours=hours)
        moving, still_one = a_quote(usd), a_quote("1", zone="still")
        here.hear(ScriptedPrices(tuple(replace(q, observed_at=at) for q in (moving, still_one))), at=at)
    code, out, _ = here.run("prices", "--history", "24h")
    head, line, still = out.splitlines()
    assert code == 0
    assert head.split()[:4] == ["OFFER", "GPU", "FIRST", "LAST"]
    assert line.split()[3:8] == ["$1.00", "$1.50", "$1.00", "$2.00", "2"]
    assert {"▁", "█"} <= set(line)
    assert still == "1 price did not move"
    told = {one["id"]: one["points"] for one in here.json("prices", "--history", "24h")["history"]}
    assert [point["usd_per_hour"] for point in told[a_quote().id]] == ["1.00", "2.00", "1.50"]


def test_a_file_in_skypilots_schema_is_judged_without_a_deployment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        "Standard_NC4as_T4_v3,T4,1,4,28,0.526,0.11,eastus,",
        "Standard_NC4as_T4_v3,T4,1,4,28,0.526,0.60,westus,",
        "Standard_NC4as_T4_v3,T4,1,4,28,,0.10,northeurope,",
    ]
    file = tmp_path / "azure.csv"
    file.write_text("\n".join([SKY, *rows]) + "\n")
    empty = str(tmp_path / "state")
    assert run(["prices", "--source", f"file:{file}", "--json", "--state", empty]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {(one["region"], one["market"]) for one in told["offers"]} == {
        ("eastus", "on_demand"), ("eastus", "spot"), ("westus", "on_demand"), ("northeurope", "spot"),
    }  # fmt: skip
    doubts = {one["Region"]: (one["doubt"], one["InstanceType"]) for one in told["quarantined"]}
    assert doubts == {
        "westus": ("spot_above_on_demand", "Standard_NC4as_T4_v3"),
        "northeurope": ("unread", "Standard_NC4as_T4_v3"),
    }
    assert run(["prices", "--source", f"file:{file}", "--state", empty]) == 0
    said = capsys.readouterr()
    assert "T4" in said.out
    assert said.err == "4 offers believed after 1 looks, 2 set aside\n"
    assert not Path(empty).exists()


def test_a_file_is_judged_by_what_the_store_remembers(here: Here) -> None:
    known = replace(
        a_quote("10", provider="azure", region="eastus", instance_type="Standard_X", market=Market.ON_DEMAND),
        observed_at=NOW,
    )
    here.hear(ScriptedPrices((known,), name="azure"))
    file = here.folder / "azure.csv"
    file.write_text(f"{SKY}\nStandard_X,L4,1,4,28,3.0,,eastus,\n")
    (one,) = here.json("prices", "--source", f"file:{file}")["quarantined"]
    assert one["doubt"] == "disagrees"
    assert "others say 10" in one["reason"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("aws", "'aws' is not file:PATH"),
        ("file:", "'file:' is not file:PATH"),
        ("file:/nowhere.csv", "/nowhere.csv"),
    ],
)
def test_a_source_that_is_no_file_is_refused(here: Here, source: str, told: str) -> None:
    code, out, err = here.run("prices", "--source", source)
    assert (code, out) == (1, "")
    assert told in err
    assert "Traceback" not in err


@pytest.fixture
def deployed(tmp_path: Path) -> Deployment:
    deployment = Deployment(tmp_path)
    deployment.write_config()
    return deployment


def doctor(deployed: Deployment, capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    code = run(["doctor", "--config", str(deployed.config_path), *args])
    return code, capsys.readouterr().out


def test_the_doctor_has_a_line_per_source_and_is_content_when_all_is_well(
    deployed: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = doctor(deployed, capsys)
    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert rows["SOURCE"].split()[:4] == ["SOURCE", "STATE", "CREDENTIAL", "REACHABLE"]
    assert rows["snapshot"].split()[:2] == ["snapshot", "ok"]
    assert "never" in rows["file:prices.csv"]


def test_the_doctor_tells_rows_and_age_from_what_the_daemon_heard(
    deployed: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed.state_dir.mkdir()
    fresh_store(deployed.state_dir).close()
    heard = Here(folder=deployed.state_dir, capsys=capsys)
    heard.hear(
        ScriptedPrices(quotes("1", "2"), name="snapshot"), ScriptedPrices(SourceFailed("gone"), name="x")
    )
    _, out = doctor(deployed, capsys, "--json")
    found = {one["name"]: one for one in json.loads(out)["sources"]}
    assert (found["snapshot"]["quotes"], found["snapshot"]["unread"]) == (2, 0)
    assert found["snapshot"]["answered_at"] == NOW.isoformat()


def test_the_doctor_says_what_is_wrong_with_a_file_and_exits_with_1(
    deployed: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    (deployed.folder / "prices.csv").write_text("colour\nred\n")
    code, out = doctor(deployed, capsys)
    assert code == 1
    assert "prices.csv" in out
    assert "header" in out


def test_a_source_without_credentials_is_not_configured_and_no_error(
    deployed: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAMBDA_API_KEY", raising=False)
    text = deployed.config_path.read_text()
    deployed.config_path.write_text(text.replace("sources: [", "sources: [{name: lambda}, "))
    code, out = doctor(deployed, capsys, "--json")
    state = {one["name"]: one["state"] for one in json.loads(out)["sources"]}
    assert state["lambda"] == "not configured"
    assert code == 0


def test_the_spread_over_places_is_a_line_per_type_the_widest_first(here: Here) -> None:
    here.hear(ScriptedPrices((*quotes("1", "2", "4"), *quotes("3", "3", instance_type="same"))))
    code, out, _ = here.run("prices", "--spread")
    assert code == 0
    assert [line.split()[5:10] for line in out.splitlines()[1:]] == [
        ["3", "$1.00", "$2.00", "$4.00", "4.0x"],
        ["2", "$3.00", "$3.00", "$3.00", "1.0x"],
    ]
    assert (
        here.json("prices", "--spread", "--gpu", "L4")["spread"][0]["cheapest"] == "aws/us-0/g6.xlarge/spot"
    )
    assert (
        here.run("prices", "--spread", "--gpu", "B200")[2]
        == "no price of these was confirmed in the last 24 h\n"
    )


class Sick(ScriptedPrices):
    """A source whose looking at itself fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__((), name="sick")
        self.error = error

    def diagnose(self, now: datetime) -> Diagnosis:
        raise self.error


@pytest.mark.parametrize("error", [SourceFailed("the profile is not there"), KeyError("a bug")])
def test_a_source_that_cannot_even_be_looked_at_is_trouble_and_not_unconfigured(error: Exception) -> None:
    (found,) = examine((a_feed(Sick(error)),), NOW)
    assert state(found.diagnosis, None) == "trouble"
    assert not found.diagnosis.well
