"""The curves of dense layers had nobody timed the sizes that a model has.

The fit knows sizes, not models: what it could have learned of a model is the cells near that model's layers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from perf_fit_gemm import gemm_curves
from perf_setups import model
from perf_tables import Tables

from bouted.perf.curveset import Curves, shipped_curves
from bouted.perf.operators import gemms

NEAR = 0.1
GROUPS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A dense layer's width and depth on one GPU."""

    n: float
    k: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutSides(Tables):
    """The tables without dense layers whose sides are both within `NEAR` of one of `sides`."""

    sides: tuple[Side, ...]

    def operator(self, name: str) -> pd.DataFrame:
        """As `Tables.operator`."""
        table = Tables.operator(self, name)
        return far(table, self.sides) if name == "gemm" and len(table) else table


def far(table: pd.DataFrame, sides: tuple[Side, ...]) -> pd.DataFrame:
    """The cells that are not near any of these."""
    n, k = table["n"].to_numpy(float), table["k"].to_numpy(float)
    near = np.zeros(len(table), bool)
    for side in sides:
        near |= (np.abs(n / side.n - 1) <= NEAR) & (np.abs(k / side.k - 1) <= NEAR)
    return table[~near]


def sides(name: str) -> Iterator[Side]:
    """A model's dense layers over one to eight GPUs."""
    for tp in GROUPS:
        for gemm in gemms(model(name), tp):
            yield Side(n=gemm.n, k=gemm.k)


def curves_without(name: str) -> Curves:
    """Dense layers fitted again without this model's; the other curves know no model."""
    shipped = shipped_curves()
    again = tuple(gemm_curves(WithoutSides(sides=tuple(sides(name)))))
    fitted = {(curve.gpu, curve.precision) for curve in again}
    kept = tuple(curve for curve in shipped.gemm if (curve.gpu, curve.precision) not in fitted)
    return replace(shipped, gemm=(*again, *kept))
