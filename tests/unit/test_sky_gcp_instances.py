"""GCP's own list: the real Google client against a stand-in on this machine."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial

import pytest
from bouted.providers.gcp_clients import connect_instances
from bouted.providers.sky_gcp_instances import GcpInstances
from bouted.providers.sky_instances import EachCloud, Instance

from bouted.errors import PermissionMissing
from bouted.market.offers import Offer
from bouted.testing.fleet import an_offer
from bouted.testing.gcp import GcpCall, GcpCloud, an_instance, gcp_stand_in, google_error

STARTED, STOPPED = "2026-11-01T10:00:00.000-07:00", "2026-11-01T12:30:00.000-07:00"
OURS = {"bouted_deployment": "prod", "bouted_node": "bt-1", "ray_cluster_name": "bt-1-0123abcd"}
SECOND = OURS | {"bouted_node": "bt-2", "ray_cluster_name": "bt-2-0123abcd"}
HERE = (replace(an_offer("gcp"), region="us-central1", zone="us-central1-a"),)


@pytest.fixture
def cloud() -> GcpCloud:
    return GcpCloud(
        instances={
            "us-central1-a": [
                an_instance("bt-1-head", started=STARTED, **OURS),
                an_instance("theirs", started=STARTED, bouted_deployment="other", bouted_node="bt-1"),
                an_instance("nobodys", started=STARTED),
            ],
            "europe-west4-b": [
                an_instance("bt-2-head", status="TERMINATED", started=STARTED, stopped=STOPPED, **SECOND)
            ],
        }
    )


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def listing(cloud: GcpCloud, stack: ExitStack) -> GcpInstances:
    server = stack.enter_context(gcp_stand_in(cloud))
    return GcpInstances(connect=cache(partial(connect_instances, "p", server.url)), deployment="prod")


def names(found: tuple[Instance, ...]) -> list[str]:
    return sorted(instance.id for instance in found)


def test_what_carries_the_deployments_label_is_listed_from_every_zone_with_googles_times(
    cloud: GcpCloud, stack: ExitStack
) -> None:
    ended, runs = sorted(listing(cloud, stack).list(HERE), key=lambda one: one.id, reverse=True)
    assert (runs.node, runs.id, runs.zone, runs.ending) == ("bt-1", "bt-1-head", "us-central1-a", False)
    assert runs.cluster == "bt-1-0123abcd"
    assert runs.seen().started_at == datetime(2026, 11, 1, 17, 0, tzinfo=UTC)
    assert runs.seen().ended_at is None
    assert (ended.id, ended.zone, ended.ending) == ("bt-2-head", "europe-west4-b", True)
    assert ended.seen().ended_at == datetime(2026, 11, 1, 19, 30, tzinfo=UTC)


def test_several_pages_are_one_list(cloud: GcpCloud, stack: ExitStack) -> None:
    cloud.page_size = 1
    assert names(listing(cloud, stack).list(HERE)) == ["bt-1-head", "bt-2-head"]


def test_a_page_that_fails_fails_the_list(cloud: GcpCloud, stack: ExitStack) -> None:
    cloud.page_size = 1

    def second_fails(call: GcpCall, asked: object) -> object:
        query = asked.query  # type: ignore[attr-defined]
        said = "Required 'compute.instances.list' permission for 'projects/p'"
        return google_error(403, "forbidden", said) if query.get("pageToken") else None

    cloud.instead = second_fails  # type: ignore[assignment]
    with pytest.raises(PermissionMissing, match=r"compute\.instances\.list"):
        listing(cloud, stack).list(HERE)


def test_only_what_is_meant_is_deleted_and_deleting_it_again_is_no_error(
    cloud: GcpCloud, stack: ExitStack
) -> None:
    ours = listing(cloud, stack)
    (runs,) = (one for one in ours.list(HERE) if not one.ending)
    ours.end(runs)
    ours.end(runs)
    assert names(ours.list(HERE)) == ["bt-2-head"]
    assert [one["name"] for one in cloud.instances["us-central1-a"]] == ["theirs", "nobodys"]


def test_a_cloud_is_asked_only_where_something_of_ours_is(cloud: GcpCloud, stack: ExitStack) -> None:
    made: list[str] = []

    def gcp() -> GcpInstances:
        made.append("gcp")
        return listing(cloud, stack)

    each = EachCloud(made_by={"gcp": gcp}, user=lambda: "0123abcd")
    elsewhere: tuple[Offer, ...] = (an_offer("lambda"), an_offer("aws"))
    assert each.list(elsewhere) == ()
    assert made == []
    assert names(each.list((*elsewhere, *HERE, *HERE))) == ["bt-1-head", "bt-2-head"]
    (runs,) = (one for one in each.list(HERE) if not one.ending)
    each.end(runs)
    assert names(each.list(HERE)) == ["bt-2-head"]
    assert made == ["gcp"]
