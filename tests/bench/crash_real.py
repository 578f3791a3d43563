"""Real processes that die or are paused: the rows of the bench, each with what it rests on."""

import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import monotonic

from crash_real_deaths import SECOND, deaths, whole_life
from crash_real_takeover import Pair

from bouted.daemon.service import LEASE_S
from bouted.store.plans import set_desired_plan
from bouted.testing.bench import Bench
from bouted.testing.postgres import NoPostgres, postgres
from bouted.testing.processes import until

LEAST_POINTS = 30
TAKEOVERS = 3
QUICK_EVERY = 4
TOLD = 5


def killed_rows(bench: Bench, *, quick: bool) -> None:
    """A real daemon killed with -9 at each journalled step of a rollout, a replacement and a `down`."""
    began = monotonic()
    with tempfile.TemporaryDirectory() as folder:
        steps = whole_life(Path(folder))
        points = range(1, len(steps) + 1, QUICK_EVERY if quick else 1)
        killed = [death for death in deaths(Path(folder), points) if death.rescuer]
        wrong = [f"{death.die_at} ({death.steps[-1]}): {said}" for death in killed for said in death.wrong]
        kinds = {death.steps[-1] for death in killed}
    bench.row("points where a real daemon was killed with -9", len(killed), "points", LEAST_POINTS, "higher")
    bench.row(
        "of these, not the same fleet after a restart, an orphan process or a lost row",
        len({line.partition(" ")[0] for line in wrong}),
        "points",
        0,
        "lower",
        provided=len(killed) >= LEAST_POINTS,
    )
    bench.note(
        f"{len(steps)} journalled steps in one life, {len(kinds)} kinds of them, local launcher;"
        f" {monotonic() - began:.0f} s"
    )
    for line in wrong[:TOLD]:
        bench.note(line)


def takeover_rows(bench: Bench, *, quick: bool) -> None:
    """Two real daemons on a real PostgreSQL; the active one is killed, or paused past its lease."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres())
        except NoPostgres as why:
            bench.row("takeover from a killed daemon, slowest", None, "s", LEASE_S, "lower")
            bench.row("takeover from a paused daemon, slowest", None, "s", LEASE_S, "lower")
            bench.note(f"no takeover was tried: {why}")
            return
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pair = Pair(folder=folder, url=server.make("pair"))
        stack.callback(pair.close)
        _take_over(bench, pair, 1 if quick else TAKEOVERS)


def _take_over(bench: Bench, pair: Pair, times: int) -> None:
    pair.one.start()
    pair.until_active(pair.one)
    pair.two.start()
    until(lambda: pair.standby() == pair.two.holder)
    pair.until_settled()
    fleet = pair.seen().replicas
    killed: list[float] = []
    for number in range(times):
        active, other = (pair.one, pair.two) if number % 2 == 0 else (pair.two, pair.one)
        active.signal(signal.SIGKILL)
        killed.append(pair.until_active(other))
        active.ended()
        active.start()
        until(lambda name=active.holder: pair.standby() == name)  # type: ignore[misc]
        pair.until_settled()
    same = pair.seen().replicas == fleet
    bench.row(
        "takeover from a killed daemon, slowest, the same processes after it",
        max(killed),
        "s",
        LEASE_S,
        "lower",
        provided=same,
    )
    bench.note(f"lease {LEASE_S:g} s, {times} kills, median {median(killed):.1f} s")
    _pause(bench, pair)


def _pause(bench: Bench, pair: Pair) -> None:
    """The active one sleeps through the takeover and a whole replacement of the fleet, and wakes up."""
    active, other = (pair.one, pair.two) if pair.active() == pair.one.holder else (pair.two, pair.one)
    active.pause()
    took_s = pair.until_active(other)
    set_desired_plan(pair.store, SECOND)
    pair.until_settled()
    moved, tried = pair.seen(), len(active.steps)
    active.signal(signal.SIGCONT)
    code = active.ended()
    kept = pair.seen() == moved and pair.active() == other.holder
    bench.row("takeover from a paused daemon", took_s, "s", LEASE_S, "lower", provided=kept and code == 1)
    bench.row("writes and actions of the one that woke up", len(active.steps) - tried, "steps", 0, "lower")
