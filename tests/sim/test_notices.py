"""Two minutes' notice: what comes up in time leaves nothing unserved; a daemon that is deaf is found out."""

from unittest.mock import patch

import pytest

from bouted.testing.sim.announced import apart
from bouted.testing.sim.faults import Fault, Kind, Script
from bouted.testing.sim.run import Day, simulate


def a_fault(at_s: float, kind: Kind = Kind.NOTICE, span_s: float = 5.0) -> Fault:
    return Fault(at_s=at_s, kind=kind, span_s=span_s, size=0.5, pick=0.5)


def a_loss(seed: int) -> Day:
    """Two hours in which one machine is taken, with a notice."""
    return simulate(Script(seed=seed, faults=(a_fault(3600.0),), until_s=7200.0))


@pytest.mark.timeout(300)
def test_a_notice_is_used_and_whatever_comes_up_in_time_leaves_no_gap() -> None:
    days = [a_loss(seed) for seed in range(8)]
    assert [str(day.violation) for day in days if day.violation] == []
    gaps = [gap for day in days for gap in day.unserved_s]
    assert len(gaps) >= 6
    assert sum(gap == 0 for gap in gaps) > len(gaps) / 2


@pytest.mark.timeout(300)
def test_a_daemon_that_hears_nothing_is_found_out() -> None:
    with patch("bouted.store.read_fleet.leaving_in", lambda *_: {}):
        broken = [day.violation.name for seed in range(8) if (day := a_loss(seed)).violation]
    assert broken
    assert set(broken) == {"NoticesAreUsed"}


@pytest.mark.parametrize(
    ("other", "alone"),
    [
        (a_fault(2000.0), True),
        (a_fault(2000.0, span_s=1500.0), False),
        (a_fault(3650.0, Kind.CRASH), False),
        (a_fault(3900.0), False),
        (a_fault(4100.0), True),
    ],
)
def test_only_a_notice_that_nothing_else_comes_near_is_judged(other: Fault, alone: bool) -> None:
    fault = a_fault(3600.0)
    assert apart(fault, (fault, other), 3720.0) is alone


def test_a_long_poll_answers_what_has_come_by_then() -> None:
    from bouted.testing.sim.daemon import _Listening

    class Source:
        name = "sim"
        said: tuple[object, ...] = ()

        def notices(self, wait_s: float) -> tuple[object, ...]:
            return self.said

    source = Source()
    listening = _Listening(source)  # type: ignore[arg-type]
    source.said = ("later",)
    assert listening.done()
    assert [str(notice) for notice in listening.result()] == ["later"]
