"""A stand-in for the parts of Google Cloud that prices come from: Compute Engine and the price list.

Point the real clients at its `url` as `api_endpoint`, with anonymous credentials.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from bouted.testing.http import Asked, Reply, StandIn, stand_in

Json = dict[str, Any]


class GcpCall(StrEnum):
    """What can be asked, by the end of its path."""

    MACHINE_TYPES = "aggregated/machineTypes"
    CAPACITY_HISTORY = "advice/capacityHistory"
    CAPACITY = "advice/capacity"
    REGIONS = "regions"
    OPERATIONS = "operations"
    INSTANCES = "aggregated/instances"
    DELETE = "instances"
    SKUS = "skus"


def call_of(asked: Asked) -> GcpCall | None:
    """Which call a request is; None for one that this stand-in does not know."""
    if asked.method == "DELETE":
        return GcpCall.DELETE if asked.path.split("/")[-2] == "instances" else None
    ends = (call for call in GcpCall if call is not GcpCall.DELETE and asked.path.endswith(f"/{call}"))
    return next(ends, None)


@dataclass(slots=True)
class GcpCloud:
    """What Google has, as JSON in its own shapes; change it as a test goes on.

    `machine_types`, `operations` and `instances` are by zone, `histories` by (zone, machine type), `outlooks`
    by (region, machine type). `instead` takes a request first: the reply it gives, if any, is sent.
    """

    machine_types: dict[str, list[Json]] = field(default_factory=dict)
    skus: list[Json] = field(default_factory=list)
    histories: dict[tuple[str, str], Json] = field(default_factory=dict)
    outlooks: dict[tuple[str, str], Json] = field(default_factory=dict)
    regions: list[Json] = field(default_factory=list)
    operations: dict[str, list[Json]] = field(default_factory=dict)
    instances: dict[str, list[Json]] = field(default_factory=dict)
    page_size: int = 5000
    instead: Callable[[GcpCall, Asked], Reply | None] = lambda call, asked: None

    def answer(self, asked: Asked) -> Reply:
        """The reply to one request."""
        call = call_of(asked)
        if call is None:
            return google_error(404, "notFound", f"no such path: {asked.path}")
        return self.instead(call, asked) or self._answer(call, asked)

    def _answer(self, call: GcpCall, asked: Asked) -> Reply:
        match call:
            case GcpCall.MACHINE_TYPES:
                return self._by_zone("machineTypes", self.machine_types, asked)
            case GcpCall.INSTANCES:
                return self._by_zone("instances", _labelled(self.instances, asked.query["filter"]), asked)
            case GcpCall.DELETE:
                return self._delete(*asked.path.split("/")[-3::2])
            case GcpCall.SKUS:
                page, more = _page(self.skus, asked.query.get("pageToken", ""), self.page_size)
                return Reply(said={"skus": page, "nextPageToken": more})
            case GcpCall.REGIONS:
                return Reply(said={"items": self.regions})
            case GcpCall.OPERATIONS:
                zone = asked.path.split("/")[-2]
                page, more = _page(self.operations.get(zone, []), asked.query.get("pageToken", ""), 100)
                return Reply(said={"items": page, "nextPageToken": more})
            case GcpCall.CAPACITY_HISTORY:
                return self._history(asked)
            case GcpCall.CAPACITY:
                return self._outlook(asked)

    def _delete(self, zone: str, name: str) -> Reply:
        known = [one["name"] for one in self.instances.get(zone, [])]
        if name not in known:
            return google_error(404, "notFound", f"no instance {name} in {zone}")
        self.instances[zone] = [one for one in self.instances[zone] if one["name"] != name]
        return Reply(said={"name": f"operation-{name}", "operationType": "delete", "status": "RUNNING"})

    def _by_zone(self, what: str, known: Mapping[str, list[Json]], asked: Asked) -> Reply:
        flat = [(zone, one) for zone, some in known.items() for one in some]
        page, more = _page(flat, asked.query.get("pageToken", ""), self.page_size)
        items: dict[str, Json] = {"zones/elsewhere-a": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}
        for zone, one in page:
            items.setdefault(f"zones/{zone}", {what: []})[what].append(one)
        return Reply(said={"items": items, "nextPageToken": more})

    def _history(self, asked: Asked) -> Reply:
        body = asked.json()
        zone = body["locationPolicy"]["location"].rpartition("/")[2]
        name = body["instanceProperties"]["machineType"]
        known = self.histories.get((zone, name))
        if known is None:
            return google_error(404, "notFound", f"no history of {name} in {zone}")
        return Reply(said={"machineType": name, "location": f"zones/{zone}", **known})

    def _outlook(self, asked: Asked) -> Reply:
        selections = asked.json()["instanceFlexibilityPolicy"]["instanceSelections"]
        name = next(iter(selections.values()))["machineTypes"][0]
        return Reply(said=self.outlooks.get((asked.path.split("/")[-3], name), {}))


def _labelled(known: Mapping[str, list[Json]], wanted: str) -> dict[str, list[Json]]:
    """Those with a label, by a filter like `labels.team="web"`."""
    key, _, value = wanted.removeprefix("labels.").partition("=")
    return {
        zone: [one for one in some if one.get("labels", {}).get(key) == value.strip('"')]
        for zone, some in known.items()
    }


def _page(rows: list[Any], token: str, size: int) -> tuple[list[Any], str]:
    start = int(token or 0)
    end = start + size
    return rows[start:end], str(end) if end < len(rows) else ""


@contextmanager
def gcp_stand_in(cloud: GcpCloud) -> Iterator[StandIn]:
    """`cloud` behind an address on this machine, until the block ends."""
    with stand_in(cloud.answer) as server:
        yield server


def google_error(
    status: int, reason: str, message: str, *, headers: Mapping[str, str] | None = None
) -> Reply:
    """An error as Google words it."""
    error = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}
    return Reply(said={"error": error}, status=status, headers=headers or {})


def a_machine_type(name: str, *, vcpus: int, memory_mb: int, accelerator: str, gpus: int = 1) -> Json:
    """A machine type as listed."""
    return {
        "name": name,
        "guestCpus": vcpus,
        "memoryMb": memory_mb,
        "accelerators": [{"guestAcceleratorType": accelerator, "guestAcceleratorCount": gpus}],
    }


def an_instance(
    name: str, *, status: str = "RUNNING", started: str, stopped: str = "", **labels: str
) -> Json:
    """A VM as listed; labels with a `-` are written with a `_`."""
    return {
        "name": name,
        "id": str(abs(hash(name)) % 10**18),
        "status": status,
        "creationTimestamp": started,
        "lastStartTimestamp": started,
        **({"lastStopTimestamp": stopped} if stopped else {}),
        "labels": {key.replace("_", "-"): value for key, value in labels.items()},
    }


def a_sku(
    description: str,
    price: str,
    *,
    regions: tuple[str, ...] = ("us-central1",),
    usage: str = "OnDemand",
    unit: str = "h",
    sku: str = "",
    since: str = "2026-05-01T00:00:00Z",
) -> Json:
    """A line of the price list at `price` dollars."""
    rate = {"startUsageAmount": 0, "unitPrice": money(price)}
    return {
        "name": f"services/6F81-5844-456A/skus/{sku or description}",
        "skuId": sku or description,
        "description": description,
        "category": {"resourceFamily": "Compute", "usageType": usage},
        "serviceRegions": list(regions),
        "pricingInfo": [
            {"effectiveTime": since, "pricingExpression": {"usageUnit": unit, "tieredRates": [rate]}}
        ],
    }


def money(price: str, currency: str = "USD") -> Json:
    """A price as Google writes money: whole units as text, and nanos."""
    units = int(Decimal(price))
    return {
        "currencyCode": currency,
        "units": str(units),
        "nanos": int((Decimal(price) - units).scaleb(9)),
    }


def a_history(*prices: tuple[datetime, str], rate: float | None = None, rate_days: int = 7) -> Json:
    """Spot prices, each until the next one's time; `rate` of preemption in the days before the last."""
    starts = [at for at, _ in prices]
    spells = [
        {
            "interval": {"startTime": start.isoformat()} | ({"endTime": end.isoformat()} if end else {}),
            "listPrice": money(price),
        }
        for (start, price), end in zip(prices, [*starts[1:], None], strict=True)
    ]
    if rate is None:
        return {"priceHistory": spells}
    week = {
        "startTime": (starts[-1] - timedelta(days=rate_days)).isoformat(),
        "endTime": starts[-1].isoformat(),
    }
    return {"priceHistory": spells, "preemptionHistory": [{"interval": week, "preemptionRate": rate}]}


