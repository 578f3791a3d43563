"""The SkyPilot launcher on a real SkyPilot, real machines with real sshd, and the paced engine on them.

One story in order, since a launch takes most of a minute: each test goes on where the one before it ended.
"""

import json
import shutil
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from bouted.providers.node_token import node_token
from bouted.providers.proc_marked import Family
from bouted.providers.sky_home import WORKER
from bouted.providers.sky_instances import CLUSTER_TAG
from bouted.providers.sky_task import DEPLOYMENT_LABEL
from bouted.providers.skypilot import SkyLauncher

from bouted.errors import NotYet
from bouted.market.offers import Market, Offer
from bouted.reconcile.launcher import KnownNode, NodeOrder, SeenNode, SeenReplica, Why
from bouted.testing.ec2.account import VPC, Rented
from bouted.testing.ec2.cloud import StandInCloud
from bouted.testing.ec2.home import SKY_KEY
from bouted.testing.fleet import an_offer
from bouted.testing.orders import a_replica_order
from bouted.testing.processes import until

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ["env", "PYTHONPATH=/opt/bouted", "/opt/bouted-venv/bin/python", "-P", "-m"]
DEPLOYMENT = "real"
HF_TOKEN = "hf_thisIsASecretThatNobodyMayRead"
UP_S = 300.0


@dataclass
class Story:
    """A state folder, and the launcher of the moment."""

    cloud: StandInCloud
    state: Path
    launcher: SkyLauncher

    def reopen(self) -> None:
        """As after a restart of the daemon."""
        self.launcher.close()
        self.launcher = opened(self.cloud, self.state)

    def node(self, name: str) -> SeenNode:
        return next(node for node in self.launcher.seen().nodes if node.name == name)

    def replica(self, name: str) -> SeenReplica:
        return next(replica for replica in self.launcher.seen().replicas if replica.name == name)

    def until_up(self, *names: str) -> None:
        until(lambda: all(self.node(name).up or self.node(name).ended_at for name in names), UP_S)
        assert [self.node(name).refused for name in names] == [None] * len(names)

    def stopped(self, name: str) -> bool:
        with suppress(NotYet):
            self.launcher.stop_node(name)
            return True
        time.sleep(1.0)
        return False

    def rented(self) -> list[str]:
        """The node of each instance of ours that was ever rented."""
        mine = self.cloud.account.instances(**{DEPLOYMENT_LABEL: DEPLOYMENT})
        return sorted(one.tags["bouted-node"] for one in mine)

    def running(self) -> list[str]:
        mine = self.cloud.account.running(**{DEPLOYMENT_LABEL: DEPLOYMENT})
        return sorted(one.tags["bouted-node"] for one in mine)

    @property
    def server(self) -> Family:
        """SkyPilot's processes, the launcher's own worker left out."""
        home = self.state / "sky" / "home"
        return Family(mark=f"SKY_RUNTIME_DIR={home}", folder=home, spare=WORKER)


def rent_as(story: Story, tags: Mapping[str, str], cluster: str) -> Rented:
    """A machine that bears a node's tags and, as SkyPilot tags it, its cluster's name at the cloud."""
    return story.cloud.account.rent("m6i.large", "us-west-2a", tags={**tags, CLUSTER_TAG: cluster})


def opened(cloud: StandInCloud, state: Path) -> SkyLauncher:
    token_file = state / "hf.token"
    token_file.write_text(HF_TOKEN)
    engine = {"program": [*PROGRAM, "bouted.providers.paced_engine"], "fetch": False}
    options = {
        "port": cloud.home.api_port,
        "clouds": ["aws"],
        "sky": {"aws": {"vpc_name": VPC, "use_internal_ips": True, "use_ssm": False}},
        "engines": {"vllm": engine, "sglang": engine, "hf_token_file": str(token_file)},
    }
    return SkyLauncher.from_config(options, state_dir=state, deployment=DEPLOYMENT, deadman_s=600.0)


def offer(zone: str, market: Market = Market.SPOT) -> Offer:
    made = an_offer(region=zone[:-1])
    return replace(made, zone=zone, instance_type="g5.xlarge", market=market)


