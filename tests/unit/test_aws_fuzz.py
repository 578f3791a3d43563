"""Whatever AWS or the offer file sends: errors of bouted or right prices, never anything else."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from time import monotonic

import pytest
from bouted.providers.aws_bulk import ask_offer_file
from bouted.providers.aws_client import AwsClient
from bouted.providers.aws_notices import read_notice
from bouted.providers.aws_on_demand import ask_price_list
from bouted.providers.aws_specs import Spec, read_specs
from bouted.providers.aws_spot import SpotPage, read_spot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bouted.errors import BoutedError
from bouted.testing.aws import a_product
from bouted.testing.http import Asked, Reply, StandIn, stand_in

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
REGION, KIND, PRICE = "us-east-1", "g6.xlarge", "0.8048000000"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SOUND_ROW = {
    "AvailabilityZoneId": "use1-az6",
    "InstanceType": KIND,
    "ProductDescription": "Linux/UNIX",
    "SpotPrice": PRICE,
    "Timestamp": "2026-05-31T10:00:00Z",
}
SOUND_TYPE = {
    "InstanceType": KIND,
    "GpuInfo": {"Gpus": [{"Name": "L4", "Count": 1, "MemoryInfo": {"SizeInMiB": 1}}]},
}
PAGE = SpotPage(
    source="aws",
    region=REGION,
    specs={KIND: Spec(instance_type=KIND, gpu="L4", gpu_count=1)},
    zone_ids={},
    now=NOW,
)
OVER_THE_WIRE = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def spoilt(sound: Mapping[str, object]) -> st.SearchStrategy[dict[str, object]]:
    """A sound row some of whose columns hold anything, or are gone."""
    return st.fixed_dictionaries({}, optional={key: st.just(value) | JSON for key, value in sound.items()})


@given(rows=st.lists(JSON | spoilt(SOUND_ROW), max_size=4))
def test_no_spot_row_trips_the_reader_and_prices_are_those_that_were_said(rows: list[object]) -> None:
    quotes, unread = read_spot(rows, PAGE)
    said = {
        row.get("SpotPrice")
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("SpotPrice"), str)
    }
    assert {str(quote.price) for quote in quotes} <= {text.strip() for text in said if isinstance(text, str)}
    assert all(row.reason and row.row and "\n" not in row.reason for row in unread)
    assert all(quote.effective_at is not None and quote.observed_at <= NOW for quote in quotes)


@given(rows=st.lists(JSON | spoilt(SOUND_TYPE), max_size=4))
def test_no_instance_type_trips_the_reader(rows: list[object]) -> None:
    specs, unread = read_specs(rows, "aws")
    assert all(spec.gpu_count >= 1 and spec.gpu for spec in specs.values())
    assert all(row.reason and row.row for row in unread)


@given(body=st.text(max_size=40) | JSON.map(json.dumps))
def test_no_message_trips_the_reader(body: str) -> None:
    assert read_notice(body, "r") is None


class Wire:
    """A server whose next answer the test sets."""

    def __init__(self) -> None:
        self.body = b""

    def answer(self, asked: Asked) -> Reply:
        return Reply(said=self.body)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Wire, StandIn]]:
    wire = Wire()
    with stand_in(wire.answer) as server:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_CONFIG_FILE": "/nonexistent",
        }.items():
            monkeypatch.setenv(name, value)
        yield wire, server


def mangled(sound: bytes) -> st.SearchStrategy[bytes]:
    """A sound body with a piece cut out or put in."""
    places = st.integers(0, len(sound))

    def cut(place: int, length: int, piece: bytes) -> bytes:
        return sound[:place] + piece + sound[place + length :]

    pieces = st.sampled_from(
        [b"", b"<item>", b"</item>", b"<x/>", b'"', b"{", b"]", b"\x00", b"\xff", b"9", b"\n"]
    )
    return st.builds(cut, places, st.integers(0, 30), pieces | st.binary(max_size=6))


XML = f"""<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId>
<spotPriceHistorySet><item><instanceType>{KIND}</instanceType><productDescription>Linux/UNIX</productDescription>
<spotPrice>{PRICE}</spotPrice><timestamp>2026-05-31T10:00:00.000Z</timestamp>
<availabilityZone>us-east-1a</availabilityZone><availabilityZoneId>use1-az6</availabilityZoneId></item>
</spotPriceHistorySet><nextToken></nextToken></DescribeSpotPriceHistoryResponse>""".encode()
TYPES_XML = f"""<DescribeInstanceTypesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId>
<instanceTypeSet><item><instanceType>{KIND}</instanceType><gpuInfo><gpus><item><name>L4</name><count>1</count>
<memoryInfo><sizeInMiB>22888</sizeInMiB></memoryInfo></item></gpus></gpuInfo></item></instanceTypeSet>
</DescribeInstanceTypesResponse>""".encode()


@pytest.mark.parametrize(
    ("operation", "key", "sound"),
    [
        ("describe_spot_price_history", "SpotPriceHistory", XML),
        ("describe_instance_types", "InstanceTypes", TYPES_XML),
    ],
)
def test_no_xml_body_gets_past_the_client_but_as_rows_or_a_named_problem(
    wire: tuple[Wire, StandIn], operation: str, key: str, sound: bytes
) -> None:
    client = AwsClient("", timeout_s=5, attempts=1)
    ask = partial(client.pages, "ec2", REGION, operation, key)

    @given(body=mangled(sound) | st.binary(max_size=60))
    @OVER_THE_WIRE
    def run(body: bytes) -> None:
        wire[0].body = body
        pages = ask(monotonic() - 1)  # one page is enough
        assert pages.problem is None or isinstance(pages.problem, BoutedError)
        quotes, _ = read_spot(pages.rows, PAGE)
        read_specs(pages.rows, "aws")
        assert all(str(quote.price) in body.decode(errors="replace") for quote in quotes)

    run()


SOUND_LIST = json.dumps({"PriceList": [json.dumps(a_product(REGION, KIND, PRICE))]}).encode()


def test_no_price_list_gets_past_the_source_but_as_prices_or_a_named_problem(
    wire: tuple[Wire, StandIn],
) -> None:
    client = AwsClient("", timeout_s=5, attempts=1)
    whole = JSON.map(lambda said: json.dumps({"PriceList": said}).encode())
    rows = st.lists(JSON.map(json.dumps) | JSON, max_size=3)
    entries = rows.map(lambda said: json.dumps({"PriceList": said}).encode())

    @given(body=mangled(SOUND_LIST) | whole | entries)
    @OVER_THE_WIRE
    def run(body: bytes) -> None:
        wire[0].body = body
        prices, _ = ask_price_list(client, REGION, ("g*",), "aws", NOW, monotonic() - 1)
        assert all(str(one.price) in body.decode(errors="replace") for one in prices.listed)
        assert all(row.reason and row.row for row in prices.unread)

    run()


HEADER = (
    '"SKU","TermType","EffectiveDate","Unit","PricePerUnit","Currency","Instance Type","Tenancy",'
    '"Operating System","CapacityStatus","Pre Installed S/W","Region Code","GPU","MarketOption"'
)
OFFER = (
    f'"S","OnDemand","2026-05-01","Hrs","{PRICE}","USD","{KIND}","Shared",'
    f'"Linux","Used","NA","{REGION}","1","OnDemand"'
)
SOUND_FILE = "\n".join(['"FormatVersion","v1.0"'] * 5 + [HEADER, OFFER, ""]).encode()


def test_no_offer_file_gets_past_the_source_but_as_prices_or_a_named_problem(
    wire: tuple[Wire, StandIn],
) -> None:
    ask = partial(ask_offer_file, wire[1].url, REGION, ("g*",), "aws", NOW, timeout_s=5)

    @given(body=mangled(SOUND_FILE) | st.binary(max_size=60))
    @OVER_THE_WIRE
    def run(body: bytes) -> None:
        wire[0].body = body
        prices, problem = ask(until=monotonic() + 5)
        assert problem is None or isinstance(problem, BoutedError)
        assert all(str(one.price) in body.decode(errors="replace") for one in prices.listed)

    run()


def test_a_file_cut_anywhere_gives_the_right_price_or_none(wire: tuple[Wire, StandIn]) -> None:
    for end in range(len(SOUND_FILE) - len(OFFER), len(SOUND_FILE), 2):
        wire[0].body = SOUND_FILE[:end]
        prices, _ = ask_offer_file(
            wire[1].url, REGION, ("g*",), "aws", NOW, timeout_s=5, until=monotonic() + 5
        )
        assert [str(one.price) for one in prices.listed] in ([], [PRICE])
