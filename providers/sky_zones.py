"""What an AWS account calls its zones: asked of AWS once per region, and kept in a file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bouted.errors import BoutedError

from .aws_client import AwsClient
from .aws_read import list_of, text_of
from .local_files import read_json, write_json
from .sky_places import ZoneNames


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonesTold:
    """The names that are known, and why those of other regions are not."""

    zones: ZoneNames
    problems: tuple[BoutedError, ...] = ()


def zone_names(client: AwsClient, regions: Iterable[str], kept: Path) -> ZonesTold:
    """The account's zones in these regions, from the file `kept` where it has them, else from AWS.

    The file belongs to one account: another's credentials start it anew. While AWS does not even say whose
    they are, the file is believed.
    """
    file = read_json(kept)
    try:
        account = text_of(client.ask("sts", "us-east-1", "get_caller_identity"), "Account")
    except BoutedError as problem:
        return ZonesTold(zones=ZoneNames(names=_names(file)), problems=(problem,))
    before = _names(file) if file.get("account") == account else {}
    told = _asked(client, regions, ZoneNames(names=before))
    if told.zones.names != before:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_json(kept, {"account": account, "zones": dict(told.zones.names)})
    return told


def _asked(client: AwsClient, regions: Iterable[str], known: ZoneNames) -> ZonesTold:
    names = dict(known.names)
    problems: list[BoutedError] = []
    for region in sorted(set(regions)):
        if known.covers(region):
            continue
        try:
            said = client.ask("ec2", region, "describe_availability_zones")
        except BoutedError as problem:
            problems.append(problem)
            continue
        for zone in list_of(said, "AvailabilityZones"):
            names[text_of(zone, "ZoneId")] = text_of(zone, "ZoneName")
    names.pop("", None)
    return ZonesTold(zones=ZoneNames(names=names), problems=tuple(problems))


def _names(file: dict[str, object]) -> dict[str, str]:
    zones = file.get("zones")
    return {str(key): str(name) for key, name in zones.items()} if isinstance(zones, dict) else {}
