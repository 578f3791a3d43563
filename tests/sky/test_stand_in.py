"""The stand-in cloud is one that an unmodified SkyPilot rents from."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bouted.testing.ec2.cloud import StandInCloud
from bouted.testing.ec2.home import SKY_KEY
from bouted.testing.ec2.metadata import ROLE_KEY
from bouted.testing.processes import until

pytestmark = pytest.mark.timeout(600)

LAUNCH = """
import json, sky
page = "mkdir -p page && cd page && hostname > index.html && exec python3 -m http.server 8080"
task = sky.Task(name="page", run=page)
task.set_resources(sky.Resources(
    infra="aws/us-east-1/us-east-1a", instance_type="g5.xlarge", use_spot=True, labels={"replica": "r-1"}
))
try:
    job, handle = sky.get(sky.launch(task, cluster_name="page"))
    print(json.dumps({"job": job, "ip": handle.head_ip}))
except sky.exceptions.ResourcesUnavailableError as error:
    print(json.dumps({"error": type(error).__name__}))
"""
START = "import sky; sky.api_start(); print('{}')"
DOWN = "import sky; sky.get(sky.down('page')); print('{}')"
STOP = "import sky; sky.api_stop(); print('{}')"


@pytest.fixture(scope="module")
def sky(cloud: StandInCloud) -> Iterator["Sky"]:
    made = Sky(cloud)
    made(START)
    yield made
    made(STOP)


class Sky:
    """Runs SkyPilot's client in a process of its own, and tells how long that took."""

    def __init__(self, cloud: StandInCloud) -> None:
        self.cloud = cloud

    def __call__(self, script: str) -> Any:
        began = time.monotonic()
        ran = subprocess.run(
            [sys.executable, "-c", script],
            env=self.cloud.env(),
            capture_output=True,
            text=True,
            timeout=300.0,
        )
        took = f"{time.monotonic() - began:.1f} s"
        assert ran.returncode == 0, (took, ran.stdout[-4000:], ran.stderr[-4000:])
        print(f"{took}: {script.strip().splitlines()[0]}")
        return json.loads(ran.stdout.strip().splitlines()[-1])


@contextmanager
def tunnel(cloud: StandInCloud, ip: str, port: int) -> Iterator[str]:
    """The URL of a port on the machine's loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        near = probe.getsockname()[1]
    keys = list((cloud.home.folder / ".sky" / "clients").glob("*/ssh/sky-key"))
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ExitOnForwardFailure=yes"]
    argv = ["ssh", "-F", "none", "-N", "-i", str(keys[0]), *(part for one in options for part in ("-o", one))]
    argv += ["-L", f"127.0.0.1:{near}:127.0.0.1:{port}", f"ubuntu@{ip}"]
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{near}"
    finally:
        process.terminate()
        process.wait()


def reads(url: str) -> str:
    """What lies there, "" while nothing answers."""
    try:
        return httpx.get(url, timeout=5.0).text
    except httpx.TransportError:
        return ""


def test_a_zone_without_capacity_is_refused_and_the_attempts_are_logged(
    cloud: StandInCloud, sky: Sky
) -> None:
    cloud.faults.refuse("InsufficientInstanceCapacity", zone="us-east-1a", spot=True)
    before = len(cloud.faults.attempts)
    assert sky(LAUNCH) == {"error": "ResourcesUnavailableError"}
    tried = {(one.zone, one.instance_type, one.spot, one.refused) for one in cloud.faults.attempts[before:]}
    assert tried == {("us-east-1a", "g5.xlarge", True, "InsufficientInstanceCapacity")}
    assert cloud.account.running() == []


def test_what_skypilot_launches_is_a_machine_that_ends_with_its_instance(
    cloud: StandInCloud, sky: Sky
) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    launched = sky(LAUNCH)
    (instance,) = cloud.account.running(replica="r-1")
    assert (instance.zone, instance.instance_type, instance.spot) == ("us-east-1a", "g5.xlarge", True)
    assert instance.ip == launched["ip"]
    assert cloud.machines.living() == {instance.id}
    with tunnel(cloud, instance.ip, 8080) as url:
        until(lambda: reads(url))
        assert reads(url) == f"ip-{instance.ip.replace('.', '-')}\n"
        cloud.account.terminate([instance])
        until(lambda: not cloud.machines.living())
        assert reads(url) == ""
    (ended,) = cloud.account.instances(replica="r-1")
    assert ended.ended_at is not None
    assert began <= ended.launched_at <= ended.ended_at <= datetime.now(UTC)
    sky(DOWN)


def test_calls_are_counted_by_the_names_of_iam_and_by_who_made_them(cloud: StandInCloud, sky: Sky) -> None:
    counted = cloud.faults.counts(SKY_KEY)
    assert {"ec2:RunInstances", "iam:PassRole", "ec2:CreateTags", "sts:GetCallerIdentity"} <= set(counted)
    assert cloud.faults.counts(ROLE_KEY).keys() <= counted.keys()
    print(sorted(counted.items()))
