"""What an AWS account may do, tried call by call, and how many vCPUs of each GPU family it may run."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from bouted.errors import BoutedError, PermissionMissing, Retryable, SourceFailed
from bouted.market.diagnosis import Diagnosis, Quota, not_set_up
from bouted.market.offers import Market

from .aws_client import AwsClient
from .aws_errors import not_configured, worst
from .aws_notices import queue_region
from .aws_on_demand import PRICING_REGION
from .aws_options import AwsOptions
from .aws_read import part_of, text_of
from .aws_spot import PRODUCT
from .aws_together import together

_FEW = 5
_ALLOWED = "DryRunOperation"
_ANSWERED = (PermissionMissing, Retryable)  # errors that only a server that was reached can give


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaCode:
    """A quota by AWS's code for it. Limits are in vCPUs, whatever the family."""

    code: str
    family: str
    market: Market


QUOTAS = (
    QuotaCode(code="L-417A185B", family="P", market=Market.ON_DEMAND),
    QuotaCode(code="L-7212CCBC", family="P4, P3, P2", market=Market.SPOT),
    QuotaCode(code="L-C4BD4855", family="P5", market=Market.SPOT),
    QuotaCode(code="L-DB2E81BA", family="G and VT", market=Market.ON_DEMAND),
    QuotaCode(code="L-3819A6DF", family="G and VT", market=Market.SPOT),
)


def diagnose(client: AwsClient, options: AwsOptions, now: datetime, until: float) -> Diagnosis:
    """Tries every kind of call once; all that is refused is named. Never raises for what it finds out."""
    try:
        credential = client.credential()
    except BoutedError as problem:
        return Diagnosis(credential="", reachable=None, problem=problem.message, hint=problem.hint)
    if not credential:
        return _without(options)
    probes = _probes(client, options, now)
    limits = [partial(_quota, client, region, code) for region in options.regions for code in QUOTAS]
    heard = together(probes, until)
    asked = together(limits, until)
    quotas = tuple(one for one in asked if isinstance(one, Quota))
    problems = [one for one in (*heard, *asked) if isinstance(one, BoutedError)]
    refused = [one for one in problems if isinstance(one, PermissionMissing)]
    shown = worst(tuple(problems)) if problems else None
    return Diagnosis(
        credential=credential,
        reachable=None in heard or any(isinstance(one, _ANSWERED) for one in problems),
        missing=tuple(sorted({one.permission for one in refused})),
        quotas=quotas,
        problem=shown.message if shown else "",
        hint=shown.hint if shown else "",
    )


def _without(options: AwsOptions) -> Diagnosis:
    if options.on_demand == "bulk":
        return Diagnosis(credential="not needed", reachable=None, hint="on-demand prices only")
    return not_set_up(not_configured())


def _probes(client: AwsClient, options: AwsOptions, now: datetime) -> list[Callable[[], None]]:
    """One cheap call of every kind that these options make use of."""
    first = options.regions[0]
    some = {"Filters": [{"Name": "instance-type", "Values": list(options.types)}], "MaxResults": _FEW}
    calls = [partial(client.ask, "sts", first, "get_caller_identity")]
    for region in options.regions:
        spot = {"StartTime": now, "ProductDescriptions": [PRODUCT], "MaxResults": _FEW}
        calls += [
            partial(client.ask, "ec2", region, "describe_spot_price_history", **spot),
            partial(client.ask, "ec2", region, "describe_instance_types", **some),
            partial(
                client.ask,
                "ec2",
                region,
                "describe_instance_type_offerings",
                LocationType="region",
                MaxResults=_FEW,
            ),
            partial(client.ask, "ec2", region, "describe_availability_zones"),
        ]
    if options.on_demand == "api":
        few = {"ServiceCode": "AmazonEC2", "MaxResults": 1}
        calls.append(partial(client.ask, "pricing", PRICING_REGION, "get_products", **few))
    for one in options.placement[:1]:
        score = {"InstanceTypes": list(one.types), "TargetCapacity": one.capacity, "DryRun": True}
        calls.append(partial(client.ask, "ec2", first, "get_spot_placement_scores", **score))
    if url := options.notices_queue_url:
        look = {"QueueUrl": url, "VisibilityTimeout": 0}  # whoever really listens still gets it
        calls.append(partial(client.ask, "sqs", queue_region(url, first), "receive_message", **look))
    return [partial(_try, call) for call in calls]


def _try(call: Callable[[], object]) -> None:
    try:
        call()
    except SourceFailed as problem:
        if _ALLOWED not in problem.message:  # a dry run that would have worked is an error to AWS
            raise


def _quota(client: AwsClient, region: str, code: QuotaCode) -> Quota | None:
    """One limit; None where AWS has none by this code, or means something else by it."""
    try:
        said = client.ask(
            "service-quotas", region, "get_service_quota", ServiceCode="ec2", QuotaCode=code.code
        )
    except SourceFailed as problem:
        if "NoSuchResource" in problem.message:
            return None
        raise
    quota = part_of(said, "Quota")
    limit = part_of(quota, "Value")
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 <= limit < 1e9:
        return None
    if code.family.split(",")[0].split()[0] not in text_of(quota, "QuotaName"):
        return None
    return Quota(
        provider="aws", region=region, family=code.family, market=code.market, limit=float(limit), unit="vCPU"
    )
