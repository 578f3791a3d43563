"""Runs one simulated day from beginning to end, and says what became of it."""

import asyncio
import gc
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from bouted.testing.sim.faults import Script
from bouted.testing.sim.happen import happen
from bouted.testing.sim.invariants import Violation
from bouted.testing.sim.person import Person
from bouted.testing.sim.settling import Settling
from bouted.testing.sim.vtime import VirtualLoop
from bouted.testing.sim.world import World
from bouted.testing.store import fresh_store

LOOK_EVERY_S = 180.0
_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a simulated day came to. `trace` tells it line by line, `digest` is a hash of that. `unserved_s`
    are the gaps that announced losses left, 0 where another replica served. `slowest_s` is how long the fleet
    was at most not what the plan says, while nothing was wrong."""

    script: Script
    violation: Violation | None
    trace: tuple[str, ...]
    turns: int
    points: int
    unserved_s: tuple[float, ...] = ()
    slowest_s: float = 0.0

    @property
    def digest(self) -> str:
        """The same for the same seed."""
        return blake2b("\n".join(self.trace).encode(), digest_size=8).hexdigest()


def simulate(script: Script) -> Day:
    """Live through a script. Deterministic: no thread, no wall clock, no network."""
    memory = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as name, _no_other_loop() as loop, _rare_collections():
        folder = Path(name)
        fresh_store(folder).close()
        world = World(script=script, folder=folder, loop=loop)
        with _overheard(world):
            slowest_s = loop.run_until_complete(_live(world))
        if world.found is not None:
            world.found.__cause__ = world.crashed
        world.onlooker.close()
        return Day(
            script=script,
            violation=world.found,
            trace=tuple(world.trace),
            turns=sum(daemon.turns for daemon in world.daemons),
            points=sum(daemon.gate.points for daemon in world.daemons),
            unserved_s=tuple(world.notices.unserved_s),
            slowest_s=slowest_s,
        )


async def _live(world: World) -> float:
    world.start_later("a", 0.0)
    person, settling = Person(world), Settling(world)
    for fault in world.script.faults:
        world.loop.call_at(fault.at_s, happen, world, fault)
    while world.loop.time() < world.script.until_s and world.found is None:
        try:
            await asyncio.wait_for(world.over.wait(), LOOK_EVERY_S)
        except TimeoutError:
            world.passed()
            settling.look()
            person.look()
    if world.found is None:
        settling.end()
    await _end(world)
    return settling.slowest_s


async def _end(world: World) -> None:
    """Nobody lives on. Who is being woken at this moment does not hear the first cancellation."""
    world.over.set()
    while world.tasks:
        for task in tuple(world.tasks):
            task.cancel()
        await asyncio.wait(tuple(world.tasks), timeout=1.0)


class _Ear(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self.world = world

    def emit(self, record: logging.LogRecord) -> None:
        self.world.require_no_bug(record)


@contextmanager
def _overheard(world: World) -> Iterator[None]:
    """Daemons' logs go to the world alone."""
    logger, ear = logging.getLogger("bouted"), _Ear(world)
    propagate, level = logger.propagate, logger.level
    logger.addHandler(ear)
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.removeHandler(ear)
        logger.propagate = propagate
        logger.setLevel(level)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """A day makes much and keeps little: looking through all that was imported again and again costs a sixth
    of it."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _no_other_loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        yield loop
    finally:
        loop.close()
