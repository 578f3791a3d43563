"""`make bench-sky`: real SkyPilot at a stand-in EC2, scenario by scenario, with wall times.

ROWS names the parts to run (see `PARTS`), all by default; BOUTED_E2E_VLLM=1 adds one with a real vLLM.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from sky_stage import open_cloud

from bouted.testing.bench import Bench
from bouted.testing.ec2.cloud import StandInCloud


def serving(bench: Bench, cloud: StandInCloud) -> None:
    """Two models, two regions."""
    from sky_serve import serving_rows

    serving_rows(bench, cloud)


def foreign(bench: Bench, cloud: StandInCloud) -> None:
    """What others run."""
    from sky_serve import foreign_rows

    foreign_rows(bench, cloud)


def scale(bench: Bench, cloud: StandInCloud) -> None:
    """Six replicas."""
    from sky_serve import scale_rows

    scale_rows(bench, cloud)


def refused(bench: Bench, cloud: StandInCloud) -> None:
    """Capacity and quota."""
    from sky_lost import refused_rows

    refused_rows(bench, cloud)


def unready(bench: Bench, cloud: StandInCloud) -> None:
    """A machine that never answers."""
    from sky_lost import unready_rows

    unready_rows(bench, cloud)


def taken(bench: Bench, cloud: StandInCloud) -> None:
    """A preemption under load."""
    from sky_lost import taken_rows

    taken_rows(bench, cloud)


def killed(bench: Bench, cloud: StandInCloud) -> None:
    """The daemon, and the API server."""
    from sky_lost import daemon_killed_rows, server_killed_rows

    daemon_killed_rows(bench, cloud)
    server_killed_rows(bench, cloud)


def deadman(bench: Bench, cloud: StandInCloud) -> None:
    """Leases."""
    from sky_deadman import deadman_rows, renewal_rows

    renewal_rows(bench)
    deadman_rows(bench, cloud)


def moved(bench: Bench, cloud: StandInCloud) -> None:
    """Another layout."""
    from sky_moves import moved_rows

    moved_rows(bench, cloud)


def recut(bench: Bench, cloud: StandInCloud) -> None:
    """Another layout of the same machine."""
    from sky_moves import recut_rows

    recut_rows(bench, cloud)


def upgraded(bench: Bench, cloud: StandInCloud) -> None:
    """Another version of the engine."""
    from sky_moves import upgraded_rows

    upgraded_rows(bench, cloud)


def engine(bench: Bench, cloud: StandInCloud) -> None:
    """A real vLLM."""
    from sky_engine import engine_rows

    engine_rows(bench, cloud)


REAL_ENGINE = os.environ.get("BOUTED_E2E_VLLM") == "1"
_ALL = (serving, refused, unready, taken, killed, deadman, foreign, moved, recut, upgraded, scale)
PARTS: dict[str, Callable[[Bench, StandInCloud], None]] = {part.__name__: part for part in _ALL}
if REAL_ENGINE:
    PARTS |= {engine.__name__: engine}


def _for_a_real_engine() -> list[tuple[Path, Path]]:
    if not REAL_ENGINE:
        return []
    from sky_engine import shared

    return shared()


def main() -> int:
    """Run the parts; 1 when one broke."""
    why_not = StandInCloud.why_not()
    bench = Bench("sky")
    if why_not:
        print(f"bench-sky cannot run here: {why_not}", file=sys.stderr)
        return 2
    broken = 0
    with open_cloud(_for_a_real_engine()) as cloud:
        for name in os.environ.get("ROWS", ",".join(PARTS)).split(","):
            try:
                PARTS[name](bench, cloud)
            except Exception as error:  # the bench's edge: one scenario that breaks must not hide the others
                bench.note(f"{name} broke: {type(error).__name__}: {error}"[:2000])
                broken += 1
    bench.row("scenarios that broke", broken, "", 0, "lower")
    bench.finish()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
