"""A log's last lines, and a log that is followed."""

from collections import deque
from collections.abc import Callable

import pytest

from bouted.cli import log_lines
from bouted.cli.log_lines import FIRST_BYTES, LogLines
from bouted.errors import BoutedError, Gone, NotYet, Retryable
from bouted.store.read_names import Named

ENGINE = Named(name="n-r0", node="n", live=True, adopted=False)
PIECE = 1000


class Written:
    """A log in memory, handed out in pieces; before each look at the engine the next of `then` happens."""

    def __init__(self, text: str = "", *then: "Callable[[Written], None]") -> None:
        self.text, self.runs, self.then = text, True, deque(then)
        self.read_bytes = 0

    def lives(self, name: str, node: str) -> bool:
        assert (name, node) == ("n-r0", "n")
        if self.then:
            self.then.popleft()(self)
        return self.runs

    def log(self, name: str, node: str, start: int) -> tuple[str, int]:
        body = self.text.encode()
        at = max(len(body) + start, 0) if start < 0 else start
        piece = body[at : at + PIECE]
        self.read_bytes += len(piece)
        return piece.decode(), at + len(piece)

    def end(self) -> None:
        self.runs = False

    def add(self, text: str) -> None:
        self.text += text


def lines_of(log: Written) -> tuple[LogLines, list[str]]:
    said: list[str] = []
    return LogLines(logs=log, engine=ENGINE, say=said.append), said


def fails(error: BoutedError) -> Callable[[Written], None]:
    def fail(log: Written) -> None:
        raise error

    return fail


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "LOOK_S", 0.0)


@pytest.mark.parametrize(
    ("text", "lines", "kept"),
    [
        ("", 5, ""),
        ("a\nb\nc\n", 2, "b\nc\n"),
        ("a\nb\nc", 2, "b\nc"),
        ("a\nb\nc\n", 9, "a\nb\nc\n"),
        ("a\nb\nc\n", 0, ""),
    ],
)
def test_the_last_lines_are_shown_and_the_log_goes_on_from_its_end(text: str, lines: int, kept: str) -> None:
    assert lines_of(Written(text))[0].last(lines) == (kept, len(text.encode()))


def test_of_a_long_log_only_the_end_is_read() -> None:
    log = Written("a line\n" * 10**6)
    assert lines_of(log)[0].last(3)[0] == "a line\n" * 3
    assert log.read_bytes == FIRST_BYTES


def test_long_lines_are_shown_whole() -> None:
    log = Written("short\n" + "x" * 3 * FIRST_BYTES + "\nlast\n")
    assert lines_of(log)[0].last(2)[0] == "x" * 3 * FIRST_BYTES + "\nlast\n"


def test_a_log_is_followed_until_its_engine_ends() -> None:
    def last_word(log: Written) -> None:
        log.add("c\n")
        log.end()

    log = Written("a\nb\n", lambda log: None, lambda log: log.add("more\n"), lambda log: None, last_word)
    lines, said = lines_of(log)
    assert list(lines.follow(1)) == ["b\n", "more\n", "c\n"]
    assert said == ["n-r0 has ended"]


def test_an_engine_that_is_taken_away_ends_what_follows_it() -> None:
    lines, said = lines_of(Written("a\n", lambda log: None, fails(Gone("node n is not there"))))
    assert list(lines.follow(1)) == ["a\n"]
    assert said == ["n-r0 has ended: node n is not there"]


def test_an_engine_that_is_not_there_at_the_start_is_an_error() -> None:
    with pytest.raises(Gone):
        list(lines_of(Written("a\n", fails(Gone("node n is not there"))))[0].follow(1))


def test_a_node_that_is_not_up_or_not_reached_is_waited_for_and_told_once() -> None:
    booting, away = NotYet("node n is provisioning"), Retryable("node n cannot be reached", after_s=1.0)
    then = (fails(booting), fails(booting), lambda log: None, fails(away), lambda log: log.add("b\n"))
    lines, said = lines_of(Written("a\n", *then, Written.end))
    assert list(lines.follow(9)) == ["a\n", "b\n"]
    assert said == [
        "waits: node n is provisioning",
        "waits: node n cannot be reached",
        "n-r0 has ended",
    ]
