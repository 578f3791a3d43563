"""gpuhunt's published catalogs, served from this machine to the real library."""

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from bouted.providers.gpuhunt import GpuhuntPrices

from bouted.errors import Misconfigured, NotConfigured, SourceFailed
from bouted.market.offers import Confidence, Market
from bouted.market.source import PriceSource
from bouted.testing.http import Asked, Reply, StandIn, stand_in
from bouted.testing.price_contracts import CONTRACT_NOW, Fault, PriceSourceContract

HEADER = (
    "instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,gpu_vendor,flags,"
    "cpu_arch,provider_data"
)
VERSION = "20260601-1100"
AWS = (
    "m6i.large,us-east-1,0.096,2,8.0,0,,,False,,,,x86,{}",
    "p5.48xlarge,us-east-1,55.04,192,2048.0,8,H100,80.0,False,,nvidia,,x86,{}",
    "p5.48xlarge,us-east-1,17.63,192,2048.0,8,H100,80.0,True,,nvidia,,x86,{}",
)
GCP = ("g2-standard-4,us-central1-a,0.70678,4,16.0,1,L4,24.0,False,,nvidia,,x86,{}",)
Catalogs = Mapping[str, tuple[str, ...]]
BOTH: Catalogs = {"aws": AWS, "gcp": GCP}


def served(catalogs: Catalogs, asked: Asked, *, version: str = VERSION) -> Reply:
    """What the bucket answers: a version, and the zip of that version."""
    provider, _, rest = asked.path.strip("/").partition("/")
    if provider not in catalogs:
        return Reply(said=b"", status=404)
    if rest == "version":
        return Reply(said=f"{version}\n".encode())
    assert rest == f"{version}/catalog.zip"
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr(f"{provider}.csv", "\n".join([HEADER, *catalogs[provider], ""]))
    return Reply(said=body.getvalue())


def source(server: StandIn, *, deadline_s: float = 20.0, reload_s: float = 3600.0) -> GpuhuntPrices:
    return GpuhuntPrices(
        clouds=("aws", "gcp"), catalog_url=server.url, deadline_s=deadline_s, reload_s=reload_s
    )


