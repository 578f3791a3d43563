"""Virtual time: an asyncio loop that jumps to the next thing due instead of waiting for it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from selectors import SelectorKey, SelectSelector
from typing import TypeVar

from sqlalchemy.util.concurrency import await_, greenlet_spawn, in_greenlet

T = TypeVar("T")

START = datetime(2026, 11, 2, tzinfo=UTC)
_LONGEST_PAUSE_S = 0.4


class Stuck(Exception):
    """Nothing is due and nothing ever will be: somebody waits for what no one will do."""


class _Jumping(SelectSelector):
    """Nothing is ever ready to be read: waiting is what moves the time."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is None:
            raise Stuck("nothing is due, and nothing will be")
        self.now_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is virtual, in seconds from 0."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._jumping.now_s

    def now(self) -> datetime:
        """The true time in the simulated world."""
        return self.at(self.time())

    def at(self, at_s: float) -> datetime:
        """The true time at so many seconds of the day."""
        return START + timedelta(seconds=at_s)


class SkewedClock:
    """A daemon's clock: the true time, off by `off_s`."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.off_s = 0.0

    def now(self) -> datetime:
        return self._loop.now() + timedelta(seconds=self.off_s)


def pause(seconds: float) -> None:
    """Let virtual time pass inside a blocking call; on the loop itself blocking takes no time."""
    if in_greenlet():
        await_(asyncio.sleep(seconds))


class TurnLock:
    """A lock whose waiting lets the others go on. On the loop itself it must be free."""

    def __init__(self) -> None:
        self._held = False

    def __enter__(self) -> None:
        while self._held and in_greenlet():
            pause(0.01)
        self._held = True

    def __exit__(self, *error: object) -> None:
        self._held = False


class InTurn:
    """Makes blocking calls without threads: one runs at a time, and changes places where it pauses."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    async def __call__(self, call: Callable[..., T], /, *args: object) -> T:
        await asyncio.sleep(self._rng.random() * _LONGEST_PAUSE_S)
        result: T = await greenlet_spawn(call, *args)
        await asyncio.sleep(self._rng.random() * _LONGEST_PAUSE_S)
        return result
