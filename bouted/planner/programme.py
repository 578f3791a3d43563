"""Integer programmes, solved by HiGHS: sparse, from a known answer if there is one, alike every time."""

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Limits count nodes, not seconds: a slow machine finds what a fast one does.
NODE_LIMIT = 2000
# Searching around the relaxation and starting over cost more than half the time and found nothing better
# (programmes over fleet and split of 500 to 2,700 rows).
OPTIONS = {
    "output_flag": False,
    "threads": 1,
    "random_seed": 1,
    "mip_allow_restart": False,
    "mip_heuristic_run_rins": False,
    "mip_heuristic_run_rens": False,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Programme:
    """Minimise `cost @ x` with `row_low <= matrix @ x <= row_high` and `low <= x <= high`.

    `whole` says which of the n variables are integers. `matrix` is `rows x n`.
    """

    cost: Floats
    low: Floats
    high: Floats
    whole: Bools
    matrix: csr_array
    row_low: Floats
    row_high: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """The best point found, and a value that no feasible point is below. `x` is None when none was found
    before the limit; the bound still holds."""

    x: Floats | None
    bound: float


def solve(
    programme: Programme, *, gap: float, node_limit: int = NODE_LIMIT, start: Floats | None = None
) -> Solution | None:
    """The least point, to within the relative `gap`; None when the programme has no feasible point.

    `start` is a point to begin with; one that is not feasible is ignored.
    """
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    for name, value in OPTIONS.items():
        solver.setOptionValue(name, value)
    solver.setOptionValue("mip_rel_gap", gap)
    solver.setOptionValue("mip_max_nodes", node_limit)
    solver.passModel(_model(programme))
    if start is not None:
        known = highspy.HighsSolution()
        known.col_value = start.tolist()
        solver.setSolution(known)
    solver.run()
    status = solver.getModelStatus()
    if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
        return None
    info = solver.getInfo()
    found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    bound = info.mip_dual_bound if programme.whole.any() else info.objective_function_value
    return Solution(
        x=np.array(solver.getSolution().col_value) if found else None,
        bound=float(bound),
    )


def _model(programme: Programme) -> highspy.HighsLp:
    lp = highspy.HighsLp()
    matrix = programme.matrix
    lp.num_col_, lp.num_row_ = len(programme.cost), matrix.shape[0]
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = programme.cost, programme.low, programme.high
    lp.row_lower_, lp.row_upper_ = programme.row_low, programme.row_high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = matrix.indptr, matrix.indices
    lp.a_matrix_.value_ = matrix.data
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    lp.integrality_ = [kinds[int(whole)] for whole in programme.whole]
    return lp
