"""Latency against load for whatever can be planned: from memory, from the store, or from the worker."""

import asyncio
from dataclasses import dataclass, field

from bouted.catalog.gpus import GpuSpec
from bouted.clock import Clock
from bouted.codec import dump, parse
from bouted.errors import Misconfigured
from bouted.perf.learn import Predicted, believed, correction_key
from bouted.perf.names import profile_hash
from bouted.perf.profile import LoadPoint, Profile, ProfileTable
from bouted.perf.refused import recent_starts
from bouted.perf.rescale import as_modelled
from bouted.planner.client import PlanningWorker
from bouted.planner.layouts import Layouts, ModelWanted, layouts_of
from bouted.planner.requests import ProfileRequest
from bouted.store.corrections import load_corrections
from bouted.store.open import Store
from bouted.store.profiles import get_profiles, put_profiles
from bouted.store.refused_starts import load_refused_starts
from bouted.workload.profile import RequestLength, WorkloadProfile

Points = tuple[LoadPoint, ...]

AT_ONCE = 64
"""Step costs that the worker is asked at a time: what it has answered is kept, whatever comes after."""
REFUSED_DAYS = 7.0


@dataclass(slots=True)
class Profiler:
    """Asks the worker only for what nobody has simulated yet; applies what was learned."""

    store: Store
    worker: PlanningWorker
    clock: Clock
    known: dict[str, Points] = field(default_factory=dict)
    predicted: Predicted | None = None

    def recall(self, table: ProfileTable, lengths: tuple[RequestLength, ...]) -> None:
        """After a restart: what the newest plan went by."""
        profiles = tuple(as_modelled(profile) for profile in table.profiles)
        self.predicted = Predicted(profiles=profiles, lengths=lengths)

    async def table(
        self,
        models: tuple[ModelWanted, ...],
        gpus: tuple[GpuSpec, ...],
        workload: WorkloadProfile,
        seed: int,
        groups: int = 1,
    ) -> ProfileTable:
        """A profile of every layout that starts; pipelines may lie over up to `groups` equal instances.

        Misconfigured when a model has no layout; Retryable when the worker is late or dies.
        """
        layouts = await asyncio.to_thread(self._layouts, models, gpus, workload.lengths, groups)
        names = tuple(
            profile_hash(costs, workload.lengths, workload.arrival_cv, seed) for _, costs in layouts.shapes
        )
        await self._learn(layouts, names, workload, seed)
        modelled = tuple(
            Profile(shape=shape, costs=costs, points=self.known[name], evidence=costs.evidence)
            for (shape, costs), name in zip(layouts.shapes, names, strict=True)
        )
        self.predicted = Predicted(profiles=modelled, lengths=workload.lengths)
        return self._corrected(modelled, {model.name: model.spec.name for model in models})

    def _layouts(
        self,
        models: tuple[ModelWanted, ...],
        gpus: tuple[GpuSpec, ...],
        lengths: tuple[RequestLength, ...],
        groups: int,
    ) -> Layouts:
        starts = load_refused_starts(self.store)
        refused = recent_starts(starts, now=self.clock.now(), days=REFUSED_DAYS)
        layouts = layouts_of(models, gpus, lengths, refused, groups)
        for missing in layouts.without:
            raise Misconfigured(
                f"models.{missing.model}",
                f"fits no allowed GPU: {missing.reason}",
                hint="allow a larger GPU in supply.gpus, or use fp8",
            )
        return layouts

    async def _learn(
        self, layouts: Layouts, names: tuple[str, ...], workload: WorkloadProfile, seed: int
    ) -> None:
        """Fill `known` with the points of all `names`; forget others."""
        now = self.clock.now()
        self.known = {name: self.known[name] for name in names if name in self.known}
        cached = get_profiles(self.store, [name for name in names if name not in self.known], now)
        self.known |= {name: parse(Points, body) for name, body in cached.items()}
        missing = {
            name: costs
            for name, (_, costs) in zip(names, layouts.shapes, strict=True)
            if name not in self.known
        }
        left = list(missing.items())
        for start in range(0, len(left), AT_ONCE):
            part = left[start : start + AT_ONCE]
            answer = await self.worker.profiles(
                ProfileRequest(
                    costs=tuple(costs for _, costs in part),
                    lengths=workload.lengths,
                    arrival_cv=workload.arrival_cv,
                    seed=seed,
                )
            )
            found = {name: points for (name, _), points in zip(part, answer.points, strict=True)}
            put_profiles(self.store, {name: dump(Points, points) for name, points in found.items()}, now)
            self.known |= found

    def _corrected(self, modelled: tuple[Profile, ...], specs: dict[str, str]) -> ProfileTable:
        corrections, now = load_corrections(self.store), self.clock.now()
        return ProfileTable(
            profiles=tuple(
                believed(
                    profile, corrections.get(correction_key(profile.shape, specs[profile.shape.model])), now
                )
                for profile in modelled
            )
        )
