"""The stand-in's price list and quotas, which speak JSON and are not in moto."""

import json
from collections.abc import Mapping
from typing import Any

from bouted.testing.aws_seed import SeededAws
from bouted.testing.http import Asked, Reply


def json_answer(aws: SeededAws, asked: Asked) -> Reply:
    """The price list and the quotas, which speak JSON."""
    service, _, action = asked.headers.get("x-amz-target", "").partition(".")
    name = {"AWSPriceListService": "pricing"}.get(service, "servicequotas") + f":{action}"
    aws.called.append(name)
    if code := aws.refuse(name):
        return Reply(said={"__type": code, "message": code}, status=500 if code == "InternalError" else 400)
    body = asked.json()
    return _products(aws, body) if name.startswith("pricing") else _quota(aws, body)


def _products(aws: SeededAws, body: Mapping[str, Any]) -> Reply:
    wanted = {one["Field"]: one["Value"] for one in body.get("Filters", [])}
    found = [one for one in aws.products if _fits(one, wanted)]
    start = int(body.get("NextToken") or 0)
    end = start + min(aws.page_rows, body.get("MaxResults") or 100)
    said: dict[str, Any] = {
        "FormatVersion": "aws_v1",
        "PriceList": [one if isinstance(one, str) else json.dumps(one) for one in found[start:end]],
    }
    return Reply(said=said | ({"NextToken": str(end)} if end < len(found) else {}))


def _fits(product: object, wanted: Mapping[str, str]) -> bool:
    if not isinstance(product, Mapping):
        return True
    said = product.get("product", {}).get("attributes", {})
    return all(said.get(name, value) == value for name, value in wanted.items())


def _quota(aws: SeededAws, body: Mapping[str, Any]) -> Reply:
    quota = aws.quotas.get(body["QuotaCode"])
    if quota is None:
        return Reply(said={"__type": "NoSuchResourceException", "message": "none"}, status=400)
    return Reply(said={"Quota": {"ServiceCode": "ec2", "QuotaCode": body["QuotaCode"], **quota}})
