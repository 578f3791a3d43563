"""Reads how many Spot VMs of a type Google thinks could be had now, and for how long. Pure."""

import math
from dataclasses import dataclass

from google.cloud import compute_v1

from .gcp_machines import last_part

SIZE = 4  # Spot VMs asked about at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """For one machine type in one zone; None for what was not said."""

    obtainable: int | None
    hazard_per_hour: float | None


def read_outlooks(
    said: compute_v1.CapacityAdviceResponse, name: str, zones: tuple[str, ...]
) -> dict[str, Outlook]:
    """The outlook of each zone that the first recommendation would use; nothing is known of the others.

    The score is the chance of getting all that was asked for: a zone's share times the score, rounded down,
    is counted on. Most VMs run for estimatedUptime: taken as the time by which half are preempted.
    """
    if not said.recommendations:
        return {}
    first = said.recommendations[0]
    score = first.scores.obtainability if "obtainability" in first.scores else math.nan
    uptime_h = _hours(first.scores.estimated_uptime)
    hazard = 1.0 - 0.5 ** (1.0 / uptime_h) if uptime_h else None
    return {
        last_part(shard.zone): Outlook(
            obtainable=math.floor(score * shard.instance_count)
            if 0.0 <= score <= 1.0 and 0 <= shard.instance_count <= SIZE
            else None,
            hazard_per_hour=hazard,
        )
        for shard in first.shards
        if last_part(shard.zone) in zones and last_part(shard.machine_type) == name
    }


def _hours(said: str) -> float | None:
    """A duration such as "14400s" in hours; None for anything else, and for less than a minute."""
    number = said.removesuffix("s")
    if number == said or not number.replace(".", "", 1).isdecimal() or not number.isascii():
        return None
    seconds = float(number)
    return seconds / 3600 if 60.0 <= seconds <= 1e9 else None
