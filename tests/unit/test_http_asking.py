"""Asking over HTTP is bounded: in tries, in time, in size; and it says what became of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from bouted.providers.http_answers import parse_json, retry_after_s
from bouted.providers.http_asking import DEFAULT_RETRY_S, Access, HttpAsking, Patience

from bouted.errors import PermissionMissing, Retryable, SourceFailed
from bouted.testing.http import Asked, Reply, StandIn, stand_in

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    """Time that passes only by sleeping."""

    at_s: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at_s += seconds

    def patience(self) -> Patience:
        return Patience(sleep=self.sleep, jitter=lambda: 1.0, monotonic=lambda: self.at_s, try_s=2.0)


def in_turn(*replies: Reply) -> Callable[[Asked], Reply]:
    left = list(replies)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


def get(server: StandIn, patience: Patience, access: Access | None = None) -> Any:
    with HttpAsking(patience, access or Access(), NOW) as asking:
        return asking.get(server.url)


GOOD = Reply(said={"fine": 1.1})


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_what_may_pass_is_tried_again_after_a_wait_that_doubles(status: int) -> None:
    clock = Clock()
    with stand_in(in_turn(Reply(said={}, status=status), Reply(said={}, status=status), GOOD)) as server:
        assert get(server, clock.patience()) == {"fine": Decimal("1.1")}
    assert clock.slept == [0.5, 1.0]


def test_a_wait_is_spread_so_that_not_everybody_comes_back_at_once() -> None:
    clock = Clock()
    with stand_in(in_turn(Reply(said={}, status=500), GOOD)) as server:
        get(server, replace(clock.patience(), jitter=lambda: 0.0))
    assert clock.slept == [0.25]


def test_the_server_says_how_long_to_wait() -> None:
    clock = Clock()
    reply = Reply(said={}, status=429, headers={"Retry-After": "3"})
    with stand_in(in_turn(reply, GOOD)) as server:
        get(server, clock.patience())
    assert clock.slept == [3.0]


@pytest.mark.parametrize(
    ("status", "header", "after_s"),
    [(429, "600", 600.0), (503, "Mon, 01 Jun 2026 12:10:00 GMT", 600.0), (429, "0", DEFAULT_RETRY_S)],
)
def test_told_to_wait_for_long_it_is_left_to_the_caller(status: int, header: str, after_s: float) -> None:
    clock = Clock()
    reply = Reply(said={}, status=status, headers={"Retry-After": header})
    with stand_in(in_turn(reply)) as server, pytest.raises(Retryable) as caught:
        get(server, clock.patience())
    assert caught.value.after_s == after_s
    assert sum(clock.slept) == 0.0


@pytest.mark.parametrize("status", [204, 302, 400, 404, 401])
def test_what_will_not_pass_is_not_tried_again(status: int) -> None:
    clock = Clock()
    with stand_in(in_turn(Reply(said=b"", status=status))) as server, pytest.raises(SourceFailed) as caught:
        get(server, clock.patience())
    assert str(caught.value) == f"127.0.0.1 answered HTTP {status}"
    assert len(server.asked) == 1


def test_being_refused_names_the_permission() -> None:
    access = Access(headers={"Authorization": "Bearer k"}, permission="a key", hint="make one")
    with stand_in(in_turn(Reply(said={}, status=401))) as server, pytest.raises(PermissionMissing) as caught:
        get(server, Clock().patience(), access)
    assert (caught.value.permission, caught.value.hint) == ("a key", "make one")
    assert "Bearer" not in repr(access)


def test_a_body_without_an_end_is_cut_off() -> None:
    patience = replace(Clock().patience(), most_bytes=1000)
    with stand_in(in_turn(Reply(said=b"[" * 2000))) as server, pytest.raises(SourceFailed) as caught:
        get(server, patience)
    assert str(caught.value) == "127.0.0.1 sends more than 1000 bytes"


def test_a_conversation_ends_when_its_time_is_up() -> None:
    clock = Clock()
    patience = replace(clock.patience(), total_s=1.0)
    with stand_in(in_turn(GOOD)) as server, HttpAsking(patience, Access(), NOW) as asking:
        asking.get(server.url)
        clock.at_s = 2.0
        with pytest.raises(SourceFailed, match="out of time after 1 s"):
            asking.get(server.url)
    assert len(server.asked) == 1


def test_no_wait_goes_beyond_the_end_of_the_conversation() -> None:
    clock = Clock()
    patience = replace(clock.patience(), total_s=0.3)
    with stand_in(in_turn(Reply(said={}, status=500))) as server, pytest.raises(SourceFailed):
        get(server, patience)
    assert clock.slept == []


def test_a_body_that_is_garbled_on_the_way_is_a_failure() -> None:
    reply = Reply(said=b"not gzip", headers={"Content-Encoding": "gzip"})
    with (
        stand_in(in_turn(reply)) as server,
        pytest.raises(SourceFailed, match="the answer is garbled"),
    ):
        get(server, Clock().patience())


@pytest.mark.parametrize("url", ["http://[", "http://", "ftp://127.0.0.1/", "x", "http://127.0.0.1:999999/"])
def test_an_address_that_is_none_is_a_failure(url: str) -> None:
    with (
        HttpAsking(Clock().patience(), Access(), NOW) as asking,
        pytest.raises(SourceFailed) as caught,
    ):
        asking.get(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 5000, b'{"a":\x00}'], ids=range(7)
)
def test_what_is_not_json_is_a_failure_in_one_line(body: bytes) -> None:
    with pytest.raises(SourceFailed) as caught:
        parse_json(body)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_numbers_are_exact_and_what_is_no_number_is_text() -> None:
    body = b"[0.10, 55.0400000000, 3, NaN, -Infinity, 1e-7, 1e999999999999999999999]"
    assert [str(one) for one in parse_json(body)] == [
        "0.10", "55.0400000000", "3", "NaN", "-Infinity", "1E-7", "1e999999999999999999999",
    ]  # fmt: skip
    assert isinstance(parse_json(body)[3], str)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None), ("soon", None), ("-1", None), ("1.5", None), ("٣", None), ("7", 7.0),
        ("9" * 400, 86_400.0),
        ("Mon, 01 Jun 2026 12:00:30 GMT", 30.0),
        ("Mon, 01 Jun 2026 11:00:30 GMT", 0.0),
        ("Mon, 01 Jun 2026 12:00:30", 30.0),
        ("Mon, 01 Jun 9999 12:00:30 GMT", 86_400.0),
        ("Mon, 99 Foo 2026 99:00:30 GMT", None),
    ],
)  # fmt: skip
def test_a_retry_after_header_is_read(header: str, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds
