"""Lambda's, RunPod's and Vast's answers are read row by row; names of machines without one."""

from decimal import Decimal
from typing import Any

import pytest
from bouted.providers.json_rows import JsonRow, Odd
from bouted.providers.lambda_rows import gpu_of
from bouted.providers.lambda_rows import read_types as read_lambda
from bouted.providers.marketplace_names import rented_name
from bouted.providers.runpod_rows import query
from bouted.providers.runpod_rows import read_types as read_runpod
from bouted.providers.vast_rows import country, read_offers
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.errors import SourceFailed
from bouted.market.offers import Market
from bouted.market.quotes import Quote
from bouted.testing.price_contracts import CONTRACT_NOW as NOW

A10 = {
    "instance_type": {
        "name": "gpu_1x_a10",
        "gpu_description": "A10 (24 GB PCIe)",
        "price_cents_per_hour": 129,
        "specs": {"gpus": 1},
    },
    "regions_with_capacity_available": [{"name": "us-east-1"}],
}
L4_POD = {
    "displayName": "L4",
    "memoryInGb": 24,
    "secureCloud": True,
    "maxGpuCountSecureCloud": 4,
    "securePrice": Decimal("0.49"),
    "x1": {
        "minimumBidPrice": Decimal("0.24"),
        "uninterruptablePrice": Decimal("0.43"),
        "stockStatus": "High",
    },
    "x2": {"minimumBidPrice": Decimal("0.99"), "uninterruptablePrice": Decimal("0.99"), "stockStatus": "New"},
    "x4": None,
}
HOST = {
    "id": 7,
    "gpu_name": "RTX 4090",
    "num_gpus": 2,
    "gpu_ram": 24564,
    "geolocation": "Texas, US",
    "dph_base": Decimal("0.80"),
    "min_bid": Decimal("0.41"),
    "reliability2": Decimal("0.976"),
    "verification": "verified",
    "rentable": True,
}


@pytest.mark.parametrize(
    ("words", "gpu"),
    [
        ("A10 (24 GB PCIe)", "A10"),
        ("A100 (40 GB SXM4)", "A100-40GB"),
        ("A100 (40 GB PCIe)", "A100-40GB-PCIE"),
        ("A100 (80 GB SXM4)", "A100-80GB"),
        ("H100 (80 GB SXM5)", "H100-80GB"),
        ("H100 (80 GB PCIe)", "H100-PCIE"),
        ("B200 (180 GB SXM6)", "B200"),
        ("RTX A6000 (48 GB)", "A6000"),
        ("RTX 6000 (24 GB)", "RTX6000"),
        ("Tesla V100 (16 GB)", "V100-16GB"),
        ("GH200 (96 GB)", "GH200"),
        ("Mystery 9000 (9 GB PCIe)", "Mystery-9000"),
    ],
)  # fmt: skip
def test_lambdas_words_name_the_gpu(words: str, gpu: str) -> None:
    assert gpu_of(JsonRow({"gpu_description": words})) == gpu
    assert gpu_of(JsonRow({"description": f"1x {words}"})) == gpu


def test_words_without_a_memory_are_not_guessed_at() -> None:
    with pytest.raises(Odd, match="does not read like"):
        gpu_of(JsonRow({"gpu_description": "A100"}))


@pytest.mark.parametrize("cents", [0, -5, 1, 129, 100_000])
def test_lambdas_cents_are_dollars_whatever_they_say(cents: int) -> None:
    kind: dict[str, Any] = {**A10["instance_type"], "price_cents_per_hour": cents}  # type: ignore[dict-item]
    quotes, unread = read_lambda({"data": {"x": {**A10, "instance_type": kind}}}, (), NOW, source="lambda")
    assert [(quote.price, quote.region) for quote in quotes] == [(Decimal(cents) / 100, "us-east-1")]
    assert unread == ()


@pytest.mark.parametrize("body", [None, [], {}, {"data": []}, {"data": None}, "x"], ids=str)
def test_what_is_no_list_of_lambdas_types_is_a_failure(body: object) -> None:
    with pytest.raises(SourceFailed, match="something else"):
        read_lambda(body, (), NOW, source="lambda")


