"""The planning worker hangs, is killed or runs out of memory: the plan in force stands, planning goes on."""

import asyncio
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from bouted.alerts.incident import planning_failed
from bouted.config.schema import Mode
from bouted.daemon.parts import Loaded, load, replan_policy_of, selection_of
from bouted.daemon.planning import PlanMaker
from bouted.daemon.replanning import RETRY_FAILED_S, Beliefs, Replanner
from bouted.errors import Misconfigured, Retryable
from bouted.events import EventKind
from bouted.market.offers import Market, Offer
from bouted.planner.client import OnProgress, PlanningWorker
from bouted.planner.design import Frontier, Progress
from bouted.planner.problem import PlanningProblem
from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.events import list_events
from bouted.store.fleet import add_node, move_node
from bouted.store.open import Store
from bouted.store.plans import desired_plan
from bouted.store.snapshot import load_snapshot
from bouted.testing.builders import a_problem, a_shape, a_table, rules
from bouted.testing.clock import ManualClock
from bouted.testing.deployment import Deployment
from bouted.testing.fleet import an_offer
from bouted.testing.store import a_node, fresh_store

PATIENT_S, HURRIED_S, MARGIN_S = 60.0, 3.0, 2.0  # a fresh worker takes seconds to start
OFFERS = tuple(
    an_offer("own", gpu="L40S", gpu_count=n, usd_per_hour=f"{n}.00", market=Market.ON_DEMAND) for n in (1, 4)
)
ELSEWHERE = tuple(replace(offer, provider="else", usd_per_hour=offer.usd_per_hour * 2) for offer in OFFERS)
Harm = Callable[[int], object]


class HarmedWorker(PlanningWorker):
    """A real worker to which `harm` is done once, when its search says that it has begun."""

    harm: Harm | None = None
    asked: PlanningProblem | None = None
    found: Frontier | None = None

    async def propose(self, problem: PlanningProblem, on_progress: OnProgress) -> Frontier:
        def told(progress: Progress) -> None:
            on_progress(progress)
            harm, self.harm = self.harm, None
            if harm is not None and self.pid is not None:
                harm(self.pid)

        self.asked = problem
        self.found = await super().propose(problem, told)
        return self.found


@dataclass
class Daemon:
    """What decides in the daemon when to plan, and does: a real store, a real worker, time by hand."""

    store: Store
    loaded: Loaded
    clock: ManualClock
    worker: HarmedWorker
    replanner: Replanner

    async def plan(
        self,
        quality_min: float,
        harm: Harm | None = None,
        *,
        deadline_s: float = PATIENT_S,
        offers: tuple[Offer, ...] = OFFERS,
    ) -> None:
        """An edit of the floor, and the planning that it leads to, to its end."""
        config = self.loaded.config
        targets = config.targets.model_copy(update={"quality_min": quality_min})
        effort = {"deadline_s": deadline_s, "sweep": 64, "evaluations": 4}
        planner = config.planner.model_copy(update=effort)
        config = config.model_copy(update={"targets": targets, "planner": planner, "mode": Mode.APPLY})
        self.worker.harm = harm
        self.clock.advance(RETRY_FAILED_S)
        workload = config.declared_workload(1)
        beliefs = Beliefs(config=config, offers=offers, workload=workload, targets_met=None)
        self.replanner.consider(beliefs, load_snapshot(self.store, self.clock.now()))
        assert self.replanner.task is not None
        await self.replanner.task
        self.replanner.task = None

    def restarted(self) -> Replanner:
        """What a new process would remember."""
        maker = PlanMaker(
            store=self.store,
            worker=self.worker,
            catalog=self.loaded.catalog,
            clock=self.clock,
            policy=selection_of,
        )
        fresh = Replanner(store=self.store, maker=maker, policy=replan_policy_of, clock=self.clock)
        fresh.recall(self.loaded.config)
        return fresh

    def launches_fail(self, offers: tuple[Offer, ...]) -> None:
        """Two launches of each are refused, a minute apart."""
        for attempt in range(2):
            for offer in offers:
                name, now = f"{offer.provider}-{offer.gpu_count}-{attempt}", self.clock.now()
                add_node(self.store, replace(a_node(name), offer=offer))
                move_node(self.store, name, NodeStatus.LAUNCHING, Reason.PLAN, now)
                move_node(self.store, name, NodeStatus.FAILED, Reason.ERROR, now, note="AccessDenied")
            self.clock.advance(60)

    def providers(self) -> set[str]:
        """Where the plan in force has its nodes."""
        plan = desired_plan(self.store)
        assert plan is not None, self.replanner.error
        return {node.offer.provider for node in plan.design.nodes}

    def told(self, kind: EventKind) -> list[str]:
        return [event.message for event in reversed(list_events(self.store)) if event.kind is kind]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    deployment, clock = Deployment(tmp_path), ManualClock()
    deployment.write_config(gpus="[L40S]")
    deployment.state_dir.mkdir()
    loaded = load(deployment.config_path)
    worker = HarmedWorker(margin_s=MARGIN_S)
    with closing(fresh_store(tmp_path)) as store:
        maker = PlanMaker(
            store=store, worker=worker, catalog=loaded.catalog, clock=clock, policy=selection_of
        )
        replanner = Replanner(store=store, maker=maker, policy=replan_policy_of, clock=clock)
        yield Daemon(store, loaded, clock, worker, replanner)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def take_its_memory(pid: int) -> None:
    """From here on the worker gets no page more, as under a limit that it has reached."""
    resource.prlimit(pid, resource.RLIMIT_AS, (2**20, 2**20))


