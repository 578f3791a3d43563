"""RunPod's prices keep the contract, over a stand-in for its GraphQL endpoint."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bouted.providers.api_key import ApiKey
from bouted.providers.http_asking import Patience
from bouted.providers.runpod import VARIABLE, RunpodPrices

from bouted.errors import SourceFailed
from bouted.market.offers import Market
from bouted.market.source import PriceSource
from bouted.testing.http import Asked, Reply, StandIn, stand_in
from bouted.testing.price_contracts import CONTRACT_NOW, Fault, PriceSourceContract

QUICK = Patience(total_s=5.0, try_s=0.3, sleep=lambda _: None)
KEY = "rpa_ABC"
Answering = Callable[[Asked], Reply]


def lowest(each: Any, bid: Any, stock: str | None) -> dict[str, Any]:
    return {"minimumBidPrice": bid, "uninterruptablePrice": each, "stockStatus": stock}


def a_type(name: str, gib: int, secure: Any, stock: dict[int, str], **changes: Any) -> dict[str, Any]:
    """A GPU type as the API gives it: for what is sold out the prices are null."""
    return {
        "id": f"NVIDIA {name}",
        "displayName": name,
        "memoryInGb": gib,
        "secureCloud": True,
        "maxGpuCountSecureCloud": 8,
        "securePrice": secure,
        **{
            f"x{n}": lowest(secure, 0.89, stock[n]) if n in stock else lowest(None, None, None)
            for n in (1, 2, 4, 8)
        },
        **changes,
    }


A100 = a_type("A100 PCIe", 80, 1.39, {1: "High", 2: "Medium", 4: "Low"})
SOLD_OUT = a_type("H100 SXM", 80, 3.29, {}, maxGpuCountSecureCloud=2)
COMMUNITY = a_type("RTX 3070", 8, 0.13, {1: "High"}, secureCloud=False)
TYPES = [A100, SOLD_OUT, COMMUNITY]
ODD: list[Any] = [
    {**A100, "displayName": 100},
    {**A100, "displayName": "L4", "memoryInGb": None},
    {**A100, "displayName": "L40S", "x1": lowest("1.39", None, "High")},
    {**A100, "displayName": "A40", "x2": []},
    {"displayName": "B200", "memoryInGb": 180},
    "A100",
]


def giving(types: object, **beside: object) -> Answering:
    return lambda asked: Reply(said={"data": {"gpuTypes": types}, **beside})


SICK: dict[Fault, Answering] = {
    Fault.EMPTY: giving([]),
    Fault.HALF: giving(TYPES[:1], errors=[{"message": "gpuTypes[1]: timed\nout"}]),
    Fault.THROTTLED: lambda asked: Reply(said={}, status=429, headers={"Retry-After": "1"}),
    Fault.SLOW: lambda asked: Reply(said={}, delay_s=1.0),
    Fault.WRONG_TYPES: giving([*TYPES, *ODD]),
    Fault.BROKEN: giving("down for maintenance"),
    Fault.UNKNOWN_GPU: giving([*TYPES, a_type("Mystery 9000", 9, 0.09, {1: "Low"})]),
    Fault.DENIED: lambda asked: Reply(said={}, status=401),
    Fault.NO_CREDENTIALS: lambda asked: Reply(said={}, status=401),
}


class TestRunpod(PriceSourceContract):
    """CLOCK_SKEW cannot be: RunPod gives no times."""

    @pytest.fixture(autouse=True)
    def servers(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.delenv(VARIABLE, raising=False)
        with ExitStack() as self.stack:
            yield

    def make(self, folder: Path) -> PriceSource:
        return a_source(self.stack.enter_context(stand_in(giving(TYPES))))

    def faulty(self, folder: Path, fault: Fault) -> PriceSource | None:
        if fault not in SICK:
            return None
        file = folder / "key"
        file.write_text(KEY)
        server = self.stack.enter_context(stand_in(SICK[fault]))
        return a_source(server, None if fault is Fault.NO_CREDENTIALS else file)


def a_source(server: StandIn, file: Path | None = None) -> RunpodPrices:
    key = ApiKey(variable=VARIABLE, file=file)
    return RunpodPrices(url=server.url, region="US", key=key, patience=QUICK)


def test_one_request_brings_all_and_the_price_of_one_gpu_is_multiplied() -> None:
    with stand_in(giving(TYPES)) as server:
        quotes = a_source(server).fetch(CONTRACT_NOW).quotes
    assert len(server.asked) == 1
    said = {q.id: (q.gpu, q.price, q.obtainable) for q in quotes}
    assert said["runpod/US/4x_A100_80GB_PCIe/on_demand"] == ("A100-80GB-PCIE", Decimal("5.56"), 1)
    assert said["runpod/US/2x_A100_80GB_PCIe/spot"] == ("A100-80GB-PCIE", Decimal("1.78"), 3)
    assert said["runpod/US/8x_A100_80GB_PCIe/on_demand"] == ("A100-80GB-PCIE", Decimal("11.12"), 0)


def test_what_is_sold_out_keeps_its_list_price_and_has_no_spot_and_no_stock() -> None:
    with stand_in(giving([SOLD_OUT])) as server:
        quotes = a_source(server).fetch(CONTRACT_NOW).quotes
    assert [(q.instance_type, q.market, q.price, q.obtainable) for q in quotes] == [
        ("1x_H100_SXM", Market.ON_DEMAND, Decimal("3.29"), 0),
        ("2x_H100_SXM", Market.ON_DEMAND, Decimal("6.58"), 0),
    ]


def test_errors_without_data_are_told_in_one_line() -> None:
    body = {"errors": [{"message": "Something\nwent wrong"}], "data": None}
    with stand_in(lambda asked: Reply(said=body)) as server, pytest.raises(SourceFailed) as caught:
        a_source(server).fetch(CONTRACT_NOW)
    assert str(caught.value) == 'RunPod reports: "Something\\nwent wrong"'


def test_a_key_is_sent_when_there_is_one_and_none_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with stand_in(giving(TYPES)) as server:
        source = RunpodPrices.from_config({"url": server.url, "region": "NL"}, config_dir=tmp_path)
        assert {quote.region for quote in source.fetch(CONTRACT_NOW).quotes} == {"NL"}
        assert source.diagnose(CONTRACT_NOW).credential == "not needed"
        monkeypatch.setenv(VARIABLE, KEY)
        assert source.diagnose(CONTRACT_NOW).credential == VARIABLE
    assert "authorization" not in server.asked[0].headers
    assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
