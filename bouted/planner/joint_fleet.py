"""Fleet and split chosen together by one integer programme: the cheapest there is, and a true bound.

Variables are instances bought, replicas placed on them, the load of each kind of replica, and a mix of
splits. The P95 of the whole is linear in them once it is said the other way round: at least 95 % of all
requests must be answered within the limit, and what a kind of replica answers in time is concave in its load
and count (`ontime`). Quality is the concave envelope of a lattice of splits. Both only promise too much, so
the programme's own bound holds for every design: none that meets the floor and the targets, as the profiles
judge it, costs less.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

from bouted.market.offers import Offer
from bouted.perf.profile import Metric, Profile
from bouted.perf.shapes import ReplicaShape
from bouted.planner.capacity import Capacities
from bouted.planner.design import ShapeRate
from bouted.planner.inside import numbered
from bouted.planner.joint_programme import JointProgramme, joint_programme
from bouted.planner.lattice import Lattice
from bouted.planner.ontime import Line, on_time_lines
from bouted.planner.planned import PlannedNode, Template
from bouted.planner.pools import Pool, pools
from bouted.planner.problem import PlanningProblem
from bouted.planner.programme import solve
from bouted.planner.splits import FloorSplits

Floats = npt.NDArray[np.float64]

# A solve may stop this close to its optimum, a large one sooner; the bound says how close it was.
GAP, GAP_OF_MANY = 0.005, 0.01
MANY = 1000
NEXT_TO_NOTHING = 1e-3
NODE_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class JointFleet:
    """Nodes, the split they are to carry and how to share it, and the least $/h of any design for the limits.

    `nodes` is empty where no fleet was found before the limit on the search's tree: the bound still holds.
    """

    nodes: tuple[PlannedNode, ...]
    shares: tuple[float, ...]
    sharing: tuple[ShapeRate, ...]
    bound_usd_per_hour: float


class Joint:
    """Solves for one problem, at any latency and floor."""

    def __init__(self, problem: PlanningProblem, capacities: Capacities) -> None:
        self._problem = problem
        self._capacities = capacities
        found = pools(problem)
        largest = {pool.gpu: max(p.gpu_count for p in found if p.gpu == pool.gpu) for pool in found}
        self._profiles = tuple(
            p
            for p in problem.profiles.profiles
            if p.shape.gpu_count <= largest.get(p.shape.gpu, 0) * p.shape.instances
        )
        self._pools = tuple(_useful(problem, pool, self._profiles) for pool in found)
        self._lines: dict[tuple[int, Metric, float], tuple[Line, ...]] = {}

    @property
    def variables(self) -> int:
        """About how large its programmes are."""
        return sum(
            len(pool.offers) + sum(profile.shape.gpu == pool.gpu for profile in self._profiles)
            for pool in self._pools
        )

    def cheapest(
        self,
        factor: float,
        floor: float,
        lattice: Lattice,
        *,
        classes: bool = True,
        room: float = 0.0,
        node_limit: int = NODE_LIMIT,
    ) -> JointFleet | None:
        """The cheapest fleet and split with P95s within `factor` x the targets and low quality of `floor`.

        Splits are mixes of those of the lattice. None when there is none at all, whatever it costs. `room` is
        the part of each replica's highest load that is left free; the bound is one for such designs. Targets
        of `classes` are kept replica by replica, by an estimate of how much later a class is; then the bound
        only holds for designs that do so.
        """
        lines = {
            (s, metric): self._line(s, metric, factor * limit)
            for s in range(len(self._profiles))
            for metric in Metric
            if (limit := self._problem.targets.of(metric)) is not None
        }
        joint = joint_programme(
            self._problem,
            self._pools,
            self._profiles,
            lines,
            self._capacities,
            lattice,
            floor,
            [(1 - room) * self._most_per_s(profile, factor, classes) for profile in self._profiles],
        )
        gap = GAP if self.variables <= MANY else GAP_OF_MANY
        found = solve(joint.programme, gap=gap, node_limit=node_limit)
        if found is None:
            return None
        if found.x is None:
            return JointFleet(nodes=(), shares=(), sharing=(), bound_usd_per_hour=found.bound)
        x = found.x
        weights = np.clip(x[list(joint.mixed)], 0.0, 1.0)
        shares = FloorSplits.rounded((weights @ lattice.splits / weights.sum())[None])[0]
        return JointFleet(
            nodes=self._nodes(joint, np.round(x).astype(np.int64).tolist()),
            shares=tuple(float(share) for share in shares),
            sharing=self._sharing(joint, x),
            bound_usd_per_hour=found.bound,
        )

    def _most_per_s(self, profile: Profile, factor: float, classes: bool) -> float:
        """The highest load of one replica: the expected one, at whose high end no queue may grow."""
        workload = self._problem.workload
        surge = max(1.0, workload.rate_high_per_s / workload.rate_per_s)
        most = profile.max_rate_per_s / surge
        if classes and self._problem.targets.classes:
            most = min(most, self._capacities.rate(profile.shape.id, factor))
        return most

    def _sharing(self, joint: JointProgramme, x: Floats) -> tuple[ShapeRate, ...]:
        """What one replica of each shape gets; next to nothing where the programme gives it no load."""
        counts = np.zeros(len(self._profiles))
        for item in joint.placings:
            counts[item.profile] += round(float(x[item.variable]))
        found: list[ShapeRate] = []
        for s in np.flatnonzero(counts).tolist():
            profile = self._profiles[s]
            rate = max(float(x[joint.loads[s]] / counts[s]), NEXT_TO_NOTHING * profile.max_rate_per_s)
            found.append(ShapeRate(shape_id=profile.shape.id, rate_per_s=rate))
        return tuple(sorted(found, key=lambda item: item.shape_id))

    def _line(self, profile: int, metric: Metric, limit_s: float) -> tuple[Line, ...]:
        key = (profile, metric, round(limit_s, 9))
        if key not in self._lines:
            self._lines[key] = on_time_lines(self._profiles[profile], metric, limit_s)
        return self._lines[key]

    def _nodes(self, joint: JointProgramme, counts: Sequence[int]) -> tuple[PlannedNode, ...]:
        placed: dict[int, list[ReplicaShape]] = defaultdict(list)
        for item in joint.placings:
            placed[item.pool] += [self._profiles[item.profile].shape] * counts[item.variable]
        bought: list[tuple[Offer, Template, int]] = []
        for p, pool in enumerate(self._pools):
            instances = [
                offer
                for offer, variable in zip(pool.offers, joint.bought[p], strict=True)
                for _ in range(counts[variable])
            ]
            groups, left = grouped([shape for shape in placed[p] if shape.instances > 1], instances)
            cuts = packed([s for s in placed[p] if s.instances == 1], pool.gpu_count, len(left))
            bought += [(offer, _whole(pool, (shape,), shape.instances), 1) for offer, shape in groups]
            bought += [(offer, _whole(pool, cut, 1), 1) for offer, cut in zip(left, cuts, strict=True) if cut]
        return numbered(bought, self._problem.incumbent)


def grouped(
    shapes: Sequence[ReplicaShape], instances: Sequence[Offer]
) -> tuple[list[tuple[Offer, ReplicaShape]], list[Offer]]:
    """Equal instances for each replica that lies on several, and the instances left; what has none is out."""
    free = Counter(offer.id for offer in instances)
    found: list[tuple[Offer, ReplicaShape]] = []
    for shape in sorted(shapes, key=lambda shape: (-shape.instances, shape)):
        offer = next((offer for offer in instances if free[offer.id] >= shape.instances), None)
        if offer is not None:
            free[offer.id] -= shape.instances
            found.append((offer, shape))
    by_id = {offer.id: offer for offer in instances}
    return found, [by_id[offer_id] for offer_id in free.elements()]


def _whole(pool: Pool, cut: tuple[ReplicaShape, ...], instances: int) -> Template:
    return Template(gpu=pool.gpu, gpu_count=pool.gpu_count, replicas=cut, instances=instances)


def packed(
    shapes: Sequence[ReplicaShape], gpu_count: int, instances: int
) -> tuple[tuple[ReplicaShape, ...], ...]:
    """The replicas laid on instances, larger ones first, each where the least room is left that holds it.

    Nothing is left over while sizes divide each other, as powers of two do; else what does not fit is.
    """
    cuts: list[list[ReplicaShape]] = [[] for _ in range(instances)]
    room = [gpu_count] * instances
    for shape in sorted(shapes, key=lambda shape: (-shape.gpu_count, shape)):
        open_ = [i for i in range(instances) if room[i] >= shape.gpu_count]
        if open_:
            best = min(open_, key=lambda i: (room[i], i))
            cuts[best].append(shape)
            room[best] -= shape.gpu_count
    return tuple(tuple(sorted(cut)) for cut in cuts)


def _useful(problem: PlanningProblem, pool: Pool, profiles: Sequence[Profile]) -> Pool:
    """The pool with its cheapest offers only, as many as could ever be used."""
    rate = problem.workload.rate_high_per_s
    nodes = 0
    for allowed, rules in zip(pool.allowed, problem.models, strict=True):
        most = max(
            (
                profile.max_rate_per_s * (pool.gpu_count // profile.shape.gpu_count)
                for profile in profiles
                if profile.shape.model == rules.name and profile.shape.gpu == pool.gpu
            ),
            default=0.0,
        )
        if allowed and most > 0:
            nodes += ceil(rate / most) + rules.min_replicas
    kept = int(np.searchsorted(pool.before, nodes))
    return Pool(
        gpu=pool.gpu,
        gpu_count=pool.gpu_count,
        allowed=pool.allowed,
        fetch_usd=pool.fetch_usd,
        spot=pool.spot,
        offers=pool.offers[:kept],
    )