def hang(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


HARMS: tuple[tuple[Harm, float, str], ...] = (
    (hang, HURRIED_S, "the planning worker gave no answer in 5 s"),
    (kill, PATIENT_S, "the planning worker died with exit code -9"),
    (take_its_memory, PATIENT_S, "the planning worker died with exit code"),
)


def test_whatever_ends_the_worker_the_plan_in_force_stands_and_the_daemon_plans_again(
    daemon: Daemon,
) -> None:
    async def life() -> None:
        try:
            await daemon.plan(0.70)
            first = desired_plan(daemon.store)
            assert first is not None, daemon.replanner.error
            for n, (harm, deadline_s, said) in enumerate(HARMS):
                await daemon.plan(0.71 + n / 1000, harm, deadline_s=deadline_s)
                assert said in daemon.replanner.error
                assert isinstance(daemon.replanner.failure, Retryable)
                assert desired_plan(daemon.store) == first
                incident = planning_failed(daemon.replanner.error, first.id)
                assert incident is not None
                assert incident.did == f"keeps plan {first.id} in force; plans again by itself"
                assert daemon.worker.pid is None
            assert len(daemon.told(EventKind.PLAN_FAILED)) == len(HARMS)
            await daemon.plan(0.72)
            assert daemon.replanner.error == ""
            assert daemon.told(EventKind.PLAN_RECOVERED) == ["planning works again"]
        finally:
            await daemon.worker.close()

    asyncio.run(life())


def test_a_search_starts_from_what_the_last_one_taught_about_the_same_models(daemon: Daemon) -> None:
    async def life() -> None:
        try:
            await daemon.plan(0.70)
            assert daemon.worker.asked is not None
            assert daemon.worker.asked.past == ()
            taught = daemon.worker.found
            assert taught is not None
            await daemon.plan(0.72)
            assert daemon.worker.asked.past == taught.judged
            assert daemon.worker.asked.incumbent is not None
            latest = daemon.worker.found
            assert latest is not None
            assert daemon.restarted().maker.taught.judged == latest.judged != ()
        finally:
            await daemon.worker.close()

    asyncio.run(life())


def test_where_launches_fail_again_and_again_planning_goes_elsewhere_and_comes_back_where_all_of_them_do(
    daemon: Daemon,
) -> None:
    async def life() -> None:
        try:
            everywhere = (*OFFERS, *ELSEWHERE)
            await daemon.plan(0.70, offers=everywhere)
            assert daemon.providers() == {"own"}
            daemon.launches_fail(OFFERS)
            await daemon.plan(0.70, offers=everywhere)
            assert daemon.providers() == {"else"}
            assert daemon.told(EventKind.REPLAN)[-1] == "planning again: " + "; ".join(
                f"launches fail of {offer.id}: AccessDenied" for offer in OFFERS
            )
            daemon.launches_fail(ELSEWHERE)
            await daemon.plan(0.70, offers=everywhere)
            assert daemon.replanner.error == ""
            assert daemon.providers() == {"own"}, "as if nothing had failed"
            failing = ", ".join(sorted(offer.id for offer in everywhere))
            assert daemon.told(EventKind.REPLAN)[-1] == (
                f"launches of {failing} fail, and nothing else meets the targets: planned with all the same"
            )
        finally:
            await daemon.worker.close()

    asyncio.run(life())


def test_a_price_that_is_no_number_is_refused_before_any_search(daemon: Daemon) -> None:
    async def life() -> None:
        try:
            free = replace(OFFERS[0], usd_per_hour=Decimal("Infinity"))
            await daemon.plan(0.70, offers=(free, *OFFERS[1:]))
            assert isinstance(daemon.replanner.failure, Misconfigured)
            assert f"offer {free.id}: usd_per_hour Infinity" in daemon.replanner.error
            assert daemon.worker.asked is None
            risky = replace(OFFERS[0], hazard_per_hour=-0.1)
            problem = a_problem((risky,), a_table({a_shape("small", "L40S"): 5.0}), (rules("small"),))
            pid = daemon.worker.pid
            with pytest.raises(Misconfigured, match=f"offer {risky.id}: hazard_per_hour -0.1"):
                await daemon.worker.propose(problem, lambda _: None)
            assert daemon.worker.pid == pid, "the worker refuses it too, and lives"
        finally:
            await daemon.worker.close()

    asyncio.run(life())
