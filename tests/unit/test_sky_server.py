"""When SkyPilot's API server is started, left alone or replaced; a stand-in answers on loopback."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from bouted.providers.sky_home import SkyHome
from bouted.providers.sky_server import MOST_PAUSE_S, SILENT_S, START_S, SkyServer

from bouted.testing.clock import ManualClock
from bouted.testing.http import Asked, Reply, StandIn, stand_in


@dataclass
class Bench:
    """A server that is kept, none of whose processes is real: `lives` is a lock that one of them holds."""

    listener: StandIn
    home: SkyHome
    clock: ManualClock = field(default_factory=ManualClock)
    status: int = 200
    prepared: int = 0
    ended: int = 0
    lives: int | None = None

    def __post_init__(self) -> None:
        self.server = self.another()

    def another(self) -> SkyServer:
        """As a daemon has it that starts now."""
        return SkyServer(home=self.home, clock=self.clock, prepare=self.prepare)

    def prepare(self) -> None:
        self.prepared += 1
        self.home.folder.mkdir(exist_ok=True)

    def spawn(self, lock_fd: int) -> int:
        self.lives = os.dup(lock_fd)
        return 1

    def end(self) -> None:
        self.ended += 1
        self.die()

    def die(self) -> None:
        if self.lives is not None:
            os.close(self.lives)
        self.lives = None

    def tend_after(self, seconds: float) -> bool:
        self.clock.advance(seconds)
        return self.server.tend()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    def health(asked: Asked) -> Reply:
        assert asked.path == "/api/health"
        return Reply(said={"status": "healthy"}, status=made.status)

    with stand_in(health) as listener:
        home = SkyHome(folder=tmp_path / "home", port=listener.server_port)
        made = Bench(listener, home)
        monkeypatch.setattr(SkyServer, "_spawn", lambda server, lock_fd: made.spawn(lock_fd))
        monkeypatch.setattr("bouted.providers.sky_server.Family.end", lambda family: made.end())
        yield made
        made.die()


def test_where_none_lives_one_is_started_once_and_answers_when_it_does(bench: Bench) -> None:
    bench.status = 503
    assert not bench.server.tend()
    assert not bench.tend_after(1.0)
    assert (bench.server.starts, bench.prepared) == (1, 1)
    assert bench.server.trouble == "SkyPilot's API server answers 503"
    bench.status = 200
    assert bench.tend_after(1.0)
    assert (bench.server.trouble, bench.server.starts) == ("", 1)


def test_one_that_was_found_running_is_told_once_of_what_is_new(bench: Bench) -> None:
    bench.status = 503
    bench.server.tend()
    bench.status = 200
    bench.server = bench.another()
    assert bench.tend_after(1.0)
    assert bench.tend_after(1.0)
    assert (bench.prepared, bench.server.starts, bench.ended) == (2, 0, 1)


def test_one_that_another_user_started_keeps_what_that_user_gave_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.status = 503
    bench.server.tend()
    bench.status = 200
    monkeypatch.setattr(os, "geteuid", lambda: bench.home.folder.stat().st_uid + 1)
    bench.server = bench.another()
    assert bench.tend_after(1.0)
    assert bench.prepared == 1


@pytest.mark.parametrize(("answered", "patience_s"), [(False, START_S), (True, SILENT_S)])
def test_one_that_is_silent_too_long_is_ended_and_replaced(
    bench: Bench, answered: bool, patience_s: float
) -> None:
    bench.status = 503
    bench.server.tend()
    if answered:
        bench.status = 200
        assert bench.tend_after(1.0)
        bench.status = 503
        assert not bench.tend_after(1.0)
    ended = bench.ended
    bench.tend_after(patience_s)
    assert (bench.ended, bench.server.starts) == (ended, 1)
    bench.tend_after(0.1)
    assert (bench.ended, bench.lives) == (ended + 1, None)
    bench.tend_after(MOST_PAUSE_S)
    assert bench.server.starts == 2
    assert bench.lives is not None


def test_a_port_that_somebody_else_has_is_told_and_nothing_is_started(bench: Bench) -> None:
    assert not bench.server.tend()
    assert bench.server.trouble == (
        f"port {bench.home.port} is taken by another server; set launcher.options.port"
    )
    assert (bench.server.starts, bench.ended) == (0, 0)


def test_one_that_ends_as_it_starts_is_started_ever_more_seldom_and_its_last_word_told(bench: Bench) -> None:
    bench.status = 503
    started_at: list[float] = []
    for second in range(200):
        before = bench.server.starts
        bench.tend_after(1.0)
        if bench.server.starts > before:
            started_at.append(second)
            bench.home.server_log.write_text("Traceback\nModuleNotFoundError: no uvicorn\n")
            bench.die()
    pauses = [later - sooner for sooner, later in pairwise(started_at)]
    assert pauses == [2, 4, 8, 16, 32, MOST_PAUSE_S, MOST_PAUSE_S]
    bench.die()
    bench.tend_after(MOST_PAUSE_S)
    assert bench.server.trouble == (
        "SkyPilot's API server ended as it started: ModuleNotFoundError: no uvicorn"
    )


def test_one_that_has_served_is_replaced_at_once(bench: Bench) -> None:
    bench.status = 503
    bench.server.tend()
    bench.status = 200
    assert bench.tend_after(300.0)
    bench.die()
    bench.status = 503
    bench.tend_after(1.0)
    assert bench.server.starts == 2
