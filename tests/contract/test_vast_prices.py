"""Vast's prices keep the contract, over a stand-in that cuts answers short the way Vast does."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bouted.providers.http_asking import Patience
from bouted.providers.vast import VastPrices

from bouted.market.source import PriceSource
from bouted.testing.http import Asked, Reply, StandIn, stand_in
from bouted.testing.price_contracts import CONTRACT_NOW, Fault, PriceSourceContract

QUICK = Patience(total_s=5.0, try_s=0.3, sleep=lambda _: None)
Answering = Callable[[Asked], Reply]


def an_offer(number: int, gpu: str, gib: int, price: float, **changes: Any) -> dict[str, Any]:
    """An offer as the API gives it."""
    return {
        "id": number,
        "machine_id": number // 10,
        "gpu_name": gpu,
        "num_gpus": 1,
        "gpu_ram": gib * 1024,
        "geolocation": "Texas, US",
        "dph_base": price,
        "dph_total": price + 0.01,
        "min_bid": round(price / 2, 3),
        "reliability2": 0.976,
        "verification": "verified",
        "verified": None,
        "rentable": True,
        "rented": False,
        **changes,
    }


OFFERS = [
    an_offer(1, "RTX 4090", 24, 0.40),
    an_offer(2, "RTX 4090", 24, 0.45),
    an_offer(3, "RTX 4090", 24, 0.38, geolocation="Sweden, SE", min_bid=0.0),
    an_offer(4, "A100 SXM4", 40, 0.76),
    an_offer(5, "A100 SXM4", 80, 1.10),
    an_offer(6, "H100 SXM", 80, 14.96, num_gpus=8),
]
ODD: list[Any] = [
    an_offer(11, "L40S", 48, 0.60, dph_base="0.60"),
    an_offer(12, "L40S", 48, 0.60, dph_base=0),
    an_offer(13, "L40S", 48, 0.60, min_bid=-1),
    an_offer(14, "L40S", 48, 0.60, geolocation=None),
    an_offer(15, "L40S", 48, 0.60, num_gpus=1.5),
    an_offer(16, "L40S", 48, 0.60, gpu_ram=[]),
    an_offer(17, "L40S", 48, 0.60, rentable="yes"),
    an_offer(18, "L40S", 48, 0.60, reliability2=97.6),
    "L40S",
]


def giving(offers: list[Any], *, most: int = 3) -> Answering:
    """Answers cheap to dear, `most` at a time whatever the limit, and honours the least dph_total."""

    def dph_total(offer: Any) -> Any:
        found = offer.get("dph_total") if isinstance(offer, dict) else None
        return found if isinstance(found, float) else 0.0

    def answer(asked: Asked) -> Reply:
        question = asked.json()
        least = question.get("dph_total", {}).get("gte", 0.0)
        fitting = sorted((one for one in offers if dph_total(one) >= least), key=dph_total)
        return Reply(said={"offers": fitting[: min(most, question["limit"])]})

    return answer


def second_page_fails(asked: Asked) -> Reply:
    return Reply(said={}, status=500) if "dph_total" in asked.json() else giving(OFFERS)(asked)


SICK: dict[Fault, Answering] = {
    Fault.EMPTY: giving([]),
    Fault.HALF: second_page_fails,
    Fault.THROTTLED: lambda asked: Reply(said={}, status=429, headers={"Retry-After": "30"}),
    Fault.SLOW: lambda asked: Reply(said={}, delay_s=1.0),
    Fault.WRONG_TYPES: giving([*OFFERS, *ODD], most=100),
    Fault.BROKEN: lambda asked: Reply(said={"success": False, "msg": "Invalid query"}),
    Fault.UNKNOWN_GPU: giving([*OFFERS, an_offer(21, "Mystery 9000", 90, 0.9)]),
}


class TestVast(PriceSourceContract):
    """CLOCK_SKEW cannot be: Vast gives no times. DENIED and NO_CREDENTIALS cannot be: nobody logs in."""

    @pytest.fixture(autouse=True)
    def servers(self) -> Iterator[None]:
        with ExitStack() as self.stack:
            yield

    def make(self, folder: Path) -> PriceSource:
        return a_source(self.stack.enter_context(stand_in(giving(OFFERS))))

    def faulty(self, folder: Path, fault: Fault) -> PriceSource | None:
        return a_source(self.stack.enter_context(stand_in(SICK[fault]))) if fault in SICK else None


def a_source(server: StandIn) -> VastPrices:
    return VastPrices(url=server.url, gpus=(), least_gpu_gib=14.0, patience=QUICK)


def test_each_kind_and_country_is_quoted_at_its_cheapest_with_how_many_there_are() -> None:
    with stand_in(giving(OFFERS)) as server:
        quotes = a_source(server).fetch(CONTRACT_NOW).quotes
    assert {q.id: (q.gpu, q.price, q.obtainable) for q in quotes} == {
        "vast/US/1x_RTX_4090/on_demand": ("RTX4090", Decimal("0.4"), 2),
        "vast/US/1x_RTX_4090/spot": ("RTX4090", Decimal("0.2"), 2),
        "vast/SE/1x_RTX_4090/on_demand": ("RTX4090", Decimal("0.38"), 1),
        "vast/US/1x_A100_40GB_SXM4/on_demand": ("A100-40GB", Decimal("0.76"), 1),
        "vast/US/1x_A100_40GB_SXM4/spot": ("A100-40GB", Decimal("0.38"), 1),
        "vast/US/1x_A100_80GB_SXM4/on_demand": ("A100-80GB", Decimal("1.1"), 1),
        "vast/US/1x_A100_80GB_SXM4/spot": ("A100-80GB", Decimal("0.55"), 1),
        "vast/US/8x_H100_SXM/on_demand": ("H100-80GB", Decimal("14.96"), 1),
        "vast/US/8x_H100_SXM/spot": ("H100-80GB", Decimal("7.48"), 1),
    }


def test_an_answer_that_vast_cuts_short_is_read_to_its_end() -> None:
    many = [an_offer(n, "RTX 4090", 24, 0.30 + n / 1000) for n in range(100)]
    with stand_in(giving(many, most=16)) as server:
        quotes = a_source(server).fetch(CONTRACT_NOW).quotes
    assert {quote.obtainable for quote in quotes} == {100}
    questions = [asked.json() for asked in server.asked]
    assert len(questions) == 8
    assert all(question["limit"] == 1000 for question in questions)
    assert all(question["order"] == [["dph_total", "asc"]] for question in questions)
    assert questions[0]["verified"] == questions[0]["rentable"] == {"eq": True}


def test_offers_that_do_not_come_in_order_are_a_gap() -> None:
    def answer(asked: Asked) -> Reply:
        dear = "dph_total" not in asked.json()
        return Reply(said={"offers": [OFFERS[0 if dear else 2]]})

    with stand_in(answer) as server:
        half = a_source(server).fetch(CONTRACT_NOW)
    assert half.gaps == ("after 2 offers: the offers do not come in order of dph_total",)


def test_the_config_narrows_the_question(tmp_path: Path) -> None:
    options = {"gpus": ["H100 SXM", "L40S"], "least_gpu_gib": 40}
    with stand_in(giving(OFFERS)) as server:
        source = VastPrices.from_config({**options, "url": server.url}, config_dir=tmp_path)
        source.fetch(CONTRACT_NOW)
    assert server.asked[0].json()["gpu_name"] == {"in": ["H100 SXM", "L40S"]}
    assert server.asked[0].json()["gpu_ram"] == {"gte": 40 * 1024}


def test_the_doctor_asks_for_a_single_offer() -> None:
    with stand_in(giving(OFFERS)) as server:
        told = a_source(server).diagnose(CONTRACT_NOW)
    assert (told.credential, told.reachable) == ("not needed", True)
    assert [asked.json()["limit"] for asked in server.asked] == [1]
