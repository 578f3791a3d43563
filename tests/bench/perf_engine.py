"""The figures of the check against a real engine: how far the simulated percentiles are from measured ones.

`make engine-test` measures them; `make bench-perf` repeats the last ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bouted.testing.bench import Bench

TARGET_PERCENT = 15.0
JUDGED = frozenset({"P95 end-to-end at 0.5", "P95 end-to-end at 0.8"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One percentile at one utilisation, measured and simulated, in seconds."""

    what: str
    measured_s: float
    simulated_s: float

    @property
    def error_percent(self) -> float:
        """How far the simulated figure lies from the measured one."""
        return 100 * abs(self.simulated_s / self.measured_s - 1)


def add_rows(bench: Bench, compared: Sequence[Compared]) -> None:
    """One row each; those the project promises something about have a target."""
    for one in compared:
        bench.note(f"{one.what}: measured {one.measured_s:.4f} s, simulated {one.simulated_s:.4f} s")
        target = TARGET_PERCENT if one.what in JUDGED else None
        bench.row(f"real vLLM on CPU, error of {one.what}", one.error_percent, "%", target, "lower")
