"""What moving data costs, by where it leaves and where it arrives. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from bouted.market.allowed import matches_any

INTERNET = "internet"
"""The place of whoever is in no cloud: a model hub, a client."""


class Crossing(StrEnum):
    """The widest border that data crosses."""

    NOTHING = "nothing"
    ZONES = "zones"
    REGIONS = "regions"
    CLOUDS = "clouds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where data is. `region` and `zone` are "" where they are not known or do not exist."""

    provider: str
    region: str = ""
    zone: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What a glob may match: `aws`, `aws/us-east-1` and `aws/us-east-1/use1-az4`."""
        parts = [self.provider, *(part for part in (self.region, self.zone) if part)]
        return tuple("/".join(parts[: n + 1]) for n in range(len(parts)))


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressRule:
    """One price. `origin` and `target` are globs over places; `crosses` narrows it to one kind of border."""

    origin: str
    target: str
    usd_per_gib: Decimal
    crosses: Crossing | None = None

    def fits(self, origin: Place, target: Place) -> bool:
        """Whether it is about data that goes from `origin` to `target`."""
        return (
            self.crosses in (None, crossing(origin, target))
            and any(matches_any(name, (self.origin,)) for name in origin.names)
            and any(matches_any(name, (self.target,)) for name in target.names)
        )

    @property
    def specific(self) -> tuple[bool, int]:
        """Larger for a rule that says more: it names a border, then how much of its globs is spelled out."""
        return self.crosses is not None, sum(char not in "*?[]" for char in self.origin + self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """Prices of moving data: `overrides` are the operator's own and win over those `listed`."""

    overrides: tuple[EgressRule, ...] = ()
    listed: tuple[EgressRule, ...] = ()

    def usd_per_gib(self, origin: Place, target: Place) -> Decimal:
        """Dollars for one GiB by the most specific rule; 0 within one place, and where no rule is known."""
        if crossing(origin, target) is Crossing.NOTHING:
            return Decimal(0)
        for rules in (self.overrides, self.listed):
            fitting = [rule for rule in rules if rule.fits(origin, target)]
            if fitting:
                return max(fitting, key=lambda rule: rule.specific).usd_per_gib
        return Decimal(0)


FREE = Egress()
"""Moving data costs nothing."""


def parse_place(text: str) -> Place:
    """The place named `cloud/region`, `cloud/region/zone`, or `internet`."""
    provider, _, rest = text.partition("/")
    region, _, zone = rest.partition("/")
    return Place(provider=provider, region=region, zone=zone)


def crossing(origin: Place, target: Place) -> Crossing:
    """The widest border between two places. A zone that is not known is taken for the same one."""
    if origin.provider != target.provider:
        return Crossing.CLOUDS
    if origin.region != target.region:
        return Crossing.REGIONS
    differ = origin.zone and target.zone and origin.zone != target.zone
    return Crossing.ZONES if differ else Crossing.NOTHING
