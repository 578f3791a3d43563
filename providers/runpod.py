"""Prices from RunPod's GraphQL API: secure cloud, on-demand and interruptible, with stock."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from bouted.errors import NotConfigured, PermissionMissing, SourceFailed
from bouted.market.diagnosis import Diagnosis
from bouted.market.quotes import Answer

from .api_key import ApiKey
from .http_asking import PATIENCE_S, Access, HttpAsking, Patience
from .http_diagnosis import diagnose_by_asking
from .json_rows import JsonRow, list_under
from .runpod_rows import query, read_types
from .source_options import Options

URL = "https://api.runpod.io/graphql"
VARIABLE = "RUNPOD_API_KEY"
REGION = "US"


class RunpodPrices:
    """What RunPod asks for 1, 2, 4 and 8 of each GPU of its secure cloud; rank 6.

    RunPod has one price for all places and is asked for the stock of all of them together; `region` is only
    the name that they go under. An interruptible pod costs its bid, so the quote is the lowest bid that is
    taken. Works without a key as long as RunPod does not ask for one.
    """

    name = "runpod"
    rank = 6

    def __init__(self, *, url: str, region: str, key: ApiKey, patience: Patience) -> None:
        self._url, self._region, self._key, self._patience = url, region, key, patience

    @classmethod
    def from_config(cls, options: Mapping[str, Any], *, config_dir: Path) -> "RunpodPrices":
        """A source as a config names it: `api_key_file`, `patience_s`, `region`, `url`."""
        asked = Options(cls.name, options)
        key = ApiKey(variable=VARIABLE, file=asked.file("api_key_file", config_dir))
        url = asked.text("url", URL)
        region = asked.text("region", REGION)
        patience = Patience(total_s=asked.number("patience_s", PATIENCE_S, least=0.1))
        asked.close()
        return cls(url=url, region=region, key=key, patience=patience)

    def fetch(self, now: datetime) -> Answer:
        """Every GPU type, in one request."""
        items, gaps = self._types(now)
        quotes, unread = read_types(items, self._region, now, source=self.name)
        if not quotes and not unread:
            raise SourceFailed(gaps[0] if gaps else "RunPod lists no GPU type")
        return Answer(quotes=quotes, unread=unread, gaps=gaps)

    def diagnose(self, now: datetime) -> Diagnosis:
        """Whether RunPod answers, and takes the key if there is one."""
        return diagnose_by_asking(self._key.told() or "not needed", lambda: self._types(now))

    def _types(self, now: datetime) -> tuple[list[Any], tuple[str, ...]]:
        """The GPU types, and what RunPod says went wrong with the rest of them."""
        bearer = self._key.bearer()
        access = Access(
            headers=bearer,
            permission="GraphQL: Read (RunPod API key)",
            hint=f"make a key with that permission and put it into {self._key.told()}",
        )
        try:
            with HttpAsking(self._patience, access, now) as asking:
                body = asking.post(self._url, {"query": query()})
        except PermissionMissing as error:
            if bearer:
                raise
            hint = f"set {VARIABLE}, or api_key_file under prices.sources.runpod"
            raise NotConfigured("RunPod asks for an API key", hint=hint) from error
        problems = _problems(body)
        data = body.get("data") if isinstance(body, dict) else None
        if problems and not (isinstance(data, dict) and data.get("gpuTypes")):
            raise SourceFailed(problems[0])
        return list_under(data, "gpuTypes"), problems


def _problems(body: Any) -> tuple[str, ...]:
    """What GraphQL reports beside the data, a line each."""
    errors = body.get("errors") if isinstance(body, dict) else None
    if not errors:
        return ()
    told = [JsonRow(one).cells(("message",))[0][1] for one in errors] if isinstance(errors, list) else []
    return tuple(f"RunPod reports: {text}" for text in told[:5]) or ("RunPod reports an error",)
