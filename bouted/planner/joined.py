"""Fleets and splits chosen together at any floor and latency, as often as a problem's size allows."""

from typing import TypeAlias

from bouted.planner.capacity import Capacities
from bouted.planner.joint_fleet import Joint, JointFleet
from bouted.planner.lattice import lattice, nearby
from bouted.planner.problem import PlanningProblem
from bouted.quality.curve import QualityCurve

Shares: TypeAlias = tuple[float, ...]

# Variables of all programmes that one sweep solves, about; a large programme, or for little effort, is
# solved once.
SWEPT_VARIABLES = 1000
MOST_SOLVES = 12
SMALL = 300
SWEPT_A_SOLVE = 16
# Left free of each replica's highest load, where no bound is asked for: the split is rounded, which may load
# one a little more than the programme did.
ROOM_TO_ROUND = 0.002
# One more programme in so many rounds of breeding, per so many variables.
ROUND_VARIABLES = 60


class Joined:
    """The integer programmes of one search, each solved once."""

    def __init__(self, problem: PlanningProblem, capacities: Capacities, curve: QualityCurve) -> None:
        self._curve = curve
        self._whole = lattice(curve, problem.seed)
        self._joint = Joint(problem, capacities)
        self._classes = bool(problem.targets.classes)
        self._found: dict[tuple[float, float, Shares], JointFleet | None] = {}
        self.every = 1 + self._joint.variables // ROUND_VARIABLES
        most = min(MOST_SOLVES, problem.effort.sweep // SWEPT_A_SOLVE)
        self._left = max(1, min(most, SWEPT_VARIABLES // max(1, self._joint.variables)))

    @property
    def small(self) -> bool:
        """Whether a programme takes a fraction of a second, so that several more do not matter."""
        return self._joint.variables <= SMALL

    @property
    def affordable(self) -> bool:
        """Whether the sweep may have another programme solved."""
        return self._left > 0

    def fleet(self, factor: float, floor: float, near: Shares = ()) -> JointFleet | None:
        """The cheapest fleet and split at this latency factor and floor; None when there is none.

        Of all splits it may miss the floor by a little, which keeps the bound true; `near` one, hardly.
        """
        key = (round(factor, 4), round(floor, 6), tuple(round(share, 2) for share in near))
        if key not in self._found:
            self._left -= 1
            splits = nearby(self._curve, near) if near else self._whole
            room = ROOM_TO_ROUND if near or factor != 1.0 else 0.0
            self._found[key] = self._joint.cheapest(factor, floor, splits, room=room)
        return self._found[key]

    def bound(self, floor: float) -> float | None:
        """The least $/h of any design within the targets at this floor, by the profiles; None without any.

        Targets of classes are left out: what the profiles know of them is an estimate.
        """
        whole = self._joint.cheapest(1.0, floor, self._whole, classes=False) if self._classes else None
        found = whole or self.fleet(1.0, floor)
        return None if found is None else found.bound_usd_per_hour
