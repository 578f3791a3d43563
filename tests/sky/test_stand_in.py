"""The stand-in cloud is one that an unmodified SkyPilot rents from."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bouted.testing.ec2.cloud import StandInCloud
from bouted.testing.ec2.home import SKY_KEY
from bouted.testing.processes import until

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


def test_what_skypilot_launches_is_a_machine_that_serves_until_it_is_taken_down(
    cloud: StandInCloud, sky: Sky
) -> None:
    launched = sky(LAUNCH)
    (instance,) = cloud.account.running(replica="r-1")
    assert (instance.zone, instance.instance_type, instance.spot) == ("us-east-1a", "g5.xlarge", True)
    assert instance.ip == launched["ip"]
    assert cloud.machines.living() == {instance.id}
    with cloud.home.key.tunnel(instance.ip, 8080) as url:
        until(lambda: reads(url))
        assert reads(url) == f"ip-{instance.ip.replace('.', '-')}\n"
        sky(DOWN)
        until(lambda: not cloud.machines.living())
        assert reads(url) == ""
    assert cloud.account.running() == []


def test_calls_are_counted_by_the_names_of_iam_and_by_who_made_them(cloud: StandInCloud, sky: Sky) -> None:
    counted = cloud.faults.counts(SKY_KEY)
    made = {"ec2:RunInstances", "ec2:TerminateInstances", "sts:GetCallerIdentity"}
    implied = {"iam:PassRole", "ec2:CreateTags"}
    assert made | implied <= counted.keys()
    assert {action.partition(":")[0] for action in counted} <= {"ec2", "iam", "s3", "servicequotas", "sts"}
