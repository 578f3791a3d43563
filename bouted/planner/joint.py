"""Split and fleet chosen together by one integer programme, with the quality of a split made concave.

The mean quality of a split is a sum of one curve per boundary between neighbouring models, so its concave
hull is a handful of linear rows. The hull of the mean is not the low end of the interval: what it promises
too much is added to the floor, and the programme is solved again until the split really meets it.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp

from bouted.planner.cheapest import GAP
from bouted.planner.columns import Columns, ColumnSource
from bouted.planner.pooling import worth_having
from bouted.planner.problem import PlanningProblem
from bouted.planner.programme import NODE_LIMIT
from bouted.planner.splits import GRAIN
from bouted.quality.curve import QualityCurve

Floats = npt.NDArray[np.float64]

POINTS = 65
TRIES = 5
# Load to carry beyond the rate, so that rounded shares still fit the fleet that was found.
SPARE = 1.0005


class JointSplit:
    """Finds splits that are cheap to serve. For problems of two or more models."""

    def __init__(self, problem: PlanningProblem, columns: ColumnSource, curve: QualityCurve) -> None:
        self._problem = problem
        self._columns = columns
        self._curve = curve
        self._rate = problem.workload.rate_per_s * SPARE
        self._hulls = boundary_hulls(curve)
        models = len(problem.models)
        self._top = curve.mean([0.0] * (models - 1) + [1.0])

    def split(self, factors: tuple[float, ...], at_most_usd: float) -> Floats | None:
        """Shares for which a fleet is cheap and the floor holds; None when none is found.

        `factors` are latency factors as in `Ask`; fleets dearer than `at_most_usd` are not looked for.
        """
        margin = 0.0
        for _ in range(TRIES):
            shares = self._cheapest(factors, margin, at_most_usd)
            if shares is None:
                return None
            missing = self._problem.targets.quality_min + GRAIN - self._curve.low(shares)
            if missing <= 0:
                return shares
            margin += missing + GRAIN
        return None

    def _cheapest(self, factors: tuple[float, ...], margin: float, at_most_usd: float) -> Floats | None:
        """Shares of the cheapest fleet whose mean quality, made concave, is `margin` above the floor."""
        rate, models = self._rate, len(self._problem.models)
        columns = self._columns.build(np.full(models, rate), factors, switching=False)
        if not len(columns.usd):
            return None
        serving, least = self._serving(columns)
        keep = worth_having(columns, serving.T)
        nodes, bounds, pieces = len(keep), models - 1, models - 1
        rows = self._rows(columns, serving[:, keep], keep, margin, least)
        found = milp(
            np.concatenate([columns.usd[keep], np.zeros(bounds + pieces)]),
            integrality=np.concatenate([np.ones(nodes), np.zeros(bounds + pieces)]),
            bounds=Bounds(
                np.concatenate([np.zeros(nodes + bounds), np.full(pieces, -np.inf)]),
                np.concatenate([columns.most[keep], np.ones(bounds), np.full(pieces, np.inf)]),
            ),
            constraints=rows,
            options={"mip_rel_gap": GAP, "node_limit": NODE_LIMIT},
        )
        if found.x is None:
            return None
        ends = np.concatenate([[0.0], np.clip(found.x[nodes : nodes + bounds], 0.0, 1.0), [1.0]])
        return np.diff(np.maximum.accumulate(ends))

    def _serving(self, columns: Columns) -> tuple[Floats, Floats]:
        """What columns carry per model, in all and on nodes that stay; replicas, and the least of them."""
        rates = np.minimum(columns.rates, self._rate).T
        least = np.array([float(rules.min_replicas) for rules in self._problem.models])
        return np.vstack([rates, rates * ~columns.spot, columns.replicas.T]), least

    def _rows(
        self, columns: Columns, serving: Floats, keep: npt.NDArray[np.int64], margin: float, least: Floats
    ) -> LinearConstraint:
        """Variables: counts, then where each model but the last ends, then the quality of each boundary."""
        models, nodes = len(least), serving.shape[1]
        ends = np.diff(np.eye(models + 1)[:, 1:models], axis=0)  # share of each model, of the boundaries
        last = np.zeros(models)
        last[-1] = 1.0
        rate, steady = self._rate, 1 - self._problem.spot.max_share
        quiet = np.zeros((models, models - 1))
        carried = np.hstack([serving[:models], -rate * ends, quiet])
        steadily = np.hstack([serving[models : 2 * models], -rate * steady * ends, quiet])
        placed = np.hstack([serving[2 * models :], quiet, quiet])
        ordered = np.hstack([np.zeros((models, nodes)), ends, quiet])
        shared = np.flatnonzero(np.bincount(columns.offer[keep], minlength=len(columns.offers)) > 1)
        room = (columns.offer[keep][None, :] == shared[:, None]).astype(np.float64)
        roomy = np.hstack([room, np.zeros((len(shared), 2 * (models - 1)))])
        hull, limit = self._quality_rows(nodes)
        good = np.concatenate([np.zeros(nodes + models - 1), np.ones(models - 1)])
        floor = self._problem.targets.quality_min + margin - self._top
        return LinearConstraint(
            np.vstack([carried, steadily, placed, ordered, good, roomy, hull]),
            np.concatenate(
                [
                    rate * last,
                    rate * steady * last,
                    least,
                    -last,
                    [floor],
                    np.full(len(shared) + len(hull), -np.inf),
                ]
            ),
            np.concatenate([np.full(4 * models + 1, np.inf), columns.room[shared], limit]),
        )

    def _quality_rows(self, nodes: int) -> tuple[Floats, Floats]:
        models = len(self._hulls) + 1
        rows: list[Floats] = []
        limit: list[float] = []
        for m, hull in enumerate(self._hulls):
            for slope, start in hull:
                row = np.zeros(nodes + 2 * (models - 1))
                row[nodes + m], row[nodes + models - 1 + m] = -slope, 1.0
                rows.append(row)
                limit.append(start)
        return np.array(rows), np.array(limit)


def boundary_hulls(curve: QualityCurve) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Per boundary, the lines (slope, value at 0) whose least is the hull of its part of the quality."""
    models, at = len(curve.models), np.linspace(0, 1, POINTS)
    alone = np.array([_with_last(curve, m, at) for m in range(models)])
    return tuple(_hull(at, alone[m] - alone[m + 1]) for m in range(models - 1))


def _with_last(curve: QualityCurve, model: int, at: Floats) -> Floats:
    """Mean quality when the easiest `at` go to `model` and the rest to the last."""
    splits = np.zeros((len(at), len(curve.models)))
    splits[:, model] += at
    splits[:, -1] += 1 - at
    return curve.mean_low(splits)[:, 0]


def _hull(x: Floats, y: Floats) -> tuple[tuple[float, float], ...]:
    """Lines of the least concave function that is nowhere below `y`."""
    kept: list[int] = []
    for i in range(len(x)):
        while len(kept) > 1:
            a, b = kept[-2], kept[-1]
            if (y[b] - y[a]) * (x[i] - x[a]) > (y[i] - y[a]) * (x[b] - x[a]):
                break
            kept.pop()
        kept.append(i)
    slopes = np.diff(y[kept]) / np.diff(x[kept])
    return tuple((float(s), float(y[i] - s * x[i])) for s, i in zip(slopes, kept, strict=False))
