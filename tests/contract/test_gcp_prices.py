"""The source `gcp` keeps the contract: the real Google clients against a stand-in on this machine."""

import copy
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bouted.providers.gcp import GcpPrices

from bouted.market.source import Diagnoses, Notices, PriceSource
from bouted.testing.gcp import (
    GcpCall,
    GcpCloud,
    a_gcp_cloud,
    a_history,
    a_machine_type,
    gcp_stand_in,
    google_error,
)
from bouted.testing.http import Asked, Reply
from bouted.testing.price_contracts import CONTRACT_NOW, Fault, PriceSourceContract


class TestGcp(PriceSourceContract):
    stack: ExitStack
    patch: pytest.MonkeyPatch

    @pytest.fixture(autouse=True)
    def _servers(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.patch = monkeypatch
        with ExitStack() as self.stack:
            yield

    def make(self, folder: Path) -> PriceSource:
        return self._source(a_gcp_cloud(CONTRACT_NOW), folder)

    def faulty(self, folder: Path, fault: Fault) -> PriceSource | None:
        if fault is Fault.NO_CREDENTIALS:
            return self._without_credentials(folder)
        cloud = a_gcp_cloud(CONTRACT_NOW)
        _SPOILED[fault](cloud)
        return self._source(cloud, folder)

    def test_it_can_be_examined_and_gives_notices(self, tmp_path: Path) -> None:
        source = self.make(tmp_path)
        assert isinstance(source, Diagnoses)
        assert isinstance(source, Notices)

    def _source(self, cloud: GcpCloud, folder: Path) -> PriceSource:
        server = self.stack.enter_context(gcp_stand_in(cloud))
        options: dict[str, Any] = {"endpoint": server.url, "project": "p", "call_timeout_s": 0.5}
        return GcpPrices.from_config(options, config_dir=folder)

    def _without_credentials(self, folder: Path) -> PriceSource:
        self.patch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        self.patch.setenv("CLOUDSDK_CONFIG", str(folder))
        self.patch.setenv("NO_GCE_CHECK", "true")
        return GcpPrices.from_config({}, config_dir=folder)


def _empty(cloud: GcpCloud) -> None:
    cloud.machine_types, cloud.skus = {}, []


def _half(cloud: GcpCloud) -> None:
    cloud.page_size = 2
    cloud.instead = lambda call, asked: (
        Reply(said={}, status=500) if asked.query.get("pageToken") and call is GcpCall.MACHINE_TYPES else None
    )


def _always(reply: Reply) -> Any:
    def spoil(cloud: GcpCloud) -> None:
        cloud.instead = lambda call, asked: reply

    return spoil


def _wrong_types(cloud: GcpCloud) -> None:
    wrong = copy.deepcopy(cloud.machine_types["us-central1-a"][0])
    cloud.machine_types["us-central1-a"] += [{**wrong, "guestCpus": "four"}, {**wrong, "accelerators": []}]
    sku = copy.deepcopy(cloud.skus[2])
    sku["pricingInfo"][0]["pricingExpression"]["tieredRates"][0]["unitPrice"]["units"] = "many"
    cloud.skus.append(sku)
    cloud.skus.append({**cloud.skus[2], "pricingInfo": "none"})
    cloud.histories["us-central1-b", "g2-standard-4"] = {"priceHistory": [{"listPrice": "cheap"}]}


def _unknown_gpu(cloud: GcpCloud) -> None:
    mystery = a_machine_type("g2-mystery-1", vcpus=4, memory_mb=16384, accelerator="mystery-9000")
    cloud.machine_types["us-central1-a"].append(mystery)
    cloud.histories["us-central1-a", "g2-mystery-1"] = a_history((CONTRACT_NOW - timedelta(days=1), "0.5"))


def _clock_skew(cloud: GcpCloud) -> None:
    ahead = CONTRACT_NOW + timedelta(days=1)
    cloud.histories = {key: a_history((ahead, "0.3"), rate=0.1) for key in cloud.histories}
    for sku in cloud.skus:
        sku["pricingInfo"][0]["effectiveTime"] = ahead.isoformat()


def _denied(cloud: GcpCloud) -> None:
    def instead(call: GcpCall, asked: Asked) -> Reply:
        return google_error(
            403, "forbidden", "Required 'compute.machineTypes.list' permission for 'projects/p'"
        )

    cloud.instead = instead


_SPOILED = {
    Fault.EMPTY: _empty,
    Fault.HALF: _half,
    Fault.THROTTLED: _always(google_error(403, "rateLimitExceeded", "Rate Limit Exceeded")),
    Fault.SLOW: _always(Reply(said={}, delay_s=1.5)),
    Fault.WRONG_TYPES: _wrong_types,
    Fault.BROKEN: _always(Reply(said=b"<html>Sign in</html>")),
    Fault.UNKNOWN_GPU: _unknown_gpu,
    Fault.CLOCK_SKEW: _clock_skew,
    Fault.DENIED: _denied,
}
