"""A cold refresh: four real sources over their stand-ins, through the daemon's keeper, into a fresh store.

Run as a script it is the daemon's side, in a process of its own, and prints what it took as JSON.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

from bouted.testing.http import Asked, Reply, stand_in

AZURE_SIZES = (
    "Standard_NC4as_T4_v3", "Standard_NC8as_T4_v3", "Standard_NC16as_T4_v3", "Standard_NC64as_T4_v3",
    "Standard_NC24ads_A100_v4", "Standard_NC48ads_A100_v4", "Standard_NC96ads_A100_v4",
    "Standard_NC40ads_H100_v5", "Standard_NC80adis_H100_v5", "Standard_ND96isr_H100_v5",
    "Standard_ND96isr_H200_v5", "Standard_ND96isr_MI300X_v5",
)  # fmt: skip
AZURE_REGIONS = tuple(f"region{n}" for n in range(140))
GPUS = (("RTX 4090", 24), ("RTX 5090", 32), ("L40S", 48), ("A100 SXM4", 80), ("H100 SXM", 80), ("H200", 141))
LAMBDA = (("h100_sxm5", "H100 (80 GB SXM5)", 429), ("a100_sxm4", "A100 (80 GB SXM4)", 199))


def refresh() -> tuple[float, float, int]:
    """Seconds, MiB over idle at the peak, and how many quotes it was."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        urls = {
            name: stack.enter_context(stand_in(answer)).url
            for name, answer in (("azure", _azure), ("lambda", _lambda), ("runpod", _runpod), ("vast", _vast))
        }
        key = Path(folder) / "key"
        key.write_text("secret")
        command = [sys.executable, __file__, folder, json.dumps(urls)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    took: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if took["stale"]:
        raise RuntimeError(f"a source failed: {took['stale']}")
    return took["seconds"], took["mib"], took["quotes"]


def _azure(asked: Asked) -> Reply:
    region = asked.query["$filter"].split("armRegionName eq '")[1].split("'")[0]
    level = 1 + AZURE_REGIONS.index(region) / 500
    rows = [
        {
            "currencyCode": "USD", "retailPrice": round(usd * level, 4), "unitPrice": round(usd * level, 4),
            "armRegionName": region, "effectiveStartDate": "2025-11-01T00:00:00Z", "type": "Consumption",
            "meterName": f"{size}{' Spot' if spot else ''}", "skuName": size, "armSkuName": size,
            "productName": "Virtual Machines", "serviceName": "Virtual Machines", "unitOfMeasure": "1 Hour",
            "isPrimaryMeterRegion": True, "meterId": f"{size}{region}{spot}", "tierMinimumUnits": 0.0,
        }
        for number, size in enumerate(AZURE_SIZES)
        for spot in (False, True)
        for usd in ((0.5 + number) * (0.3 if spot else 1.0),)
    ]  # fmt: skip
    return Reply(said={"Items": rows, "NextPageLink": None, "Count": len(rows)})


def _lambda(asked: Asked) -> Reply:
    regions = [{"name": f"us-{n}", "description": "-"} for n in range(17)]
    types = {
        f"gpu_{n}x_{name}": {
            "instance_type": {
                "name": f"gpu_{n}x_{name}", "description": f"{n}x", "gpu_description": gpu,
                "price_cents_per_hour": n * cents,
                "specs": {"gpus": n, "vcpus": 8, "memory_gib": 64, "storage_gib": 100},
            },
            "regions_with_capacity_available": regions,
        }
        for name, gpu, cents in LAMBDA
        for n in (1, 2, 4, 8)
    }  # fmt: skip
    return Reply(said={"data": types})


def _runpod(asked: Asked) -> Reply:
    types = [
        {
            "id": f"NVIDIA {name} {n}", "displayName": f"{name} {n}", "memoryInGb": gib, "secureCloud": True,
            "maxGpuCountSecureCloud": 8, "securePrice": 1.0 + n / 10,
            **{
                f"x{count}": {
                    "minimumBidPrice": 0.5 + n / 20, "uninterruptablePrice": 1.0 + n / 10,
                    "stockStatus": "High",
                }
                for count in (1, 2, 4, 8)
            },
        }
        for name, gib in GPUS
        for n in range(4)
    ]  # fmt: skip
    return Reply(said={"data": {"gpuTypes": types}})


def _vast(asked: Asked) -> Reply:
    offers = [
        {
            "id": place * 100 + at * 10 + n, "machine_id": place, "gpu_name": name, "num_gpus": n,
            "gpu_ram": gib * 1024, "dph_base": n * (0.4 + at),
            "geolocation": f"Somewhere, {chr(65 + place // 26)}{chr(65 + place % 26)}",
            "dph_total": n * (0.4 + at) + 0.01, "min_bid": n * (0.2 + at / 2), "reliability2": 0.98,
            "verification": "verified", "verified": None, "rentable": True, "rented": False,
        }
        for place in range(30)
        for at, (name, gib) in enumerate(GPUS)
        for n in (1, 2, 4, 8)
    ]  # fmt: skip
    return Reply(said={"offers": offers})


def _daemon_side(folder: Path, urls: dict[str, str]) -> None:
    from bouted.clock import SystemClock
    from bouted.daemon.parts import feeds_of, load
    from bouted.daemon.prices import MarketKeeper
    from bouted.store.open import open_store
    from bouted.testing.deployment import Deployment

    deployment = Deployment(folder)
    deployment.write_config()
    regions = ", ".join(AZURE_REGIONS)
    sources = (
        f"[{{name: azure, url: '{urls['azure']}', regions: [{regions}]}}, "
        f"{{name: lambda, url: '{urls['lambda']}', api_key_file: key}}, "
        f"{{name: runpod, url: '{urls['runpod']}'}}, {{name: vast, url: '{urls['vast']}'}}]"
    )
    text = deployment.config_path.read_text()
    given = "[{name: snapshot}, {name: file, path: prices.csv}]"
    deployment.config_path.write_text(text.replace(given, sources))
    loaded = load(deployment.config_path)
    store = open_store(loaded.config.database_url())
    keeper = MarketKeeper(store=store, clock=SystemClock(), feeds=feeds_of(loaded))
    idle_mib = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    began = perf_counter()
    asyncio.run(keeper.refresh(loaded.config))
    seconds = perf_counter() - began
    assert keeper.state is not None
    told = {
        "seconds": seconds,
        "mib": _memory("VmHWM") - idle_mib,
        "quotes": sum(course.quotes for course in keeper.state.courses.values()),
        "stale": keeper.stale(),
    }
    store.close()
    print(json.dumps(told))


def _memory(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the kernel tells no {field}")


if __name__ == "__main__":
    _daemon_side(Path(sys.argv[1]), json.loads(sys.argv[2]))
