"""The process that boots a machine for every running instance, and kills it when the instance ends.

It is the first process of its own process and mount namespaces: everything that it started, and every disk,
goes with it, however it ends. It ends when its standard input does.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bouted.testing.ec2.account import ADMIN
from bouted.testing.ec2.machine import Machine, Site
from bouted.testing.ec2.metadata import Instance
from bouted.testing.http import Asked, Reply, stand_in

LOOK_S = 0.25
_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Machines:
    """The machines of a site. `boot_s` is how long an instance runs before its machine boots."""

    site: Site
    boot_s: float = 0.0
    living: dict[str, Machine] = field(default_factory=dict)
    first_seen: dict[str, float] = field(default_factory=dict)

    def look(self, running: dict[str, Callable[[], Instance]]) -> None:
        """Boot what runs and has no machine, end machines of what does not run."""
        for name in [name for name in self.living if name not in running]:
            self.living.pop(name).end()
            _log.info("%s ended", name)
        for name, describe in running.items():
            since = self.first_seen.setdefault(name, time.monotonic())
            if name not in self.living and time.monotonic() >= since + self.boot_s:
                instance = describe()
                self.living[name] = Machine.boot(instance, self.site)
                _log.info("%s up at %s, %.2f s", name, instance.ip, time.monotonic() - since)

    def answer(self, asked: Asked) -> Reply:
        """Requests of the test: which machines live, when one will be interrupted, how slowly they boot."""
        if asked.path == "/living":
            return Reply(said=[name for name, one in list(self.living.items()) if one.alive()])
        if asked.path == "/boot":
            self.boot_s = float(asked.json()["boot_s"])
            return Reply(said={})
        if asked.path == "/notice" and (machine := self.living.get(asked.json()["id"])):
            at = asked.json()["at"]
            machine.metadata.notice = datetime.fromisoformat(at) if at else None
            return Reply(said={})
        return Reply(said={}, status=404)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The running instances of the cloud at `url`, asked in each region."""

    url: str
    regions: tuple[str, ...]

    def looking(self) -> Iterator[dict[str, Callable[[], Instance]]]:
        """What runs at each look; how each is described costs another call."""
        import boto3

        clients = {
            region: boto3.client("ec2", region_name=region, endpoint_url=self.url, **ADMIN)
            for region in self.regions
        }
        only = [{"Name": "instance-state-name", "Values": ["running"]}]
        while True:
            found: dict[str, Callable[[], Instance]] = {}
            for region, client in clients.items():
                for reservation in client.describe_instances(Filters=only)["Reservations"]:
                    for row in reservation["Instances"]:
                        found[row["InstanceId"]] = _describing(client, region, row)
            yield found


def _describing(client: Any, region: str, row: dict[str, Any]) -> Callable[[], Instance]:
    def describe() -> Instance:
        data = client.describe_instance_attribute(InstanceId=row["InstanceId"], Attribute="userData")
        return Instance(
            id=row["InstanceId"],
            ip=row["PrivateIpAddress"],
            region=region,
            zone=row["Placement"]["AvailabilityZone"],
            instance_type=row["InstanceType"],
            spot=row.get("InstanceLifecycle") == "spot",
            user_data=data.get("UserData", {}).get("Value", ""),
        )

    return describe


def main() -> None:
    """Run until standard input ends. The first line on standard output is the port to ask at."""
    if os.getpid() != 1:
        apart = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        os.execvp("unshare", [*apart, sys.executable, "-P", "-m", __spec__.name, *sys.argv[1:]])
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    told = _arguments()
    site = Site(
        image=told.image,
        disks=told.disks,
        logs=told.logs,
        api_port=told.api_port,
        shared=tuple(zip(told.share[::2], told.share[1::2], strict=True)),
        hidden=tuple(told.hide),
    )
    subprocess.run(["mount", "-t", "tmpfs", "disks", str(site.disks)], check=True)
    threading.Thread(target=_end_with_input, daemon=True).start()
    machines = Machines(site=site)
    with stand_in(machines.answer) as server:
        print(json.dumps({"port": server.server_port}), flush=True)
        for running in Running(url=told.url, regions=tuple(told.region)).looking():
            machines.look(running)
            time.sleep(LOOK_S)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="machines", description=__doc__)
    parser.add_argument("--url", required=True, help="the cloud's own API")
    parser.add_argument("--api-port", type=int, required=True, help="the API as machines see it")
    parser.add_argument("--region", action="append", required=True)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--disks", type=Path, required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--share", type=Path, nargs="*", default=[], help="a folder, where to show it, ...")
    parser.add_argument("--hide", type=Path, nargs="*", default=[], help="folders to show empty")
    return parser.parse_args()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
