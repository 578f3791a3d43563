"""gpuhunt's items, read as quotes."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from bouted.providers.gpuhunt_rows import ItemReader
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.catalog.load import load_catalog
from bouted.market.quotes import Answer

GPUS = load_catalog().gpus
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ITEM = {
    "provider": "aws",
    "instance_name": "g6.xlarge",
    "location": "us-east-1",
    "price": "0.8048",
    "cpu": "4",
    "memory": "16.0",
    "gpu_count": "1",
    "gpu_name": "L4",
    "gpu_memory": "22.0",
    "spot": "False",
    "disk_size": "",
    "gpu_vendor": "nvidia",
    "flags": "",
    "cpu_arch": "x86",
}


def read(*changes: dict[str, str]) -> Answer:
    reader = ItemReader("gpuhunt", GPUS)
    reader.read([{**ITEM, **change} for change in changes], NOW)
    return reader.answer(())


@pytest.mark.parametrize(
    ("change", "offer", "gpu"),
    [
        ({}, "aws/us-east-1/g6.xlarge/on_demand", "L4"),
        ({"spot": "True"}, "aws/us-east-1/g6.xlarge/spot", "L4"),
        ({"provider": "gcp", "location": "us-central1-a"}, "gcp/us-central1-a/g6.xlarge/on_demand", "L4"),
        ({"provider": "lambdalabs"}, "lambda/us-east-1/g6.xlarge/on_demand", "L4"),
        ({"gpu_name": "A100", "gpu_memory": "40"}, "aws/us-east-1/g6.xlarge/on_demand", "A100-40GB"),
        ({"gpu_name": "A100", "gpu_memory": "80"}, "aws/us-east-1/g6.xlarge/on_demand", "A100-80GB"),
        ({"gpu_name": "V100", "gpu_memory": "32"}, "aws/us-east-1/g6.xlarge/on_demand", "V100-32GB"),
        (
            {"instance_name": "Standard_NC24ads_A100_v4", "gpu_name": "A100", "gpu_memory": "80"},
            "aws/us-east-1/Standard_NC24ads_A100_v4/on_demand",
            "A100-80GB-PCIE",
        ),
        ({"gpu_name": "A10", "gpu_memory": "4"}, "aws/us-east-1/g6.xlarge/on_demand", "A10-0.178"),
        (
            {"provider": "runpod", "instance_name": "NVIDIA L40S", "gpu_count": "4", "location": "EU-RO-1"},
            "runpod/EU-RO-1/4x_L40S/on_demand",
            "L4",
        ),
    ],
)
def test_an_item_is_an_offer_in_its_place(change: dict[str, str], offer: str, gpu: str) -> None:
    (quote,) = read(change).quotes
    assert (quote.id, quote.gpu) == (offer, gpu)
    assert quote.price == Decimal("0.8048")
    assert dict(quote.row) == {**ITEM, **change}


@pytest.mark.parametrize(
    "change",
    [
        {"flags": "gcp-dws-calendar-mode"},
        {"flags": "gcp-a4 gcp-dws-calendar-mode"},
        {"flags": "runpod-cluster"},
        {"gpu_vendor": "google", "gpu_name": "v5litepod-8"},
    ],
)
def test_what_is_not_rented_one_by_one_at_will_and_what_is_no_gpu_is_passed_over(
    change: dict[str, str],
) -> None:
    assert read(change) == Answer(quotes=())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"price": "nan"}, "price 'nan' is no usable number"),
        ({"gpu_name": ""}, "no gpu_name"),
        ({"location": ""}, "no location"),
        ({"gpu_count": "0"}, "gpu_count '0' is no whole number from 1 to 1024"),
        ({"gpu_memory": "inf"}, "gpu_memory 'inf' is no usable number"),
        ({"instance_name": "a\x00b"}, "instance_name holds a control character"),
    ],
)
def test_an_item_that_cannot_be_read_is_kept_with_its_reason(change: dict[str, str], reason: str) -> None:
    answer = read({"instance_name": "sound"}, change)
    assert [quote.instance_type for quote in answer.quotes] == ["sound"]
    assert [unread.reason for unread in answer.unread] == [reason]


def test_a_price_of_nothing_is_what_it_says() -> None:
    assert read({"price": "0.0"}).quotes[0].price == 0


def test_an_item_listed_twice_for_two_readers_is_one_quote() -> None:
    answer = read({"flags": "gcp-g4"}, {"flags": "gcp-g4-preview"})
    assert len(answer.quotes) == 1
    assert answer.unread == ()


@given(
    changes=st.lists(
        st.dictionaries(
            st.sampled_from(sorted(ITEM)),
            st.sampled_from(["", "0", "-3", "nan", "1e9", "True", "gcp", "runpod", "L4"])
            | st.text(max_size=6),
        ),
        max_size=5,
    )
)
@settings(max_examples=200)
def test_whatever_the_items_hold_every_price_stands_in_them(changes: list[dict[str, str]]) -> None:
    answer = read(*changes)
    for quote in answer.quotes:
        assert quote.price == Decimal(dict(quote.row)["price"])
        assert quote.gpu_count >= 1
        assert quote.gpu
