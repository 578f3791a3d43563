"""Makes the faults of a script happen, and mends what lasts only a while."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from bouted.market.notices import Notice, NoticeKind
from bouted.market.offers import Market
from bouted.store.control import update_control
from bouted.store.open import open_store
from bouted.testing.sim.cloud import Machine
from bouted.testing.sim.faults import Fault, Kind
from bouted.testing.sim.market import WARES, Ware
from bouted.testing.sim.world import World

T = TypeVar("T")

_CRASH_POINTS = 160  # a crash comes within so many statements, commits and calls
_AHEAD_S = 6 * 3600.0
# The smaller ones leave no room to run old and new side by side, or not even for what runs.
_BUDGETS = ("3", "6", "10", "16")
_SURGES = ("0", "1.5", "4", "8")
_DROUGHT = 0.6  # from this size on a GPU type is sold out everywhere
_DAY_S = 86_400.0
_NOTICE_S = 120.0
_LISTENS_S = 4


def happen(world: World, fault: Fault) -> None:
    """Do it now."""
    world.tell(f"FAULT: {fault.kind} (for {fault.span_s:.0f} s, {fault.size:g}, {fault.pick:g})")
    world.faulted_s = world.loop.time()
    _WAYS[fault.kind](world, fault)
    world.stirred.set()


def _later(world: World, fault: Fault, mend: Callable[[], None]) -> None:
    def mended() -> None:
        world.tell(f"over: {fault.kind}")
        world.faulted_s = world.loop.time()
        mend()
        world.stirred.set()

    world.loop.call_later(fault.span_s, mended)


def _picked(things: Sequence[T], pick: float) -> T | None:
    return things[min(int(pick * len(things)), len(things) - 1)] if things else None


def _ware(fault: Fault) -> Ware:
    return WARES[min(int(fault.pick * len(WARES)), len(WARES) - 1)]


def _offer(fault: Fault) -> str:
    return _ware(fault).id


def _stock_out(world: World, fault: Fault) -> None:
    _sell_out(world, fault, _offer(fault), everywhere=fault.size > _DROUGHT)


def _sell_out(world: World, fault: Fault, offer: str, *, everywhere: bool) -> None:
    gpu = next(ware.gpu for ware in WARES if ware.id == offer)
    sold_out = {ware.id for ware in WARES if ware.gpu == gpu} if everywhere else {offer}
    world.cloud.weather.out.update(sold_out)
    _later(world, fault, lambda: world.cloud.weather.out.difference_update(sold_out))


def _quota(world: World, fault: Fault) -> None:
    offer = _offer(fault)
    world.cloud.weather.over_quota.add(offer)
    _later(world, fault, lambda: world.cloud.weather.over_quota.discard(offer))


def _late(world: World, fault: Fault) -> None:
    world.cloud.weather.late_s = 30.0 + 400.0 * fault.size
    _later(world, fault, lambda: setattr(world.cloud.weather, "late_s", 0.0))


def _lie(world: World, fault: Fault) -> None:
    lost = fault.kind is Kind.ANSWER_LOST
    world.cloud.weather.next_launch.append("lost" if lost else ("bug" if fault.size < 0.6 else "no capacity"))


def _upgrade(world: World, fault: Fault) -> None:
    world.cloud.engine_version = f"vllm {1 + int(fault.size * 4)}"


def _lose_node(world: World, fault: Fault) -> None:
    machine = _picked(world.cloud.running(), fault.pick)
    if machine is not None:
        world.cloud.end(machine, "taken by the provider")


def _notice(world: World, fault: Fault) -> None:
    machine = _picked(world.cloud.running(), fault.pick)
    if machine is None:
        return
    now = world.loop.now()
    world.source.announced.append(
        Notice(
            provider=machine.offer_id.split("/")[0],
            region="",
            zone="",
            instance=machine.id,
            kind=NoticeKind.INTERRUPTION,
            at=now,
            deadline=now + timedelta(seconds=_NOTICE_S),
            receipt=machine.id,
        )
    )
    announced = world.announce(fault, machine, world.loop.time() + _NOTICE_S)

    def taken() -> None:
        if machine.end(world.loop.now()) is None:
            world.cloud.end(machine, "taken by the provider, as announced")
        world.taken(announced)
        world.stirred.set()

    for after_s in range(1, int(_NOTICE_S), _LISTENS_S):  # a daemon that hears of it looks at its clock
        world.loop.call_later(after_s, world.stirred.set)
    world.loop.call_later(_NOTICE_S, taken)


def _crunch(world: World, fault: Fault) -> None:
    machine = _picked(world.cloud.running(), fault.pick)
    if machine is None:
        return
    _sell_out(world, fault, machine.offer_id, everywhere=fault.size > _DROUGHT)
    for other in world.cloud.running():
        if other.offer_id == machine.offer_id:
            world.cloud.end(other, "taken by the provider")


def _kill_engine(world: World, fault: Fault) -> None:
    found = _picked([(m, name) for m in world.cloud.running() for name in m.engines], fault.pick)
    if found is None:
        return
    machine, name = found
    if fault.kind is Kind.HANG_ENGINE:
        machine.engines[name].hung = True
    else:
        del machine.engines[name]
    world.tell(f"cloud: engine {name} is hit")


def _lists(world: World, fault: Fault) -> None:
    weather = world.cloud.weather
    weather.lists = {Kind.STALE: "stale", Kind.PARTIAL: "partial", Kind.EMPTY: "empty", Kind.TWICE: "twice"}[
        fault.kind
    ]
    weather.lists_since = world.loop.now()
    _later(world, fault, lambda: setattr(weather, "lists", ""))


def _slow(world: World, fault: Fault) -> None:
    world.cloud.weather.slow_s = 60.0 * fault.size
    _later(world, fault, lambda: setattr(world.cloud.weather, "slow_s", 0.0))


def _failing(world: World, fault: Fault) -> None:
    world.cloud.weather.failing = True
    _later(world, fault, lambda: setattr(world.cloud.weather, "failing", False))


def _price(world: World, fault: Fault) -> None:
    ware = _ware(fault)
    since, price = world.cloud.prices.at(ware.id, world.loop.now())
    if not _is_known(world, ware, since, price):
        world.tell(f"cloud: {ware.id} still costs ${price}/h")
        return
    factor = Decimal(str(round(0.5 + 1.5 * fault.size, 2)))
    fresh = max(Decimal("0.05"), (price * factor).quantize(Decimal("0.0001")))
    fresh = _as_clouds_do(world, ware, fresh)
    world.cloud.prices.set(ware.id, world.loop.now(), fresh)
    world.repriced_s = world.loop.time()
    world.tell(f"cloud: {ware.id} costs ${fresh}/h")


def _is_known(world: World, ware: Ware, since: datetime, price: Decimal) -> bool:
    """The rows of all machines that cost this price say so: what comes and goes unheard is in no ledger."""
    rows, now = world.rows.nodes, world.loop.now()
    cost_it = [m for m in world.cloud.machines if m.offer_id == ware.id and (m.end(now) or now) > since]
    return all(rows[m.name].usd_per_hour == price * m.instances for m in cost_it if m.name in rows)


def _as_clouds_do(world: World, ware: Ware, price: Decimal) -> Decimal:
    """No cloud asks more for an instance on the spot than on demand; a quote that does is set aside."""
    alike = (ware.provider, ware.gpu, ware.gpu_count)
    for other in WARES:
        if (other.provider, other.gpu, other.gpu_count) == alike and other.market is not ware.market:
            _, limit = world.cloud.prices.at(other.id, world.loop.now())
            price = min(price, limit) if ware.market is Market.SPOT else max(price, limit)
    return price


def _orphan(world: World, fault: Fault) -> None:
    now = world.loop.now()
    world.cloud.machines.append(
        Machine(
            name=f"bt-sim-orphan{len(world.cloud.machines)}",
            id=world.cloud.next_id(),
            offer_id=_offer(fault),
            instances=1,
            started_at=now,
            listed_at=now,
            up_at=now + timedelta(seconds=30),
            lease_until=now + timedelta(seconds=world.cloud.lease_s),
            stray=True,
        )
    )


def _crash(world: World, fault: Fault) -> None:
    daemon = world.active
    if daemon is None or daemon.gate.countdown is not None:
        return
    daemon.gate.countdown = int(fault.size * _CRASH_POINTS)
    daemon.gate.on_death = lambda: world.start_later(daemon.host, fault.span_s)


def _disk(world: World, fault: Fault) -> None:
    daemon = world.active
    if daemon is None:
        return
    gate = daemon.gate
    gate.broken = "full" if fault.kind is Kind.DISK_FULL else "locked"
    _later(world, fault, lambda: setattr(gate, "broken", ""))


def _takeover(world: World, fault: Fault) -> None:
    daemon = world.active
    if daemon is None or daemon.gate.countdown is not None:
        return
    daemon.freeze()
    world.start_later("b" if daemon.host == "a" else "a", 1.0)
    _later(world, fault, daemon.thaw)


def _clock(world: World, fault: Fault) -> None:
    daemon = world.active
    if daemon is None:
        return
    clock = daemon.clock
    clock.off_s = -_DAY_S if fault.size < 0.4 else (fault.size - 0.5) * 2 * _AHEAD_S
    _later(world, fault, lambda: setattr(clock, "off_s", 0.0))


def _rash(world: World, fault: Fault) -> None:
    daemon = world.active
    if daemon is not None and daemon.service is not None:
        setattr(daemon.service.reconciler.executor, "rash", True)  # noqa: B010 - the daemon made it so


def _budget(world: World, fault: Fault) -> None:
    budget = _BUDGETS[min(len(_BUDGETS) - 1, int(fault.pick * len(_BUDGETS)))]
    surge = _SURGES[min(len(_SURGES) - 1, int(fault.size * len(_SURGES)))]
    world.edit(replace(world.files.wish, budget=budget, surge=surge))


def _floor(world: World, fault: Fault) -> None:
    world.edit(replace(world.files.wish, floor=1 + int(fault.pick * 3)))


def _mode(world: World, fault: Fault) -> None:
    world.edit(replace(world.files.wish, mode="advise"))
    _later(world, fault, lambda: world.edit(replace(world.files.wish, mode="apply")))


def _pause(world: World, fault: Fault) -> None:
    def say(paused: bool) -> None:
        store = open_store(f"sqlite:///{world.folder}/bouted.db")
        update_control(store, world.loop.now(), "operator", paused=paused)
        store.close()
        world.rows = world.onlooker.rows()

    say(True)
    _later(world, fault, lambda: say(False))


def _load(world: World, fault: Fault) -> None:
    world.load.rate_per_s = round(0.5 + 7.0 * fault.size, 2)


def _flood(world: World, fault: Fault) -> None:
    """The load jumps to and fro every few seconds."""
    steady, steps = world.load.rate_per_s, int(fault.span_s / 5.0)

    def jump(step: int) -> None:
        high = step % 2 == 0 and step < steps
        world.load.rate_per_s = steady * 2.5 if high else steady
        world.stirred.set()

    for step in range(steps + 1):
        world.loop.call_later(step * 5.0, jump, step)


_WAYS: Mapping[Kind, Callable[[World, Fault], None]] = {
    Kind.STOCK_OUT: _stock_out,
    Kind.QUOTA: _quota,
    Kind.LATE: _late,
    Kind.ANSWER_LOST: _lie,
    Kind.ANSWERS_ERROR: _lie,
    Kind.LOSE_NODE: _lose_node,
    Kind.NOTICE: _notice,
    Kind.CRUNCH: _crunch,
    Kind.KILL_ENGINE: _kill_engine,
    Kind.HANG_ENGINE: _kill_engine,
    Kind.STALE: _lists,
    Kind.PARTIAL: _lists,
    Kind.EMPTY: _lists,
    Kind.TWICE: _lists,
    Kind.SLOW: _slow,
    Kind.FAILING: _failing,
    Kind.PRICE: _price,
    Kind.ORPHAN: _orphan,
    Kind.CRASH: _crash,
    Kind.DISK_FULL: _disk,
    Kind.LOCKED: _disk,
    Kind.TAKEOVER: _takeover,
    Kind.CLOCK: _clock,
    Kind.RASH: _rash,
    Kind.BUDGET: _budget,
    Kind.FLOOR: _floor,
    Kind.UPGRADE: _upgrade,
    Kind.MODE: _mode,
    Kind.PAUSE: _pause,
    Kind.LOAD: _load,
    Kind.FLOOD: _flood,
}
