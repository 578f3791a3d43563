"""The cheapest mix of GPU types for one model by an integer programme over request sizes.

As Melange (2404.14527) does it: requests fall into buckets by prompt and output length, each bucket's load
into slices, each slice runs on one GPU type at the rate that type reaches for requests of that size within
the target, and whole instances are bought. The formulation is the paper's; availability is ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from planner_arena import Arena
from planner_pools import Bought, Cut, cuts_for
from planner_tables import cached_profiles
from scipy.sparse import csr_array

from bouted.perf.loads import Detail
from bouted.perf.profile import ProfileTable
from bouted.planner.capacity import Capacities
from bouted.planner.problem import PlanningProblem
from bouted.planner.programme import Programme, solve
from bouted.workload.profile import RequestLength

Floats = npt.NDArray[np.float64]

SLICES = 8
GAP = 0.01
# Profiles of buckets need no more than a few loads: they are read at one latency.
DETAIL = Detail(most_points=8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bucket:
    """Requests of similar size: their share of all, and what replicas reach for them."""

    share: float
    capacities: Capacities


def buckets_of(problem: PlanningProblem) -> tuple[Bucket, ...]:
    """Four buckets: prompts and outputs below and above their medians."""
    lengths = problem.workload.lengths
    middle_in = float(np.median([item.prompt_tokens for item in lengths]))
    middle_out = float(np.median([item.output_tokens for item in lengths]))
    groups: dict[tuple[bool, bool], list[RequestLength]] = {}
    for item in lengths:
        key = (item.prompt_tokens > middle_in, item.output_tokens > middle_out)
        groups.setdefault(key, []).append(item)
    return tuple(
        Bucket(
            share=len(group) / len(lengths),
            capacities=Capacities(_profiles(problem, tuple(group)), problem.targets),
        )
        for _, group in sorted(groups.items())
    )


def _profiles(problem: PlanningProblem, lengths: tuple[RequestLength, ...]) -> ProfileTable:
    shapes = tuple((profile.shape, profile.costs) for profile in problem.profiles.profiles)
    return cached_profiles(shapes, lengths, DETAIL)


def melange(
    arena: Arena,
    buckets: Sequence[Bucket],
    model: int,
    rate_per_s: float,
    factor: float,
    left: Mapping[str, int],
) -> list[Bought] | None:
    """The cheapest instances that carry the model's load within `factor` x the target; None for none."""
    cuts = cuts_for(arena, model, left)
    loads = [_loads(bucket, cuts, rate_per_s / SLICES, factor) for bucket in buckets]
    if not cuts or not all(np.isfinite(load).any() for load in loads):
        return None
    counts = _solved(cuts, np.array(loads))
    if counts is None:
        return None
    return [Bought(cut=cut, count=int(n)) for cut, n in zip(cuts, counts, strict=True) if n > 0]


def _loads(bucket: Bucket, cuts: Sequence[Cut], slice_per_s: float, factor: float) -> list[float]:
    """The share of one instance that one slice takes, per cut; infinite where it cannot run in time."""
    found: list[float] = []
    for cut in cuts:
        rate = bucket.capacities.rate(cut.shape_id, factor) * len(cut.template.replicas)
        found.append(slice_per_s * bucket.share / rate if rate > 0 else np.inf)
    return found


def _solved(cuts: Sequence[Cut], loads: Floats) -> Floats | None:
    """Instances per cut. Variables: slices per bucket and cut, then instances per cut."""
    many, n = loads.shape
    usable = np.isfinite(loads)
    whole = np.kron(np.eye(many), np.ones(n))  # every slice of a bucket runs somewhere
    carried = np.hstack([np.diag(np.where(usable[j], loads[j], 0.0)) for j in range(many)])
    offers = sorted({cut.offer.id for cut in cuts})
    room = np.array([[float(cut.offer.id == offer) for cut in cuts] for offer in offers])
    rooms = {cut.offer.id: float(cut.room) for cut in cuts}
    programme = Programme(
        cost=np.concatenate([np.zeros(many * n), [float(cut.offer.usd_per_hour) for cut in cuts]]),
        low=np.zeros(many * n + n),
        high=np.concatenate([np.where(usable, SLICES, 0).ravel(), [float(cut.room) for cut in cuts]]),
        whole=np.ones(many * n + n, dtype=np.bool_),
        matrix=csr_array(
            np.vstack(
                [
                    np.hstack([whole, np.zeros((many, n))]),
                    np.hstack([carried, -np.eye(n)]),
                    np.hstack([np.zeros((len(offers), many * n)), room]),
                ]
            )
        ),
        row_low=np.concatenate([np.full(many, float(SLICES)), np.full(n + len(offers), -np.inf)]),
        row_high=np.concatenate(
            [np.full(many, float(SLICES)), np.zeros(n), [rooms[offer] for offer in offers]]
        ),
    )
    found = solve(programme, gap=GAP)
    return None if found is None or found.x is None else np.round(found.x[many * n :])
