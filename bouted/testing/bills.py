"""Bill files as clouds write them: the documented columns, and what else stands in such files."""

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

Cells = Mapping[str, object]

CUR_1 = (
    "identity/LineItemId", "identity/TimeInterval", "bill/PayerAccountId", "bill/BillingPeriodStartDate",
    "lineItem/UsageAccountId", "lineItem/LineItemType", "lineItem/UsageStartDate", "lineItem/UsageEndDate",
    "lineItem/ProductCode", "lineItem/UsageType", "lineItem/Operation", "lineItem/ResourceId",
    "lineItem/UsageAmount", "lineItem/CurrencyCode", "lineItem/UnblendedRate", "lineItem/UnblendedCost",
    "reservation/EffectiveCost", "savingsPlan/SavingsPlanEffectiveCost",
    "resourceTags/user:Name", "resourceTags/user:skypilot-cluster-name",
)  # fmt: skip

CUR_2 = (
    "bill_payer_account_id", "line_item_line_item_type", "line_item_usage_start_date",
    "line_item_usage_end_date", "line_item_product_code", "line_item_usage_type", "line_item_resource_id",
    "line_item_usage_amount", "line_item_currency_code", "line_item_unblended_cost",
    "reservation_effective_cost", "savings_plan_savings_plan_effective_cost", "resource_tags",
)  # fmt: skip


def aws_hour(node: str, hour: int, cost: str, **changes: object) -> dict[str, object]:
    """One hour of an instance of a node, in the columns of the legacy report."""
    return {
        "lineItem/LineItemType": "Usage",
        "lineItem/UsageStartDate": f"2026-11-01T{hour:02d}:00:00Z",
        "lineItem/UsageEndDate": f"2026-11-01T{hour + 1:02d}:00:00Z",
        "lineItem/ProductCode": "AmazonEC2",
        "lineItem/UsageType": "USW2-SpotUsage:g6.12xlarge",
        "lineItem/Operation": "RunInstances:SV007",
        "lineItem/ResourceId": "i-0f1e2d3c4b5a69788",
        "lineItem/UsageAmount": "1.0000000000",
        "lineItem/CurrencyCode": "USD",
        "lineItem/UnblendedCost": cost,
        "resourceTags/user:Name": f"{node}-ab12cd34-head",
        **changes,
    }


def in_cur_2(row: Cells) -> dict[str, object]:
    """The same row as CUR 2.0 has it: other names, times with milliseconds, tags as one map."""
    tags = {"user_name": row.get("resourceTags/user:Name", ""), "aws_created_by": "IAMUser:X"}
    return {
        "line_item_line_item_type": row["lineItem/LineItemType"],
        "line_item_usage_start_date": str(row["lineItem/UsageStartDate"]).replace("Z", ".000Z"),
        "line_item_usage_end_date": str(row["lineItem/UsageEndDate"]).replace("Z", ".000Z"),
        "line_item_product_code": row["lineItem/ProductCode"],
        "line_item_usage_type": row["lineItem/UsageType"],
        "line_item_resource_id": row["lineItem/ResourceId"],
        "line_item_currency_code": row["lineItem/CurrencyCode"],
        "line_item_unblended_cost": row["lineItem/UnblendedCost"],
        "reservation_effective_cost": row.get("reservation/EffectiveCost", ""),
        "savings_plan_savings_plan_effective_cost": row.get("savingsPlan/SavingsPlanEffectiveCost", ""),
        "resource_tags": json.dumps(tags),
    }


def gcp_hour(node: str, hour: int, sku: str, cost: float, **changes: object) -> dict[str, object]:
    """One hour of one part of a VM, as BigQuery exports a row of the detailed usage table."""
    return {
        "billing_account_id": "01AB23-45CD67-89EF01",
        "service": {"id": "6F81-5844-456A", "description": "Compute Engine"},
        "sku": {"id": "1D60-2F0E-19EB", "description": sku},
        "usage_start_time": f"2026-11-01 {hour:02d}:00:00 UTC",
        "usage_end_time": f"2026-11-01 {hour + 1:02d}:00:00 UTC",
        "project": {"id": "llm", "number": "123456789012"},
        "labels": [{"key": "skypilot-cluster-name", "value": f"{node}-ab12cd34"}],
        "location": {"location": "us-central1", "region": "us-central1", "zone": "us-central1-a"},
        "cost": cost,
        "currency": "USD",
        "currency_conversion_rate": 1.0,
        "usage": {"amount": 3600.0, "unit": "seconds"},
        "credits": [],
        "cost_type": "regular",
        "resource": {
            "name": f"projects/123456789012/instances/{node}-ab12cd34-head-1a2b-compute",
            "global_name": "//compute.googleapis.com/projects/llm/zones/us-central1-a/instance/8",
        },
        **changes,
    }


def write_csv(file: Path, columns: Sequence[str], rows: Sequence[Cells], *, packed: bool = False) -> Path:
    """A CSV with these columns, empty where a row has nothing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", quoting=csv.QUOTE_MINIMAL)
    writer.writeheader()
    writer.writerows(rows)
    body = text.getvalue().encode()
    file.write_bytes(gzip.compress(body) if packed else body)
    return file


def write_json_lines(file: Path, rows: Sequence[Cells]) -> Path:
    """One JSON object a line."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file
