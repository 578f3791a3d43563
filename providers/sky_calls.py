"""The calls of SkyPilot's SDK that bouted makes, each with plain values in and out. Runs in the worker.

Everything that takes long returns a request's id at once; `look` tells how far requests are.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import sky
from sky.client import sdk
from sky.server.common import RequestId
from sky.skylet.autostop_lib import AutostopWaitFor

from .sky_wire import RequestState, SkyCluster, SkyError, SkyRequest, SshAddress

_ASKED = ["request_id", "name", "status", "cluster_name"]


def launch(cluster: str, task: dict[str, Any], secrets: dict[str, str], autodown_min: int) -> str:
    """Rent the instance that `task` pins, and run it there; the request's id.

    Without word the cluster takes itself down after `autodown_min` minutes, whatever runs on it (0: never).
    """
    made = sky.Task.from_yaml_config(task)
    made.update_secrets(secrets)
    if not autodown_min:
        return str(sky.launch(made, cluster_name=cluster))
    return str(
        sky.launch(
            made,
            cluster_name=cluster,
            idle_minutes_to_autostop=autodown_min,
            down=True,
            wait_for=AutostopWaitFor.NONE,
        )
    )


def run_again(cluster: str, task: dict[str, Any], secrets: dict[str, str]) -> str:
    """Run the task once more on a cluster that is up; the request's id."""
    made = sky.Task.from_yaml_config(task)
    made.update_secrets(secrets)
    return str(sky.exec(made, cluster_name=cluster))


def down(cluster: str) -> str:
    """Give the instance back; the request's id."""
    return str(sky.down(cluster))


def cancel(request_id: str) -> str:
    """Stop working on a request; the id of the request that does it. Cancelling gives nothing back."""
    return str(sky.api_cancel([request_id]))


def refresh(cluster: str) -> str:
    """Ask the cloud itself how the cluster is; the request's id. The record is brought up to date by it."""
    return str(sky.status([cluster], refresh=sky.StatusRefreshMode.FORCE))


def autodown(cluster: str, minutes: int) -> str:
    """Start the cluster's own clock anew: it takes itself down after so many minutes, below 0: never. The
    request's id."""
    if minutes < 0:
        return str(sky.autostop(cluster, minutes))
    return str(sky.autostop(cluster, minutes, wait_for=AutostopWaitFor.NONE, down=True))


def check(clouds: list[str]) -> str:
    """Ask each cloud whether it lets SkyPilot in; the request's id. Its log says how each is."""
    return str(sdk.check(tuple(clouds), verbose=False))


def look(requests: list[str], unasked: list[str]) -> dict[str, Any]:
    """These requests, those under way for the clusters `unasked`, and all clusters."""
    said = sky.api_status(requests, fields=_ASKED) if requests else []
    for cluster in unasked:
        said += sky.api_status(cluster_name=cluster, fields=_ASKED)
    records = sky.get(sky.status(_include_credentials=True))
    return {
        "requests": [asdict(_request(request)) for request in said],
        "clusters": [asdict(_cluster(record)) for record in records],
    }


def state(request_id: str) -> str | None:
    """How far a request is, and nothing else: a busy server answers that, too. None when it knows of none."""
    said = sky.api_status([RequestId(request_id)], fields=_ASKED)
    return _request(said[0]).state.value if said else None


def _request(request: Any) -> SkyRequest:
    state = RequestState(request.status)
    return SkyRequest(
        id=request.request_id,
        kind=request.name.removeprefix("sky."),
        cluster=request.cluster_name or "",
        state=state,
    )


def error(request_id: str) -> dict[str, str] | None:
    """What a finished request raised; None when it did not."""
    try:
        sky.get(RequestId(request_id))
    except Exception as raised:  # whatever the request raised on the server is raised here again
        return asdict(SkyError(type=type(raised).__name__, message=str(raised)))
    return None


def _cluster(record: Any) -> SkyCluster:
    handle = record["handle"]
    rented = getattr(handle, "launched_resources", None)
    return SkyCluster(
        name=record["name"],
        status=record["status"].value,
        said=record.get("last_event") or "",
        launched_at_s=float(record["launched_at"] or 0),
        cloud=str(getattr(rented, "cloud", "") or "").lower(),
        region=getattr(rented, "region", "") or "",
        zone=getattr(rented, "zone", "") or "",
        instance_type=getattr(rented, "instance_type", "") or "",
        use_spot=bool(getattr(rented, "use_spot", False)),
        labels=dict(getattr(rented, "labels", None) or {}),
        address=_address(handle, record.get("credentials") or {}),
    )


def _address(handle: Any, credentials: Mapping[str, Any]) -> SshAddress | None:
    host, key_file = getattr(handle, "head_ip", None), credentials.get("ssh_private_key")
    if not host or not key_file:
        return None
    return SshAddress(
        host=host,
        port=int(getattr(handle, "head_ssh_port", None) or 22),
        user=credentials["ssh_user"],
        key_file=key_file,
        proxy=credentials.get("ssh_proxy_command") or "",
    )


CALLS: Mapping[str, Callable[..., object]] = {
    call.__name__: call
    for call in (launch, run_again, down, cancel, refresh, autodown, check, look, state, error)
}
