"""Azure's price list is read row by row: which meter counts, which GPUs a size has, what is left out."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from bouted.providers.azure_rows import read_rows
from bouted.providers.azure_sizes import SIZES, is_gpu_size
from bouted.providers.http_answers import parse_json
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.catalog.load import load_catalog
from bouted.market.offers import Market
from bouted.market.quotes import Quote, Unread
from bouted.testing.price_contracts import CONTRACT_NOW as NOW

T4 = {
    "currencyCode": "USD",
    "retailPrice": Decimal("0.526"),
    "armRegionName": "eastus",
    "effectiveStartDate": "2025-11-01T00:00:00Z",
    "meterId": "m1",
    "meterName": "NC4as T4 v3",
    "productName": "Virtual Machines NCasT4 v3 Series",
    "skuName": "NC4as T4 v3",
    "unitOfMeasure": "1 Hour",
    "type": "Consumption",
    "isPrimaryMeterRegion": True,
    "armSkuName": "Standard_NC4as_T4_v3",
}


def read(*rows: Any) -> tuple[tuple[Quote, ...], tuple[Unread, ...]]:
    return read_rows(rows, NOW, source="azure")


def a_row(**changes: Any) -> dict[str, Any]:
    return {**T4, **changes}


def test_a_row_is_read_exactly() -> None:
    (quote,), unread = read(a_row())
    assert unread == ()
    assert quote.id == "azure/eastus/Standard_NC4as_T4_v3/on_demand"
    assert (quote.gpu, quote.gpu_count, quote.price, quote.currency) == ("T4", 1, Decimal("0.526"), "USD")
    assert quote.effective_at == datetime(2025, 11, 1, tzinfo=UTC)
    assert (quote.obtainable, quote.hazard_per_hour) == (None, None)
    assert ("retailPrice", "0.526") in quote.row


@pytest.mark.parametrize(
    "spot",
    [{"meterName": "NC4as T4 v3 Spot"}, {"skuName": "NC4as T4 v3 Spot"}],
    ids=["by its meter", "by its SKU"],
)
def test_spot_is_told_by_the_name(spot: dict[str, str]) -> None:
    (quote,), _ = read(a_row(**spot))
    assert quote.market is Market.SPOT


@pytest.mark.parametrize(
    "other",
    [
        {"productName": "Virtual Machines NCasT4 v3 Series Windows"},
        {"productName": "Virtual Machines ND H100 v5 Series Win"},
        {"productName": "NCasT4 v3 Series Cloud Services"},
        {"productName": "NCasT4 v3 Series CloudServices"},
        {"productName": "NC Dedicated Host"},
        {"productName": "Virtual Machines NCasT4 v3 Series Dev/Test"},
        {"meterName": "NC4as T4 v3 Low Priority"},
        {"skuName": "NC4as T4 v3 Low Priority"},
        {"type": "Reservation", "unitOfMeasure": "1 Hour", "retailPrice": 2500},
        {"type": "DevTestConsumption"},
        {"armSkuName": ""},
        {"armSkuName": None},
        {"armSkuName": "Standard_D4s_v5"},
        {"armSkuName": "Standard_NP10s"},
        {"armSkuName": "Standard_NV6ads_A10_v5"},
        {"armSkuName": "Standard_NV48s_v3"},
        {"armSkuName": "Standard_NC6"},
        {"armSkuName": "Standard_NC24rs_v2"},
        {"armSkuName": "Standard_ND24rs"},
    ],
    ids=str,
)
def test_what_no_linux_gpu_machine_pays_by_the_hour_is_left_out_without_a_word(other: dict[str, Any]) -> None:
    assert read(a_row(**other)) == ((), ())


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (a_row(unitOfMeasure="1 Month"), "priced by 1 Month, not by 1 Hour"),
        (
            a_row(armSkuName="Standard_NC8s_Mystery_v9"),
            "which GPUs Standard_NC8s_Mystery_v9 has is not known here",
        ),
        (a_row(retailPrice="0.526"), 'retailPrice "0.526" is not a number'),
        (a_row(retailPrice=True), 'retailPrice "true" is not a number'),
        (a_row(retailPrice=None), "no retailPrice"),
        (a_row(retailPrice=Decimal("1e30")), 'retailPrice "1E+30" is not a usable number'),
        (a_row(currencyCode=""), 'currencyCode "" is not a text'),
        (a_row(armRegionName="east\nus"), 'armRegionName "\\"east\\\\nus\\"" is not a text'),
        (a_row(effectiveStartDate="soon"), "effectiveStartDate 'soon' is no time"),
        (a_row(isPrimaryMeterRegion="yes"), 'isPrimaryMeterRegion "yes" is not true or false'),
        ("a row", "the row is no object"),
        (None, "the row is no object"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_row_that_cannot_be_read_is_told_with_its_reason_and_the_rest_stays(odd: Any, reason: str) -> None:
    quotes, unread = read(a_row(armRegionName="westus2"), odd)
    assert [quote.region for quote in quotes] == ["westus2"]
    assert [one.reason for one in unread] == [reason]
    assert unread[0].row


@pytest.mark.parametrize("price", ["0", "0.0", "-1", "98765"])
def test_an_absurd_price_is_passed_on_as_it_was_said(price: str) -> None:
    (quote,), _ = read(a_row(retailPrice=Decimal(price)))
    assert quote.price == Decimal(price)


def test_a_price_in_another_currency_stays_in_it() -> None:
    (quote,), _ = read(a_row(currencyCode="EUR"))
    assert quote.currency == "EUR"


def test_a_price_that_starts_later_has_not_started_yet() -> None:
    (quote,), _ = read(a_row(effectiveStartDate="2026-07-01T00:00:00Z"))
    assert quote.effective_at == NOW


def test_a_row_that_comes_on_two_pages_counts_once() -> None:
    quotes, unread = read(a_row(), a_row())
    assert (len(quotes), unread) == (1, ())


@pytest.mark.parametrize(
    ("loser", "winner"),
    [
        (a_row(isPrimaryMeterRegion=False, effectiveStartDate="2026-01-01T00:00:00Z"), a_row()),
        (a_row(effectiveStartDate="2024-01-01T00:00:00Z"), a_row()),
        (a_row(effectiveStartDate="2026-07-01T00:00:00Z"), a_row()),
        (a_row(meterId="m0"), a_row()),
        (a_row(isPrimaryMeterRegion=None), a_row()),
    ],
    ids=["primary first", "then the newest", "but one that holds already", "then any fixed order", "unsaid"],
)
def test_of_meters_that_disagree_one_is_taken_whatever_their_order(
    loser: dict[str, Any], winner: dict[str, Any]
) -> None:
    loser = {**loser, "retailPrice": Decimal("0.9")}
    for rows in itertools.permutations((loser, winner)):
        (quote,), (unread,) = read(*rows)
        assert quote.price == Decimal("0.526")
        assert unread.reason == f"meter NC4as T4 v3 at 0.526 is taken for {quote.id}"
        assert ("retailPrice", "0.9") in unread.row


def test_a_size_without_a_primary_meter_is_quoted_too() -> None:
    (quote,), unread = read(a_row(isPrimaryMeterRegion=False))
    assert (quote.price, unread) == (Decimal("0.526"), ())


@pytest.mark.parametrize(
    ("size", "gpu", "count"),
    [
        ("Standard_NC64as_T4_v3", "T4", 4), ("Standard_NC6s_v3", "V100-16GB", 1),
        ("Standard_ND40rs_v2", "V100-32GB", 8), ("Standard_NV72ads_A10_v5", "A10", 2),
        ("Standard_NC48ads_A100_v4", "A100-80GB-PCIE", 2), ("Standard_ND96asr_v4", "A100-40GB", 8),
        ("Standard_ND96amsr_A100_v4", "A100-80GB", 8), ("Standard_NC40ads_H100_v5", "H100-NVL", 1),
        ("Standard_ND96isr_H100_v5", "H100-80GB", 8), ("Standard_ND96isr_H200_v5", "H200", 8),
        ("Standard_ND96isr_MI300X_v5", "MI300X", 8),
    ],
)  # fmt: skip
def test_a_size_has_these_gpus(size: str, gpu: str, count: int) -> None:
    assert (SIZES[size].gpu, SIZES[size].gpu_count) == (gpu, count)


def test_every_known_size_is_a_gpu_size_and_its_gpu_has_the_catalogs_name() -> None:
    known = {gpu.name for gpu in load_catalog().gpus} | {"H100-NVL"}
    for name, size in SIZES.items():
        assert is_gpu_size(name)
        assert size.gpu in known


ODD_VALUES = (
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=8)
    | st.lists(st.integers(), max_size=2) | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)  # fmt: skip
ROWS = st.dictionaries(st.sampled_from(sorted(T4)), ODD_VALUES, max_size=4).map(lambda odd: {**T4, **odd})


@given(rows=st.lists(ROWS | ODD_VALUES, max_size=6))
@settings(max_examples=150, deadline=None)
def test_whatever_the_list_holds_nothing_is_raised_and_no_price_is_made_up(rows: list[Any]) -> None:
    quotes, unread = read(*rows)
    said = [row["retailPrice"] for row in rows if isinstance(row, dict) and "retailPrice" in row]
    for quote in quotes:
        assert any(quote.price == price for price in said)
        assert quote.effective_at is None or quote.effective_at <= NOW
    assert all(one.row and one.reason.isprintable() for one in unread)
    assert len({quote.id for quote in quotes}) == len(quotes)
    assert len(quotes) + len(unread) <= len(rows)


def test_a_price_keeps_the_digits_of_the_text() -> None:
    body = parse_json(b'{"retailPrice": 0.1000000000000000055}')
    (quote,), _ = read(a_row(**body))
    assert str(quote.price) == "0.1000000000000000055"
