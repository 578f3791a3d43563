"""How many GPUs a project may run in a region. Reading, and the one call that it takes."""

import math
import re

from google.cloud import compute_v1

from bouted.catalog.names import catalog_gpu
from bouted.market.diagnosis import Quota
from bouted.market.offers import Market

from .gcp_calls import Asking

PERMISSION = "compute.regions.list"
_METRIC = re.compile(r"(PREEMPTIBLE_)?NVIDIA_([A-Z0-9_]+?)_GPUS")


def list_regions(
    client: compute_v1.RegionsClient, names: tuple[str, ...], asking: Asking
) -> tuple[compute_v1.Region, ...]:
    """The regions called `names`."""
    request = compute_v1.ListRegionsRequest(
        project=asking.project, filter=f'name eq "({"|".join(names)})"', max_results=500
    )
    page = asking.ask(
        PERMISSION,
        lambda retry, timeout: next(iter(client.list(request, retry=retry, timeout=timeout).pages)),
    )
    return tuple(region for region in page.items if region.name in names)


def quotas_of(regions: tuple[compute_v1.Region, ...]) -> tuple[Quota, ...]:
    """The GPU quotas of these regions; those of commitments and of virtual workstations are left out."""
    return tuple(
        quota
        for region in sorted(regions, key=lambda one: one.name)
        for said in region.quotas
        if (quota := _read(said, region.name)) is not None
    )


def _read(said: compute_v1.Quota, region: str) -> Quota | None:
    found = _METRIC.fullmatch(said.metric)
    if found is None or found[2].endswith("VWS") or not math.isfinite(said.limit):
        return None
    return Quota(
        provider="gcp",
        region=region,
        family=catalog_gpu(found[2].replace("_", " ")),
        market=Market.SPOT if found[1] else Market.ON_DEMAND,
        limit=said.limit,
        unit="GPU",
        used=said.usage if "usage" in said and math.isfinite(said.usage) else None,
    )
