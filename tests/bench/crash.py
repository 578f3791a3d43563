"""`make bench-crash`: simulated days with faults, planted bugs, real deaths and takeovers, and speed.

SEEDS is how many days are simulated (2,000), from seed FIRST (0) on; QUICK=1 is a few minutes: fewer days
and fewer deaths. ROWS names the parts to run (see `PARTS`), all by default.
"""

import os
import sys
from collections.abc import Callable, Mapping

from bouted.testing.bench import Bench


def _quick() -> bool:
    return os.environ.get("QUICK") == "1"


def simulated(bench: Bench) -> None:
    """Days with faults."""
    from crash_sim import simulation_rows

    seeds = int(os.environ.get("SEEDS", "20" if _quick() else "2000"))
    simulation_rows(bench, seeds, int(os.environ.get("FIRST", "0")))


def noticed(bench: Bench) -> None:
    """Machines that are taken with a notice."""
    from crash_notices import notice_rows

    notice_rows(bench, 10 if _quick() else 60)


def planted(bench: Bench) -> None:
    """Bugs on purpose."""
    from crash_sim import mutation_rows

    mutation_rows(bench, 20 if _quick() else 200)


def killed(bench: Bench) -> None:
    """Real processes killed."""
    from crash_real import killed_rows

    killed_rows(bench, quick=_quick())


def taken_over(bench: Bench) -> None:
    """Two real daemons on a real PostgreSQL."""
    from crash_real import takeover_rows

    takeover_rows(bench, quick=_quick())


def fast(bench: Bench) -> None:
    """Large fleets."""
    from crash_speed import decision_rows, status_rows
    from crash_speed_pass import pass_rows

    decision_rows(bench)
    pass_rows(bench, quick=_quick())
    status_rows(bench, quick=_quick())


PARTS: Mapping[str, Callable[[Bench], None]] = {
    "simulated": simulated,
    "noticed": noticed,
    "planted": planted,
    "killed": killed,
    "takeover": taken_over,
    "speed": fast,
}


def main() -> int:
    """Every row, in order."""
    wanted = os.environ.get("ROWS", ",".join(PARTS)).split(",")
    bench = Bench("crash")
    if _quick():
        bench.note("QUICK: fewer days and deaths; targets are meant for the full run")
    for name, part in PARTS.items():
        if name in wanted:
            part(bench)
        else:
            bench.note(f"rows of {name} were not asked for")
    return bench.finish()


if __name__ == "__main__":
    sys.exit(main())
