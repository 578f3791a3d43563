"""What Lambda, RunPod and Vast say of an account's machines, each in its own words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

from .aws_read import moment_of, text_of
from .http_asking import HttpAsking
from .json_rows import list_under

LAMBDA_URL = "https://cloud.lambda.ai/api/v1"
RUNPOD_URL = "https://rest.runpod.io/v1"
VAST_URL = "https://console.vast.ai/api/v0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine of the account. `id` is "" where the answer has none, `started_at` None where the cloud
    does not say."""

    id: str
    name: str
    ending: bool = False
    started_at: datetime | None = None


class KeyedCloud(Protocol):
    """A cloud that is asked over HTTP with a key. None of them lists what is terminated."""

    def machines(self, asking: HttpAsking) -> Iterable[Machine]:
        """All machines of the account; raises what a bad answer is, and never gives half a list."""
        ...

    def end(self, asking: HttpAsking, machine: str) -> None:
        """Terminate the one with this id; Gone where the cloud says that there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaCloud:
    """Lambda's instances. It tells no times."""

    url: str = LAMBDA_URL

    def machines(self, asking: HttpAsking) -> Iterable[Machine]:
        """See `KeyedCloud`."""
        for row in list_under(asking.get(f"{self.url}/instances"), "data"):
            ending = text_of(row, "status") in ("terminating", "terminated")
            yield Machine(id=_id(row), name=text_of(row, "name"), ending=ending)

    def end(self, asking: HttpAsking, machine: str) -> None:
        """See `KeyedCloud`."""
        asking.post(f"{self.url}/instance-operations/terminate", {"instance_ids": [machine]})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunpodCloud:
    """RunPod's pods. One that is stopped keeps its disk, which costs: it counts as there."""

    url: str = RUNPOD_URL

    def machines(self, asking: HttpAsking) -> Iterable[Machine]:
        """See `KeyedCloud`."""
        for row in list_under({"pods": asking.get(f"{self.url}/pods")}, "pods"):
            yield Machine(
                id=_id(row),
                name=text_of(row, "name"),
                ending=text_of(row, "desiredStatus") == "TERMINATED",
                started_at=moment_of(text_of(row, "lastStartedAt")),
            )

    def end(self, asking: HttpAsking, machine: str) -> None:
        """See `KeyedCloud`."""
        asking.delete(f"{self.url}/pods/{machine}")


@dataclass(frozen=True, slots=True, kw_only=True)
class VastCloud:
    """Vast's instances, by their labels. One that is stopped keeps its disk, which costs: it counts as
    there."""

    url: str = VAST_URL

    def machines(self, asking: HttpAsking) -> Iterable[Machine]:
        """See `KeyedCloud`."""
        for row in list_under(asking.get(f"{self.url}/instances/", {"owner": "me"}), "instances"):
            yield Machine(
                id=_id(row),
                name=text_of(row, "label"),
                ending=text_of(row, "cur_state") == "unloaded",
                started_at=_since_1970(row),
            )

    def end(self, asking: HttpAsking, machine: str) -> None:
        """See `KeyedCloud`."""
        asking.delete(f"{self.url}/instances/{machine}/")


def _id(row: Any) -> str:
    said = row.get("id") if isinstance(row, dict) else None
    return str(said) if isinstance(said, str | int) and not isinstance(said, bool) else ""


def _since_1970(row: Any) -> datetime | None:
    """When its contract began."""
    said = row.get("start_date") if isinstance(row, dict) else None
    try:
        return datetime.fromtimestamp(float(said), UTC) if isinstance(said, Decimal | int) else None
    except (ValueError, OverflowError, OSError):
        return None
