"""SkyPilot in memory: clusters are folders of this machine, on which real keepers run real engines.

It stands in for `SkyApi`. What SkyPilot does to clouds is not in it; that its own API server, SDK and
provisioners do what this says is held by the tests that run the real ones.
"""

import json
import os
import re
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bouted.clock import Clock
from bouted.errors import BoutedError, Gone, Retryable
from bouted.testing.keeper import KeeperProcess

from .sky_wire import UNDER_WAY, Late, RequestState, SkyCluster, SkyError, SkyLook, SkyRequest, SshAddress

_LEASE = re.compile(r"--lease-s (\S+)")


@dataclass(slots=True, kw_only=True)
class _Cluster:
    known: SkyCluster
    keeper: KeeperProcess
    lost: bool = False
    cut_off: bool = False

    @property
    def ended(self) -> Path:
        """Where the keeper's end command says that the machine is to go."""
        return self.keeper.root / "ended"


@dataclass(slots=True, kw_only=True)
class MemorySky:
    """Whatever launcher objects share it see the same clusters.

    A launch takes `boot_s`, and its keeper answers from then on. `refused` holds (glob, error): launches of
    matching `cloud/region/type/market` fail with that. `starts` and `trouble` are those of its API server,
    which is silent while it has trouble; while it is `deaf`, until it is ended, it says that it is well and
    answers nothing: `unheard` are the calls. `clocks` holds the minutes that clusters' own clocks were set to
    last, which takes `clocks_take_s`; `clocks_fail` is what it fails with.
    """

    root: Path
    clock: Clock
    boot_s: float = 0.2
    refused: list[tuple[str, SkyError]] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    checked: str = ""
    asked: list[tuple[str, ...]] = field(default_factory=list)
    starts: int = 1
    trouble: str = ""
    cannot: BoutedError | None = None
    deaf: bool = False
    unheard: list[str] = field(default_factory=list)
    clocks: dict[str, int] = field(default_factory=dict)
    clocks_take_s: float = 0.0
    clocks_fail: SkyError | None = None
    launches: list[str] = field(default_factory=list)
    _clusters: dict[str, _Cluster] = field(default_factory=dict)
    _requests: dict[str, SkyRequest] = field(default_factory=dict)
    _errors: dict[str, SkyError] = field(default_factory=dict)
    _done_at: dict[str, float] = field(default_factory=dict)
    _tasks: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _boots: int = 0
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def launch(
        self, cluster: str, task: Mapping[str, Any], secrets: Mapping[str, str], autodown_min: int
    ) -> str:
        """Begin to boot; whether it is refused shows when that is over. Raises `cannot` while that is set."""
        if self.cannot is not None:
            raise self.cannot
        self.launches.append(cluster)
        self.clocks[cluster] = autodown_min
        request = self._request("launch", cluster, self.boot_s)
        self._tasks[request] = {**task, "secrets": dict(secrets)}
        return request

    def run_again(self, cluster: str, task: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
        """Start the keeper anew on the same folder, unless it runs."""
        process = self._clusters[cluster].keeper.process
        if process is None or process.poll() is not None:
            self._clusters[cluster].keeper.start()
        return self._request("exec", cluster, 0.0)

    def down(self, cluster: str) -> str:
        """End the keeper and its engines."""
        request = self._request("down", cluster, 0.0)
        if cluster in self._clusters:
            self._end(cluster)
        else:
            self._fail(request, SkyError(type="ClusterDoesNotExist", message=f"no cluster {cluster}"))
        return request

    def cancel(self, request_id: str) -> str:
        """Forget a launch that is under way."""
        known = self._requests[request_id]
        self._requests[request_id] = replace(known, state=RequestState.CANCELLED)
        return self._request("cancel", known.cluster, 0.0)

    def refresh(self, cluster: str) -> str:
        """Drop what has ended by itself."""
        self._drop_ended()
        return self._request("status", cluster, 0.0)

    def autodown(self, cluster: str, minutes: int) -> str:
        """Nothing here ends by SkyPilot's own clock, but what it was set to is known."""
        self._hear("autodown")
        request = self._request("autostop", cluster, self.clocks_take_s)
        if self.clocks_fail is not None:
            self._fail(request, self.clocks_fail)
        else:
            self.clocks[cluster] = minutes
        return request

    def check(self, clouds: Sequence[str]) -> str:
        """Its log is `checked`, whatever is asked."""
        self.asked.append(tuple(clouds))
        request = self._request("check", "", 0.0)
        self.logs[request] = self.checked
        return request

    def look(self, requests: Sequence[str], unasked: Sequence[str]) -> SkyLook:
        """The requests asked for, and every cluster."""
        self._hear("look")
        self._proceed()
        asked = [self._requests[one] for one in requests if one in self._requests]
        asked += [one for one in self._requests.values() if one.cluster in unasked and one.state in UNDER_WAY]
        return SkyLook(
            requests=tuple(asked), clusters=tuple(cluster.known for cluster in self._clusters.values())
        )

    def state(self, request_id: str) -> RequestState | None:
        """How far it is."""
        self._proceed()
        return known.state if (known := self._requests.get(request_id)) is not None else None

    def error(self, request_id: str) -> SkyError | None:
        """What a request failed with."""
        return self._errors.get(request_id)

    def log(self, request_id: str) -> str:
        """What tests put there."""
        return self.logs.get(request_id, "")

    def launch_log(self, request_id: str, cluster: str, since: datetime) -> str:
        """The same, and what tests put among the `details` of the cluster."""
        return self.log(request_id) + self.details.get(cluster, "")

    def close(self) -> None:
        """Nothing to close."""

    def stop(self) -> None:
        """Another one comes at once, which knows of no request; there is no process to end."""
        if self.deaf:
            self.deaf, self.starts = False, self.starts + 1
            self.forget_requests()

    def tend(self) -> bool:
        """Whether its API server answers."""
        return not self.trouble

    def port(self, cluster: str) -> int:
        """The port of a cluster's keeper, on this machine's loopback."""
        if cluster not in self._clusters or self._clusters[cluster].lost:
            raise Gone(f"nothing listens at {cluster}")
        if self._clusters[cluster].cut_off:
            raise Retryable(f"{cluster} is not reached", after_s=1.0)
        return self._clusters[cluster].keeper.port

    def keeper(self, cluster: str) -> KeeperProcess:
        """The keeper of a cluster, to do to it what tests do."""
        return self._clusters[cluster].keeper

    def lose(self, cluster: str) -> None:
        """Take the machine away, as a preemption does: SkyPilot learns of it when it is refreshed."""
        self._kill(self._clusters[cluster].keeper)
        self._clusters[cluster].lost = True
        self._clusters[cluster].ended.touch()

    def cut_off(self, cluster: str, *, off: bool = True) -> None:
        """Break the way to a machine that goes on running: SkyPilot does not reach it either."""
        self._clusters[cluster].cut_off = off
        process = self._clusters[cluster].keeper.process
        if process is not None:
            process.send_signal(signal.SIGSTOP if off else signal.SIGCONT)
        status = "INIT" if off else "UP"
        self._clusters[cluster].known = replace(self._clusters[cluster].known, status=status)

    def forget_requests(self) -> None:
        """What a server that is killed does."""
        self._requests.clear()

    def end_all(self) -> None:
        """End every keeper and engine."""
        for cluster in tuple(self._clusters):
            self._end(cluster)

    def _hear(self, call: str) -> None:
        if self.deaf:
            self.unheard.append(call)
            raise Late(f"SkyPilot did not answer {call} in 60 s", after_s=5.0)

    def _request(self, kind: str, cluster: str, takes_s: float) -> str:
        name = f"{kind}-{len(self._done_at)}"
        state = RequestState.RUNNING if takes_s else RequestState.SUCCEEDED
        self._requests[name] = SkyRequest(id=name, kind=kind, cluster=cluster, state=state)
        self._done_at[name] = self.clock.now().timestamp() + takes_s
        return name

    def _proceed(self) -> None:
        now = self.clock.now().timestamp()
        with self._turn:
            for name, request in tuple(self._requests.items()):
                if request.state is RequestState.RUNNING and self._done_at[name] <= now:
                    if name in self._tasks:
                        self._finish(name, request)
                    else:
                        self._requests[name] = replace(request, state=RequestState.SUCCEEDED)

    def _finish(self, name: str, request: SkyRequest) -> None:
        task = self._tasks[name]
        place = _place(task["resources"])
        for glob, error in self.refused:
            if fnmatchcase(place, glob):
                self._fail(name, error)
                return
        if request.cluster not in self._clusters:
            self._clusters[request.cluster] = self._boot(request.cluster, task)
        self._requests[name] = replace(request, state=RequestState.SUCCEEDED)

    def _fail(self, name: str, error: SkyError) -> None:
        self._requests[name] = replace(self._requests[name], state=RequestState.FAILED)
        self._errors[name] = error

    def _boot(self, name: str, task: Mapping[str, Any]) -> _Cluster:
        self._boots += 1
        root = self.root / f"{name}.{self._boots}"
        root.mkdir(parents=True)
        keeper = KeeperProcess(root=root, node=name, end=("touch", str(root / "ended")))
        (keeper.token,) = task["secrets"].values()
        lease = _LEASE.search(task["run"])
        keeper.flags = ("--lease-s", lease[1]) if lease else ()
        keeper.start()
        cloud, region, *_ = task["resources"]["infra"].split("/")
        known = SkyCluster(
            name=name,
            status="UP",
            said="",
            launched_at_s=float(int(self.clock.now().timestamp())),
            region=region,
            zone="",
            instance_type=task["resources"].get("instance_type", ""),
            use_spot=task["resources"]["use_spot"],
            cloud=cloud,
            labels=dict(task["resources"].get("labels", {})),
            address=SshAddress(host="127.0.0.1", port=0, user="nobody", key_file=""),
        )
        return _Cluster(known=known, keeper=keeper)

    def _drop_ended(self) -> None:
        for name, cluster in tuple(self._clusters.items()):
            if cluster.ended.exists():
                self._end(name)

    def _end(self, cluster: str) -> None:
        self._kill(self._clusters.pop(cluster).keeper)

    def _kill(self, keeper: KeeperProcess) -> None:
        if keeper.process is not None:
            keeper.process.kill()
            keeper.process.wait()
        for path in keeper.folder.glob("*.json"):
            with suppress(ProcessLookupError, ValueError, KeyError, TypeError):
                os.killpg(int(json.loads(path.read_text(encoding="utf-8"))["pid"]), signal.SIGKILL)


def _place(resources: Mapping[str, Any]) -> str:
    cloud, region, *_ = resources["infra"].split("/")
    market = "spot" if resources["use_spot"] else "on_demand"
    return f"{cloud}/{region}/{resources['instance_type']}/{market}"
