"""How Google is asked: few calls, what is kept, and what happens when a part of it does not answer."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bouted.providers.gcp import GcpPrices

from bouted.errors import Misconfigured, PermissionMissing, Retryable, SourceBroken, SourceFailed
from bouted.market.notices import NoticeKind
from bouted.market.offers import Confidence, Market
from bouted.testing.gcp import (
    GcpCall,
    GcpCloud,
    a_gcp_cloud,
    a_preempted_vm,
    a_sku,
    call_of,
    gcp_stand_in,
    google_error,
)
from bouted.testing.http import Asked, Reply, StandIn

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
G2_SPOT = "gcp/us-central1-a/g2-standard-4/spot"


class Place:
    """A cloud, its stand-in, and sources that ask it."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.cloud = a_gcp_cloud(NOW)
        self.server: StandIn = stack.enter_context(gcp_stand_in(self.cloud))
        self.folder = folder

    def source(self, **options: Any) -> GcpPrices:
        given = {"endpoint": self.server.url, "project": "p", "call_timeout_s": 0.4, **options}
        return GcpPrices.from_config(given, config_dir=self.folder)

    def calls(self) -> Counter[GcpCall | None]:
        return Counter(call_of(asked) for asked in self.server.asked)

    def refuse(self, refused: GcpCall, reply: Reply) -> None:
        self.cloud.instead = lambda call, asked: reply if call is refused else None


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(stack, tmp_path)


def spot_parts(cloud: GcpCloud) -> None:
    usage = "Preemptible"
    cloud.skus += [
        a_sku("Spot Preemptible G2 Instance Core running in Americas", "0.01", usage=usage),
        a_sku("Spot Preemptible G2 Instance Ram running in Americas", "0.001", usage=usage, unit="GiBy.h"),
        a_sku("Nvidia L4 GPU attached to Spot Preemptible VMs running in Americas", "0.2", usage=usage),
    ]


def test_spot_is_per_zone_with_odds_and_on_demand_is_per_region(place: Place) -> None:
    quotes = {quote.id: quote for quote in place.source().fetch(NOW).quotes}
    assert set(quotes) == {
        "gcp/us-central1-a/g2-standard-4/spot",
        "gcp/us-central1-b/g2-standard-4/spot",
        "gcp/us-central1-a/a2-highgpu-1g/spot",
        "gcp/us-central1-b/a2-highgpu-1g/spot",
        "gcp/us-central1/g2-standard-4/on_demand",
        "gcp/us-central1/a2-highgpu-1g/on_demand",
    }
    spot = quotes[G2_SPOT]
    assert (spot.price, spot.confidence, spot.effective_at) == (
        Decimal("0.281836"),
        Confidence.HIGH,
        NOW - timedelta(days=2),
    )
    assert spot.hazard_per_hour == pytest.approx(0.0087, abs=1e-4)


def test_listings_are_kept_for_a_day_and_advice_for_an_hour(place: Place) -> None:
    source = place.source()
    source.fetch(NOW)
    source.fetch(NOW + timedelta(minutes=50))
    assert place.calls() == {GcpCall.MACHINE_TYPES: 1, GcpCall.SKUS: 1, GcpCall.CAPACITY_HISTORY: 4}
    later = source.fetch(NOW + timedelta(hours=2))
    assert place.calls() == {GcpCall.MACHINE_TYPES: 1, GcpCall.SKUS: 1, GcpCall.CAPACITY_HISTORY: 8}
    observed = {quote.market: quote.observed_at for quote in later.quotes}
    assert observed == {Market.SPOT: NOW + timedelta(hours=2), Market.ON_DEMAND: NOW}


