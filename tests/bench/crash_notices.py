"""How long models are unserved when a machine is taken with two minutes' notice, and when that is ignored."""

from collections.abc import Iterator
from contextlib import nullcontext
from random import Random

from crash_mutations import MUTATIONS

from bouted.testing.bench import Bench
from bouted.testing.sim.faults import Fault, Kind, Script
from bouted.testing.sim.run import Day, simulate

(_IGNORED,) = (mutation.plant for mutation in MUTATIONS if mutation.name == "ignore notices")


def losses(days: int, *, heard: bool) -> Iterator[Day]:
    """Two hours each, in which one machine is taken and nothing else happens."""
    for seed in range(days):
        fault = Fault(at_s=3600.0, kind=Kind.NOTICE, span_s=5.0, size=0.5, pick=Random(seed).random())
        with nullcontext() if heard else _IGNORED():
            yield simulate(Script(seed=seed, faults=(fault,), until_s=7200.0))


def notice_rows(bench: Bench, days: int) -> None:
    """The mean gap, and how many losses left none, beside what they were if nobody listened."""
    heard = [gap for day in losses(days, heard=True) for gap in day.unserved_s]
    deaf = [gap for day in losses(days, heard=False) for gap in day.unserved_s]
    bench.row("time unserved after an announced loss, mean", _mean(heard), "s", 10, "lower")
    bench.row("announced losses that left nobody unserved", _none(heard), "share", 0.5, "higher")
    bench.note(f"over {len(heard)} losses; boots and starts of engines take 30 to 150 s of the two minutes")
    if deaf:
        bench.note(f"the same with notices ignored: {_mean(deaf):.1f} s, {_none(deaf):.2f}")


def _mean(gaps: list[float]) -> float:
    return sum(gaps) / max(1, len(gaps))


def _none(gaps: list[float]) -> float:
    return sum(gap == 0 for gap in gaps) / max(1, len(gaps))
