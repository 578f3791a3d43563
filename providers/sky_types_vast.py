"""Vast: SkyPilot lists kinds of machine, like 1x-RTX_4090-32-65536, in the places where it saw one. Pure.

The name's parts are the GPUs, their kind, at least so many cores and MB of memory. It says nothing of how
much memory a GPU has, and SkyPilot asks for none: kinds that come in several sizes cannot be told apart.

SkyPilot 0.14.1 puts what it searches for in quotes, and Vast's own library (1.9.1) drops all behind the first
quote: it then rents the first machine of any kind. So none of this is used until that search holds.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bouted.market.offers import Market, Offer

from .sky_types import NotLaunchable

_OFFERED = re.compile(r"(?P<count>\d+)x_(?P<gpu>\w+)")
_LISTED = re.compile(r"(?P<count>\d+)x-(?P<gpu>[^-]+)-(?P<cores>\d+)-(?P<memory_mb>\d+)")
_SIZED = re.compile(r"_\d+GB")
_COUNTRY = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class VastMachine:
    """One kind in one place, in SkyPilot's words: `region` is like "Sweden, SE, EU"."""

    instance_type: str
    region: str

    @property
    def country(self) -> str:
        """Its two letters."""
        parts = (part.strip() for part in self.region.split(","))
        return next((part for part in parts if _COUNTRY.fullmatch(part)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class VastMachines:
    """All that SkyPilot lists at Vast."""

    listed: tuple[VastMachine, ...]

    def that_is(self, offer: Offer) -> VastMachine | NotLaunchable:
        """The listed machine that is the offer; of several, the one that asks for the least memory."""
        if offer.market is Market.SPOT:
            return NotLaunchable(reason="on Vast SkyPilot bids 0, which nobody takes")
        if _LISTED.fullmatch(offer.instance_type):
            return self._named(offer)
        found = _OFFERED.fullmatch(offer.instance_type)
        if found is None:
            return NotLaunchable(reason=f"SkyPilot lists no {offer.instance_type} on Vast")
        if _SIZED.search(found["gpu"]):
            return NotLaunchable(reason=f"SkyPilot cannot ask Vast for the GPU memory in {found['gpu']}")
        kind = f"{found['count']}x-{found['gpu'].replace('PCIe', 'PCIE')}-"
        same = [one for one in self.listed if one.instance_type.startswith(kind)]
        return _least([one for one in same if one.country == offer.region], offer)

    def _named(self, offer: Offer) -> VastMachine | NotLaunchable:
        """By SkyPilot's own name, as its catalog's prices are offered."""
        same = [one for one in self.listed if one.instance_type == offer.instance_type]
        return _least([one for one in same if offer.region in (one.region, one.country)], offer)


def read_machines(rows: Iterable[Mapping[str, str]]) -> VastMachines:
    """What is listed, from the rows of SkyPilot's vast/vms.csv; rows of another form are left out."""
    listed = tuple(
        VastMachine(instance_type=row["InstanceType"], region=row["Region"])
        for row in rows
        if _LISTED.fullmatch(row.get("InstanceType") or "") and row.get("Region")
    )
    return VastMachines(listed=listed)


def _least(machines: list[VastMachine], offer: Offer) -> VastMachine | NotLaunchable:
    def memory_mb(one: VastMachine) -> tuple[int, str, str]:
        return int(one.instance_type.rpartition("-")[2]), one.instance_type, one.region

    if not machines:
        return NotLaunchable(reason=f"SkyPilot lists no {offer.instance_type} in {offer.region} on Vast")
    return min(machines, key=memory_mb)
