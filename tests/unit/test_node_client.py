"""The client of a node's keeper: what it makes of each answer. That the two agree, test_node_keeper shows."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any

import pytest
from bouted.providers.engine_start import EngineStart, Step
from bouted.providers.node_client import NodeClient

from bouted.errors import BoutedError, Gone, Misconfigured, NotYet, Retryable
from bouted.testing.http import Reply, StandIn, stand_in
from bouted.testing.keeper import KeeperProcess

OURS = {"X-Node": "node-1"}
LOOK = {"node": "node-1", "boot": "b", "started_at": 0.0, "lease_left_s": None, "gpus": 0, "replicas": []}
ENGINE = EngineStart(
    name="r1",
    argv=("serve", "{port}"),
    served_model="m",
    version="vllm 0.32.0",
    gpus=2,
    steps=(Step(phase="fetching", argv=("fetch", "{home}")),),
    env={"A": "1"},
    secrets={"B": "2"},
    health="/healthz",
    grace_s=3.0,
)
CALLS: dict[str, Callable[[NodeClient], Any]] = {
    "look": lambda client: client.look(),
    "renew": lambda client: client.renew(60.0),
    "start": lambda client: client.start(ENGINE),
    "stop": lambda client: client.stop("r1"),
    "log": lambda client: client.log("r1", 0),
}


@contextmanager
def answering(reply: Reply, timeout_s: float = 5.0) -> Iterator[tuple[NodeClient, StandIn]]:
    with (
        stand_in(lambda _: reply) as site,
        NodeClient(site.url, "t", "node-1", timeout_s=timeout_s) as client,
    ):
        yield client, site


def refused(status: int) -> Reply:
    return Reply(said={"error": "it cannot be", "hint": "do this"}, status=status, headers=OURS)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("reply", "error", "line"),
    [
        (refused(401), Misconfigured, "node node-1: it cannot be (do this)"),
        (refused(400), Misconfigured, "node node-1: it cannot be (do this)"),
        (refused(422), Misconfigured, "node node-1: it cannot be (do this)"),
        (refused(409), NotYet, "node node-1: it cannot be (do this)"),
        (refused(410), Gone, "node node-1: it cannot be (do this)"),
        (refused(500), Retryable, "node node-1: it cannot be (do this)"),
        (Reply(said=b"<html>", status=502, headers=OURS), Retryable, "node node-1: HTTP 502"),
        (Reply(said=b"moved", status=302, headers=OURS), Misconfigured, "node node-1: HTTP 302"),
        (
            Reply(said={}, headers={"X-Node": "node-2"}),
            Misconfigured,
            "the keeper of node-2 answers at URL, where",
        ),
        (
            Reply(said={}),
            Misconfigured,
            "something that is no node's keeper answers at URL, where node-1 should",
        ),
    ],
)
def test_an_answer_is_an_error_named_by_the_next_move(
    call: str, reply: Reply, error: type[BoutedError], line: str
) -> None:
    with answering(reply) as (client, site), pytest.raises(error) as raised:
        CALLS[call](client)
    assert line.replace("URL", site.url) in str(raised.value)


@pytest.mark.parametrize("call", CALLS)
def test_a_node_that_cannot_be_reached_is_tried_again(call: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with (
            NodeClient(url, "t", "node-1") as client,
            pytest.raises(Retryable, match="node-1 cannot be reached"),
        ):
            CALLS[call](client)


def test_a_node_that_does_not_answer_in_time_is_tried_again() -> None:
    with (
        answering(Reply(said=LOOK, headers=OURS, delay_s=0.3), timeout_s=0.05) as (client, _),
        pytest.raises(Retryable, match="node-1 cannot be reached: timed out") as raised,
    ):
        client.look()
    assert raised.value.after_s > 0


@pytest.mark.parametrize(
    "said", [b"{", b"[]", {}, LOOK | {"replicas": [{"name": "r1"}]}, LOOK | {"gpus": "x"}]
)
def test_a_look_that_cannot_be_read_is_tried_again(said: object) -> None:
    with answering(Reply(said=said, headers=OURS)) as (client, _), pytest.raises(Retryable, match="node-1"):
        client.look()


def test_what_a_newer_keeper_adds_is_ignored() -> None:
    with answering(Reply(said=LOOK | {"more": 1}, headers=OURS)) as (client, _):
        assert client.look().lease_left_s == inf


def test_the_token_goes_with_every_request_and_an_order_says_all_of_an_engine() -> None:
    with answering(Reply(said={}, status=201, headers=OURS)) as (client, site):
        client.start(ENGINE)
        client.renew(60.0)
        client.renew(inf)
    put, *renewed = site.asked
    assert {asked.headers["authorization"] for asked in site.asked} == {"Bearer t"}
    assert (put.method, put.path) == ("PUT", "/v1/replicas/r1")
    assert put.json() == {
        "argv": ["serve", "{port}"],
        "steps": [{"phase": "fetching", "argv": ["fetch", "{home}"]}],
        "env": {"A": "1"},
        "secrets": {"B": "2"},
        "gpus": 2,
        "served_model": "m",
        "version": "vllm 0.32.0",
        "health": "/healthz",
        "grace_s": 3.0,
    }
    assert [asked.json() for asked in renewed] == [{"for_s": 60.0}, {"for_s": None}]


def test_a_stop_is_done_when_the_keeper_knows_of_nothing() -> None:
    with answering(Reply(said=b"", status=204, headers=OURS)) as (client, _):
        client.stop("r1")
    with answering(Reply(said={}, status=202, headers=OURS)) as (client, _), pytest.raises(NotYet):
        client.stop("r1")


def test_a_proxy_in_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with answering(Reply(said=LOOK, headers=OURS)) as (client, _):
        assert client.look().node == "node-1"


def test_one_client_serves_many_threads_and_survives_the_keepers_restart(tmp_path: Path) -> None:
    keeper = KeeperProcess(root=tmp_path)
    boots: list[str] = []
    try:
        keeper.start()
        with NodeClient(keeper.url, keeper.token, keeper.node) as client:
            threads = [threading.Thread(target=lambda: boots.append(client.look().boot)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(boots) == 8
            keeper.signal(signal.SIGKILL)
            keeper.start()
            assert client.look().boot not in boots
    finally:
        keeper.clean_up()


def test_the_wrong_token_and_the_wrong_node_are_for_a_person_to_mend(tmp_path: Path) -> None:
    keeper = KeeperProcess(root=tmp_path)
    try:
        keeper.start()
        with (
            NodeClient(keeper.url, "other", keeper.node) as client,
            pytest.raises(Misconfigured, match="token"),
        ):
            client.look()
        with (
            NodeClient(keeper.url, keeper.token, "n") as client,
            pytest.raises(Misconfigured, match="node-1"),
        ):
            client.look()
    finally:
        keeper.clean_up()
