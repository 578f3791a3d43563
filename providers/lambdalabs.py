"""Prices from Lambda's cloud API: on-demand, with the regions that have capacity now."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from bouted.errors import NotConfigured, SourceFailed
from bouted.market.diagnosis import Diagnosis
from bouted.market.quotes import Answer

from .api_key import ApiKey
from .http_asking import PATIENCE_S, Access, HttpAsking, Patience
from .http_diagnosis import diagnose_by_asking
from .lambda_rows import read_types
from .source_options import Options

URL = "https://cloud.lambda.ai/api/v1"
VARIABLE = "LAMBDA_API_KEY"
# As SkyPilot 0.14.1 lists them: the API names a region only while it has capacity.
REGIONS = (
    "asia-northeast-1", "asia-northeast-2", "asia-south-1", "australia-east-1", "europe-central-1",
    "europe-south-1", "me-west-1", "us-east-1", "us-east-2", "us-east-3", "us-midwest-1", "us-south-1",
    "us-south-2", "us-south-3", "us-west-1", "us-west-2", "us-west-3",
)  # fmt: skip


class LambdaPrices:
    """What Lambda asks for each GPU type, the same in all its regions; rank 6. It has no spot market.

    Where the API reports no capacity, a type keeps its price and nothing of it is obtainable; where it
    reports some, it does not say how much. Regions are those of the config and those that the answer names,
    or "any" when there is none.
    """

    name = "lambda"
    rank = 6

    def __init__(self, *, url: str, regions: tuple[str, ...], key: ApiKey, patience: Patience) -> None:
        self._url, self._regions, self._key, self._patience = url, regions, key, patience

    @classmethod
    def from_config(cls, options: Mapping[str, Any], *, config_dir: Path) -> "LambdaPrices":
        """A source as a config names it: `api_key_file`, `regions`, `patience_s`, `url`."""
        asked = Options(cls.name, options)
        key = ApiKey(variable=VARIABLE, file=asked.file("api_key_file", config_dir))
        url = asked.text("url", URL).rstrip("/")
        regions = asked.texts("regions", REGIONS)
        patience = Patience(total_s=asked.number("patience_s", PATIENCE_S, least=0.1))
        asked.close()
        return cls(url=url, regions=regions, key=key, patience=patience)

    def fetch(self, now: datetime) -> Answer:
        """Every GPU type in every region, in one request."""
        quotes, unread = read_types(self._types(now), self._regions, now, source=self.name)
        if not quotes and not unread:
            raise SourceFailed("Lambda lists no GPU type")
        return Answer(quotes=quotes, unread=unread)

    def diagnose(self, now: datetime) -> Diagnosis:
        """Whether there is a key, and whether Lambda takes it."""
        return diagnose_by_asking(self._key.told(), lambda: self._types(now))

    def _types(self, now: datetime) -> Any:
        bearer = self._key.bearer()
        if not bearer:
            hint = f"set {VARIABLE}, or api_key_file under prices.sources.lambda"
            raise NotConfigured("no Lambda API key", hint=hint)
        access = Access(
            headers=bearer,
            permission="a valid Lambda API key",
            hint=f"make one in Lambda's console and put it into {self._key.told()}",
        )
        with HttpAsking(self._patience, access, now) as asking:
            return asking.get(f"{self._url}/instance-types")
