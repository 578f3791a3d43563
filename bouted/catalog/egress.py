"""What clouds list for data that leaves them."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from bouted.market.egress import Crossing, EgressRule


class Basis(StrEnum):
    """How good a price is: read in a price list, or assumed for want of one."""

    LISTED = "listed"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressFact:
    """One list price in its first paid tier. `origin` is a glob over `cloud/region`."""

    name: str
    origin: str
    crosses: Crossing
    usd_per_gib: Annotated[Decimal, Field(ge=0)]
    basis: Basis
    observed_on: date
    source: str
    note: str = ""

    def rule(self) -> EgressRule:
        """The same as a rule, to wherever the data goes."""
        return EgressRule(origin=self.origin, target="*", usd_per_gib=self.usd_per_gib, crosses=self.crosses)