def runpod(*rows: Any) -> dict[str, Quote]:
    quotes, _ = read_runpod(list(rows), "US", NOW, source="runpod")
    return {f"{quote.instance_type} {quote.market}": quote for quote in quotes}


def test_runpods_price_is_that_of_one_gpu_times_their_number_and_never_that_of_the_larger_pod() -> None:
    quotes = runpod(L4_POD)
    assert {name: quote.price for name, quote in quotes.items()} == {
        "1x_L4 on_demand": Decimal("0.43"), "1x_L4 spot": Decimal("0.24"),
        "2x_L4 on_demand": Decimal("0.86"), "2x_L4 spot": Decimal("0.48"),
        "4x_L4 on_demand": Decimal("1.72"), "4x_L4 spot": Decimal("0.96"),
    }  # fmt: skip


def test_runpods_word_for_stock_is_a_number_of_pods_and_a_new_word_is_not_known() -> None:
    quotes = runpod(L4_POD)
    stock = [quotes[f"{count}x_L4 on_demand"].obtainable for count in (1, 2, 4)]
    assert stock == [8, None, 0]


def test_a_slice_of_a_gpu_and_a_nameless_one_are_not_rented() -> None:
    assert runpod({**L4_POD, "displayName": "B300 MIG 1g"}, {**L4_POD, "displayName": "unknown"}) == {}


def test_runpod_is_asked_for_all_counts_at_once_of_its_secure_cloud_only() -> None:
    assert [
        f"x{n}: lowestPrice(input: {{gpuCount: {n}, secureCloud: true}})" in query() for n in (1, 2, 4, 8)
    ] == [True] * 4
    assert query().count("{") == query().count("}")


def vast(*rows: Any) -> list[Quote]:
    return list(read_offers(rows, NOW, source="vast")[0])


def test_a_vast_machine_is_priced_whole_and_its_score_is_a_hazard() -> None:
    on_demand, spot = vast(HOST)
    assert (on_demand.market, on_demand.price, on_demand.gpu_count) == (Market.ON_DEMAND, Decimal("0.80"), 2)
    assert on_demand.hazard_per_hour == pytest.approx(0.024 / 24)
    assert (spot.market, spot.price, spot.hazard_per_hour) == (Market.SPOT, Decimal("0.41"), None)


@pytest.mark.parametrize("bid", [0, Decimal("0.00"), None])
def test_a_bid_of_nothing_means_that_there_is_no_spot(bid: object) -> None:
    assert [quote.market for quote in vast({**HOST, "min_bid": bid})] == [Market.ON_DEMAND]


