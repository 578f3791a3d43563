"""The own lists of Azure, Lambda, RunPod and Vast: real clients against stand-ins on this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from bouted.providers.aws_client import AwsClient
from bouted.providers.azure_account import AzureAccount, account, connect_azure, subscription_of
from bouted.providers.sky_azure_instances import AzureInstances
from bouted.providers.sky_cloud_keys import CloudKey, lambda_key, runpod_key, vast_key
from bouted.providers.sky_instances import EachCloud, Instance, Instances, Listing
from bouted.providers.sky_keyed_clouds import KeyedCloud, LambdaCloud, RunpodCloud, VastCloud
from bouted.providers.sky_keyed_instances import KeyedInstances
from bouted.providers.sky_machine_names import MachineNames
from bouted.providers.sky_own_lists import own_lists

from bouted.errors import (
    BoutedError,
    Misconfigured,
    NotConfigured,
    PermissionMissing,
    Retryable,
    SourceFailed,
)
from bouted.market.offers import Offer
from bouted.reconcile.names import node_name
from bouted.testing.clock import ManualClock
from bouted.testing.fleet import an_offer
from bouted.testing.http import Reply, stand_in
from bouted.testing.rented import ANSWERS, KEY, SUBSCRIPTION, Rented, RentedAccount, azure_id

AT = datetime(2026, 11, 1, 17, 0, 0, 500_000, tzinfo=UTC)
FIRST, SECOND = node_name("prod", "a", 1), node_name("prod", "b", 2)
OURS, THEIRS = "0123abcd", "4567ef89"
NAMES = MachineNames(deployment="prod")
CLOUDS = tuple(ANSWERS)
KEYED: dict[str, type[LambdaCloud | RunpodCloud | VastCloud]] = {
    "lambda": LambdaCloud,
    "runpod": RunpodCloud,
    "vast": VastCloud,
}


def a_machine(
    number: int,
    node: str,
    deployment: str = "prod",
    *,
    user: str = OURS,
    part: str = "head",
    ending: bool = False,
) -> Rented:
    """A machine as SkyPilot rents it: tagged, and named by its node, its user and its part."""
    cluster = f"{node}-{user}"
    tags = {"bouted-deployment": deployment, "bouted-node": node, "ray-cluster-name": cluster}
    return Rented(
        id=str(number),
        name=f"{cluster}-{part}",
        started_at=AT,
        tags=tags,
        group=f"{cluster}-eastus",
        ending=ending,
    )


def everybodys() -> list[Rented]:
    """Two of ours, one of them ending; one of somebody who chose the same name, one of another deployment, a
    person's and a nobody's."""
    other = a_machine(3, node_name("prod-2", "a", 1), "prod-2", user=THEIRS)
    return [
        a_machine(1, FIRST),
        a_machine(2, SECOND, part="worker", ending=True),
        a_machine(6, FIRST, user=THEIRS),
        other,
        replace(other, id="4", name="sky-1234-head", tags={}, group="sky-1234-eastus"),
        replace(other, id="5", name="", tags={}, group="theirs"),
    ]


class World:
    """An account at one cloud, and what asks it."""

    def __init__(self, provider: str, stack: ExitStack, folder: Path) -> None:
        self.provider, self.rented = provider, RentedAccount(machines=everybodys())
        if provider == "azure":
            named = [replace(one, id=azure_id(one.group, one.name)) for one in self.rented.machines]
            self.rented.machines = named
        self.server = stack.enter_context(stand_in(partial(ANSWERS[provider], self.rented)))
        self.here = (an_offer(provider),)
        self.key = folder / "key"
        self.key.write_text(f"{KEY}\n")

    @property
    def instances(self) -> Instances:
        """What of the cloud's own list is ours."""
        return EachCloud(made_by={self.provider: self.listing}, user=lambda: OURS)

    def listing(self) -> Listing:
        """The cloud's own list."""
        if self.provider == "azure":
            return AzureInstances(connect=self._azure, deployment="prod")
        cloud: KeyedCloud = KEYED[self.provider](url=self.server.url)
        key = CloudKey(file=self.key, find=str)
        return KeyedInstances(
            provider=self.provider, cloud=cloud, key=key, names=NAMES, clock=ManualClock(AT)
        )

    def listed(self) -> dict[str, Instance]:
        """By node."""
        found = self.instances.list(self.here)
        assert len({one.node for one in found}) == len(found)
        return {one.node: one for one in found}

    def left(self) -> list[str]:
        """The names of the machines that are still rented."""
        return [one.name for one in self.rented.machines]

    def _azure(self) -> AzureAccount:
        place = {"base_url": self.server.url, "authentication_policy": SansIOHTTPPolicy()}
        return account(object(), SUBSCRIPTION, **place)


