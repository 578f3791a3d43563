"""What SkyPilot's SDK raises and its logs say, as the launcher is told of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bouted.providers.sky_client import SkyClient, _raised
from bouted.providers.sky_home import SkyHome
from bouted.providers.sky_wire import RequestState, SkyError, SkyRaised, SkyRequest

from bouted.errors import Retryable

OURS = "HTTPConnectionPool(host='127.0.0.1', port=46590): Max retries exceeded with url: /api/health"
CATALOG = (
    "HTTPSConnectionPool(host='raw.githubusercontent.com', port=443): Max retries exceeded with url:"
    " /skypilot-org/skypilot-catalog/master/catalogs/v8/lambda/vms.csv (Caused by NameResolutionError())"
)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SkyError(type="ConnectionError", message=OURS), "SkyPilot's API server does not answer"),
        (SkyError(type="ApiServerConnectionError", message="Could not connect"), "does not answer"),
        (
            SkyError(type="ConnectionError", message=CATALOG),
            "reach raw.githubusercontent.com (it fetches",
        ),
    ],
)
def test_a_server_that_is_away_is_told_from_catalogs_that_cannot_be_fetched(
    error: SkyError, told: str
) -> None:
    raised = _raised(error)
    assert isinstance(raised, Retryable)
    assert told in str(raised)


def test_everything_else_is_skypilots_own_word() -> None:
    assert isinstance(_raised(SkyError(type="ValueError", message="no such task")), SkyRaised)


NO_IMAGE = SkyError(type="ValueError", message="Image 'ami-0' not found in AWS region us-east-1")
AT = datetime(2026, 11, 29, 20, tzinfo=UTC)


@dataclass
class Worker:
    """In the place of the process that has the SDK: launches raise what `raises` says."""

    raises: SkyError
    looked: list[list[str]] = field(default_factory=list)

    def ask(self, call: str, args: Mapping[str, Any]) -> object:
        if call == "launch":
            raise SkyRaised(self.raises)
        assert call == "look"
        self.looked.append(list(args["requests"]))
        return {"requests": [], "clusters": []}


@pytest.fixture
def client(tmp_path: Path) -> SkyClient:
    return SkyClient(SkyHome(folder=tmp_path, port=1))


def refusing(monkeypatch: pytest.MonkeyPatch, error: SkyError) -> Worker:
    worker = Worker(error)
    monkeypatch.setattr(SkyClient, "_ask", lambda client, call, args: worker.ask(call, args))
    return worker


def test_a_launch_that_is_refused_before_it_is_a_request_is_one_that_failed(
    client: SkyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = refusing(monkeypatch, NO_IMAGE)
    request = client.launch("rl-a", {}, {}, 0)
    look = client.look([request, "another"], [])
    failed = SkyRequest(id=request, kind="launch", cluster="rl-a", state=RequestState.FAILED)
    assert look.requests == (failed,)
    assert client.error(request) == NO_IMAGE
    assert client.launch_log(request, "rl-a", AT) == ""
    client.look([], [])
    assert worker.looked == [["another"], []]


def test_a_launch_that_is_refused_for_no_known_reason_is_asked_for_again(
    client: SkyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch, SkyError(type="ConcurrentWorkerExhaustedError", message="try later"))
    with pytest.raises(SkyRaised):
        client.launch("rl-a", {}, {}, 0)


SAID = "bulk_provision for '{}' failed. Stacktrace:\n{}RuntimeError: ({})\n"
PREFIX = "D 11-29 20:00:00.000 PID=1 provisioner.py:361] "


@dataclass(frozen=True)
class Logs:
    """The logs of SkyPilot's server; a provision.log is written so many seconds after AT."""

    home: SkyHome

    def request(self, text: str) -> None:
        path = self.home.request_log("r1")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def provision(self, cluster: str, code: str, after_s: float) -> None:
        path = self.home.folder / "sky_logs" / f"sky-{cluster}-{code}" / "provision.log"
        path.parent.mkdir(parents=True)
        path.write_text(PREFIX + SAID.format(cluster, PREFIX, code))
        at = (AT + timedelta(seconds=after_s)).timestamp()
        os.utime(path, (at, at))


def test_what_the_requests_log_does_not_say_is_in_the_provision_log_of_that_launch(client: SkyClient) -> None:
    logs = Logs(client.home)
    logs.request("W 11-29 Failed to acquire resources\n")
    logs.provision("rl-a", "QuotaExceeded", -60.0)
    logs.provision("rl-a", "SkuNotAvailable", 60.0)
    logs.provision("rl-ab", "AuthorizationFailed", 90.0)
    said = client.launch_log("r1", "rl-a", AT)
    assert said == "W 11-29 Failed to acquire resources\n\nRuntimeError: (SkuNotAvailable)"
    assert client.launch_log("r1", "rl-a", AT + timedelta(hours=1)).strip() == client.log("r1").strip()


def test_where_the_requests_log_says_why_no_other_is_read(client: SkyClient) -> None:
    logs = Logs(client.home)
    logs.request("An error occurred (VcpuLimitExceeded) when calling RunInstances\n")
    logs.provision("rl-a", "SkuNotAvailable", 60.0)
    assert client.launch_log("r1", "rl-a", AT) == client.log("r1")
