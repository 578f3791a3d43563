"""What a fleet must carry, as rows over columns: at least so much of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bouted.planner.columns import Columns
from bouted.planner.spread import Loss

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Covering:
    """`least <= matrix @ counts`; `matrix` is `rows x columns`, none of it negative."""

    matrix: Floats
    least: Floats


def covering(
    columns: Columns, needs: Floats, spot_share: float, wanted: Sequence[int], losses: Sequence[Loss]
) -> Covering:
    """Rows for the need of each model (requests/s), for what of it must stand on nodes that nobody takes
    away, for what must remain after each loss, and for `wanted` replicas.

    Loads are in shares of the need, and no node counts for more than the whole of a row: as counts are whole
    numbers, that cuts nothing off.
    """
    steady = np.where(columns.spot, 0.0, 1.0)
    left = [(loss.left, _outside(columns, loss)) for loss in losses]
    rows: list[Floats] = []
    least: list[float] = []
    for m in np.flatnonzero(needs > 0).tolist():
        part = columns.rates[:, m] / needs[m]
        for share, counted in ((1.0, np.ones_like(part)), (1 - spot_share, steady), *left):
            if share > 0:
                rows.append(np.minimum(part * counted, share))
                least.append(share)
    for m, count in enumerate(wanted):
        if count > 1 or (count == 1 and needs[m] <= 0):
            rows.append(columns.replicas[:, m])
            least.append(float(count))
    return Covering(matrix=np.array(rows).reshape(len(rows), len(columns.usd)), least=np.array(least))


def _outside(columns: Columns, loss: Loss) -> Floats:
    """1 for columns that a loss leaves, 0 for those it takes."""
    return np.array([0.0 if loss.takes(offer) else 1.0 for offer in columns.offers])[columns.offer]