@pytest.fixture(scope="module")
def story(cloud: StandInCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    state = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cloud.env().items():
            if name in ("HOME", "AWS_EC2_METADATA_DISABLED", "NO_PROXY"):
                patch.setenv(name, value)
        shutil.copytree(cloud.home.folder / ".sky" / "catalogs", state / "sky" / "home" / ".sky" / "catalogs")
        made = Story(cloud, state, opened(cloud, state))
        yield made
        for name in made.running():
            until(partial(made.stopped, name), 120.0)
        made.launcher.close()
        assert made.server.living() == frozenset()


def test_two_nodes_come_up_and_a_third_is_refused_with_the_clouds_word(story: Story) -> None:
    story.cloud.faults.refuse("InsufficientInstanceCapacity", zone="us-east-1b", spot=True)
    for name, at in (("rl-a", offer("us-east-1a")), ("rl-b", offer("us-west-2a", Market.ON_DEMAND))):
        story.launcher.launch(NodeOrder(name=name, offer=at))
    story.launcher.launch(NodeOrder(name="rl-c", offer=offer("us-east-1b")))
    until(lambda: story.node("rl-c").ended_at, UP_S)
    refused = story.node("rl-c").refused
    assert refused is not None
    assert refused.why is Why.NO_CAPACITY
    assert "InsufficientInstanceCapacity" in refused.detail
    story.until_up("rl-a", "rl-b")
    assert story.rented() == ["rl-a", "rl-b"]


def test_both_dialects_serve_side_by_side_and_only_through_this_machine(story: Story) -> None:
    story.launcher.start_replica(a_replica_order("rl-a-r0", "rl-a"))
    story.launcher.start_replica(a_replica_order("rl-b-r0", "rl-b"))
    until(lambda: all(one.endpoint for one in story.launcher.seen().replicas), 60.0)
    endpoint = story.replica("rl-a-r0").endpoint
    assert endpoint.startswith("http://127.0.0.1:")
    asked = {"model": "small", "prompt": "hello", "max_tokens": 4}
    answer = httpx.post(f"{endpoint}/v1/completions", json=asked, timeout=30.0).json()
    assert answer["usage"]["completion_tokens"] == 4
    (machine,) = story.cloud.account.running(**{"bouted-node": "rl-a"})
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{machine.ip}:18900/v1/node", timeout=2.0)


def test_a_nodes_cost_begins_when_its_cloud_says_so(story: Story) -> None:
    (machine,) = story.cloud.account.running(**{"bouted-node": "rl-a"})
    until(lambda: story.node("rl-a").started_at == machine.launched_at, 30.0)
    assert story.node("rl-a").instance_id == machine.id
    assert {node.name: node.started_at for node in story.launcher.sweep()}["rl-a"] == machine.launched_at


def test_no_secret_is_plain_anywhere_in_the_state_folder_or_in_a_command(story: Story) -> None:
    keys = [node_token(story.state / "sky" / "node.key", name) for name in ("rl-a", "rl-b")]
    secrets = [secret.encode() for secret in (*keys, HF_TOKEN)]
    assert [str(path) for path in _files(story.state) if _holds(path, secrets)] == []
    assert [path for path in Path("/proc").glob("[0-9]*/cmdline") if _holds(path, secrets)] == []


def test_in_base64_skypilots_own_requests_alone_have_keepers_tokens_and_nobody_else_reads_them(
    story: Story,
) -> None:
    keys = [node_token(story.state / "sky" / "node.key", name) for name in ("rl-a", "rl-b")]
    coded = [form for key in keys for form in _in_base64(key.encode())]
    holding = {path.name.partition("-")[0] for path in _files(story.state) if _holds(path, coded)}
    assert holding <= {"requests.db"}
    hub = [*_in_base64(HF_TOKEN.encode())]
    assert [str(path) for path in _files(story.state) if _holds(path, hub)] == []
    assert (story.state / "sky" / "home").stat().st_mode & 0o077 == 0


def test_a_launcher_that_comes_after_finds_the_same_nodes_engines_and_ways(story: Story) -> None:
    before = [(one.name, one.pid, one.endpoint) for one in story.launcher.seen().replicas]
    story.reopen()
    until(lambda: len(story.launcher.seen().replicas) == 2, 30.0)
    until(lambda: all(one.endpoint for one in story.launcher.seen().replicas), 30.0)
    assert [(one.name, one.pid, one.endpoint) for one in story.launcher.seen().replicas] == before
    assert story.rented() == ["rl-a", "rl-b"]


def test_an_api_server_that_is_killed_is_replaced_and_nothing_else_happens(story: Story) -> None:
    before = story.launcher.seen().replicas
    story.server.end()
    assert story.launcher.seen().replicas == before
    story.launcher.renew(("rl-a", "rl-b"), 600.0)
    until(lambda: story.launcher.seen() and story.server.living(), 60.0)
    assert story.running() == ["rl-a", "rl-b"]


def test_a_preempted_node_is_gone_within_seconds_and_ends_when_its_cloud_says_so(story: Story) -> None:
    (machine,) = story.cloud.account.running(**{"bouted-node": "rl-a"})
    story.cloud.account.terminate([machine])
    began = time.monotonic()
    until(lambda: [one.node for one in story.launcher.seen().replicas] == ["rl-b"], 10.0)
    print(f"replicas gone after {time.monotonic() - began:.1f} s")
    until(lambda: story.node("rl-a").ended_at, 120.0)
    print(f"node ended after {time.monotonic() - began:.1f} s")
    (gone,) = story.cloud.account.instances(**{"bouted-node": "rl-a"})
    until(lambda: story.node("rl-a").ended_at == gone.ended_at, 30.0)


def test_a_stopped_node_is_terminated(story: Story) -> None:
    until(lambda: story.stopped("rl-b"), 120.0)
    assert story.running() == []


def test_an_instance_under_our_tag_that_nobody_knows_is_swept_and_ended(story: Story) -> None:
    tags = {DEPLOYMENT_LABEL: DEPLOYMENT, "bouted-node": "rl-orphan"}
    user = (story.state / "sky" / "home" / ".sky" / "user_hash").read_text()
    for whose in (tags, tags | {DEPLOYMENT_LABEL: "other"}):
        rent_as(story, whose, f"rl-orphan-{user}")
    namesake = rent_as(story, tags | {"bouted-node": "rl-namesake"}, "rl-namesake-b0b0cafe")
    found = [node.name for node in story.launcher.sweep()]
    assert "rl-orphan" in found
    assert "rl-namesake" not in found
    until(lambda: story.stopped("rl-orphan"), 30.0)
    assert story.stopped("rl-namesake")
    assert story.running() == ["rl-namesake"]
    theirs = story.cloud.account.running(**{DEPLOYMENT_LABEL: "other"})
    assert len(theirs) == 1
    story.cloud.account.terminate([*theirs, namesake])


def test_a_launcher_whose_folder_is_lost_finds_what_it_rented_by_the_id_in_its_row(
    story: Story, tmp_path: Path
) -> None:
    tags = {DEPLOYMENT_LABEL: DEPLOYMENT, "bouted-node": "rl-before"}
    before = rent_as(story, tags, "rl-before-b0b0cafe")
    anew = opened(story.cloud, tmp_path)
    row = KnownNode(name="rl-before", offer=offer("us-west-2a"), instance_id=before.id)
    assert anew.sweep([replace(row, instance_id="i-0")]) == ()
    assert [node.name for node in anew.sweep([row])] == ["rl-before"]
    anew.let_go()
    story.cloud.account.terminate([before])


def test_every_call_that_was_made_is_in_the_policy_of_the_docs(story: Story) -> None:
    policy = json.loads((ROOT / "docs" / "permissions" / "aws-launch.json").read_text())
    allowed: set[str] = set()
    for statement in policy["Statement"]:
        actions = statement["Action"]
        allowed |= {actions} if isinstance(actions, str) else set(actions)
    made = set(story.cloud.faults.counts(SKY_KEY))
    print(sorted(made))
    assert made - allowed == set()


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.name != "hf.token" and path.is_file() and not path.is_symlink():
            yield path


def _in_base64(secret: bytes) -> Iterator[bytes]:
    """How it reads within a longer text in base64, wherever it begins there."""
    for before in range(3):
        form = b64encode(bytes(before) + secret)
        yield form[-(-8 * before // 6) : 8 * (before + len(secret)) // 6]


def _holds(path: Path, secrets: list[bytes]) -> bool:
    try:
        text = path.read_bytes()
    except OSError:
        return False
    return any(secret in text for secret in secrets)
