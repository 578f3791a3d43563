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
    Without a credential and untried it is not configured here, which `problem` explains. `problem` and `hint`
    are one line each, "" when all is well. `notes` are what else the source knows and no quote carries.
    """

    credential: str
    reachable: bool | None
    missing: tuple[str, ...] = ()
    quotas: tuple[Quota, ...] = ()
    problem: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()

    @property
    def configured(self) -> bool:
        """Somebody set this source up: it has a credential or needs none, or looking for one went wrong."""
        return bool(self.credential) or self.reachable is not None

    @property
    def well(self) -> bool:
        """Nothing is missing. Not being configured is not an error."""
        return not self.configured or not (self.problem or self.missing)