def test_without_leave_to_ask_for_advice_spot_is_added_up_and_little_trusted(place: Place) -> None:
    spot_parts(place.cloud)
    place.refuse(GcpCall.CAPACITY_HISTORY, google_error(403, "forbidden", "no"))
    answer = place.source().fetch(NOW)
    spot = {quote.id: quote for quote in answer.quotes if quote.market is Market.SPOT}
    assert set(spot) == {G2_SPOT, "gcp/us-central1-b/g2-standard-4/spot"}
    assert spot[G2_SPOT].price == Decimal("0.04") + Decimal("0.016") + Decimal("0.2")
    assert spot[G2_SPOT].confidence is Confidence.LOW
    assert answer.gaps == (
        "spot prices: permission missing: compute.advice.capacityHistory;"
        " added up from the price list instead",
    )


def test_where_advice_has_no_price_spot_is_added_up(place: Place) -> None:
    spot_parts(place.cloud)
    del place.cloud.histories["us-central1-a", "g2-standard-4"]
    place.cloud.histories["us-central1-b", "g2-standard-4"] = {}
    answer = place.source().fetch(NOW)
    low = {quote.id for quote in answer.quotes if quote.confidence is Confidence.LOW}
    assert low == {G2_SPOT, "gcp/us-central1-b/g2-standard-4/spot"}
    assert answer.gaps == ()


def test_advice_that_fails_this_time_leaves_a_gap_and_no_other_price_in_its_place(place: Place) -> None:
    spot_parts(place.cloud)
    place.refuse(GcpCall.CAPACITY_HISTORY, Reply(said={}, status=503))
    answer = place.source().fetch(NOW)
    assert {quote.market for quote in answer.quotes} == {Market.ON_DEMAND}
    assert len(answer.gaps) == 1
    assert "us-central1-a/a2-highgpu-1g" in answer.gaps[0]


def test_advice_that_is_throttled_is_left_alone_at_once(place: Place) -> None:
    place.refuse(GcpCall.CAPACITY_HISTORY, google_error(403, "rateLimitExceeded", "Rate Limit Exceeded"))
    source = place.source()
    answer = source.fetch(NOW)
    assert {quote.market for quote in answer.quotes} == {Market.ON_DEMAND}
    assert "told to slow down" in answer.gaps[0]
    place.cloud.instead = lambda call, asked: None
    assert source.fetch(NOW).gaps == ()


def test_a_price_list_that_cannot_be_read_leaves_the_spot_prices(place: Place) -> None:
    place.refuse(GcpCall.SKUS, google_error(403, "accessNotConfigured", "Cloud Billing API is disabled"))
    answer = place.source().fetch(NOW)
    assert {quote.market for quote in answer.quotes} == {Market.SPOT}
    assert answer.gaps == ("on-demand prices: permission missing: cloudbilling.googleapis.com",)


def test_a_price_list_goes_on_at_the_page_where_it_stopped(place: Place) -> None:
    place.cloud.page_size = 4
    stopped_at = "8"

    def stop(call: GcpCall, asked: Asked) -> Reply | None:
        stopped = call is GcpCall.SKUS and asked.query.get("pageToken") == stopped_at
        return Reply(said={}, status=500) if stopped else None

    place.cloud.instead = stop
    source = place.source()
    answer = source.fetch(NOW)
    assert {quote.market for quote in answer.quotes} == {Market.SPOT}
    place.cloud.instead = lambda call, asked: None
    place.server.asked.clear()
    assert source.fetch(NOW).gaps == ()
    pages = [asked.query.get("pageToken") for asked in place.server.asked if call_of(asked) is GcpCall.SKUS]
    assert pages == [stopped_at]


def test_a_page_token_that_is_too_old_starts_the_price_list_anew(place: Place) -> None:
    place.cloud.page_size = 4
    reply = google_error(400, "invalid", "bad page token")
    place.cloud.instead = lambda call, asked: (
        reply if call is GcpCall.SKUS and asked.query.get("pageToken") == "4" else None
    )
    source = place.source()
    assert "400" in source.fetch(NOW).gaps[0]
    place.cloud.instead = lambda call, asked: None
    assert source.fetch(NOW).gaps == ()


