"""What goes over the pipes of the SkyPilot worker, and the facts that come back. One JSON object a line.

To the worker `{"id": n, "call": name, "args": {...}}`; back `{"id": n, "answer": value}` or `{"id": n,
"error": {"type": ..., "message": ...}}`, in any order.
"""

from dataclasses import dataclass
from enum import StrEnum

from bouted.errors import Retryable


class RequestState(StrEnum):
    """How far SkyPilot is with a request, in its own words."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


UNDER_WAY = frozenset({RequestState.PENDING, RequestState.RUNNING})


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyError:
    """What SkyPilot raised: the name of its exception's class, and what it says."""

    type: str
    message: str


class SkyRaised(Exception):
    """A call was refused by SkyPilot itself."""

    def __init__(self, error: SkyError) -> None:
        super().__init__(f"{error.type}: {error.message}")
        self.error = error


class Late(Retryable):
    """A call was not answered in good time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyRequest:
    """A request of the API server, and the cluster it is about."""

    id: str
    kind: str
    cluster: str
    state: RequestState


@dataclass(frozen=True, slots=True, kw_only=True)
class SshAddress:
    """How a node's head is reached. `proxy` is ssh's ProxyCommand, "" without."""

    host: str
    port: int
    user: str
    key_file: str
    proxy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyCluster:
    """A cluster as SkyPilot has it on record. `launched_at_s` is in seconds since 1970."""

    name: str
    status: str
    said: str
    launched_at_s: float
    region: str
    zone: str
    instance_type: str
    use_spot: bool
    cloud: str
    labels: dict[str, str]
    address: SshAddress | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyLook:
    """What the API server says at one instant: about some requests, and every cluster on record."""

    requests: tuple[SkyRequest, ...]
    clusters: tuple[SkyCluster, ...]

    def request(self, request_id: str) -> SkyRequest | None:
        """That request; None when the server does not know it (any more)."""
        return next((request for request in self.requests if request.id == request_id), None)

    def cluster(self, name: str) -> SkyCluster | None:
        """That cluster; None when there is none on record."""
        return next((cluster for cluster in self.clusters if cluster.name == name), None)

    def launching(self, name: str) -> SkyRequest | None:
        """A launch of that cluster that is under way."""
        return next(
            (
                request
                for request in self.requests
                if request.cluster == name and request.kind == "launch" and request.state in UNDER_WAY
            ),
            None,
        )
