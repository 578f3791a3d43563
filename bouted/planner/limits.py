"""What a fleet may not exceed, as rows over columns: what can be had, quotas, and dollars while moving."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, vstack

from bouted.market.offers import Offer
from bouted.planner.columns import Columns
from bouted.planner.held import Held
from bouted.planner.problem import PlanningProblem
from bouted.planner.terms import Quota

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limit:
    """`matrix @ counts <= most`; `matrix` is `rows x columns`."""

    matrix: csr_array
    most: Floats


def limits(columns: Columns, problem: PlanningProblem, held: Sequence[Held], *, surge: bool) -> Limit:
    """Rows for offers that several columns are of and for quotas; with `surge`, for a move's dollars."""
    rows = [_rooms(columns), *(_quota(columns, quota, held) for quota in problem.quotas)]
    if surge:
        rows.append(_surge(columns, surge_room_usd_per_hour(problem, held)))
    return Limit(
        matrix=csr_array(vstack([row.matrix for row in rows], format="csr")),
        most=np.concatenate([row.most for row in rows]),
    )


def quota_gpus(quota: Quota, held: Sequence[Held]) -> int:
    """GPUs that a quota lets a plan have: what is held may always stay."""
    running = sum(
        item.count * item.template.instances * item.offer.gpu_count
        for item in held
        if quota.covers(item.offer)
    )
    return max(quota.gpus, running)


def surge_room_usd_per_hour(problem: PlanningProblem, held: Sequence[Held]) -> float:
    """What started nodes may cost together, as all that is held runs on until they serve; not below 0."""
    paid = sum(float(item.node.usd_per_hour) * item.count for item in held)
    return max(0.0, float(problem.budget.usd_per_hour + problem.budget.surge_usd_per_hour) - paid)


def _rooms(columns: Columns) -> Limit:
    """An offer with one column needs no row: that column's own limit says it."""
    shared = np.flatnonzero(np.bincount(columns.offer, minlength=len(columns.offers)) > 1)
    place = np.full(len(columns.offers), -1)
    place[shared] = np.arange(len(shared))
    inside = np.flatnonzero(place[columns.offer] >= 0)
    entries = (columns.takes[inside], (place[columns.offer[inside]], inside))
    return Limit(matrix=csr_array(entries, shape=(len(shared), len(columns.usd))), most=columns.room[shared])


def _quota(columns: Columns, quota: Quota, held: Sequence[Held]) -> Limit:
    counted = _per_offer(columns, lambda offer: offer.gpu_count * float(quota.covers(offer)))
    return _row(counted * columns.takes, quota_gpus(quota, held))


def _surge(columns: Columns, room_usd_per_hour: float) -> Limit:
    started = columns.price.copy()
    started[: len(columns.held)] = 0.0
    return _row(started, room_usd_per_hour)


def _per_offer(columns: Columns, amount: Callable[[Offer], float]) -> Floats:
    return np.array([amount(offer) for offer in columns.offers])[columns.offer]


def _row(amounts: Floats, most: float) -> Limit:
    return Limit(matrix=csr_array(amounts[None]), most=np.array([most], dtype=np.float64))