def test_a_server_that_slows_down_for_a_moment_is_asked_again(place: Place) -> None:
    refused = [google_error(429, "rateLimitExceeded", "slow down")]
    place.cloud.instead = lambda call, asked: (
        refused.pop() if refused and call is GcpCall.MACHINE_TYPES else None
    )
    assert place.source(call_timeout_s=5.0).fetch(NOW).gaps == ()


def test_how_long_to_wait_is_taken_from_the_answer(place: Place) -> None:
    reply = google_error(429, "rateLimitExceeded", "slow down", headers={"Retry-After": "17"})
    place.refuse(GcpCall.MACHINE_TYPES, reply)
    with pytest.raises(Retryable) as caught:
        place.source().fetch(NOW)
    assert caught.value.after_s == 17.0


def test_a_permission_is_named_by_the_call_where_google_does_not_name_it(place: Place) -> None:
    place.refuse(GcpCall.MACHINE_TYPES, google_error(403, "forbidden", "Forbidden"))
    with pytest.raises(PermissionMissing) as caught:
        place.source().fetch(NOW)
    assert caught.value.permission == "compute.machineTypes.list"
    assert "add-iam-policy-binding p --member=WHO --role=roles/compute.viewer" in caught.value.hint


@pytest.mark.parametrize("body", [b'{"error": "no"}', b"[1]", b'{"error": {"errors": 7}}', b"\xff", b""])
@pytest.mark.parametrize("status", [403, 500])
def test_an_odd_error_body_is_still_an_error_with_a_name(place: Place, body: bytes, status: int) -> None:
    place.refuse(GcpCall.MACHINE_TYPES, Reply(said=body, status=status))
    with pytest.raises(SourceFailed):
        place.source(call_timeout_s=0.2).fetch(NOW)


def test_obtainability_is_asked_only_for_named_types_once_an_hour(place: Place) -> None:
    shard = {"zone": "us-central1-a", "machineType": "g2-standard-4", "instanceCount": 4}
    scores = {"obtainability": 0.6, "estimatedUptime": "36000s"}
    place.cloud.outlooks["us-central1", "g2-standard-4"] = {
        "recommendations": [{"scores": scores, "shards": [shard]}]
    }
    source = place.source(advice_types=["g2-standard-4"])
    quotes = {quote.id: quote for quote in source.fetch(NOW).quotes}
    source.fetch(NOW)
    assert place.calls()[GcpCall.CAPACITY] == 1
    assert quotes[G2_SPOT].obtainable == 2
    assert quotes[G2_SPOT].hazard_per_hour == pytest.approx(1 - 0.5**0.1)
    assert quotes["gcp/us-central1-b/g2-standard-4/spot"].obtainable is None


def test_obtainability_that_is_refused_costs_no_price_and_no_second_call(place: Place) -> None:
    place.refuse(GcpCall.CAPACITY, google_error(403, "forbidden", "no"))
    source = place.source(advice_types=["g2-standard-4"])
    answer = source.fetch(NOW)
    assert source.fetch(NOW) == answer
    assert len(answer.quotes) == 6
    assert answer.gaps == (
        "obtainability of g2-standard-4 in us-central1: permission missing: compute.advice.capacity",
    )
    assert place.calls()[GcpCall.CAPACITY] == 1


def test_the_prices_of_the_past_are_told_in_order(place: Place) -> None:
    source = place.source()
    quotes = source.spot_history(NOW, NOW - timedelta(days=365))
    assert len(quotes) == 8
    assert source.spot_history(NOW, NOW) == ()
    assert [quote.observed_at for quote in quotes] == sorted(quote.observed_at for quote in quotes)
    ours = [quote for quote in quotes if quote.id == G2_SPOT]
    assert [quote.price for quote in ours] == [Decimal("0.29"), Decimal("0.281836")]


