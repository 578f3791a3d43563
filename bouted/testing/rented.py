"""Stand-ins for the accounts of Azure, Lambda, RunPod and Vast, as far as their lists of machines go.

Each is an `answer` for `bouted.testing.http.stand_in`. A machine that is ended is listed no more.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bouted.testing.http import Asked, Reply

KEY = "key-of-the-stand-in"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rented:
    """A machine that somebody rented: `name` as SkyPilot gives it, with `tags` where the cloud knows any, in
    a resource group of Azure."""

    id: str
    name: str
    started_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)
    group: str = "group"
    region: str = "eastus"
    ending: bool = False


@dataclass(slots=True)
class RentedAccount:
    """One account: what is rented in it, what was ended, and `instead`, a reply to whatever is asked."""

    machines: list[Rented] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    instead: Reply | None = None
    page: int = 1000

    def lambda_cloud(self, asked: Asked) -> Reply:
        """Answers as Lambda does."""
        if refused := self._refused(asked):
            return refused
        if asked.method == "GET" and asked.path == "/instances":
            return Reply(said={"data": [_at_lambda(one) for one in self.machines]})
        if asked.method == "POST" and asked.path == "/instance-operations/terminate":
            found = [one for one in asked.json()["instance_ids"] if self._end(one)]
            gone = {"error": {"code": "global/object-does-not-exist", "message": "no such instance"}}
            return Reply(said={"data": {"terminated_instances": found}} if found else gone, status=_of(found))
        return Reply(said={"error": {"code": "global/not-found"}}, status=404)

    def runpod(self, asked: Asked) -> Reply:
        """Answers as RunPod's REST API does."""
        if refused := self._refused(asked):
            return refused
        if asked.method == "GET" and asked.path == "/pods":
            return Reply(said=[_at_runpod(one) for one in self.machines])
        if asked.method == "DELETE" and self._end(asked.path.removeprefix("/pods/")):
            return Reply(said=b"", status=204)
        return Reply(said={"error": "pod not found"}, status=404)

    def vast(self, asked: Asked) -> Reply:
        """Answers as Vast does."""
        if refused := self._refused(asked):
            return refused
        if asked.method == "GET" and asked.path == "/instances/":
            return Reply(said={"instances": [_at_vast(one) for one in self.machines]})
        if asked.method == "DELETE" and self._end(asked.path.removeprefix("/instances/").rstrip("/")):
            return Reply(said={"success": True})
        return Reply(said={"success": False, "error": "no_such_instance"}, status=404)

    def azure(self, asked: Asked) -> Reply:
        """Answers as Azure's resource manager does: lists in pages, deletes machines and resource groups."""
        if self.instead is not None:
            return self.instead
        if asked.method == "GET" and asked.path.lower().endswith("/virtualmachines"):
            start = int(asked.query.get("$skiptoken", "0"))
            rows = [_at_azure(one) for one in self.machines[start : start + self.page]]
            more = start + self.page
            link = f"http://{asked.headers['host']}{asked.path}?api-version=1&$skiptoken={more}"
            return Reply(said={"value": rows} | ({"nextLink": link} if more < len(self.machines) else {}))
        if asked.method == "DELETE" and self._delete(asked.path):
            return Reply(said=b"", status=202)
        return Reply(said={"error": {"code": "ResourceNotFound", "message": "was not found"}}, status=404)

    def _refused(self, asked: Asked) -> Reply | None:
        if self.instead is not None:
            return self.instead
        known = asked.headers.get("authorization") == f"Bearer {KEY}"
        return None if known else Reply(said={"error": "unauthorized"}, status=401)

    def _delete(self, path: str) -> bool:
        place = r"/subscriptions/[^/]+/resourcegroups/([^/]+)(?:/.*/([^/]+))?"
        found = re.fullmatch(place, path, re.IGNORECASE)
        group, machine = found.groups() if found else (None, None)
        inside = [one.id for one in self.machines if one.group == group and machine in (None, one.name)]
        return [self._end(one) for one in inside] != []

    def _end(self, machine: str) -> bool:
        left = [one for one in self.machines if one.id != machine]
        found = len(left) < len(self.machines)
        self.machines = left
        self.ended += [machine] if found else []
        return found


Answer = Callable[[RentedAccount, Asked], Reply]
ANSWERS: Mapping[str, Answer] = {
    "azure": RentedAccount.azure,
    "lambda": RentedAccount.lambda_cloud,
    "runpod": RentedAccount.runpod,
    "vast": RentedAccount.vast,
}
"""The stand-ins, by what offers call their clouds."""


def _of(found: list[str]) -> int:
    return 200 if found else 404


def _at_lambda(one: Rented) -> dict[str, Any]:
    status = "terminating" if one.ending else "active"
    return {"id": one.id, "name": one.name, "status": status, "region": {"name": "us-east-1"}}


def _at_runpod(one: Rented) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "desiredStatus": "TERMINATED" if one.ending else "RUNNING",
        "lastStartedAt": one.started_at.isoformat().replace("+00:00", "Z"),
        "costPerHr": "0.74",
    }


def _at_vast(one: Rented) -> dict[str, Any]:
    return {
        "id": int(one.id),
        "label": one.name,
        "actual_status": "running",
        "cur_state": "unloaded" if one.ending else "running",
        "start_date": one.started_at.timestamp(),
    }


def _at_azure(one: Rented) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "location": one.region,
        "tags": dict(one.tags) or None,
        "properties": {
            "provisioningState": "Deleting" if one.ending else "Succeeded",
            "timeCreated": one.started_at.isoformat(),
        },
    }


def azure_id(group: str, name: str) -> str:
    """What Azure calls a machine."""
    return (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Compute"
        f"/virtualMachines/{name}"
    )
