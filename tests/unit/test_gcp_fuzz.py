"""Whatever Google's side sends, nothing but a named error comes out, and no price that it did not say."""

import copy
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from bouted.providers.gcp_clients import connect
from bouted.providers.gcp_desk import GcpDesk
from bouted.providers.gcp_notices import list_preempted
from bouted.providers.gcp_options import GcpOptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bouted.errors import BoutedError
from bouted.testing.gcp import GcpCall, GcpCloud, a_gcp_cloud, a_preempted_vm, gcp_stand_in
from bouted.testing.http import Asked, Reply

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SAID = {Decimal(text) for text in ("0.281836", "1.442955", "0.29", "1.5", "0.706784", "3.673385")}
FAST = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("items", "skus", "machineTypes", "priceHistory", "recommendations", "nextPageToken", "quotas")
BODIES = (
    st.binary(max_size=40)
    | JSON
    | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3)
    | st.dictionaries(st.sampled_from(FIELDS), st.dictionaries(st.text(max_size=4), JSON), max_size=3)
)


class Google:
    """One stand-in and its clients for a whole test; every example gets a desk without memory."""

    def __init__(self, stack: ExitStack) -> None:
        self.cloud = GcpCloud()
        server = stack.enter_context(gcp_stand_in(self.cloud))
        self.options = GcpOptions(
            project="p",
            endpoint=server.url,
            call_timeout_s=0.1,
            deadline_s=5.0,
            advice_types=("g2-standard-4",),
        )
        self.clients = connect(self.options)

    def desk(self, cloud: GcpCloud) -> GcpDesk:
        self.cloud.machine_types, self.cloud.skus = cloud.machine_types, cloud.skus
        self.cloud.histories, self.cloud.regions = cloud.histories, cloud.regions
        self.cloud.operations, self.cloud.instead = cloud.operations, cloud.instead
        return GcpDesk(self.options, self.clients)


@pytest.fixture(scope="module")
def google() -> Iterator[Google]:
    with ExitStack() as stack:
        yield Google(stack)


def await_calls() -> None:
    """Calls that a fetch gave up on end soon; the jitter of their retries would disturb hypothesis."""
    for thread in threading.enumerate():
        if thread.name.startswith("gcp-"):
            thread.join()


def require_told(error: BoutedError) -> None:
    """It says what is wrong, on one line."""
    assert error.message
    assert "\n" not in str(error)


def require_said(desk: GcpDesk) -> None:
    """A fetch ends well or with a named error, and its prices are ones that Google said."""
    try:
        answer = desk.fetch(NOW)
    except BoutedError as error:
        require_told(error)
        return
    finally:
        await_calls()
    for quote in answer.quotes:
        assert quote.price in SAID
        assert quote.observed_at <= NOW
    for line in (*answer.gaps, *(unread.reason for unread in answer.unread)):
        assert line
        assert "\n" not in line


@given(
    body=BODIES, call=st.sampled_from(list(GcpCall)), status=st.sampled_from([200, 200, 200, 403, 429, 500])
)
@FAST
def test_any_body_of_any_call_gives_only_said_prices_or_a_named_error(
    google: Google, body: Any, call: GcpCall, status: int
) -> None:
    cloud = a_gcp_cloud(NOW)
    cloud.instead = lambda asked_call, asked: Reply(said=body, status=status) if asked_call is call else None
    desk = google.desk(cloud)
    require_said(desk)
    if call is GcpCall.OPERATIONS:
        try:
            assert list_preempted(google.clients.operations, "us-central1-a", NOW, desk.asking()) == ()
        except BoutedError as error:
            require_told(error)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, item in inside for path in paths(item, (*at, key)))]


def put(rows: Any, path: tuple[Any, ...], value: Any) -> None:
    """Puts `value` where `path` leads."""
    for key in path[:-1]:
        rows = rows[key]
    rows[path[-1]] = value


PRICE_FIELDS = ("units", "nanos", "currencyCode", "unitPrice", "listPrice")
WHOLE = a_gcp_cloud(NOW)
SKU_PATHS = [path for path in paths(WHOLE.skus) if path and not set(path) & set(PRICE_FIELDS)]
HISTORY_PATHS = [path for path in paths(WHOLE.histories) if path and not set(path) & set(PRICE_FIELDS)]
ODD = JSON | st.sampled_from(["G2 Instance Core", "Preemptible", "OnDemand", "h", "GiBy.h", "us-central1"])


def sizes(path: tuple[Any, ...]) -> bool:
    """Whether it leads to a size that the price list is multiplied by."""
    return bool(set(path) & {"guestCpus", "memoryMb", "guestAcceleratorCount", "bundledLocalSsds"})


MACHINE_PATHS = [path for path in paths(WHOLE.machine_types) if path and not sizes(path)]


@given(path=st.sampled_from(SKU_PATHS), value=ODD)
@FAST
def test_a_price_list_with_any_field_spoiled_makes_no_price_up(
    google: Google, path: tuple[Any, ...], value: Any
) -> None:
    cloud = a_gcp_cloud(NOW)
    put(cloud.skus, path, copy.deepcopy(value))
    require_said(google.desk(cloud))


@given(path=st.sampled_from(HISTORY_PATHS), value=ODD)
@FAST
def test_a_history_with_any_field_spoiled_makes_no_price_up(
    google: Google, path: tuple[Any, ...], value: Any
) -> None:
    cloud = a_gcp_cloud(NOW)
    if len(path) > 1:  # below the key
        put(cloud.histories, path, copy.deepcopy(value))
    require_said(google.desk(cloud))


@given(path=st.sampled_from(MACHINE_PATHS), value=ODD)
@FAST
def test_machine_types_with_any_field_spoiled_make_no_price_up(
    google: Google, path: tuple[Any, ...], value: Any
) -> None:
    cloud = a_gcp_cloud(NOW)
    put(cloud.machine_types, path, copy.deepcopy(value))
    if all(isinstance(rows, list) for rows in cloud.machine_types.values()):
        require_said(google.desk(cloud))


@given(path=st.sampled_from([path for path in paths(a_preempted_vm("mine", NOW)) if path]), value=JSON)
@FAST
def test_an_operation_with_any_field_spoiled_is_a_notice_or_none(
    google: Google, path: tuple[Any, ...], value: Any
) -> None:
    cloud = a_gcp_cloud(NOW)
    operation = a_preempted_vm("mine", NOW)
    put(operation, path, value)
    cloud.operations["us-central1-a"] = [operation]
    desk = google.desk(cloud)
    try:
        notices = list_preempted(google.clients.operations, "us-central1-a", NOW, desk.asking())
    except BoutedError as error:
        require_told(error)
        return
    assert len(notices) <= 1


def test_the_stand_in_knows_the_requests(google: Google) -> None:
    asked = Asked(method="GET", path="/compute/v1/nowhere", query={}, headers={}, body=b"")
    assert google.cloud.answer(asked).status == 404