@pytest.mark.parametrize(
    "other",
    [
        {"rentable": False}, {"rented": True}, {"verified": False}, {"verification": "unverified"},
        {"verification": "deverified"}, {"num_gpus": 0},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_rented_or_is_unverified_is_left_out(other: dict[str, object]) -> None:
    assert read_offers([{**HOST, **other}], NOW, source="vast") == ((), ())


@pytest.mark.parametrize("unsaid", ["rentable", "verification", "min_bid", "reliability2"])
def test_what_a_vast_host_need_not_say(unsaid: str) -> None:
    assert vast({key: value for key, value in HOST.items() if key != unsaid})


def test_a_free_machine_does_not_hide_the_cheapest() -> None:
    quotes, unread = read_offers([HOST, {**HOST, "id": 8, "dph_base": 0}], NOW, source="vast")
    assert [quote.price for quote in quotes] == [Decimal("0.80"), Decimal("0.41")]
    assert [one.reason for one in unread] == ["dph_base 0 is no price, and would be the cheapest"]


def test_a_machine_that_is_listed_twice_counts_once() -> None:
    assert [quote.obtainable for quote in vast(HOST, HOST)] == [1, 1]


@pytest.mark.parametrize(
    ("place", "letters"),
    [("Texas, US", "US"), ("Georgia, US, NA", "US"), ("Sweden, SE", "SE"), ("SE", "SE"), (", KR", "KR")],
)
def test_a_place_lies_in_a_country(place: str, letters: str) -> None:
    assert country(place) == letters


@pytest.mark.parametrize("place", ["Texas", "Utopia, ut", "USA", ","])
def test_a_place_in_no_country_is_not_guessed_at(place: str) -> None:
    with pytest.raises(Odd, match="names no country"):
        country(place)


@pytest.mark.parametrize(
    ("gpu", "count", "gib", "name"),
    [
        ("RTX 4090", 1, 24.0, "1x_RTX_4090"), ("A100 SXM4", 8, 79.6, "8x_A100_80GB_SXM4"),
        ("A100 PCIE", 1, 40.0, "1x_A100_40GB_PCIe"), ("Tesla V100", 4, 15.8, "4x_V100_16GB"),
        ("V100 SXM2 32GB", 1, 32.0, "1x_V100_SXM2_32GB"), ("H100 SXM", 2, 80.0, "2x_H100_SXM"),
        ("RTX PRO 6000 S", 1, 95.6, "1x_RTX_PRO_6000_S"), ("L40S", 4, 45.0, "4x_L40S"),
    ],
)  # fmt: skip
def test_a_rented_machine_is_named_after_its_gpus(gpu: str, count: int, gib: float, name: str) -> None:
    assert rented_name(gpu, count, gib) == name


ODD_VALUES = (
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=8)
    | st.lists(st.integers(), max_size=2) | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)  # fmt: skip


def odd(row: dict[str, Any]) -> st.SearchStrategy[Any]:
    """The row with some fields replaced by anything, also one level down; or something else altogether."""
    inner = st.sampled_from([key for key, value in row.items() if isinstance(value, dict)] or [""])
    deep = st.tuples(inner, st.dictionaries(st.sampled_from(DEEP), ODD_VALUES, max_size=2)).map(
        lambda change: {**row, change[0]: {**row[change[0]], **change[1]}} if change[0] else row
    )
    flat = st.dictionaries(st.sampled_from(sorted(row)), ODD_VALUES, max_size=3)
    return st.tuples(deep, flat).map(lambda both: {**both[0], **both[1]}) | ODD_VALUES


DEEP = ("name", "gpu_description", "price_cents_per_hour", "specs", "minimumBidPrice", "uninterruptablePrice",
        "stockStatus")  # fmt: skip


def numbers_in(value: Any) -> set[Decimal]:
    """Every number that was said anywhere."""
    if isinstance(value, dict):
        return set().union(*(numbers_in(one) for one in value.values()))
    if isinstance(value, list):
        return set().union(*(numbers_in(one) for one in value))
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return set()
    return {Decimal(value)} if Decimal(value).is_finite() else set()


@given(rows=st.lists(odd(A10), max_size=4))
@settings(max_examples=100, deadline=None)
def test_whatever_lambda_says_no_price_is_made_up(rows: list[Any]) -> None:
    quotes, unread = read_lambda({"data": dict(enumerate(rows))}, ("eu",), NOW, source="lambda")
    assert all(quote.price * 100 in numbers_in(rows) for quote in quotes)
    assert all(one.row and one.reason.isprintable() for one in unread)
    assert len({quote.id for quote in quotes}) == len(quotes)


@given(rows=st.lists(odd(L4_POD), max_size=4))
@settings(max_examples=100, deadline=None)
def test_whatever_runpod_says_no_price_is_made_up(rows: list[Any]) -> None:
    quotes, unread = read_runpod(rows, "US", NOW, source="runpod")
    assert all(quote.price in {one * quote.gpu_count for one in numbers_in(rows)} for quote in quotes)
    assert all(one.row and one.reason.isprintable() for one in unread)
    assert len({quote.id for quote in quotes}) == len(quotes)


@given(rows=st.lists(odd(HOST), max_size=4))
@settings(max_examples=100, deadline=None)
def test_whatever_vast_says_no_price_is_made_up(rows: list[Any]) -> None:
    quotes, unread = read_offers(rows, NOW, source="vast")
    assert all(quote.price > 0 and quote.price in numbers_in(rows) for quote in quotes)
    assert all(quote.hazard_per_hour is None or 0 <= quote.hazard_per_hour <= 1 for quote in quotes)
    assert all(one.row and one.reason.isprintable() for one in unread)
    assert len({quote.id for quote in quotes}) == len(quotes)
