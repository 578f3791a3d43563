"""From what is believed now to a planning problem: usable offers, profiles, quality, what was learned."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bouted.catalog.load import Catalog, load_egress
from bouted.catalog.precision import Precision
from bouted.clock import Clock
from bouted.codec import content_hash
from bouted.config.catalog import catalog_of
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
from bouted.planner.layouts import ModelWanted
from bouted.planner.moving import download_gib
from bouted.planner.past import PastJudgement
from bouted.planner.planned import Incumbent
from bouted.planner.problem import PlanningProblem
from bouted.planner.requests import QualityAnswer, QualityRequest
from bouted.planner.terms import ModelWeights, PriceLife, SwitchingCosts
from bouted.quality.evals import declared_quality
from bouted.reconcile.adopted import adopted_usd_per_hour
from bouted.store.fetches import usual_gib
from bouted.store.fleet import load_fleet
from bouted.store.open import Store
from bouted.store.plans import desired_plan
from bouted.store.starts import usual_start
from bouted.workload.profile import WorkloadProfile

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What the last search's simulations taught, about models in this order."""

    models: tuple[str, ...] = ()
    judged: tuple[PastJudgement, ...] = ()


NOTHING = Taught()
Unlaunchable = Callable[[Sequence[Offer]], Mapping[str, str]]
"""Why some of these offers cannot be launched, by their ids."""


@dataclass(slots=True)
class ProblemMaker:
    """Puts problems together; remembers the request mix and the quality from one to the next."""

    store: Store
    worker: PlanningWorker
    catalog: Catalog
    clock: Clock
    profiler: Profiler
    unlaunchable: Unlaunchable
    qualities: dict[str, QualityAnswer] = field(default_factory=dict)
    mix: WorkloadProfile | None = None

    async def problem(
        self,
        config: Config,
        offers: tuple[Offer, ...],
        workload: WorkloadProfile,
        taught: Taught,
        *,
        anyway: bool = False,
    ) -> PlanningProblem:
        """What is believed now, as a planning problem. Misconfigured where it cannot be one; Retryable when
        the worker is late or dies. `anyway`: also with offers whose launches fail again and again."""
        fleet = load_fleet(self.store, self.clock.now())
        catalog = catalog_of(config, self.catalog)
        launchable = await self._launchable(_usable(config, catalog, offers))
        usable = without_refused(launchable, fleet, anyway=anyway)
        workload = steady_mix(self.mix, workload)
        quality = await self._quality(config)
        gpus = tuple(catalog.gpu(gpu) for gpu in sorted({offer.gpu for offer in usable}))
        wanted = _wanted(config, catalog)
        profiles = await self.profiler.table(
            wanted, gpus, workload, config.planner.seed, config.planner.groups
        )
        self.mix = workload
        incumbent = incumbent_of(desired_plan(self.store), usable, fleet, anyway=anyway)
        models, adopted = quality.quality.models, adopted_usd_per_hour(fleet)
        return PlanningProblem(
            offers=usable,
            models=config.model_rules(models),
            profiles=profiles,
            workload=workload,
            quality=quality.quality,
            targets=config.targets_s(),
            budget=config.budget_value().beside(adopted),
            spot=config.supply.spot.rules(),
            switching=self._switching(config),
            incumbent=incumbent,
            effort=config.planner.effort(),
            seed=config.planner.seed,
            weights=_weights(config, catalog, usual_gib(self.store)),
            egress=Egress(
                overrides=config.egress_rules(), listed=tuple(fact.rule() for fact in load_egress())
            ),
            committed_usd_per_hour=config.committed_usd_per_hour(),
            adopted_usd_per_hour=adopted,
            quotas=config.quotas(),
            robustness=config.planner.robustness(),
            preference=config.planner.preference(),
            price_life_h=config.changes.price_life_hours,
            price_lives=await self._price_lives(config, usable, incumbent),
            groups=config.planner.groups,
            past=taught.judged if taught.models == models else (),
        )

    def _switching(self, config: Config) -> SwitchingCosts:
        return config.changes.switching(usual_start(self.store))

    async def _launchable(self, offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
        why_not = await asyncio.to_thread(self.unlaunchable, offers)
        left = tuple(offer for offer in offers if offer.id not in why_not)
        if not left:
            raise Misconfigured("launcher", f"launches no offer, e.g. {next(iter(why_not.items()))}")
        for reason, count in Counter(why_not.values()).most_common():
            log.info("%d offers are not planned with: %s", count, reason)
        return left

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
        content = _content(path) if path is not None else b"synthetic"
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


def _content(evals: Path) -> bytes:
    try:
        return evals.read_bytes()
    except OSError as error:
        raise Misconfigured(
            "routing.evals_file", f"cannot be read: {error.strerror}", hint=f"look at {evals}"
        ) from error


def _usable(config: Config, catalog: Catalog, offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
    """Offers the config allows, of GPUs the catalog knows."""
    known = {gpu.name for gpu in catalog.gpus}
    usable = tuple(o for o in allowed_offers(offers, config.supply_rules()) if o.gpu in known)
    if not usable:
        raise Misconfigured("supply", "no offer is allowed", hint="see what there is with: bouted prices")
    return tuple(sorted(usable, key=lambda offer: offer.id))


def _weights(
    config: Config, catalog: Catalog, fetched: Mapping[tuple[str, Precision], float]
) -> tuple[ModelWeights, ...]:
    """How much each model's weights are, and where they come from."""
    return tuple(
        ModelWeights(
            model=model.name,
            place=parse_place(model.weights_from),
            gib=fetched.get(
                (model.name, model.precision), download_gib(catalog.model(model.spec), model.precision)
            ),
            measured=(model.name, model.precision) in fetched,
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