def a_gcp_cloud(now: datetime) -> GcpCloud:
    """A small cloud: L4 and A100 machines in two zones of us-central1, with spot and on-demand prices.

    Machine shapes are Google's. The parts of a2-highgpu-1g add up to its list price of 3.673385, those of
    g2-standard-4 to 0.706784; spot prices are those of the shipped snapshot.
    """
    g2 = a_machine_type("g2-standard-4", vcpus=4, memory_mb=16384, accelerator="nvidia-l4")
    a2 = a_machine_type("a2-highgpu-1g", vcpus=12, memory_mb=87040, accelerator="nvidia-tesla-a100")
    spot = {"g2-standard-4": ("0.29", "0.281836"), "a2-highgpu-1g": ("1.5", "1.442955")}
    ago = (now - timedelta(days=30), now - timedelta(days=2))
    zones = ("us-central1-a", "us-central1-b")
    return GcpCloud(
        machine_types={zone: [g2, a2] for zone in zones},
        skus=[
            a_sku("G2 Instance Core running in Americas", "0.024988"),
            a_sku("G2 Instance Ram running in Americas", "0.002927", unit="GiBy.h"),
            a_sku("Nvidia L4 GPU running in Americas", "0.56"),
            a_sku("A2 Instance Core running in Americas", "0.031611"),
            a_sku("A2 Instance Ram running in Americas", "0.004237", unit="GiBy.h"),
            a_sku("Nvidia Tesla A100 GPU running in Americas", "2.933908"),
            a_sku("Commitment v1: Nvidia L4 GPU running in Americas for 1 Year", "0.35", usage="Commit1Yr"),
            a_sku("DWS Defined Duration Nvidia L4 GPU running in Americas", "0.28"),
            a_sku("Network Internet Egress from Americas", "0.12", unit="GiBy"),
        ],
        histories={
            (zone, name): a_history(*zip(ago, prices, strict=True), rate=0.21)
            for zone in zones
            for name, prices in spot.items()
        },
        regions=[
            {
                "name": "us-central1",
                "quotas": [
                    {"metric": "NVIDIA_L4_GPUS", "limit": 8.0, "usage": 1.0},
                    {"metric": "PREEMPTIBLE_NVIDIA_A100_80GB_GPUS", "limit": 16.0, "usage": 0.0},
                    {"metric": "COMMITTED_NVIDIA_L4_GPUS", "limit": 4.0, "usage": 0.0},
                    {"metric": "CPUS", "limit": 72.0, "usage": 4.0},
                ],
            }
        ],
    )


def a_preempted_vm(name: str, at: datetime, *, zone: str = "us-central1-a", receipt: str = "") -> Json:
    """The operation that tells of a Spot VM that was taken."""
    return {
        "id": "1",
        "name": receipt or f"systemevent-{name}",
        "operationType": "compute.instances.preempted",
        "targetLink": f"https://www.googleapis.com/compute/v1/projects/p/zones/{zone}/instances/{name}",
        "insertTime": at.isoformat(),
        "status": "DONE",
    }
