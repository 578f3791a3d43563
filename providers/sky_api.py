"""What the SkyPilot launcher asks of SkyPilot: the SDK's calls, and a server that answers them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from .sky_wire import RequestState, SkyError, SkyLook


class SkyApi(Protocol):
    """SkyPilot's calls. None waits: each returns the id of a request, and `look` tells how far those are.

    They raise SkyRaised with what SkyPilot raised, and Retryable when there was no answer.
    """

    def launch(
        self, cluster: str, task: Mapping[str, Any], secrets: Mapping[str, str], autodown_min: int
    ) -> str:
        """Rent the instance that `task` pins, and run it there. Without word the cluster takes itself down
        after `autodown_min` minutes, whatever runs on it (0: never). What SkyPilot does not even take up, for
        a reason that is known, is a request that failed."""
        ...

    def run_again(self, cluster: str, task: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
        """Run the task once more on a cluster that is up."""
        ...

    def down(self, cluster: str) -> str:
        """Give the instance back."""
        ...

    def cancel(self, request_id: str) -> str:
        """Stop working on a request. Cancelling gives nothing back."""
        ...

    def refresh(self, cluster: str) -> str:
        """Ask the cloud itself how the cluster is; the record is brought up to date by it."""
        ...

    def autodown(self, cluster: str, minutes: int) -> str:
        """Start the cluster's own clock anew: it ends after so many minutes, below 0: never."""
        ...

    def check(self, clouds: Sequence[str]) -> str:
        """Ask each cloud whether it lets SkyPilot in. The request's log says how each is."""
        ...

    def look(self, requests: Sequence[str], unasked: Sequence[str]) -> SkyLook:
        """These requests, those under way for the clusters `unasked`, and all clusters."""
        ...

    def state(self, request_id: str) -> RequestState | None:
        """How far one request is; None when the server knows of none by that id."""
        ...

    def error(self, request_id: str) -> SkyError | None:
        """What a finished request raised; None when it did not."""
        ...

    def log(self, request_id: str) -> str:
        """The end of what SkyPilot wrote while it worked on a request."""
        ...

    def launch_log(self, request_id: str, cluster: str, since: datetime) -> str:
        """The same for a launch that was asked for at `since`; where that says nothing of why it failed, with
        what the detailed log says."""
        ...

    def close(self) -> None:
        """Forget the server: the next call meets another one."""
        ...


class ApiServer(Protocol):
    """A server kept running. `starts` grows each time another one is started; `trouble` is a line, or ""."""

    starts: int
    trouble: str

    def stop(self) -> None:
        """End it, by force: what it knows is on disk."""
        ...

    def tend(self) -> bool:
        """Whether it answers now; asked every few seconds, it is started or replaced where it has to be."""
        ...
