"""A standby waits while another is active, says so, and has the lease as soon as it is free."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bouted.cli.life import Life
from bouted.cli.screen import screen
from bouted.daemon.service import LEASE_S
from bouted.daemon.standby import Standby
from bouted.store.lease import DAEMON_LEASE, lease_holder, lease_now, release_lease, take_lease
from bouted.store.open import Store
from bouted.store.read_board import read_status
from bouted.testing.clock import ManualClock
from bouted.testing.store import a_board, fresh_store

HERE, THERE = "here:/var/lib/bouted", "there:/var/lib/bouted"


@pytest.fixture
def store(each_store: Store) -> Store:
    return each_store


@dataclass
class Turns(asyncio.Event):
    """Stands in for the event that stops a standby: each look at it is a turn, at which something happens."""

    at_turn: dict[int, Callable[[], object]] = field(default_factory=dict)
    last: int = 20
    turn: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def is_set(self) -> bool:
        self.turn += 1
        self.at_turn.get(self.turn, lambda: None)()
        return self.turn > self.last

    async def wait(self) -> bool:  # type: ignore[override]
        return True


def standby(store: Store, clock: ManualClock, holder: str = HERE) -> Standby:
    return Standby(store=store, clock=clock, holder=holder)


def wait(waiting: Standby, turns: Turns) -> int | None:
    return asyncio.run(waiting.wait(turns))


def take(store: Store, clock: ManualClock, holder: str, ttl_s: float = LEASE_S) -> int:
    return take_lease(store, DAEMON_LEASE, holder, lease_now(store, clock.now()), ttl_s)


def test_a_free_lease_is_taken_at_once(store: Store) -> None:
    turns = Turns()
    assert wait(standby(store, ManualClock()), turns) == 1
    assert turns.turn == 1


def test_a_restart_keeps_its_own_lease_and_token(store: Store) -> None:
    clock = ManualClock()
    token = take(store, clock, HERE)
    assert wait(standby(store, clock), Turns()) == token


def test_it_waits_while_another_is_active_and_is_seen_to(store: Store) -> None:
    clock = ManualClock()
    take(store, clock, THERE)
    waiting = standby(store, clock)
    assert wait(waiting, Turns(last=3)) is None
    assert waiting.said == f"standby; active is {THERE}"
    stored = read_status(store.url)
    assert stored.holder == THERE
    assert stored.waiting(lease_now(store, clock.now())) == HERE
    assert stored.waiting(lease_now(store, clock.now()) + timedelta(seconds=LEASE_S)) == ""


def test_a_lease_given_back_is_taken_at_the_next_turn_and_nobody_waits_any_more(store: Store) -> None:
    clock = ManualClock()
    token = take(store, clock, THERE)
    turns = Turns(at_turn={3: lambda: release_lease(store, DAEMON_LEASE, THERE, token)})
    assert wait(standby(store, clock), turns) == token + 1
    assert turns.turn == 3
    assert read_status(store.url).waiting(lease_now(store, clock.now())) == ""


def test_a_lease_that_has_ended_is_taken_over(store: Store) -> None:
    clock = ManualClock()
    token = take(store, clock, THERE, ttl_s=0.0)
    assert wait(standby(store, clock), Turns()) == token + 1


def test_a_lease_that_ends_meanwhile_is_taken_over(tmp_path: Path) -> None:
    clock = ManualClock()  # a server's clock cannot be moved, so this one is on a file
    with closing(fresh_store(tmp_path)) as store:
        token = take(store, clock, THERE)
        turns = Turns(at_turn={2: lambda: clock.advance(LEASE_S - 0.001), 3: lambda: clock.advance(0.001)})
        assert wait(standby(store, clock), turns) == token + 1
        assert turns.turn == 3


def test_of_two_standbys_one_is_seen_and_one_gets_the_lease(store: Store) -> None:
    clock = ManualClock()
    token = take(store, clock, THERE)
    assert wait(standby(store, clock, "second:/"), Turns(last=1)) is None
    assert wait(standby(store, clock), Turns(last=1)) is None
    assert read_status(store.url).waiting(lease_now(store, clock.now())) == "second:/"
    release_lease(store, DAEMON_LEASE, THERE, token)
    assert wait(standby(store, clock), Turns()) == token + 1
    assert wait(standby(store, clock, "second:/"), Turns(last=2)) is None
    held = lease_holder(store, DAEMON_LEASE, lease_now(store, clock.now()))
    assert held is not None
    assert held.holder == HERE


def test_the_status_screen_names_who_waits() -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    lines = screen(a_board(now), life=Life.RUNNING, now=now, standby=THERE)
    assert ["STANDBY", THERE, "waits", "to", "take", "over"] in [line.split() for line in lines]
    assert not any("STANDBY" in line for line in screen(a_board(now), life=Life.RUNNING, now=now))


def test_a_store_on_a_server_goes_by_the_servers_clock_and_a_file_by_this_machines(store: Store) -> None:
    clock = ManualClock()
    now = lease_now(store, clock.now())
    assert (now == clock.now()) == store.url.startswith("sqlite")
    assert now.utcoffset() == timedelta(0)
