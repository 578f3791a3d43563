"""Profiles for planning: each is simulated once, ever, and planning sees what was learned."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bouted.catalog.gpus import Evidence
from bouted.catalog.load import load_catalog
from bouted.catalog.precision import Precision
from bouted.daemon.profiling import Profiler
from bouted.errors import Misconfigured
from bouted.perf.belief import unlearned
from bouted.perf.learn import Correction, correction_key
from bouted.perf.profile import ProfileTable
from bouted.perf.refused import RefusedStart, StartFailure
from bouted.perf.shapes import Engine
from bouted.planner.answers import answer_profiles
from bouted.planner.client import PlanningWorker
from bouted.planner.layouts import ModelWanted
from bouted.planner.requests import ProfileAnswer, ProfileRequest
from bouted.store.corrections import save_corrections
from bouted.store.open import Store
from bouted.store.refused_starts import add_refused_starts
from bouted.testing.builders import a_workload
from bouted.testing.clock import ManualClock
from bouted.testing.fleet import START
from bouted.testing.store import fresh_store
from bouted.workload.profile import WorkloadProfile

CATALOG = load_catalog()
SMALL = ModelWanted(
    name="small",
    spec=CATALOG.model("llama-3.1-8b"),
    precision=Precision.BF16,
    engine=Engine.VLLM,
    context_tokens=4096,
)


class InThisProcess(PlanningWorker):
    """Answers as the worker does, without the process; `asked` counts the step costs it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    async def profiles(self, request: ProfileRequest) -> ProfileAnswer:
        self.asked.append(len(request.costs))
        return answer_profiles(request)


class Planning:
    def __init__(self, store: Store) -> None:
        self.worker = InThisProcess()
        self.profiler = Profiler(store=store, worker=self.worker, clock=ManualClock(START))

    def table(
        self, *gpus: str, model: ModelWanted = SMALL, workload: WorkloadProfile | None = None
    ) -> ProfileTable:
        found = tuple(CATALOG.gpu(gpu) for gpu in gpus)
        return asyncio.run(self.profiler.table((model,), found, workload or a_workload(), 1))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(fresh_store(tmp_path)) as opened:
        yield opened


def test_a_new_gpu_type_costs_only_its_own_profiles(store: Store) -> None:
    planning = Planning(store)
    first = planning.table("L4")
    assert planning.worker.asked == [len(first.profiles)]
    both = planning.table("L4", "A10G")
    assert planning.worker.asked[1:] == [len(both.profiles) - len(first.profiles)]
    assert planning.table("L4") == first
    assert len(planning.worker.asked) == 2


def test_after_a_restart_nothing_is_simulated_again(store: Store) -> None:
    table = Planning(store).table("L4")
    again = Planning(store)
    assert again.table("L4") == table
    renamed = again.table("L4", model=replace(SMALL, name="tiny"))
    assert {profile.shape.model for profile in renamed.profiles} == {"tiny"}
    assert again.worker.asked == []


def test_other_requests_are_simulated_anew(store: Store) -> None:
    planning = Planning(store)
    planning.table("L4")
    planning.table("L4", workload=replace(a_workload(), arrival_cv=2.0))
    assert len(planning.worker.asked) == 2
    planning.table("L4", workload=a_workload(99.0))
    assert len(planning.worker.asked) == 2, "profiles are the same at any rate of arrivals"


def test_planning_sees_what_was_learned_and_simulates_nothing_for_it(store: Store) -> None:
    planning = Planning(store)
    before = planning.table("L4").profiles[0]
    belief = replace(unlearned(1e-4, START), log=0.26)
    correction = Correction(
        tempo=belief, first=unlearned(0.01, START), windows=9, applied_tempo=1.3, applied_first=1.0
    )
    save_corrections(store, {correction_key(before.shape, "llama-3.1-8b"): correction}, START)
    after = planning.table("L4").profiles[0]
    assert after.evidence is Evidence.LEARNED
    assert after.costs.tokens_s[0] == pytest.approx(1.3 * before.costs.tokens_s[0])
    assert after.modelled == before.costs
    assert len(planning.worker.asked) == 1
    assert planning.profiler.predicted is not None
    assert planning.profiler.predicted.profiles[0] == before, "what the learner compares with"


def test_a_recalled_plan_is_as_modelled(store: Store) -> None:
    planning = Planning(store)
    table = planning.table("L4")
    fresh = Planning(store)
    fresh.profiler.recall(table, a_workload().lengths)
    assert fresh.profiler.predicted == planning.profiler.predicted


def test_a_layout_that_ran_out_of_memory_is_not_planned_again(store: Store) -> None:
    planning = Planning(store)
    shape = min(
        (profile.shape for profile in planning.table("L4").profiles), key=lambda shape: shape.gpu_count
    )
    start = RefusedStart(
        model="llama-3.1-8b",
        gpu=shape.gpu,
        tp=shape.tp,
        pp=shape.pp,
        precision=shape.precision,
        engine=shape.engine,
        kind=StartFailure.OOM,
        at=START,
        detail="CUDA out of memory",
    )
    add_refused_starts(store, {"r": start})
    assert shape not in {profile.shape for profile in planning.table("L4").profiles}


def test_a_model_that_fits_nowhere_is_named_with_what_it_needs(store: Store) -> None:
    large = replace(SMALL, name="large", spec=CATALOG.model("llama-3.1-405b"))
    with pytest.raises(Misconfigured, match=r"models\.large.*fits no allowed GPU.*GiB"):
        Planning(store).table("T4", model=large)
