"""Seconds to a new plan from the one in force after a price or load step, through the real worker."""

import asyncio
from dataclasses import dataclass, replace
from decimal import Decimal
from time import monotonic

from planner_scenarios import FOUR

from bouted.config.planner import PlannerSettings
from bouted.planner.client import PlanningWorker
from bouted.planner.design import Design, Frontier, Progress
from bouted.planner.planned import Incumbent
from bouted.planner.problem import PlanningProblem
from bouted.testing.bench import Bench

TARGET_S = 5.0
SEED = 1
PRICE_STEP, LOAD_STEP = Decimal("1.5"), 1.3
EFFORT = PlannerSettings().effort()


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Seconds until the worker could plan, and seconds per step. A plan that misses a target counts as twice
    the time allowed; None where there was no first plan to replan from."""

    start_s: float
    price_s: float | None
    load_s: float | None


def again_rows(bench: Bench) -> None:
    """Both steps, and what starting the worker took, apart."""
    again = asyncio.run(_measured())
    bench.row(f"replan after a price step, {FOUR.name}", again.price_s, "s", TARGET_S, "lower")
    bench.row(f"replan after a load step, {FOUR.name}", again.load_s, "s", TARGET_S, "lower")
    bench.note(
        f"the planning worker, niced as always, was ready {again.start_s:.1f} s after its start (imports and "
        f"compiling, once); an answer that misses a target would count as {2 * TARGET_S:g} s or more"
    )


async def _measured() -> Again:
    worker = PlanningWorker()
    problem = FOUR.problem(SEED, effort=EFFORT)
    try:
        began = monotonic()
        first = await worker.propose(problem, _ignore)
        start_s = monotonic() - began - first.seconds
        if not first.designs:
            return Again(start_s=start_s, price_s=None, load_s=None)
        held = replanned(problem, first)
        price_s = await _timed(worker, dearer(held))
        load_s = await _timed(worker, busier(held))
    finally:
        await worker.close()
    return Again(start_s=start_s, price_s=price_s, load_s=load_s)


async def _timed(worker: PlanningWorker, problem: PlanningProblem) -> float:
    began = monotonic()
    found = await worker.propose(problem, _ignore)
    seconds = monotonic() - began
    return seconds if found.designs else max(seconds, 2 * TARGET_S)


def replanned(problem: PlanningProblem, found: Frontier) -> PlanningProblem:
    """The problem with the cheapest design found in force, and what its search taught."""
    design = found.designs[0].design
    return replace(
        problem,
        incumbent=Incumbent(plan_id="first", nodes=design.nodes, shares=design.shares),
        past=found.judged,
    )


def dearer(problem: PlanningProblem) -> PlanningProblem:
    """The offer that the incumbent spends most on costs half as much again."""
    assert problem.incumbent is not None
    design = Design(nodes=problem.incumbent.nodes, shares=problem.incumbent.shares)
    spent: dict[str, Decimal] = {}
    for node in design.nodes:
        spent[node.offer.id] = spent.get(node.offer.id, Decimal(0)) + node.usd_per_hour
    worst = max(sorted(spent), key=lambda key: spent[key])
    offers = {
        offer.id: replace(offer, usd_per_hour=offer.usd_per_hour * PRICE_STEP) if offer.id == worst else offer
        for offer in problem.offers
    }
    nodes = tuple(replace(node, offer=offers[node.offer.id]) for node in problem.incumbent.nodes)
    return replace(problem, offers=tuple(offers.values()), incumbent=replace(problem.incumbent, nodes=nodes))


def busier(problem: PlanningProblem) -> PlanningProblem:
    """30 % more requests of the same lengths."""
    workload = problem.workload
    return replace(
        problem,
        workload=replace(
            workload,
            rate_per_s=workload.rate_per_s * LOAD_STEP,
            rate_low_per_s=workload.rate_low_per_s * LOAD_STEP,
            rate_high_per_s=workload.rate_high_per_s * LOAD_STEP,
        ),
    )


def _ignore(_: Progress) -> None:
    """Only the answer counts."""
