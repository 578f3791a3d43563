"""moto's EC2 with spot prices and placement scores that are given to it, and errors on request."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

from bouted.testing.aws_seed import SeededAws, SpotChange


@contextmanager
def seeded_ec2(aws: SeededAws) -> Iterator[None]:
    """moto answers as `aws` says until the block ends."""
    from moto.core.responses import ActionResult, BaseResponse
    from moto.ec2.responses import EC2Response

    act = BaseResponse.call_action

    def history(self: Any) -> object:
        return ActionResult(_history(aws, self))

    def scores(self: Any) -> object:
        self.error_on_dryrun()
        return ActionResult({"SpotPlacementScores": list(aws.scores)})

    def call(self: Any) -> Any:
        name = f"{self.service_name}:{self._get_action()}"
        aws.called.append(name)
        code = aws.refuse(name)
        return _refusal(code) if code else act(self)

    with ExitStack() as stack:
        stack.enter_context(setting(EC2Response, "describe_spot_price_history", history))
        stack.enter_context(setting(EC2Response, "get_spot_placement_scores", scores))
        stack.enter_context(setting(BaseResponse, "call_action", call))
        yield


@contextmanager
def a_type(name: str, gpu: str, region: str) -> Iterator[None]:
    """Until the block ends EC2 has one more instance type: like g6.xlarge, with another GPU."""
    from copy import deepcopy

    from moto.ec2.models.instance_types import (
        INSTANCE_TYPE_OFFERINGS,
        INSTANCE_TYPES,
        InstanceType,
        InstanceTypeBackend,
    )

    like = deepcopy(INSTANCE_TYPES["g6.xlarge"])
    like["InstanceType"] = name
    like["GpuInfo"]["Gpus"][0]["Name"] = gpu
    offered = INSTANCE_TYPE_OFFERINGS["region"][region]
    offering = {"InstanceType": name, "Location": region, "LocationType": "region"}
    INSTANCE_TYPES[name] = like
    known = InstanceType(name)
    InstanceTypeBackend.instance_types.append(known)
    offered.append(offering)
    try:
        yield
    finally:
        InstanceTypeBackend.instance_types.remove(known)
        del INSTANCE_TYPES[name]
        offered.remove(offering)


@contextmanager
def setting(owner: Any, name: str, value: object) -> Iterator[None]:
    """`owner` has this attribute until the block ends."""
    missing = object()
    kept = vars(owner).get(name, missing)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if kept is missing:
            delattr(owner, name)
        else:
            setattr(owner, name, kept)


def _refusal(code: str) -> tuple[int, dict[str, str], str]:
    """An error as EC2 words it. Throttling comes as 503, faults of the server as 500."""
    status = {"RequestLimitExceeded": 503, "InternalError": 500}.get(code, 403)
    error = f"<Errors><Error><Code>{code}</Code><Message>{code}</Message></Error></Errors>"
    return status, {"status": str(status)}, f"<Response>{error}<RequestID>1</RequestID></Response>"


def _history(aws: SeededAws, request: Any) -> dict[str, object]:
    """The page asked for: changes from StartTime on, and the last one before it, by type and zone."""
    types, products = request._get_param("InstanceTypes", []), request._get_param("ProductDescriptions", [])
    here = [
        change
        for change in aws.spot
        if change.region == request.region
        and (not types or change.instance_type in types)
        and (not products or change.product in products)
    ]
    rows = _in_range(here, request._get_param("StartTime"))
    start = int(request._get_param("NextToken") or 0)
    end = start + aws.page_rows
    return {
        "SpotPriceHistory": [_row(change) for change in rows[start:end]],
        "NextToken": str(end) if end < len(rows) else "",
    }


def _in_range(changes: list[SpotChange], since: Any) -> list[SpotChange]:
    if since is None:
        return changes
    start = _utc(since if isinstance(since, datetime) else datetime.fromisoformat(str(since)))
    before: dict[tuple[str, str], SpotChange] = {}
    after = []
    for change in sorted(changes, key=lambda one: one.at):
        if change.at and _utc(datetime.fromisoformat(change.at)) <= start:
            before[change.zone, change.instance_type] = change
        else:
            after.append(change)
    return [*reversed(after), *before.values()]


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _row(change: SpotChange) -> dict[str, str]:
    said = {
        "AvailabilityZone": change.zone,
        "AvailabilityZoneId": change.zone_id,
        "InstanceType": change.instance_type,
        "ProductDescription": change.product,
        "SpotPrice": change.price,
        "Timestamp": change.at,
    }
    return {name: value for name, value in said.items() if value}
