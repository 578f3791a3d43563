"""Whether a simulated deployment is what it should be: its fleet as planned, its ledger as billed."""

from collections import Counter
from decimal import Decimal
from fractions import Fraction

from bouted.reconcile.states import NodeStatus, ReplicaStatus
from bouted.store.open import open_store, sqlite_url
from bouted.store.spend import spend_by_node
from bouted.testing.sim.cloud import GIVEN_BACK
from bouted.testing.sim.rows import Rows
from bouted.testing.sim.world import World


def not_as_planned(world: World) -> str:
    """How the fleet differs from the plan in force, "" while it does not."""
    rows = world.rows
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
    leaving = [node.name for node in rows.nodes.values() if node.live and _kind(node.slot) in unwanted]
    return bool(leaving) and all(rows.keeps_a_floor(node, floors) for node in leaving)


def _no_room(world: World, committed: Decimal, missing: Counter[str]) -> bool:
    """Even the cheapest of what is missing costs more than the cap leaves."""
    now, wish = world.loop.now(), world.files.wish
    prices = [world.source.prices.at(kind.split("#", 1)[0], now)[1] for kind in missing]
    return bool(prices) and committed + min(prices) > Decimal(wish.budget) + Decimal(wish.surge)


def _kind(slot: str) -> str:
    """The slot without its ordinal: equal nodes are kept whatever their ordinals."""
    return slot.rsplit("#", 1)[0]


def _too_dear(world: World) -> bool:
    """No plan may be affordable at these prices."""
    return any("gives up" in line for line in world.trace)


def miscounted(world: World) -> str:
    """Which node's ledger is a cent or more off the provider's bill, "" if none is.

    What nobody asked for and what ended by itself before it had a row is in no ledger. `NothingLeaks` says
    how long that may take; and whoever ends such a thing writes its row first.
    """
    store = open_store(sqlite_url(world.folder))
    try:
        now = world.loop.now()
        since = now.replace(year=now.year - 1)
        ledger = {spend.node: Fraction(spend.usd) for spend in spend_by_node(store, since, now)}
    finally:
        store.close()
    known = set(ledger) | set(world.rows.nodes)
    known |= {m.name for m in world.cloud.machines if not m.stray or m.ended_why == GIVEN_BACK}
    for name in sorted(known):
        billed = world.cloud.bill(name, now)
        if abs(ledger.get(name, Fraction(0)) - billed) >= Fraction(1, 100):
            return f"{name}: ledger ${float(ledger.get(name, 0)):.4f}, bill ${float(billed):.4f}"
    return ""
