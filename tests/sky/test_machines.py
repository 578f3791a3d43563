"""Instances of the stand-in cloud behave as machines do."""

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from bouted.testing.ec2.account import Rented
from bouted.testing.ec2.cloud import StandInCloud
from bouted.testing.ec2.machine import authorized_keys
from bouted.testing.ec2.metadata import ROLE, ROLE_KEY
from bouted.testing.ec2.ssh import Key
from bouted.testing.processes import until

ASK = """
import sys, urllib.error, urllib.request as http
def ask(path, method="GET", **headers):
    return http.urlopen(http.Request("http://169.254.169.254/latest/" + path, None, headers, method=method))
token = ask("api/token", "PUT", **{"X-aws-ec2-metadata-token-ttl-seconds": "60"}).read().decode()
signed = {"X-aws-ec2-metadata-token": token} if sys.argv[2] == "token" else {}
try:
    print(ask(sys.argv[1], **signed).read().decode())
except urllib.error.HTTPError as error:
    print(error.code)
"""
NOTICE = "meta-data/spot/instance-action"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return Key.make(tmp_path_factory.mktemp("key") / "key")


@pytest.fixture
def machine(cloud: StandInCloud, key: Key) -> Iterator[Rented]:
    rented = cloud.account.rent("g5.xlarge", "us-east-1a", spot=True, public_key=key.public)
    until(lambda: rented.id in cloud.machines.living())
    yield rented
    cloud.account.terminate([rented])


def test_it_is_alone_with_its_name_network_and_processes(machine: Rented, key: Key) -> None:
    assert key.run(machine.ip, "hostname") == f"ip-{machine.ip.replace('.', '-')}\n"
    assert re.findall(r"(\w+):", key.run(machine.ip, "cat /proc/net/dev")) == ["lo"]
    assert "pytest" not in key.run(machine.ip, "cat /proc/[0-9]*/comm")


def test_it_does_not_change_this_machine(machine: Rented, key: Key) -> None:
    key.run(machine.ip, "sudo touch /etc/bouted-was-here /tmp/bouted-was-here /var/lib/bouted-was-here")
    with pytest.raises(subprocess.CalledProcessError):
        key.run(machine.ip, "sudo touch /usr/bouted-was-here")
    for folder in ("etc", "tmp", "var/lib", "usr"):
        assert not (Path("/") / folder / "bouted-was-here").exists()


def test_its_user_runs_our_package_which_is_not_the_checkout(machine: Rented, key: Key) -> None:
    run = "cd /tmp && PYTHONPATH=/opt/bouted /opt/bouted-venv/bin/python -P -c"
    assert key.run(machine.ip, "id -un") == "ubuntu\n"
    where = "import bouted.providers.node_keeper as it; print(it.__file__)"
    assert key.run(machine.ip, f"{run} '{where}'") == "/opt/bouted/bouted/providers/node_keeper.py\n"
    root = Path(__file__).resolve().parents[2]
    assert key.run(machine.ip, f"ls {root} 2>/dev/null || true") == ""  # below /tmp it is not there at all


def test_its_metadata_tell_what_it_is_and_who(machine: Rented, key: Key) -> None:
    assert json.loads(asked(machine, key, "dynamic/instance-identity/document")) == {
        "instanceId": machine.id,
        "instanceType": "g5.xlarge",
        "privateIp": machine.ip,
        "region": "us-east-1",
        "availabilityZone": "us-east-1a",
    }
    assert asked(machine, key, "meta-data/instance-life-cycle") == "spot"
    assert asked(machine, key, "meta-data/iam/security-credentials/") == ROLE
    assert asked(machine, key, "meta-data/public-ipv4") == "404"


def test_metadata_want_a_token(machine: Rented, key: Key) -> None:
    assert asked(machine, key, "meta-data/instance-id", "none") == "401"


