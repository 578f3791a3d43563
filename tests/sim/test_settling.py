"""What must come of faults is judged soon after them: a plan that is followed, and a ledger that is right."""

from unittest.mock import patch

import pytest

from bouted.daemon.sweeping import Sweeper
from bouted.ledger.times import Life
from bouted.reconcile.recuts import Recuts
from bouted.reconcile.sweep import Findings
from bouted.testing.sim.faults import Fault, Kind, Script, clock_of, script_of
from bouted.testing.sim.run import Day, simulate
from bouted.testing.sim.settling import CONVERGES_WITHIN_S

SWEEP_S = 300.0


def a_fault(at_s: float, kind: Kind, size: float = 0.5) -> Fault:
    return Fault(at_s=at_s, kind=kind, span_s=5.0, size=size, pick=0.5)


def lived(*faults: Fault, hours: float = 4.0) -> Day:
    return simulate(Script(seed=1, faults=faults, until_s=hours * 3600.0))


def broken(day: Day) -> tuple[str, str]:
    """What was broken, and when."""
    assert day.violation is not None
    told = next(line for line in day.trace if "VIOLATION" in line)
    return day.violation.name, told.split(" ", 1)[0]


def _ended_unwritten(self: Sweeper, found: Findings) -> None:
    for node in found.orphans:
        self.launcher.stop_node(node.name)


def _lets(*_: object) -> None:
    return None


@pytest.mark.timeout(300)
def test_a_fleet_that_does_not_become_what_the_plan_says_is_found_out_before_the_day_ends() -> None:
    with patch("bouted.reconcile.order._launches", lambda *_: Recuts()):
        name, when = broken(lived())
    assert name == "Converges"
    assert clock_of(CONVERGES_WITHIN_S) <= when < clock_of(CONVERGES_WITHIN_S + 600.0)


@pytest.mark.timeout(300)
def test_a_ledger_that_is_wrong_after_one_sweep_is_found_out_then() -> None:
    crash = Fault(at_s=3600.0, kind=Kind.CRASH, span_s=600.0, size=0.0, pick=0.5)
    with patch.object(Life, "said_end", property(lambda life: life.noticed_end)):
        name, when = broken(lived(crash, a_fault(3700.0, Kind.LOSE_NODE)))
    assert name == "LedgerEqualsBill"
    assert when < clock_of(4200.0 + 3 * SWEEP_S)


@pytest.mark.timeout(300)
def test_what_is_ended_without_a_row_is_missed_in_the_ledger() -> None:
    assert lived(a_fault(3600.0, Kind.ORPHAN)).violation is None
    with patch.object(Sweeper, "end", _ended_unwritten):
        name, _ = broken(lived(a_fault(3600.0, Kind.ORPHAN)))
    assert name == "LedgerEqualsBill"


@pytest.mark.timeout(300)
def test_what_a_rash_pass_decides_is_refused() -> None:
    day = lived(a_fault(600.0, Kind.LOAD, 0.9), a_fault(3600.0, Kind.RASH), hours=2.0)
    assert day.violation is None
    assert any(line.endswith("-> failed (budget)") for line in day.trace)
    assert not any("-> draining" in line for line in day.trace if line > clock_of(3600.0))


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("guard", "found_by"), [("refuse_launch", "ActsUnderCap"), ("refuse_mass_stop", "FloorIsKept")]
)
def test_a_guard_that_lets_everything_pass_is_found_out(guard: str, found_by: str) -> None:
    with patch(f"bouted.reconcile.execute.{guard}", _lets):
        day = lived(a_fault(600.0, Kind.LOAD, 0.9), a_fault(3600.0, Kind.RASH), hours=2.0)
    assert broken(day)[0] == found_by


def test_rash_passes_come_on_half_of_the_days() -> None:
    days = [any(fault.kind is Kind.RASH for fault in script_of(seed).faults) for seed in range(100)]
    assert 30 < sum(days) < 70
