"""The simulation itself: the same seed gives the same day, its clock jumps, a failing script gets short."""

import asyncio
from dataclasses import replace

import pytest

from bouted.testing.sim.faults import Fault, Kind, Script, script_of
from bouted.testing.sim.invariants import Violation
from bouted.testing.sim.run import Day, simulate
from bouted.testing.sim.shrink import shrink, told
from bouted.testing.sim.vtime import START, Stuck, VirtualLoop


def a_fault(at_s: float, kind: Kind = Kind.PRICE) -> Fault:
    return Fault(at_s=at_s, kind=kind, span_s=10.0, size=0.5, pick=0.5)


def a_day(script: Script, *, broken: bool) -> Day:
    violation = Violation("Some", "it holds", "it did not") if broken else None
    return Day(script=script, violation=violation, trace=("line",), turns=1, points=1)


def test_the_same_seed_gives_the_same_day() -> None:
    script = replace(script_of(3), until_s=40_000.0)
    first, second = simulate(script), simulate(script)
    assert first.trace == second.trace
    assert first.digest == second.digest
    assert simulate(replace(script, seed=4)).digest != first.digest


def test_scripts_are_drawn_from_the_seed_alone() -> None:
    assert script_of(7) == script_of(7)
    assert script_of(7) != script_of(8)


def test_a_price_moves_again_only_after_everybody_knows_it() -> None:
    steps = ((1600.0, 0.9), (1600.1, 0.1), (9000.0, 0.1))
    faults = tuple(replace(a_fault(at_s), size=size, pick=0.0) for at_s, size in steps)
    day = simulate(Script(seed=1, faults=faults, until_s=6 * 3600.0))
    assert day.violation is None, "the ledger knows every price"
    told = [line.split("1xL4/spot ")[1] for line in day.trace if "1xL4/spot" in line and "costs" in line]
    assert told == ["costs $0.7400/h", "still costs $0.7400/h", "costs $0.4810/h"]


def test_a_day_of_waiting_takes_no_time() -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(asyncio.sleep(86_400.0))
        assert (loop.now() - START).total_seconds() == pytest.approx(86_400.0)
    finally:
        loop.close()


def test_waiting_for_what_never_comes_is_said_at_once() -> None:
    loop = VirtualLoop()
    try:
        with pytest.raises(Stuck):
            loop.run_until_complete(loop.create_future())
    finally:
        loop.close()


@pytest.mark.parametrize("needed", [(3,), (2, 11), (0, 7, 15)])
def test_a_failing_script_is_shortened_to_the_faults_that_matter(needed: tuple[int, ...]) -> None:
    script = Script(seed=1, faults=tuple(a_fault(float(at)) for at in range(16)))
    culprits = {float(at) for at in needed}

    def run(tried: Script) -> Day:
        return a_day(tried, broken=culprits <= {fault.at_s for fault in tried.faults})

    short = shrink(run(script), run=run, most=200)
    assert {fault.at_s for fault in short.script.faults} == culprits
    assert "seed 1" in told(short)


def test_shortening_keeps_to_its_number_of_runs() -> None:
    script, runs = Script(seed=1, faults=tuple(a_fault(float(at)) for at in range(64))), []

    def run(tried: Script) -> Day:
        runs.append(tried)
        return a_day(tried, broken=len(tried.faults) > 20)

    shrink(run(script), run=run, most=5)
    assert len(runs) <= 6
