"""Places: from an offer's region and zone to the part of SkyPilot's infra string behind the cloud. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bouted.market.offers import Offer

from .lambda_rows import ANYWHERE
from .sky_types import NotLaunchable

# RunPod's countries and the continents that its data centres' names begin with, as of SkyPilot 0.14.1.
_COUNTRIES = frozenset(("AU", "CA", "CZ", "DK", "FR", "IN", "IS", "JP", "NL", "NO", "RO", "SE", "SG", "US"))
_CONTINENTS = frozenset(("AP", "EU", "EUR", "OC", "SEA"))
_CENTRE = re.compile(r"[A-Z]+-[A-Z]+-\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneNames:
    """An AWS account's names for zones by their ids; they differ from account to account."""

    names: Mapping[str, str] = field(default_factory=dict)

    def covers(self, region: str) -> bool:
        """Whether the account's zones in a region are known."""
        return any(name.startswith(region) for name in self.names.values())


def aws_place(offer: Offer, zones: ZoneNames) -> str | NotLaunchable:
    """The region, and the zone by the account's name for it where the offer has one."""
    if not offer.zone:
        return offer.region
    if offer.zone.startswith(offer.region):
        return f"{offer.region}/{offer.zone}"
    name = zones.names.get(offer.zone)
    if name is not None:
        return f"{offer.region}/{name}"
    if zones.covers(offer.region):
        return NotLaunchable(reason=f"this AWS account has no zone {offer.zone}")
    return NotLaunchable(reason=f"this AWS account's name for zone {offer.zone} is not known")


def gcp_place(offer: Offer) -> str:
    """The region, and the zone where the offer has one; both have one name for all."""
    return f"{offer.region}/{offer.zone}".rstrip("/")


def azure_place(offer: Offer) -> str | NotLaunchable:
    """The region."""
    return _region_alone(offer, offer.region)


def lambda_place(offer: Offer) -> str | NotLaunchable:
    """The region; "" for any, where all have one price."""
    return _region_alone(offer, "" if offer.region == ANYWHERE else offer.region)


def runpod_place(offer: Offer) -> str | NotLaunchable:
    """The country, and the data centre where the offer has one: as its zone, or as its region."""
    centre = offer.zone or (offer.region if _CENTRE.fullmatch(offer.region) else "")
    country = _country(centre) if centre else offer.region
    if country not in _COUNTRIES:
        return NotLaunchable(reason=f"SkyPilot knows no {centre or offer.region} on RunPod")
    return f"{country}/{centre}".rstrip("/")


def _country(centre: str) -> str:
    """Where a data centre is: CA for CA-MTL-1, IS for EUR-IS-1."""
    first, second, *_ = (*centre.split("-"), "", "")
    return second if first in _CONTINENTS else first


def _region_alone(offer: Offer, region: str) -> str | NotLaunchable:
    if offer.zone:
        return NotLaunchable(reason=f"SkyPilot takes no zone on {offer.provider}")
    return region
