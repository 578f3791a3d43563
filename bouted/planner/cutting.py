"""The ways to cut each pool's instances at given latency factors, and what each carries. Kept once known."""

from collections import Counter, defaultdict

import numpy as np
import numpy.typing as npt

from bouted.perf.shapes import ReplicaShape
from bouted.planner.capacity import Capacities
from bouted.planner.planned import Template
from bouted.planner.pools import Pool
from bouted.planner.problem import PlanningProblem
from bouted.planner.templates import EMPTY, Cuts, Part, cuts, group_layouts, layouts, part

Floats = npt.NDArray[np.float64]
Factors = tuple[float, ...]


class Cutting:
    """Cuts of one problem. What depends only on one model's factor is found once."""

    def __init__(self, problem: PlanningProblem, capacities: Capacities) -> None:
        self._names = tuple(rules.name for rules in problem.models)
        self._wanted = tuple(rules.min_replicas for rules in problem.models)
        self._groups = problem.groups
        self._capacities = capacities
        self._shapes: dict[tuple[str, str, int], list[ReplicaShape]] = defaultdict(list)
        for profile in problem.profiles.profiles:
            shape = profile.shape
            self._shapes[shape.gpu, shape.model, shape.instances].append(shape)
        self._parts: dict[tuple[str, int, int, int, float], Part] = {}
        self._nothing = part((EMPTY,), 0)
        self._cuts: dict[tuple[str, int, int, tuple[bool, ...], Factors], Cuts] = {}

    def of(self, pool: Pool, factors: Factors) -> tuple[Cuts, ...]:
        """Cuts of single instances of the pool, then of groups of two and more; only where there are some."""
        several = range(1, self._groups + 1)
        found = (self._of(pool, instances, factors) for instances in several)
        return tuple(each for each in found if len(each.rates))

    def knows(self, shape: ReplicaShape) -> bool:
        """Whether the shape has a profile."""
        return shape in self._shapes[shape.gpu, shape.model, shape.instances]

    def rates(self, template: Template, factors: Factors) -> Floats:
        """Requests/s per model that a node with this cut carries."""
        found = np.zeros(len(self._names))
        for m, name in enumerate(self._names):
            mine = (shape for shape in template.replicas if shape.model == name)
            found[m] = sum(self._capacities.rate(shape.id, factors[m]) for shape in mine)
        return found

    def replicas(self, template: Template) -> Floats:
        """Replicas per model on a node with this cut, up to the number asked for."""
        counts = Counter(shape.model for shape in template.replicas)
        return np.array(
            [float(min(counts[name], most)) for name, most in zip(self._names, self._wanted, strict=True)]
        )

    def _of(self, pool: Pool, instances: int, factors: Factors) -> Cuts:
        key = (pool.gpu, pool.gpu_count, instances, pool.allowed, factors)
        if key not in self._cuts:
            parts = [
                self._part(pool, instances, m, factors[m]) if allowed else self._nothing
                for m, allowed in enumerate(pool.allowed)
            ]
            self._cuts[key] = cuts(parts, pool.gpu_count, instances)
        return self._cuts[key]

    def _part(self, pool: Pool, instances: int, model: int, factor: float) -> Part:
        key = (pool.gpu, pool.gpu_count, instances, model, factor)
        if key not in self._parts:
            shapes = self._shapes[pool.gpu, self._names[model], instances]
            offered = [(shape, self._capacities.rate(shape.id, factor)) for shape in shapes]
            wanted = self._wanted[model]
            if instances == 1:
                found = layouts(offered, pool.gpu_count, wanted)
            else:
                filled = instances * pool.gpu_count
                found = group_layouts([item for item in offered if item[0].gpu_count == filled])
            self._parts[key] = part(found, wanted)
        return self._parts[key]
