"""Days on which the engines' version is edited: replicas give way one by one, and enough go on serving."""

import pytest

from bouted.testing.sim.faults import Fault, Kind, Script
from bouted.testing.sim.run import Day, simulate


def a_fault(at_s: float, kind: Kind) -> Fault:
    return Fault(at_s=at_s, kind=kind, span_s=60.0, size=0.5, pick=0.5)


def upgraded(seed: int, *also: Kind) -> Day:
    """Four hours with an edit after the first, and what goes wrong just after it."""
    faults = (a_fault(3600.0, Kind.UPGRADE), *(a_fault(3640.0, kind) for kind in also))
    return simulate(Script(seed=seed, faults=faults, until_s=14_400.0))


def drained(day: Day) -> int:
    return sum(line.endswith("-> draining (upgraded)") for line in day.trace)


def at_once(day: Day) -> int:
    """The most nodes of which engines had left for another version before what came instead was ready."""
    most, waiting = 0, set[str]()
    for line in day.trace:
        if line.endswith("-> draining (upgraded)"):
            waiting.add(line.partition(": ")[2].rpartition("-r")[0])
        elif "-> ready" in line:
            waiting.clear()
        most = max(most, len(waiting))
    return most


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(6))
def test_on_a_calm_day_one_node_at_a_time_is_upgraded(seed: int) -> None:
    day = upgraded(seed)
    assert day.violation is None
    assert at_once(day) == 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("also", [(Kind.CRASH,), (Kind.LOSE_NODE,), (Kind.TAKEOVER,), (Kind.PARTIAL,)])
def test_an_upgrade_takes_no_model_below_its_floor_whatever_comes_with_it(
    seed: int, also: tuple[Kind, ...]
) -> None:
    day = upgraded(seed, *also)
    assert day.violation is None
    assert drained(day) > 0
