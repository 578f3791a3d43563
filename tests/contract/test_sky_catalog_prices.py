"""SkyPilot's own catalog on disk, as a source."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from bouted.providers.sky_catalog import SkyCatalogPrices

from bouted.errors import Misconfigured, NotConfigured, SourceFailed
from bouted.market.offers import Confidence
from bouted.market.source import PriceSource
from bouted.testing.price_contracts import CONTRACT_NOW, Fault, PriceSourceContract

HEADER = (
    "InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GpuInfo,Price,SpotPrice,Region,"
    "AvailabilityZone,Arch"
)
# The price of p5.48xlarge is of the public SkyPilot catalog (undated, 2025-26).
AWS = [
    "m6i.large,2.0,8.0,,,,0.096,0.04,us-east-1,use1-az1,x86_64",
    "p5.48xlarge,192.0,2048.0,H100,8.0,\"{'Gpus': [{'Name': 'H100', 'MemoryInfo': {'SizeInMiB': 80}}]}\","
    "55.04,17.63,us-east-1,use1-az1,x86_64",
    "p5.48xlarge,192.0,2048.0,H100,8.0,,55.04,,us-east-1,use1-az2,x86_64",
]
AZURE = ["Standard_NC4as_T4_v3,4.0,28.0,T4,1.0,T4,0.526,0.0999,eastus,,x86_64"]


def catalog(folder: Path, written_at: datetime = CONTRACT_NOW, **rows: list[str]) -> SkyCatalogPrices:
    for cloud, lines in ({"aws": AWS, "azure": AZURE} | rows).items():
        path = folder / cloud / "vms.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join([HEADER, *lines, ""]))
        os.utime(path, (written_at.timestamp(),) * 2)
    return SkyCatalogPrices(folder)


class TestSkyCatalog(PriceSourceContract):
    def make(self, folder: Path) -> PriceSource:
        return catalog(folder)

    def faulty(self, folder: Path, fault: Fault) -> PriceSource | None:
        if fault is Fault.EMPTY:
            return catalog(folder, aws=[], azure=[])
        if fault is Fault.HALF:
            source = catalog(folder)
            (folder / "azure" / "vms.csv").write_text("<html>500</html>")
            return source
        if fault is Fault.BROKEN:
            catalog(folder)
            for path in folder.glob("*/vms.csv"):
                path.write_bytes(b"\xff\xfe\x00nothing")
            return SkyCatalogPrices(folder)
        if fault is Fault.WRONG_TYPES:
            return catalog(
                folder, azure=[*AZURE, AZURE[0].replace("0.526", "free"), "Standard_NC4as_T4_v3,4.0"]
            )
        if fault is Fault.UNKNOWN_GPU:
            return catalog(folder, azure=[AZURE[0].replace("T4,1.0", "Mystery 9000,1.0")])
        if fault is Fault.CLOCK_SKEW:
            return catalog(folder, CONTRACT_NOW + timedelta(days=1))
        return SkyCatalogPrices(folder / "none") if fault is Fault.NO_CREDENTIALS else None


def test_rows_of_machines_without_a_gpu_are_no_quotes_and_no_faults(tmp_path: Path) -> None:
    answer = catalog(tmp_path).fetch(CONTRACT_NOW)
    assert sorted(quote.id for quote in answer.quotes) == [
        "aws/use1-az1/p5.48xlarge/on_demand",
        "aws/use1-az1/p5.48xlarge/spot",
        "aws/use1-az2/p5.48xlarge/on_demand",
        "azure/eastus/Standard_NC4as_T4_v3/on_demand",
        "azure/eastus/Standard_NC4as_T4_v3/spot",
    ]
    assert answer.unread == ()


@pytest.mark.parametrize(("days", "confidence"), [(6, Confidence.MEDIUM), (8, Confidence.LOW)])
def test_files_older_than_a_week_are_little_trusted(
    tmp_path: Path, days: int, confidence: Confidence
) -> None:
    answer = catalog(tmp_path, CONTRACT_NOW - timedelta(days=days)).fetch(CONTRACT_NOW)
    assert {quote.confidence for quote in answer.quotes} == {confidence}
    assert {quote.observed_at for quote in answer.quotes} == {CONTRACT_NOW}


def test_the_clouds_that_are_asked_for_are_read_and_a_missing_one_is_a_gap(tmp_path: Path) -> None:
    catalog(tmp_path)
    source = SkyCatalogPrices.from_config({"folder": ".", "clouds": ["azure", "gcp"]}, config_dir=tmp_path)
    answer = source.fetch(CONTRACT_NOW)
    assert {quote.provider for quote in answer.quotes} == {"azure"}
    assert len(answer.gaps) == 1
    assert "gcp/vms.csv: No such file" in answer.gaps[0]


def test_it_looks_where_skypilot_was_told_to_keep_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKY_RUNTIME_DIR", str(tmp_path))
    source = SkyCatalogPrices.from_config({}, config_dir=tmp_path)
    with pytest.raises(NotConfigured, match="sky gpus list") as caught:
        source.fetch(CONTRACT_NOW)
    assert str(tmp_path / ".sky/catalogs/v8") in caught.value.message
    (tmp_path / ".sky/catalogs/v8").mkdir(parents=True)
    assert source.diagnose(CONTRACT_NOW).hint
    catalog(tmp_path / ".sky/catalogs/v8")
    assert source.fetch(CONTRACT_NOW).quotes
    assert source.diagnose(CONTRACT_NOW).problem == ""


def test_a_file_in_another_schema_is_told_apart_from_an_empty_one(tmp_path: Path) -> None:
    source = catalog(tmp_path)
    for path in tmp_path.glob("*/vms.csv"):
        path.write_text("a,b\n1,2\n")
    with pytest.raises(SourceFailed, match="not in the schema"):
        source.fetch(CONTRACT_NOW)


def test_wrong_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="clouds"):
        SkyCatalogPrices.from_config({"clouds": "aws"}, config_dir=tmp_path)
