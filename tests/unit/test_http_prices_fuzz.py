"""Whatever a server sends, a source that asks over HTTP answers or fails in words: nothing else comes out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bouted.providers.api_key import ApiKey
from bouted.providers.azure import AzurePrices
from bouted.providers.http_asking import Patience
from bouted.providers.lambdalabs import LambdaPrices
from bouted.providers.runpod import RunpodPrices
from bouted.providers.vast import VastPrices
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bouted.errors import BoutedError
from bouted.market.source import PriceSource
from bouted.testing.http import Reply, StandIn, stand_in
from bouted.testing.price_contracts import CONTRACT_NOW

QUICK = Patience(total_s=5.0, try_s=2.0, tries=1, sleep=lambda _: None)
KEYS = st.sampled_from([
    "Items", "NextPageLink", "data", "gpuTypes", "errors", "message", "offers", "instance_type", "specs",
    "x1", "regions_with_capacity_available", "armSkuName", "id",
])  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
SHAPES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
BODIES = st.binary(max_size=60) | SHAPES.map(lambda shape: json.dumps(shape).encode())


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    with stand_in(lambda asked: Reply(said={})) as server:
        yield server


@pytest.fixture(scope="module")
def sources(server: StandIn, tmp_path_factory: pytest.TempPathFactory) -> tuple[PriceSource, ...]:
    file: Path = tmp_path_factory.mktemp("keys") / "key"
    file.write_text("k")
    key = ApiKey(variable="NONE", file=file)
    return (
        AzurePrices(url=server.url, regions=("eastus",), patience=QUICK),
        LambdaPrices(url=server.url, regions=("us-east-1",), key=key, patience=QUICK),
        RunpodPrices(url=server.url, region="US", key=key, patience=QUICK),
        VastPrices(url=server.url, gpus=(), least_gpu_gib=14.0, patience=QUICK),
    )


@given(body=BODIES, status=st.sampled_from([200, 200, 200, 200, 403, 418, 429, 500, 503]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_sent_there_is_an_answer_or_a_failure_in_words(
    server: StandIn, sources: tuple[PriceSource, ...], body: bytes, status: int
) -> None:
    server.answer = lambda asked: Reply(said=body, status=status)
    for source in sources:
        told = list(words_of(source))
        assert told
        assert all(text.isprintable() for text in told)


def words_of(source: PriceSource) -> Iterator[str]:
    """What became of asking, in words; none of the bodies here has a price to quote."""
    try:
        answer = source.fetch(CONTRACT_NOW)
    except BoutedError as error:
        yield str(error)
        return
    assert answer.quotes == ()
    yield from (unread.reason for unread in answer.unread)
    yield from answer.gaps