@pytest.fixture(params=CLOUDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(request.param, stack, tmp_path)


def test_what_the_deployment_rents_is_listed_under_its_nodes_and_nothing_else_is(world: World) -> None:
    found = world.listed()
    assert set(found) == {FIRST, SECOND}
    assert (found[FIRST].cloud, found[FIRST].ending, found[SECOND].ending) == (world.provider, False, True)
    assert found[FIRST].seen().ended_at is None


def test_what_somebody_launched_under_the_same_name_is_ours_only_if_a_row_knows_it(world: World) -> None:
    (theirs,) = (one for one in world.listing().list(world.here) if one.cluster.endswith(THEIRS))
    assert theirs.node == FIRST
    assert theirs not in world.instances.list(world.here)
    assert theirs not in world.instances.list(world.here, frozenset({(FIRST, "i-0"), (SECOND, theirs.id)}))
    assert theirs in world.instances.list(world.here, frozenset({(FIRST, theirs.id)}))


def test_machines_have_their_clouds_own_time_where_it_tells_one(world: World) -> None:
    told = world.listed()[FIRST].seen().started_at
    assert told == (None if world.provider == "lambda" else AT)


def test_only_what_is_meant_is_ended_and_nobody_elses_is_touched(world: World) -> None:
    before = world.left()
    world.instances.end(world.listed()[FIRST])
    assert world.left() == before[1:]
    assert set(world.listed()) == {SECOND}


@pytest.mark.parametrize("world", ["azure", "runpod", "vast"], indirect=True)
def test_ending_what_is_gone_already_is_no_error(world: World) -> None:
    ours = world.listed()[FIRST]
    world.instances.end(ours)
    world.instances.end(ours)
    assert len(world.rented.ended) == 1


def test_a_cloud_is_asked_only_where_something_of_ours_is(world: World) -> None:
    elsewhere: tuple[Offer, ...] = (an_offer("aws"), an_offer("gcp"))
    assert world.instances.list(elsewhere) == ()
    assert world.server.asked == []


REFUSED: list[tuple[Reply, type[BoutedError]]] = [
    (Reply(said={"error": {"code": "AuthorizationFailed", "message": "no"}}, status=403), PermissionMissing),
    (Reply(said={}, status=429, headers={"Retry-After": "60"}), Retryable),
    (Reply(said={"error": {"code": "Odd", "message": "odd"}}, status=418), SourceFailed),
    (Reply(said={"data": None, "instances": None, "value": "none"}), SourceFailed),
]


@pytest.mark.parametrize(("reply", "error"), REFUSED, ids=["forbidden", "too often", "refused", "no list"])
def test_a_list_that_cannot_be_had_is_an_error_and_never_an_empty_list(
    world: World, reply: Reply, error: type[BoutedError]
) -> None:
    world.rented.instead = reply
    with pytest.raises(error):
        world.listed()


def test_a_machine_of_ours_without_an_id_fails_the_list(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = World("runpod", stack, tmp_path)
        world.rented.instead = Reply(said=[{"name": a_machine(1, FIRST).name, "desiredStatus": "RUNNING"}])
        with pytest.raises(SourceFailed, match="without an id"):
            world.listed()


def test_several_pages_of_azure_are_one_list_and_a_group_of_the_users_stays(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = World("azure", stack, tmp_path)
        shared = [
            replace(one, group="theirs", id=azure_id("theirs", one.name)) for one in world.rented.machines
        ]
        world.rented.machines, world.rented.page = shared, 2
        world.instances.end(world.listed()[FIRST])
        assert world.left() == [one.name for one in shared[1:]]
        deleted = [one.path for one in world.server.asked if one.method == "DELETE"]
        assert deleted == [azure_id("theirs", shared[0].name)]


def test_a_group_that_skypilot_made_for_the_cluster_goes_as_a_whole(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = World("azure", stack, tmp_path)
        ours = world.rented.machines[0]
        world.instances.end(world.listed()[FIRST])
        (deleted,) = (one.path for one in world.server.asked if one.method == "DELETE")
        assert deleted == f"/subscriptions/{SUBSCRIPTION}/resourcegroups/{ours.group}"


NAMED = [
    (f"{FIRST}-{OURS}-head", (FIRST, f"{FIRST}-{OURS}")),
    (f"{SECOND}-{THEIRS}-worker", (SECOND, f"{SECOND}-{THEIRS}")),
    (f"{node_name('prod-eu', 'a', 1)}-{OURS}-head", None),
    (f"{FIRST}-{OURS}", None),
    (f"{FIRST}-head", None),
    (f"sky-{OURS}-head", None),
    ("", None),
]


@pytest.mark.parametrize(("machine", "cluster"), NAMED)
def test_a_machine_is_a_nodes_by_the_name_of_its_cluster(
    machine: str, cluster: tuple[str, str] | None
) -> None:
    assert NAMES.cluster(machine) == cluster


ASK_NAMES = """
import sys
from sky import clouds
from sky.utils.common_utils import make_cluster_name_on_cloud
for cloud in (clouds.Lambda, clouds.RunPod, clouds.Vast):
    print(make_cluster_name_on_cloud(sys.argv[1], max_length=cloud.max_cluster_name_length()))
"""


def test_skypilot_itself_names_machines_so_whatever_the_deployment_is_called(tmp_path: Path) -> None:
    names = MachineNames(deployment="a-long-name-0123")
    node = node_name(names.deployment, "slot", 12345)
    asked = subprocess.run(
        [sys.executable, "-c", ASK_NAMES, node],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "SKYPILOT_USER_ID": OURS},
        capture_output=True,
        text=True,
        check=True,
    )
    found = [names.cluster(f"{cluster}-head") for cluster in asked.stdout.split()]
    assert found == [(node, f"{node}-{OURS}")] * 3


KEY_FILES = [
    (lambda_key, ".lambda_cloud/lambda_keys", "# mine\napi_key = K1\n"),
    (runpod_key, ".runpod/config.toml", '[default]\napi_key = "K1"\n'),
    (vast_key, ".config/vastai/vast_api_key", "K1\n"),
]


@pytest.mark.parametrize(("key", "file", "text"), KEY_FILES, ids=["lambda", "runpod", "vast"])
def test_keys_are_read_where_skypilot_reads_them(key: object, file: str, text: str, tmp_path: Path) -> None:
    found = key(tmp_path)  # type: ignore[operator]
    with pytest.raises(NotConfigured, match="is not there"):
        found.read()
    place = tmp_path / file
    place.parent.mkdir(parents=True)
    place.write_text(text)
    assert found.read() == "K1"
    place.write_text("[[\n" if file.endswith("toml") else "\n")
    with pytest.raises(Misconfigured, match=str(place)):
        found.read()


def test_azures_subscription_is_the_one_that_az_has_chosen(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"no Azure login"):
        connect_azure(tmp_path)
    profile = tmp_path / ".azure" / "azureProfile.json"
    profile.parent.mkdir()
    listed = [{"id": "one", "isDefault": False}, {"id": "two", "isDefault": True}]
    profile.write_text("\ufeff" + json.dumps({"subscriptions": listed}), encoding="utf-8")
    assert subscription_of(tmp_path) == "two"
    profile.write_text(json.dumps({"subscriptions": listed[:1]}))
    with pytest.raises(NotConfigured, match="names no subscription"):
        subscription_of(tmp_path)
    profile.write_text("[]")
    with pytest.raises(SourceFailed, match="cannot be read"):
        subscription_of(tmp_path)


def test_the_launcher_asks_every_cloud_with_an_offer_by_its_own_list(tmp_path: Path) -> None:
    aws = AwsClient("", timeout_s=1.0, attempts=1)
    lists = own_lists(
        aws=aws, credentials_from=tmp_path, deployment="prod", user=lambda: OURS, clock=ManualClock(AT)
    )
    for provider in CLOUDS:
        with pytest.raises(NotConfigured, match="is not there"):
            lists.list((an_offer(provider),))
    assert lists.list((an_offer("rack1"),)) == ()
