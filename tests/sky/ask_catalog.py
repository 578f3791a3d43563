"""Asks SkyPilot's own code what some resources are; run beside a HOME with small catalogs.

Reads a list of `resources` as in a task's YAML from stdin, and writes for each what SkyPilot makes of it, or
the error that it gives.
"""

import json
import sys
from typing import Any

import sky
from sky import clouds
from sky.utils.infra_utils import InfraInfo


def asked(config: dict[str, Any]) -> dict[str, Any]:
    """The resources as SkyPilot reads, completes and prices them, and the places where it would try them."""
    try:
        read: Any = sky.Resources.from_yaml_config(dict(config))
        if isinstance(read, (set, list)):
            (read,) = read
        if config["infra"].partition("/")[0] in ("k8s", "ssh"):  # which are asked themselves, and not here
            where = InfraInfo.from_str(config["infra"])
            told = {"cloud": where.cloud, "region": where.region, "accelerators": read.accelerators}
            return {**told, "images": list((read.image_id or {}).values())}
        read.validate()
        places = read.get_valid_regions_for_launchable()
        return {
            "region": read.region,
            "zone": read.zone,
            "instance_type": read.instance_type,
            "use_spot": read.use_spot,
            "accelerators": read.accelerators,
            "images": list((read.image_id or {}).values()),
            "container": read.extract_docker_image(),
            "usd_per_hour": read.get_cost(3600),
            "places": sorted(f"{r.name}/{zone.name}" for r in places for zone in r.zones or ()),
            "regions": sorted(r.name for r in places),
        }
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


for cloud in (clouds.AWS, clouds.GCP):  # the images themselves are at the clouds, which are not asked
    cloud.get_image_size = classmethod(lambda cls, image_id, region: 50.0)  # type: ignore[method-assign, assignment]
json.dump([asked(config) for config in json.load(sys.stdin)], sys.stdout)
