"""Lambda's prices keep the contract, over a stand-in for its instance-types endpoint."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bouted.providers.api_key import ApiKey
from bouted.providers.http_asking import Patience
from bouted.providers.lambdalabs import VARIABLE, LambdaPrices

from bouted.errors import Misconfigured
from bouted.market.source import PriceSource
from bouted.testing.http import Asked, Reply, StandIn, stand_in
from bouted.testing.price_contracts import CONTRACT_NOW, Fault, PriceSourceContract

QUICK = Patience(total_s=5.0, try_s=0.3, sleep=lambda _: None)
KEY = "secret_abc.123"
Answering = Callable[[Asked], Reply]


def a_type(name: str, gpu: str, count: int, cents: Any, *regions: str) -> dict[str, Any]:
    """An entry as the API gives it; the prices are those of the catalog of 2026-04-20."""
    return {
        "instance_type": {
            "name": name,
            "description": f"{count}x {gpu}",
            "gpu_description": gpu,
            "price_cents_per_hour": cents,
            "specs": {"vcpus": 30, "memory_gib": 200, "storage_gib": 1400, "gpus": count},
        },
        "regions_with_capacity_available": [{"name": one, "description": "somewhere"} for one in regions],
    }


TYPES = {
    "gpu_1x_a10": a_type("gpu_1x_a10", "A10 (24 GB PCIe)", 1, 129, "us-east-1", "us-west-1"),
    "gpu_8x_h100_sxm5": a_type("gpu_8x_h100_sxm5", "H100 (80 GB SXM5)", 8, 3192),
    "cpu_4x_general": a_type("cpu_4x_general", "N/A", 0, 20, "us-east-1"),
}
ODD = {
    "a": a_type("gpu_1x_b200_sxm6", "B200 (180 GB SXM6)", 1, "699"),
    "b": a_type("gpu_1x_b200_sxm6", "B200 (180 GB SXM6)", 1, None),
    "c": a_type("gpu_1x_b200_sxm6", "B200", 1, 699),
    "d": {"instance_type": []},
    "e": 17,
}


def giving(types: object) -> Answering:
    def answer(asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return Reply(said={"error": {"code": "global/invalid-api-key"}}, status=403)
        return Reply(said={"data": types}) if asked.path == "/instance-types" else Reply(said={}, status=404)

    return answer


SICK: dict[Fault, Answering] = {
    Fault.EMPTY: giving({}),
    Fault.HALF: lambda asked: Reply(said={"data": {}}, status=500),
    Fault.THROTTLED: lambda asked: Reply(said={}, status=429),
    Fault.SLOW: lambda asked: Reply(said={}, delay_s=1.0),
    Fault.WRONG_TYPES: giving({**TYPES, **ODD}),
    Fault.BROKEN: giving(["gpu_1x_a10"]),
    Fault.UNKNOWN_GPU: giving({**TYPES, "m": a_type("gpu_1x_m", "Mystery 9000 (9 GB PCIe)", 1, 1)}),
    Fault.DENIED: lambda asked: Reply(said={}, status=403),
    Fault.NO_CREDENTIALS: giving(TYPES),
}


class TestLambda(PriceSourceContract):
    """CLOCK_SKEW cannot be: Lambda gives no times."""

    @pytest.fixture(autouse=True)
    def servers(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.delenv(VARIABLE, raising=False)
        with ExitStack() as self.stack:
            yield

    def make(self, folder: Path) -> PriceSource:
        return a_source(self.stack.enter_context(stand_in(giving(TYPES))), folder)

    def faulty(self, folder: Path, fault: Fault) -> PriceSource | None:
        if fault not in SICK:
            return None
        server = self.stack.enter_context(stand_in(SICK[fault]))
        return a_source(server, folder, key="" if fault is Fault.NO_CREDENTIALS else KEY)


def a_source(
    server: StandIn, folder: Path, *, key: str = KEY, regions: tuple[str, ...] = ("us-east-1",)
) -> LambdaPrices:
    file = folder / "key"
    if key:
        file.write_text(f"{key}\n")
    found = ApiKey(variable=VARIABLE, file=file if key else None)
    return LambdaPrices(url=server.url, regions=regions, key=found, patience=QUICK)


def test_a_price_in_cents_is_exact_dollars_in_every_region_and_stock_follows_the_answer(
    tmp_path: Path,
) -> None:
    with stand_in(giving(TYPES)) as server:
        quotes = a_source(server, tmp_path).fetch(CONTRACT_NOW).quotes
    assert [(q.id, q.gpu, q.price, q.obtainable) for q in quotes] == [
        ("lambda/us-east-1/gpu_1x_a10/on_demand", "A10", Decimal("1.29"), None),
        ("lambda/us-east-1/gpu_8x_h100_sxm5/on_demand", "H100-80GB", Decimal("31.92"), 0),
        ("lambda/us-west-1/gpu_1x_a10/on_demand", "A10", Decimal("1.29"), None),
        ("lambda/us-west-1/gpu_8x_h100_sxm5/on_demand", "H100-80GB", Decimal("31.92"), 0),
    ]
    assert len(server.asked) == 1


def test_without_any_region_known_a_type_is_quoted_anywhere(tmp_path: Path) -> None:
    types = {"x": TYPES["gpu_8x_h100_sxm5"]}
    with stand_in(giving(types)) as server:
        (quote,) = a_source(server, tmp_path, regions=()).fetch(CONTRACT_NOW).quotes
    assert (quote.region, quote.obtainable) == ("any", 0)


def test_the_key_comes_from_the_environment_or_a_file_and_is_never_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    with stand_in(giving(TYPES)) as server:
        source = LambdaPrices.from_config({"url": server.url}, config_dir=tmp_path)
        assert source.fetch(CONTRACT_NOW).quotes
        assert source.diagnose(CONTRACT_NOW).credential == VARIABLE
        (tmp_path / "key").write_text("stale")
        options = {"url": server.url, "api_key_file": "key"}
        told = LambdaPrices.from_config(options, config_dir=tmp_path).diagnose(CONTRACT_NOW)
    assert told.credential == str(tmp_path / "key")
    assert (told.reachable, told.missing) == (True, ("a valid Lambda API key",))
    assert "stale" not in repr(told)


@pytest.mark.parametrize("content", [None, "", " \n", "two words", "schlüssel", "a\nb"])
def test_a_key_file_without_a_key_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content, encoding="utf-8")
    with stand_in(giving(TYPES)) as server:
        options = {"url": server.url, "api_key_file": "key"}
        source = LambdaPrices.from_config(options, config_dir=tmp_path)
        with pytest.raises(Misconfigured) as caught:
            source.fetch(CONTRACT_NOW)
        assert source.diagnose(CONTRACT_NOW).problem
    assert caught.value.path == str(tmp_path / "key")
    assert server.asked == []


def test_without_a_key_the_doctor_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    told = LambdaPrices.from_config({}, config_dir=tmp_path).diagnose(CONTRACT_NOW)
    assert (told.credential, told.reachable) == ("", None)
    assert VARIABLE in told.hint


def test_a_key_does_not_follow_a_redirect(tmp_path: Path) -> None:
    with stand_in(giving(TYPES)) as other:
        away = Reply(said={}, status=302, headers={"Location": f"{other.url}/instance-types"})
        with stand_in(lambda asked: away) as server:
            told = a_source(server, tmp_path).diagnose(CONTRACT_NOW)
    assert told.problem == "127.0.0.1 answered HTTP 302"
    assert other.asked == []
