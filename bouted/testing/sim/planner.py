"""A planner in a few lines in place of the search: the cheapest cover of the load, deterministic."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from functools import cache
from math import ceil

from bouted.catalog.load import Catalog
from bouted.clock import Clock
from bouted.codec import dump
from bouted.config.change import planning_hash
from bouted.config.schema import Config
from bouted.daemon.parts import selection_of
from bouted.daemon.planning import Made, OnProgress, PlanMaker
from bouted.errors import Infeasible
from bouted.market.offers import Offer
from bouted.planner.client import PlanningWorker
from bouted.planner.design import Design, Estimate, Frontier, Judge
from bouted.planner.plan import Choice, Plan, PlanStatus, Trigger
from bouted.planner.plan_from import make_plan
from bouted.planner.planned import ModelShare, PlannedNode, Template
from bouted.planner.problem import PlanningProblem
from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.documents import put_document
from bouted.store.fleet import load_fleet
from bouted.store.open import Store
from bouted.store.plans import desired_plan, save_plan
from bouted.testing.builders import a_problem, a_quality, a_shape, a_table, targets
from bouted.workload.profile import WorkloadProfile

_FITS = {"small": "L4", "large": "A100-80GB"}
_RATE_PER_S = {"small": 2.0, "large": 1.0}
_SHARE = {"small": 0.7, "large": 0.3}
_SHUNNED_FOR = timedelta(minutes=30)
_table = cache(lambda: a_table({a_shape(model, gpu): 2.0 for model, gpu in _FITS.items()}))


class CheapestMaker(PlanMaker):
    """Takes, model by model, the cheapest replicas that are in stock; every replica has one GPU.

    Holds the plan in force when the new one has the same nodes; Infeasible when the budget does not do.
    """

    def __init__(self, store: Store, catalog: Catalog, clock: Clock) -> None:
        super().__init__(
            store=store, worker=PlanningWorker(), catalog=catalog, clock=clock, policy=selection_of
        )

    async def make(
        self,
        config: Config,
        offers: tuple[Offer, ...],
        workload: WorkloadProfile,
        trigger: Trigger,
        on_progress: OnProgress,
    ) -> Made:
        """Plan and store the result as PROPOSED or HELD."""
        nodes = cheapest(config, offers, workload.rate_per_s, self._shunned())
        design = Design(
            nodes=nodes, shares=tuple(ModelShare(model=model, share=_SHARE[model]) for model in _SHARE)
        )
        before = desired_plan(self.store)
        held = before is not None and before.design.nodes == design.nodes
        problem = _problem(config, offers, workload)
        plan = self._plan(config, problem, design, trigger, held)
        save_plan(self.store, plan, PlanStatus.HELD if held else PlanStatus.PROPOSED)
        frontier = Frontier(
            designs=(), incumbent=None, nearest=None, swept=0, simulated=0, seconds=0.0, seed=problem.seed
        )
        return Made(plan=plan, held=held, frontier=frontier, problem=problem)

    def _plan(
        self, config: Config, problem: PlanningProblem, design: Design, trigger: Trigger, held: bool
    ) -> Plan:
        choice = Choice(chosen=design, estimate=_estimate(design), held=held, why=("cheapest",), runner_up="")
        return make_plan(
            choice,
            problem,
            trigger=trigger,
            created_at=self.clock.now(),
            config_hash=planning_hash(config),
            problem_hash=put_document(self.store, "problem", dump(PlanningProblem, problem)),
            seconds_to_plan=0.0,
        )

    def _shunned(self) -> frozenset[str]:
        """Offers that refused a launch within the last half hour."""
        now = self.clock.now()
        refused = (Reason.NO_CAPACITY, Reason.QUOTA)
        return frozenset(
            node.offer.id
            for node in load_fleet(self.store, now).nodes
            if node.status is NodeStatus.FAILED and node.reason in refused and now - node.since < _SHUNNED_FOR
        )


def cheapest(
    config: Config, offers: tuple[Offer, ...], rate_per_s: float, shunned: frozenset[str]
) -> tuple[PlannedNode, ...]:
    """The cheapest nodes that cover the load with at least each model's floor."""
    taken: Counter[str] = Counter()
    nodes: list[PlannedNode] = []
    for model in config.models:
        missing = max(1, model.min_replicas, ceil(rate_per_s * _SHARE[model.name] / _RATE_PER_S[model.name]))
        fitting = [offer for offer in offers if offer.gpu == _FITS[model.name] and offer.id not in shunned]
        fitting.sort(key=lambda offer: (offer.usd_per_hour / offer.gpu_count, offer.id))
        for offer in fitting:
            while missing > 0 and taken[offer.id] < offer.obtainable:
                nodes.append(_node(offer, model.name, taken[offer.id]))
                taken[offer.id] += 1
                missing -= offer.gpu_count
        if missing > 0:
            raise Infeasible(f"nothing is left to rent for {model.name}")
    cost = sum((node.usd_per_hour for node in nodes), Decimal(0))
    if cost > config.budget.usd_per_hour:
        raise Infeasible(f"the cheapest fleet costs ${cost}/h")
    return tuple(sorted(nodes, key=lambda node: node.slot))


def _node(offer: Offer, model: str, ordinal: int) -> PlannedNode:
    replicas = (a_shape(model, offer.gpu),) * offer.gpu_count
    template = Template(gpu=offer.gpu, gpu_count=offer.gpu_count, replicas=replicas)
    return PlannedNode(offer=offer, template=template, ordinal=ordinal)


def _problem(config: Config, offers: tuple[Offer, ...], workload: WorkloadProfile) -> PlanningProblem:
    return a_problem(
        offers,
        _table(),
        config.model_rules(tuple(model.name for model in config.models)),
        workload=workload,
        quality=a_quality([model.name for model in config.models], prompts=4),
        wanted=targets(ttft=100.0),
        budget=str(config.budget.usd_per_hour),
    )


def _estimate(design: Design) -> Estimate:
    return Estimate(
        usd_per_hour=design.usd_per_hour,
        ttft_p95_s=0.3,
        tpot_p95_s=0.02,
        e2e_p95_s=3.0,
        quality=0.8,
        quality_low=0.79,
        bound_usd_per_hour=float(design.usd_per_hour),
        judge=Judge.PROFILES,
        spread=0.1,
    )
