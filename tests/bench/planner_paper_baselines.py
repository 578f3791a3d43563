"""The paper's four baselines, and the exact MILP at fixed routing: each given the best fleet for its rules.

All of them allocate by `planner_paper_milp` from the same profiles, by a bisection on P95. Cheaper fleets
that take a little longer, and other splits of the time between the two models than an even one, are
found too; the best by the profiles are judged, as many as any method may have judged.
"""

import numpy as np
from planner_paper_allocate import Means, quick_fleets
from planner_paper_judge import Fleet, FleetJudge, Rates, fleet
from planner_paper_parameters import EVALUATIONS, HOMOGENEOUS, RATE_PER_S
from planner_paper_published import Method

TILTS = (1.0, 0.9, 1.1, 0.8, 1.25, 1.4)
HIGHER_SHARES = 7
"""A planner may send more to 70B than the floor asks for: so many shares are tried."""


def baseline(method: Method, judge: FleetJudge, large_share: float, means: Means) -> Fleet | None:
    """The best fleet a baseline finds for this share on 70B; None when it finds none."""
    rates, share = judge.rates, large_share
    match method:
        case Method.ALONE:
            found = _fleets(rates, 1.0, means.only(HOMOGENEOUS))
        case Method.ALONE_MIXED:
            found = _fleets(rates, 1.0, means)
        case Method.ROUTED:
            found = _apart(rates, share, means.half)
        case Method.HOMOGENEOUS:
            found = [
                one
                for other in np.linspace(share, 1.0, HIGHER_SHARES).tolist()
                for one in _fleets(rates, other, means.only(HOMOGENEOUS))
            ]
        case Method.FIXED:
            found = _fleets(rates, share, means)[:1]
        case _:
            raise ValueError(f"{method} is no baseline")
    return best(judge, sorted(found, key=judge.predicted_s))


def best(judge: FleetJudge, fleets: list[Fleet]) -> Fleet | None:
    """The fleet of lowest P95 among the first of these: as many as any method may have judged."""
    return min(fleets[:EVALUATIONS], key=judge.p95_s, default=None)


def _fleets(rates: Rates, large_share: float, means: Means) -> list[Fleet]:
    """Fleets for both models from one purse, the one with the least P95 by the profiles first."""
    loads = (RATE_PER_S * (1 - large_share), RATE_PER_S * large_share)
    tilts = TILTS if 0 < large_share < 1 else TILTS[:1]
    found = [
        fleet(replicas, large_share) for tilt in tilts for replicas in quick_fleets(rates, loads, means, tilt)
    ]
    return list(dict.fromkeys(found))


def _apart(rates: Rates, large_share: float, half: Means) -> list[Fleet]:
    """Each model on half of everything, neither knowing of the other."""
    small = quick_fleets(rates, (RATE_PER_S * (1 - large_share), 0.0), half, 1.0)
    large = quick_fleets(rates, (0.0, RATE_PER_S * large_share), half, 1.0)
    return list(dict.fromkeys(fleet((*one, *two), large_share) for one in small for two in large))
