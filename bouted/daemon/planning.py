"""From what is believed now to a plan in the store: problem, search, choice."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from pydantic import ValidationError

from bouted.catalog.load import Catalog
from bouted.clock import Clock
from bouted.codec import dump, misfit, parse
from bouted.config.change import planning_hash
from bouted.config.schema import Config
from bouted.daemon.bars import load_bars
from bouted.daemon.problem import NOTHING, ProblemMaker, Taught, Unlaunchable
from bouted.daemon.profiling import Profiler
from bouted.errors import Gone
from bouted.market.offers import Offer
from bouted.planner.barred import stands, without_barred
from bouted.planner.client import PlanningWorker
from bouted.planner.design import Frontier, Progress
from bouted.planner.past import PastJudgement
from bouted.planner.plan import Choice, Plan, PlanStatus, Trigger
from bouted.planner.plan_from import make_plan
from bouted.planner.problem import PlanningProblem
from bouted.planner.sound import require_sound
from bouted.store.documents import get_document, put_document
from bouted.store.open import Store
from bouted.store.plans import list_plans, save_plan
from bouted.workload.profile import WorkloadProfile

log = logging.getLogger(__name__)

OnProgress = Callable[[Progress], None]


class Selects(Protocol):
    """The selection policy: `bouted.policies` entry points of this shape."""

    def select(self, frontier: Frontier, problem: PlanningProblem) -> Choice:
        """The design to run, or the incumbent held."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A plan that was made and stored. When `held`, the plan in force stands and `plan` records why.

    `anyway`: nothing else met the targets, so offers whose launches fail again and again were planned with.
    """

    plan: Plan
    held: bool
    frontier: Frontier
    problem: PlanningProblem
    anyway: bool = False


@dataclass(slots=True)
class PlanMaker:
    """Makes plans with one warm planning worker; remembers what simulations taught from one to the next.

    `unlaunchable` says why offers cannot be launched: no plan has them.
    """

    store: Store
    worker: PlanningWorker
    catalog: Catalog
    clock: Clock
    policy: Callable[[Config], Selects]
    unlaunchable: Unlaunchable = lambda offers: {}
    taught: Taught = NOTHING
    profiler: Profiler = field(init=False)
    problems: ProblemMaker = field(init=False)

    def __post_init__(self) -> None:
        self.profiler = Profiler(store=self.store, worker=self.worker, clock=self.clock)
        self.problems = ProblemMaker(
            self.store, self.worker, self.catalog, self.clock, self.profiler, self.unlaunchable
        )

    def recall(self) -> tuple[Plan, PlanningProblem] | None:
        """Go on from the newest plan: what it went by, and what its search taught. None without one that
        this version can read."""
        newest = list_plans(self.store, 1)
        problem = self._problem_of(newest[0].plan) if newest else None
        if problem is None:
            return None
        plan = newest[0].plan
        self.profiler.recall(problem.profiles, problem.workload.lengths)
        self.taught = Taught(models=problem.quality.models, judged=self._judged(plan))
        return plan, problem

    def chosen(self, config: Config, frontier: Frontier, problem: PlanningProblem) -> Choice:
        """The policy's choice among designs that were not rolled back lately."""
        now, config_hash = self.clock.now(), planning_hash(config)
        bars = load_bars(self.store, now)
        left = without_barred(frontier, [bar for bar in bars if stands(bar, problem, config_hash, now)])
        if left.designs or frontier.incumbent is None:
            return self.policy(config).select(left if left.designs else frontier, problem)
        stays = frontier.incumbent
        why = "nothing is left but what was rolled back lately"
        return Choice(chosen=stays.design, estimate=stays.estimate, held=True, why=(why,), runner_up="")

    def _problem_of(self, plan: Plan) -> PlanningProblem | None:
        try:
            return parse(PlanningProblem, get_document(self.store, plan.problem_hash))
        except (ValidationError, Gone) as error:
            log.warning("the problem of plan %s cannot be read, planning anew: %s", plan.id, misfit(error))
            return None

    def _judged(self, plan: Plan) -> tuple[PastJudgement, ...]:
        if not plan.frontier_hash:
            return ()
        try:
            return parse(Frontier, get_document(self.store, plan.frontier_hash)).judged
        except (ValidationError, Gone) as error:
            log.warning(
                "the search behind plan %s cannot be read and is forgotten: %s", plan.id, misfit(error)
            )
            return ()

    async def make(
        self,
        config: Config,
        offers: tuple[Offer, ...],
        workload: WorkloadProfile,
        trigger: Trigger,
        on_progress: OnProgress,
    ) -> Made:
        """Plan and store the result as PROPOSED or HELD. Infeasible, Retryable or Misconfigured otherwise."""
        started = monotonic()
        problem = await self.problems.problem(config, offers, workload, self.taught)
        require_sound(problem)
        frontier = await self.worker.propose(problem, on_progress)
        anyway = False
        if not frontier.designs:
            more = await self.problems.problem(config, offers, workload, self.taught, anyway=True)
            anyway = more.offers != problem.offers
        if anyway:
            problem, frontier = more, await self.worker.propose(more, on_progress)
        if not frontier.designs:
            # scipy takes two seconds to import: the daemon pays that only when there is bad news to explain.
            from bouted.planner.explain import explain_infeasible

            raise await asyncio.to_thread(explain_infeasible, problem, frontier)
        self.taught = Taught(models=problem.quality.models, judged=frontier.judged)
        choice = self.chosen(config, frontier, problem)
        plan = make_plan(
            choice,
            problem,
            trigger=trigger,
            created_at=self.clock.now(),
            config_hash=planning_hash(config),
            problem_hash=put_document(self.store, "problem", dump(PlanningProblem, problem)),
            frontier_hash=put_document(self.store, "frontier", dump(Frontier, frontier)),
            seconds_to_plan=monotonic() - started,
        )
        status = PlanStatus.HELD if choice.held else PlanStatus.PROPOSED
        save_plan(self.store, plan, status)
        return Made(plan=plan, held=choice.held, frontier=frontier, problem=problem, anyway=anyway)
