"""Splits chosen together with their fleet, at any quality floor and latency. The one user of `joint`."""

from dataclasses import replace

from bouted.planner.columns import ColumnSource
from bouted.planner.joint import JointSplit
from bouted.planner.problem import PlanningProblem
from bouted.planner.splits import FloorSplits
from bouted.quality.curve import QualityCurve


class Joined:
    """Cheap splits of one problem by integer programmes over fleet and split, one programme per floor."""

    def __init__(
        self, problem: PlanningProblem, columns: ColumnSource, curve: QualityCurve, splits: FloorSplits
    ) -> None:
        self._problem = problem
        self._columns = columns
        self._curve = curve
        self._splits = splits
        self._budget = float(problem.budget.usd_per_hour)
        self._at: dict[float, JointSplit] = {}
        self._found: dict[tuple[float, tuple[float, ...]], tuple[float, ...] | None] = {}

    def shares(self, factors: tuple[float, ...], floor: float) -> tuple[float, ...] | None:
        """Shares of a cheap fleet within the budget that meets `floor` at these factors; None: none found."""
        if len(factors) == 1:
            return (1.0,)
        key = (floor, factors)
        if key not in self._found:
            self._found[key] = self._solve(factors, floor)
        return self._found[key]

    def _solve(self, factors: tuple[float, ...], floor: float) -> tuple[float, ...] | None:
        if floor not in self._at:
            wanted = replace(self._problem.targets, quality_min=floor)
            problem = replace(self._problem, targets=wanted)
            self._at[floor] = JointSplit(problem, self._columns, self._curve)
        found = self._at[floor].split(factors, self._budget)
        if found is None:
            return None
        return tuple(float(x) for x in self._splits.rounded(found[None])[0])
