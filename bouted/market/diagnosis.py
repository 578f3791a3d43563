"""How a price source is set up, as `bouted doctor` tells it."""

from dataclasses import dataclass

from bouted.market.offers import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The most that an account may run of a GPU family in a region. `unit` is "vCPU" or "GPU"."""

    provider: str
    region: str
    family: str
    market: Market
    limit: float
    unit: str
    used: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What a source found out about itself.

    `credential` says which one it uses ("" for none found, "not needed" where none is). `reachable` is None
    where it was not tried. `missing` are permissions by their own names (`ec2:DescribeSpotPriceHistory`).
    `problem` and `hint` are one line each, "" when all is well.
    """

    credential: str
    reachable: bool | None
    missing: tuple[str, ...] = ()
    quotas: tuple[Quota, ...] = ()
    problem: str = ""
    hint: str = ""
