"""The daemon with live price sources, as processes: a source that dies, a daemon that is killed, a step."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bouted.board import Board
from bouted.testing.deployment import Deployment
from bouted.testing.http import Asked, Reply, stand_in
from bouted.testing.processes import until

GIVEN = "[{name: snapshot}, {name: file, path: prices.csv}]"


REGIONS = ("eastus", "westus2", "northeurope", "swedencentral")


@dataclass
class Clouds:
    """Azure, Lambda and Vast on this machine, with their prices; `down` has the names of those that fail."""

    cents: int = 129
    usd: float = 0.40
    usd_by_region: dict[str, float] = field(default_factory=lambda: dict.fromkeys(REGIONS, 0.5))
    down: set[str] = field(default_factory=set)

    def lambda_labs(self, asked: Asked) -> Reply:
        if "lambda" in self.down:
            return Reply(said="oops", status=500)
        specs = {"gpus": 1, "vcpus": 30, "memory_gib": 200, "storage_gib": 1400}
        kind = {
            "name": "gpu_1x_a10",
            "description": "1x A10",
            "gpu_description": "A10 (24 GB PCIe)",
            "price_cents_per_hour": self.cents,
            "specs": specs,
        }
        where = [{"name": "us-east-1", "description": "Virginia"}]
        return Reply(
            said={"data": {kind["name"]: {"instance_type": kind, "regions_with_capacity_available": where}}}
        )

    def azure(self, asked: Asked) -> Reply:
        region = asked.query["$filter"].split("armRegionName eq '")[1].split("'")[0]
        row = {
            "currencyCode": "USD",
            "retailPrice": self.usd_by_region[region],
            "armRegionName": region,
            "effectiveStartDate": "2025-11-01T00:00:00Z",
            "meterName": "NC4as T4 v3",
            "skuName": "NC4as T4 v3",
            "productName": "Virtual Machines NC Series",
            "serviceName": "Virtual Machines",
            "type": "Consumption",
            "unitOfMeasure": "1 Hour",
            "isPrimaryMeterRegion": True,
            "armSkuName": "Standard_NC4as_T4_v3",
        }
        return Reply(said={"Items": [row], "NextPageLink": None, "Count": 1})

    def vast(self, asked: Asked) -> Reply:
        if "vast" in self.down:
            return Reply(said="oops", status=500)
        offer = {
            "id": 1,
            "machine_id": 1,
            "gpu_name": "RTX 4090",
            "num_gpus": 1,
            "gpu_ram": 24576,
            "rented": False,
            "geolocation": "Texas, US",
            "dph_base": self.usd,
            "dph_total": self.usd + 0.01,
            "min_bid": 0.1,
            "reliability2": 0.98,
            "verification": "verified",
            "rentable": True,
        }
        return Reply(said={"offers": [offer]})


@pytest.fixture
def clouds() -> Clouds:
    return Clouds()


@pytest.fixture
def deployment(tmp_path: Path, clouds: Clouds) -> Iterator[Deployment]:
    made = Deployment(tmp_path)
    with ExitStack() as stack:
        lambda_url = stack.enter_context(stand_in(clouds.lambda_labs)).url
        azure_url = stack.enter_context(stand_in(clouds.azure)).url
        vast_url = stack.enter_context(stand_in(clouds.vast)).url
        made.write_config(mode="advise")
        (tmp_path / "key").write_text("secret")
        sources = (
            f"[{{name: snapshot}}, {{name: lambda, url: '{lambda_url}', api_key_file: key, patience_s: 2}}, "
            f"{{name: azure, url: '{azure_url}', patience_s: 2}}, "
            f"{{name: vast, url: '{vast_url}', patience_s: 2}}]"
        )
        text = made.config_path.read_text()
        assert GIVEN in text
        made.config_path.write_text(text.replace(GIVEN, sources))
        yield made
        made.close()


def prices(deployment: Deployment, *only: str) -> dict[str, str]:
    """Price by offer id, of the offers that are believed and live; empty while there are none."""
    told = deployment.cli("prices", "--json", *only)
    offers: list[dict[str, Any]] = json.loads(told.stdout)["offers"] if told.returncode == 0 else []
    return {one["id"]: one["usd_per_hour"] for one in offers if not one["source"].startswith("snapshot")}


def board_with(deployment: Deployment, holds: Callable[[Board], bool], what: str) -> Board:
    return deployment.until(holds, what, within_s=60)


A10 = "lambda/us-east-1/gpu_1x_a10/on_demand"
T4 = "azure/eastus/Standard_NC4as_T4_v3/on_demand"
RTX4090 = "vast/US/1x_RTX_4090/on_demand"


@pytest.mark.timeout(200)
def test_a_dead_source_keeps_its_prices_shows_in_status_and_survives_a_restart(
    deployment: Deployment, clouds: Clouds
) -> None:
    daemon = deployment.start("run")
    until(lambda: {A10, RTX4090} <= prices(deployment).keys())
    before = prices(deployment)
    assert (before[A10], before[RTX4090]) == ("1.29", "0.4")
    clouds.down.add("vast")
    board = board_with(deployment, lambda b: bool(b.stale_sources), "the dead source shows")
    assert [source.partition(":")[0] for source in board.stale_sources] == ["vast"]
    assert prices(deployment) == before
    daemon.kill()
    daemon.wait()
    clouds.cents = 130
    deployment.start("run")
    until(lambda: prices(deployment).get(A10) == "1.30")
    assert prices(deployment).keys() == before.keys()
    assert prices(deployment)[RTX4090] == "0.4"
    clouds.down.clear()
    board_with(deployment, lambda b: not b.stale_sources, "the source is back")
    told = deployment.cli("history").stdout
    assert "prices from vast" in told
    assert "are back after" in told


@pytest.mark.timeout(200)
def test_a_step_in_one_place_waits_and_a_step_in_all_places_does_not(
    deployment: Deployment, clouds: Clouds
) -> None:
    deployment.start("run")
    until(lambda: T4 in prices(deployment))
    clouds.usd_by_region["eastus"] = 0.70
    aside: list[dict[str, Any]] = []

    def waits() -> bool:
        told = json.loads(deployment.cli("prices", "--quarantined", "--json").stdout)["quarantined"]
        aside[:] = [one for one in told if one["doubt"] == "unconfirmed_step"]
        return bool(aside)

    until(waits)
    assert [one["offer_id"] for one in aside] == [T4]
    assert "0.5 -> 0.7 (+40%)" in aside[0]["reason"]
    assert prices(deployment)[T4] == "0.5"
    clouds.usd_by_region = dict.fromkeys(clouds.usd_by_region, 0.70)
    until(lambda: prices(deployment)[T4] == "0.7")