def test_every_permission_that_is_missing_is_named_at_once(place: Place) -> None:
    place.cloud.instead = lambda call, asked: (
        google_error(403, "forbidden", "no") if call in (GcpCall.REGIONS, GcpCall.OPERATIONS) else None
    )
    found = place.source().diagnose(NOW)
    assert found.missing == ("compute.regions.list", "compute.zoneOperations.list")
    assert found.reachable
    assert found.hint


def test_a_sound_source_tells_its_quotas(place: Place) -> None:
    found = place.source().diagnose(NOW)
    assert (found.reachable, found.missing, found.problem) == (True, (), "")
    assert [(one.family, one.limit) for one in found.quotas] == [("L4", 8.0), ("A100-80GB", 16.0)]


def test_a_cloud_that_is_down_is_a_problem_and_not_a_crash(place: Place) -> None:
    place.cloud.instead = lambda call, asked: Reply(said=b"down", status=502)
    found = place.source(call_timeout_s=0.2).diagnose(NOW)
    assert found.reachable is False
    assert "502" in found.problem


def test_no_credentials_is_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    found = GcpPrices.from_config({}, config_dir=tmp_path).diagnose(NOW)
    assert (found.credential, found.configured, found.well) == ("", False, True)
    assert "gcloud auth" in found.hint


def test_a_vm_that_was_taken_is_told_until_it_is_acknowledged(place: Place) -> None:
    source = place.source()
    assert source.notices(0.0) == ()
    at = datetime.now(UTC)
    place.cloud.operations["us-central1-b"] = [
        a_preempted_vm("mine", at, zone="us-central1-b"),
        a_preempted_vm("long-ago", at - timedelta(days=1), zone="us-central1-b"),
    ]
    (notice,) = source.notices(0.0)
    assert source.notices(0.0) == (notice,)
    assert (notice.instance, notice.zone, notice.kind) == ("mine", "us-central1-b", NoticeKind.PREEMPTED)
    source.acknowledge((notice,))
    assert source.notices(0.0) == ()


def test_waiting_for_notices_ends_as_soon_as_there_is_one(place: Place) -> None:
    looks = []

    def appear(call: GcpCall, asked: Asked) -> Reply | None:
        if call is GcpCall.OPERATIONS:
            looks.append(asked)
            if len(looks) == 4:
                place.cloud.operations["us-central1-b"] = [a_preempted_vm("mine", datetime.now(UTC))]
        return None

    place.cloud.instead = appear
    (notice,) = place.source(notice_poll_s=0.01).notices(20.0)
    assert notice.instance == "mine"


def test_the_price_list_can_be_asked_for_with_a_key_from_a_file(place: Place) -> None:
    (place.folder / "key").write_text("abc123\n")
    place.source(api_key_file="key").fetch(NOW)
    keys = {call_of(asked): asked.headers.get("x-goog-api-key") for asked in place.server.asked}
    assert keys[GcpCall.SKUS] == "abc123"
    assert keys[GcpCall.MACHINE_TYPES] is None


@pytest.mark.parametrize("body", [None, b"", b"\xff", b"two\nlines"])
def test_a_key_file_that_holds_no_key_is_for_a_person_to_mend(place: Place, body: bytes | None) -> None:
    if body is not None:
        (place.folder / "key").write_bytes(body)
    with pytest.raises(SourceBroken) as caught:
        place.source(api_key_file="key").fetch(NOW)
    assert str(place.folder / "key") in caught.value.message


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"region": ["us-east4"]}, "prices.sources.gcp.region"),
        ({"regions": ["us east"]}, "prices.sources.gcp.regions"),
        ({"types": ['g2" OR "']}, "prices.sources.gcp.types"),
        ({"types": []}, "prices.sources.gcp.types"),
        ({"deadline_s": 0}, "prices.sources.gcp.deadline_s"),
        ({"endpoint": "http://127.0.0.1:1"}, "prices.sources.gcp.project"),
    ],
)
def test_a_wrong_option_is_named(tmp_path: Path, options: dict[str, Any], path: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        GcpPrices.from_config(options, config_dir=tmp_path)
    assert caught.value.path == path
