"""Config section about bills: how providers count time, where that is not what ships."""

from typing import Annotated

from pydantic import Field

from bouted.config.fields import Text, Whole, refusal
from bouted.config.section import Section
from bouted.ledger.rules import SHIPPED, BillingRule

_DAY_S = 86_400


class BillingSettings(Section):
    """How the providers that match a glob bill an instance: at least `minimum_s`, in steps of `granularity_s`
    (0: exactly). With `stopped_billed` one that is stopped, but not given back, costs as if it ran."""

    provider: Text
    minimum_s: Annotated[Whole, Field(ge=0, le=_DAY_S)] = 0
    granularity_s: Annotated[Whole, Field(ge=0, le=_DAY_S)] = 1
    stopped_billed: bool = False


def said_once(rules: tuple[BillingSettings, ...]) -> tuple[BillingSettings, ...]:
    """The rules; refused where two are for the same provider."""
    names = [rule.provider for rule in rules]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise refusal(f"says twice how {name} bills", "keep one")
    return rules


def billing_rules(settings: tuple[BillingSettings, ...]) -> tuple[BillingRule, ...]:
    """The config's rules, then those that ship: the first that matches a provider holds."""
    own = (
        BillingRule(
            provider=item.provider,
            minimum_s=item.minimum_s,
            granularity_s=item.granularity_s,
            stopped_billed=item.stopped_billed,
            source="billing in the config",
        )
        for item in settings
    )
    return (*own, *SHIPPED)
