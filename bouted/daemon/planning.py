"""From what is believed now to a plan in the store: profiles, quality, problem, search, choice."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Protocol

from bouted.catalog.load import Catalog, load_egress
from bouted.clock import Clock
from bouted.codec import content_hash, dump
from bouted.config.catalog import catalog_of
from bouted.config.change import planning_hash
from bouted.config.goals import declared_scores
from bouted.config.schema import Config
from bouted.daemon.price_lives import price_lives
from bouted.daemon.profiling import Profiler
from bouted.errors import Misconfigured
from bouted.market.allowed import allowed_offers
from bouted.market.egress import Egress, parse_place
from bouted.market.offers import Offer
from bouted.planner.assemble import incumbent_of, steady_mix, without_refused
from bouted.planner.client import PlanningWorker
from bouted.planner.design import Frontier, Progress
from bouted.planner.layouts import ModelWanted
from bouted.planner.moving import download_gib
from bouted.planner.plan import Choice, Plan, PlanStatus, Trigger
from bouted.planner.plan_from import make_plan
from bouted.planner.problem import Incumbent, ModelWeights, PastJudgement, PlanningProblem, PriceLife
from bouted.planner.requests import QualityAnswer, QualityRequest
from bouted.planner.sound import require_sound
from bouted.quality.evals import declared_quality
from bouted.store.documents import put_document
from bouted.store.fleet import load_fleet
from bouted.store.open import Store
from bouted.store.plans import desired_plan, save_plan
from bouted.workload.profile import WorkloadProfile

OnProgress = Callable[[Progress], None]


class Selects(Protocol):
    """The selection policy: `bouted.policies` entry points of this shape."""

    def select(self, frontier: Frontier, problem: PlanningProblem) -> Choice:
        """The design to run, or the incumbent held."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A plan that was made and stored. When `held`, the plan in force stands and `plan` records why."""

    plan: Plan
    held: bool
    frontier: Frontier
    problem: PlanningProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What the last search's simulations taught, about models in this order."""

    models: tuple[str, ...] = ()
    judged: tuple[PastJudgement, ...] = ()


@dataclass(slots=True)
class PlanMaker:
    """Makes plans with one warm planning worker.

    Remembers the request mix, the quality and what simulations taught from one plan to the next.
    """

    store: Store
    worker: PlanningWorker
    catalog: Catalog
    clock: Clock
    policy: Callable[[Config], Selects]
    qualities: dict[str, QualityAnswer] = field(default_factory=dict)
    mix: WorkloadProfile | None = None
    taught: Taught = Taught()
    profiler: Profiler = field(init=False)

    def __post_init__(self) -> None:
        self.profiler = Profiler(store=self.store, worker=self.worker, clock=self.clock)

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
        problem = await self._problem(config, offers, workload)
        require_sound(problem)
        frontier = await self.worker.propose(problem, on_progress)
        if not frontier.designs:
            # scipy takes two seconds to import: the daemon pays that only when there is bad news to explain.
            from bouted.planner.explain import explain_infeasible

            raise await asyncio.to_thread(explain_infeasible, problem, frontier)
        self.taught = Taught(models=problem.quality.models, judged=frontier.judged)
        choice = self.policy(config).select(frontier, problem)
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
        return Made(plan=plan, held=choice.held, frontier=frontier, problem=problem)

    async def _problem(
        self, config: Config, offers: tuple[Offer, ...], workload: WorkloadProfile
    ) -> PlanningProblem:
        fleet = load_fleet(self.store, self.clock.now())
        catalog = catalog_of(config, self.catalog)
        usable = without_refused(_usable(config, catalog, offers), fleet)
        workload = steady_mix(self.mix, workload)
        quality = await self._quality(config)
        gpus = tuple(catalog.gpu(gpu) for gpu in sorted({offer.gpu for offer in usable}))
        wanted = _wanted(config, catalog)
        profiles = await self.profiler.table(wanted, gpus, workload, config.planner.seed)
        self.mix = workload
        incumbent = incumbent_of(desired_plan(self.store), usable)
        models = quality.quality.models
        return PlanningProblem(
            offers=usable,
            models=config.model_rules(models),
            profiles=profiles,
            workload=workload,
            quality=quality.quality,
            targets=config.targets_s(),
            budget=config.budget_value(),
            spot=config.supply.spot.rules(),
            switching=config.changes.switching(),
            incumbent=incumbent,
            effort=config.planner.effort(),
            seed=config.planner.seed,
            weights=_weights(config, catalog),
            egress=Egress(
                overrides=config.egress_rules(), listed=tuple(fact.rule() for fact in load_egress())
            ),
            committed_usd_per_hour=config.committed_usd_per_hour(),
            quotas=config.quotas(),
            robustness=config.planner.robustness(),
            preference=config.planner.preference(),
            price_life_h=config.changes.price_life_hours,
            price_lives=await self._price_lives(config, usable, incumbent),
            groups=config.planner.groups,
            past=self.taught.judged if self.taught.models == models else (),
        )

    async def _price_lives(
        self, config: Config, offers: tuple[Offer, ...], incumbent: Incumbent | None
    ) -> tuple[PriceLife, ...]:
        """Read in a thread: a hundred histories take longer than a pass may."""
        held = tuple(node.offer.id for node in incumbent.nodes) if incumbent is not None else ()
        least_h = config.changes.price_life_hours
        return await asyncio.to_thread(price_lives, self.store, offers, held, least_h, self.clock.now())

    async def _quality(self, config: Config) -> QualityAnswer:
        """The quality model and scorer, fitted once per content of the evals file; or as declared."""
        if scores := declared_scores(config.models):
            return QualityAnswer(quality=declared_quality(scores), scorer_file="")
        path = config.routing.evals_file
        content = Path(path).read_bytes() if path is not None else b"synthetic"
        models = tuple(model.name for model in config.models)
        embeddings = config.routing.embeddings or ""
        key = content_hash(content + repr((models, config.planner.seed, embeddings)).encode())
        if key not in self.qualities:
            request = QualityRequest(
                evals_file=str(path) if path is not None else "",
                models=models,
                state_dir=str(config.state_dir),
                seed=config.planner.seed,
                embeddings=embeddings,
            )
            self.qualities = {key: await self.worker.quality(request)}
        return self.qualities[key]


def _usable(config: Config, catalog: Catalog, offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
    """Offers the config allows, of GPUs the catalog knows."""
    known = {gpu.name for gpu in catalog.gpus}
    usable = tuple(o for o in allowed_offers(offers, config.supply_rules()) if o.gpu in known)
    if not usable:
        raise Misconfigured("supply", "no offer is allowed", hint="see what there is with: bouted prices")
    return tuple(sorted(usable, key=lambda offer: offer.id))


def _weights(config: Config, catalog: Catalog) -> tuple[ModelWeights, ...]:
    """How much each model's weights are, and where they come from."""
    return tuple(
        ModelWeights(
            model=model.name,
            place=parse_place(model.weights_from),
            gib=download_gib(catalog.model(model.spec), model.precision),
        )
        for model in config.models
    )


def _wanted(config: Config, catalog: Catalog) -> tuple[ModelWanted, ...]:
    return tuple(
        ModelWanted(
            name=model.name,
            spec=catalog.model(model.spec),
            precision=model.precision,
            engine=model.engine,
            context_tokens=model.context_tokens,
        )
        for model in config.models
    )
