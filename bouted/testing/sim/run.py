"""Runs one simulated day from beginning to end, and says what became of it."""

import asyncio
import gc
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path

from bouted.reconcile.states import NodeStatus, ReplicaStatus
from bouted.store.open import open_store, sqlite_url
from bouted.store.spend import spend_by_node
from bouted.testing.sim.faults import Script
from bouted.testing.sim.happen import happen
from bouted.testing.sim.invariants import Violation
from bouted.testing.sim.person import Person
from bouted.testing.sim.rows import Rows
from bouted.testing.sim.vtime import VirtualLoop
from bouted.testing.sim.world import World
from bouted.testing.store import fresh_store

LOOK_EVERY_S = 180.0
_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a simulated day came to. `trace` tells it line by line, `digest` is a hash of that. `unserved_s`
    are the gaps that announced losses left, 0 where another replica served."""

    script: Script
    violation: Violation | None
    trace: tuple[str, ...]
    turns: int
    points: int
    unserved_s: tuple[float, ...] = ()

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
            loop.run_until_complete(_live(world))
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
        )


async def _live(world: World) -> None:
    world.start_later("a", 0.0)
    person = Person(world)
    for fault in world.script.faults:
        world.loop.call_at(fault.at_s, happen, world, fault)
    while world.loop.time() < world.script.until_s and world.found is None:
        try:
            await asyncio.wait_for(world.over.wait(), LOOK_EVERY_S)
        except TimeoutError:
            world.passed()
            person.look()
    if world.found is None:
        _judge_end(world)
    for task in tuple(world.tasks):
        task.cancel()
    await asyncio.gather(*world.tasks, return_exceptions=True)


def _judge_end(world: World) -> None:
    """After the calm: the fleet is what the plan says, and the ledger says what the provider bills."""
    wrong = _not_converged(world)
    if wrong:
        world.violated("Converges", "after the faults the fleet becomes what the plan says", wrong)
        return
    wrong = _miscounted(world)
    if wrong:
        world.violated("LedgerEqualsBill", "after the faults the ledger equals the bill to the cent", wrong)


def _not_converged(world: World) -> str:
    rows = world.onlooker.rows()
    if rows.desired is None:
        return "" if world.files.wish.mode != "apply" or _too_dear(world) else "no plan is in force"
    live = {node.name: node for node in rows.nodes.values() if node.live}
    odd = [node for node in live.values() if node.status is not NodeStatus.UP]
    if odd:
        return f"{odd[0].name} is {odd[0].status}"
    wanted = Counter(_kind(slot) for slot in world.onlooker.slots_of(rows.desired))
    found = Counter(_kind(node.slot) for node in live.values())
    cannot = wanted > found or _each_keeps_a_floor(world, rows, found - wanted)
    if wanted != found and not (cannot and _no_room(world, rows.committed(), wanted - found)):
        return f"wanted and missing: {dict(wanted - found)}, unwanted: {dict(found - wanted)}"
    idle = [r.name for n in live.values() for r in rows.on(n.name) if r.status is not ReplicaStatus.READY]
    if idle:
        return f"{idle[0]} is {rows.replicas[idle[0]].status}"
    short = [n.name for n in live.values() if len(rows.on(n.name)) < n.places]
    if short:
        return f"not every engine of {short[0]} runs"
    names = {machine.name for machine in world.cloud.running()}
    rented = {node.name for node in live.values()}
    return f"{sorted(names ^ rented)[0]} is on one side only" if names != rented else ""


def _each_keeps_a_floor(world: World, rows: Rows, unwanted: Counter[str]) -> bool:
    """Whichever node of these kinds left, a model would serve below its floor: nothing can make way."""
    floors = {model.name: max(1, model.min_replicas) for model in world.config.models}
    leaving = [node for node in rows.nodes.values() if node.live and _kind(node.slot) in unwanted]
    return bool(leaving) and all(
        any(rows.ready(model) - count < floors[model] for model, count in _serving(rows, node.name).items())
        for node in leaving
    )


def _serving(rows: Rows, node: str) -> Counter[str]:
    return Counter(r.model for r in rows.on(node) if r.status is ReplicaStatus.READY)


def _no_room(world: World, committed: Decimal, missing: Counter[str]) -> bool:
    """Even the cheapest of what is missing costs more than the cap leaves."""
    now, wish = world.loop.now(), world.files.wish
    prices = [world.source.prices.at(kind.split("#", 1)[0], now)[1] for kind in missing]
    return committed + min(prices) > Decimal(wish.budget) + Decimal(wish.surge)


def _kind(slot: str) -> str:
    """The slot without its ordinal: equal nodes are kept whatever their ordinals."""
    return slot.rsplit("#", 1)[0]


def _too_dear(world: World) -> bool:
    """No plan may be affordable at these prices."""
    return any("gives up" in line for line in world.trace)


def _miscounted(world: World) -> str:
    store = open_store(sqlite_url(world.folder))
    try:
        now = world.loop.now()
        since = now.replace(year=now.year - 1)
        ledger = {spend.node: Fraction(spend.usd) for spend in spend_by_node(store, since, now)}
    finally:
        store.close()
    names = {machine.name for machine in world.cloud.machines if "orphan" not in machine.name} | set(ledger)
    for name in sorted(names):
        billed = world.cloud.bill(name, now)
        if abs(ledger.get(name, Fraction(0)) - billed) >= Fraction(1, 100):
            return f"{name}: ledger ${float(ledger.get(name, 0)):.4f}, bill ${float(billed):.4f}"
    return ""


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