class TestGpuhunt(PriceSourceContract):
    stack: ExitStack
    monkeypatch: pytest.MonkeyPatch

    @pytest.fixture(autouse=True)
    def _servers(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.monkeypatch = monkeypatch
        with ExitStack() as self.stack:
            yield

    def serve(self, catalogs: Catalogs = BOTH, *, version: str = VERSION) -> StandIn:
        return self.stack.enter_context(stand_in(lambda asked: served(catalogs, asked, version=version)))

    def always(self, reply: Reply) -> StandIn:
        return self.stack.enter_context(stand_in(lambda asked: reply))

    def make(self, folder: Path) -> PriceSource:
        return source(self.serve())

    def faulty(self, folder: Path, fault: Fault) -> PriceSource | None:
        if fault is Fault.EMPTY:
            return source(self.serve({"aws": AWS[:1], "gcp": ()}))
        if fault is Fault.HALF:
            return source(self.serve({"aws": AWS}))
        if fault is Fault.THROTTLED:
            return source(self.always(Reply(said=b"SlowDown", status=503)))
        if fault is Fault.SLOW:
            return source(self.always(Reply(said=b"", delay_s=5.0)), deadline_s=1.0)
        if fault is Fault.WRONG_TYPES:
            odd = (
                AWS[1].replace("55.04", "dear"),
                AWS[1].replace("55.04", "nan"),
                AWS[1].replace("H100", ""),
            )
            return source(self.serve({"aws": (*AWS, *odd), "gcp": (*GCP, "half,a,row")}))
        if fault is Fault.BROKEN:
            return source(self.always(Reply(said=b"<html>sign in</html>")))
        if fault is Fault.UNKNOWN_GPU:
            return source(self.serve({"aws": (AWS[1].replace("H100", "Mystery 9000"),), "gcp": GCP}))
        if fault is Fault.CLOCK_SKEW:
            return source(self.serve(version="20260603-0100"))
        if fault is Fault.NO_CREDENTIALS:
            return self._without_the_package(folder)
        return None

    def _without_the_package(self, folder: Path) -> PriceSource:
        """The reading process finds no gpuhunt, as where the extra is not installed."""
        absent = "raise ModuleNotFoundError(\"No module named 'gpuhunt'\", name='gpuhunt')"
        (folder / "gpuhunt.py").write_text(absent)
        self.monkeypatch.setenv("PYTHONPATH", str(folder))
        return source(self.serve())


def test_items_of_two_clouds_become_quotes_with_their_places() -> None:
    with stand_in(lambda asked: served(BOTH, asked)) as server:
        answer = source(server).fetch(CONTRACT_NOW)
    assert {(quote.id, str(quote.price), quote.zone, quote.region) for quote in answer.quotes} == {
        ("aws/us-east-1/p5.48xlarge/on_demand", "55.04", "", "us-east-1"),
        ("aws/us-east-1/p5.48xlarge/spot", "17.63", "", "us-east-1"),
        ("gcp/us-central1-a/g2-standard-4/on_demand", "0.70678", "us-central1-a", "us-central1"),
    }
    assert {quote.gpu for quote in answer.quotes} == {"H100-80GB", "L4"}
    spot = next(quote for quote in answer.quotes if quote.market is Market.SPOT)
    assert (spot.confidence, spot.price) == (Confidence.LOW, Decimal("17.63"))


def test_a_catalog_that_is_no_longer_made_ages() -> None:
    with stand_in(lambda asked: served(BOTH, asked, version="20260501-0900")) as server:
        answer = source(server).fetch(CONTRACT_NOW)
    assert {quote.observed_at for quote in answer.quotes} == {datetime(2026, 5, 2, tzinfo=UTC)}


def test_the_catalogs_are_read_again_after_an_hour_and_not_before() -> None:
    with stand_in(lambda asked: served(BOTH, asked)) as server:
        asking = source(server)
        first = asking.fetch(CONTRACT_NOW)
        seen = len(server.asked)
        assert asking.fetch(CONTRACT_NOW + timedelta(minutes=59)) is first
        assert len(server.asked) == seen
        later = asking.fetch(CONTRACT_NOW + timedelta(hours=1))
    assert len(server.asked) > seen
    assert {quote.observed_at for quote in later.quotes} == {CONTRACT_NOW + timedelta(hours=1)}


def test_a_cloud_without_a_catalog_is_a_gap_and_is_asked_for_again_at_once() -> None:
    catalogs: dict[str, tuple[str, ...]] = {"aws": AWS}
    with stand_in(lambda asked: served(catalogs, asked)) as server:
        asking = source(server)
        assert asking.fetch(CONTRACT_NOW).gaps == ("gpuhunt has no catalog of gcp now",)
        assert asking.diagnose(CONTRACT_NOW).problem == "gpuhunt has no catalog of gcp now"
        catalogs["gcp"] = GCP
        assert asking.fetch(CONTRACT_NOW).gaps == ()


def test_the_source_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gpuhunt.py").write_text("raise ModuleNotFoundError('', name='gpuhunt')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(NotConfigured) as caught:
        GpuhuntPrices().fetch(CONTRACT_NOW)
    assert caught.value.hint == "pip install 'bouted[gpuhunt]'"
    assert GpuhuntPrices().diagnose(CONTRACT_NOW).hint == caught.value.hint


def test_a_gpuhunt_that_breaks_is_a_failed_source_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gpuhunt.py").write_text(
        "class Catalog:\n    def __init__(self, auto_reload):\n        1 / 0\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(SourceFailed, match="ZeroDivisionError: division by zero"):
        GpuhuntPrices().fetch(CONTRACT_NOW)


def test_catalogs_in_a_folder_are_read_without_any_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gcp.csv").write_text("\n".join([HEADER, *GCP, ""]))
    monkeypatch.setenv("GPUHUNT_CATALOG_DIR", str(tmp_path))
    answer = GpuhuntPrices(clouds=("aws", "gcp")).fetch(CONTRACT_NOW)
    assert [quote.provider for quote in answer.quotes] == ["gcp"]
    assert answer.gaps == ("gpuhunt has no catalog of aws now",)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"clouds": ["vast"]}, "no catalog of 'vast'"),
        ({"clouds": "aws"}, "clouds"),
        ({"deadline_s": 0}, "deadline_s"),
        ({"url": "x"}, "url"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, options: dict[str, object], told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        GpuhuntPrices.from_config(options, config_dir=tmp_path)