def test_an_interruption_is_announced_in_the_metadata(cloud: StandInCloud, machine: Rented, key: Key) -> None:
    assert asked(machine, key, NOTICE) == "404"
    cloud.machines.warn(machine.id, datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert json.loads(asked(machine, key, NOTICE)) == {"action": "terminate", "time": "2030-01-02T03:04:05Z"}
    cloud.machines.warn(machine.id, None)
    assert asked(machine, key, NOTICE) == "404"


def test_it_may_end_itself_with_its_role(cloud: StandInCloud, machine: Rented, key: Key) -> None:
    script = f"import boto3; boto3.client('ec2').terminate_instances(InstanceIds=['{machine.id}'])"
    with pytest.raises(subprocess.CalledProcessError):  # the connection ends with the machine, or just after
        key.run(machine.ip, f'cd /tmp && /opt/bouted-venv/bin/python -c "{script}"; sleep 30')
    assert cloud.faults.counts(ROLE_KEY) == {"ec2:TerminateInstances": 1}
    assert machine.id not in {one.id for one in cloud.account.running()}


def test_when_its_instance_ends_all_that_ran_on_it_is_killed(
    cloud: StandInCloud, machine: Rented, key: Key
) -> None:
    sleeper = subprocess.Popen(key.argv(machine.ip, "sleep 600"), stdin=subprocess.DEVNULL)
    with key.tunnel(machine.ip, 8080) as url:
        server = subprocess.Popen(key.argv(machine.ip, "cd /tmp && exec python3 -m http.server 8080"))
        until(lambda: _answers(url))
        cloud.account.terminate([machine])
        until(lambda: machine.id not in cloud.machines.living())
        assert not _answers(url)
    assert sleeper.wait(timeout=10.0) == 255
    assert server.wait(timeout=10.0) == 255
    (ended,) = [one for one in cloud.account.instances() if one.id == machine.id]
    assert ended.ended_at is not None
    assert ended.launched_at <= ended.ended_at <= datetime.now(UTC)


def test_machines_die_with_the_process_that_has_them(tmp_path: Path, cloud: StandInCloud) -> None:
    with StandInCloud(image=_image(), work=tmp_path / "cloud") as other:
        assert other.account.octet != cloud.account.octet
        key = Key.make(tmp_path / "key")
        rented = other.account.rent("m6i.large", "us-west-2b", public_key=key.public)
        until(lambda: other.machines.living())
        key.run(rented.ip, "nohup sleep 600.125 >/dev/null 2>&1 & exit")
        assert _processes("sleep 600.125")
        os.kill(other.machines.child.process.pid, signal.SIGKILL)
        until(lambda: not _processes("sleep 600.125"))


def test_a_slow_machine_answers_late(cloud: StandInCloud, key: Key) -> None:
    cloud.machines.boot_slowly(600.0)
    rented = cloud.account.rent("m6i.large", "us-east-1b", public_key=key.public)
    try:
        assert rented.running
        assert cloud.machines.living() == set()
        cloud.machines.boot_slowly(0.0)
        until(lambda: cloud.machines.living() == {rented.id})
    finally:
        cloud.machines.boot_slowly(0.0)
        cloud.account.terminate([rented])


@pytest.mark.parametrize(
    ("user_data", "keys"),
    [
        ("", ()),
        ("#cloud-config\nusers: [{name: a, ssh_authorized_keys: [k1, k2]}, default]", ("k1", "k2")),
        ("I2Nsb3VkLWNvbmZpZwp1c2VyczogW3tzc2hfYXV0aG9yaXplZF9rZXlzOiBba119XQo=", ("k",)),
        ("#!/bin/sh\ntrue", ()),
    ],
)
def test_keys_are_read_from_user_data(user_data: str, keys: tuple[str, ...]) -> None:
    assert authorized_keys(user_data) == keys


def asked(machine: Rented, key: Key, path: str, token: str = "token") -> str:
    """What the machine's metadata answer it, or the status if that is an error."""
    return key.run(machine.ip, f"python3 -c {shlex.quote(ASK)} {path} {token}").strip()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5.0).status_code == 200
    except httpx.TransportError:
        return False


def _processes(command: str) -> list[str]:
    ran = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in ran.stdout.splitlines() if line == command]


def _image() -> Path:
    return Path(__file__).resolve().parents[2] / "build" / "sky" / "image"
