"""How a price source is set up, as `bouted doctor` tells it."""

from dataclasses import dataclass

from bouted.errors import NotConfigured
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
    `problem` and `hint` are one line each, "" when all is well; of a source that is not `configured` they say
    what it would take. `notes` are what else the source knows and no quote carries.
    """

    credential: str
    reachable: bool | None
    missing: tuple[str, ...] = ()
    quotas: tuple[Quota, ...] = ()
    problem: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()
    configured: bool = True

    @property
    def well(self) -> bool:
        """Nothing is missing. Not being configured is not an error."""
        return not self.configured or not (self.problem or self.missing)


def not_set_up(error: NotConfigured) -> Diagnosis:
    """The diagnosis of a source that nobody set up here."""
    return Diagnosis(credential="", reachable=None, problem=error.message, hint=error.hint, configured=False)
