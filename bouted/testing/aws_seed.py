"""What the stand-in for AWS answers, as values a test sets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotChange:
    """From `at` on (ISO text) this type costs `price` in this zone. What is "" is left out of the answer."""

    region: str
    zone: str
    zone_id: str
    instance_type: str
    price: str
    at: str
    product: str = "Linux/UNIX"


def nothing_refused(asked: str) -> str:
    """Every call may be made."""
    return ""


@dataclass(slots=True)
class SeededAws:
    """What the stand-in answers; change it while it runs.

    `refuse` is asked at every call, with the permission it takes (`ec2:DescribeInstanceTypes`), and gives the
    code of the error to answer, "" for none. `page_rows` is the size of a page. `quotas` are by code.
    `called` has the permission of every call so far.
    """

    url: str = ""
    json_url: str = ""
    spot: list[SpotChange] = field(default_factory=list)
    products: list[Mapping[str, Any]] = field(default_factory=list)
    quotas: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    scores: list[Mapping[str, Any]] = field(default_factory=list)
    page_rows: int = 100
    refuse: Callable[[str], str] = nothing_refused
    called: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """The variables that point boto3 here, with keys that are good for nothing."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_PRICING": self.json_url,
            "AWS_ENDPOINT_URL_SERVICE_QUOTAS": self.json_url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }


def a_product(region: str, instance_type: str, usd: str, **attributes: str) -> dict[str, Any]:
    """One entry of a price list, in the shape of `pricing.GetProducts`."""
    said = {
        "instanceType": instance_type,
        "regionCode": region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
        **attributes,
    }
    dimension = {"unit": "Hrs", "beginRange": "0", "endRange": "Inf", "pricePerUnit": {"USD": usd}}
    term = {"effectiveDate": "2026-05-01T00:00:00Z", "priceDimensions": {"A.B.C": dimension}}
    product = {"productFamily": "Compute Instance", "sku": "A", "attributes": said}
    return {"product": product, "terms": {"OnDemand": {"A.B": term}}}
