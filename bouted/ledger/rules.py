"""How providers bill the time of an instance: the least that counts, in which steps, and while it is stopped.

Read from the providers' documentation and price pages in November 2026; none was tried against a live bill.
`bouted cost --bill` compares the ledger with a real one, and `billing:` in the config overrules a line.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bouted.market.allowed import matches_any


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingRule:
    """How the providers that match the glob `provider` bill: at least `minimum_s` seconds of each instance,
    in steps of `granularity_s`, rounded up (0: exactly).

    `stopped_billed` says that an instance which is stopped, but not given back, costs as if it ran.
    """

    provider: str
    minimum_s: int = 0
    granularity_s: int = 0
    stopped_billed: bool = False
    source: str = ""


EXACT = BillingRule(provider="*", source="nothing is known: every microsecond counts, and no more")

SHIPPED = (
    BillingRule(
        provider="aws",
        minimum_s=60,
        granularity_s=1,
        source="aws.amazon.com/ec2/pricing/on-demand: per second, 60 s at least (Linux, Ubuntu)",
    ),
    BillingRule(
        provider="gcp",
        minimum_s=60,
        granularity_s=1,
        source="cloud.google.com/compute/vm-instance-pricing: per second, one minute at least",
    ),
    BillingRule(
        provider="azure",
        granularity_s=60,
        stopped_billed=True,
        source="azure.microsoft.com/pricing/details/virtual-machines: whole minutes, until deallocated",
    ),
    BillingRule(
        provider="lambda*",
        granularity_s=60,
        source="lambda.ai/pricing: one-minute increments from launch to termination; there is no stop",
    ),
    BillingRule(
        provider="runpod",
        granularity_s=1,
        source="docs.runpod.io/pods/pricing: per second; stopped, only the disk",
    ),
    BillingRule(
        provider="vast*",
        granularity_s=1,
        source="docs.vast.ai/documentation/instances/pricing: per second; stopped, only the disk",
    ),
    BillingRule(
        provider="nebius",
        granularity_s=1,
        source="docs.nebius.com/compute/resources/pricing: per second",
    ),
    BillingRule(
        provider="oci",
        minimum_s=60,
        granularity_s=1,
        stopped_billed=True,
        source="oracle.com/cloud/compute/pricing: per second, 60 s at least; GPU shapes until ended",
    ),
    BillingRule(
        provider="cudo",
        granularity_s=1,
        stopped_billed=True,
        source="cudocompute.com/docs: what is allocated is billed, stopped or not",
    ),
)


def rule_for(provider: str, rules: Iterable[BillingRule] = SHIPPED) -> BillingRule:
    """The first rule that matches the provider; `EXACT` where none does."""
    return next((rule for rule in rules if matches_any(provider, (rule.provider,))), EXACT)
