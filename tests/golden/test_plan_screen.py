"""What `bouted plan` prints, as text and as JSON."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bouted.cli.plan_document import plan_document
from bouted.cli.plan_text import Proposed, plan_text
from bouted.market.offers import Market
from bouted.perf.profile import Metric
from bouted.planner.design import Design, Ended, Estimate, Frontier, Judge
from bouted.planner.goals import Targets
from bouted.planner.plan import Plan, Trigger
from bouted.planner.planned import ModelShare, PlannedNode
from bouted.quality.route_split import RouteRule, RouteSplit
from bouted.reconcile.diff import diff
from bouted.testing.fleet import FleetWorld, an_offer, limits, planned

L4 = an_offer("aws", gpu="L4", gpu_count=4, usd_per_hour="1.16")
A100 = an_offer("gcp", gpu="A100-80GB", gpu_count=2, usd_per_hour="5.10", region="us-central1")
H100 = an_offer(
    "lambda", gpu="H100-80GB", gpu_count=4, usd_per_hour="12.94", market=Market.ON_DEMAND, region="us-east-1"
)

TARGETS = Targets(ttft_p95_s=0.9, tpot_p95_s=None, e2e_p95_s=12.0, quality_min=0.86, objective=Metric.E2E)


def a_plan(plan_id: str, nodes: tuple[PlannedNode, ...], threshold: float) -> Plan:
    cost = Design(nodes=nodes, shares=()).usd_per_hour
    return Plan(
        id=plan_id,
        created_at=datetime(2026, 11, 23, 14, 5, 11, tzinfo=UTC),
        trigger=Trigger.PRICE,
        design=Design(
            nodes=nodes,
            shares=(ModelShare(model="small", share=0.74), ModelShare(model="large", share=0.26)),
        ),
        split=RouteSplit(
            models=("small", "large"),
            shares=(0.74, 0.26),
            rules=(RouteRule(thresholds=(threshold,)),),
            scorer_hash="s",
        ),
        shapes=(),
        estimate=Estimate(
            usd_per_hour=cost,
            ttft_p95_s=0.64,
            tpot_p95_s=0.038,
            e2e_p95_s=9.84,
            quality=0.871,
            quality_low=0.864,
            bound_usd_per_hour=float(cost) / 1.004,
            judge=Judge.SIMULATED,
            spread=0.08,
        ),
        objective=Metric.E2E,
        rate_per_s=12.4,
        why=(
            "cheapest of 14 designs that meet every target",
            "saves $9.00/h, the move costs $1.02 and is paid back in 7 min: the price of gcp spot A100-80GB"
            " fell by 38 %",
        ),
        runner_up="7f3a2 as it is: $15.26/h, p95 9.1 s, quality 0.874",
        problem_hash="p",
        config_hash="c",
        seed=7,
        seconds_to_plan=6.2,
    )


FRONTIER = Frontier(
    designs=(),
    incumbent=None,
    nearest=None,
    swept=83,
    simulated=24,
    seconds=6.1,
    seed=7,
    ended=Ended.DEADLINE,
)
BEFORE = a_plan("7f3a2", (*planned(L4, 2, small=4), *planned(H100, 1, large=1)), 0.5)
AFTER = a_plan("9c1d0", (*planned(L4, 1, small=4), *planned(A100, 1, large=1)), 0.412)


def running(plan: Plan) -> FleetWorld:
    """A fleet that runs this plan."""
    world = FleetWorld(limits=limits())
    world.converge(plan.design.nodes)
    return world


def proposed(plan: Plan, current: Plan | None, *, held: bool = False) -> Proposed:
    fleet = running(current).fleet() if current else FleetWorld(limits=limits()).fleet()
    wanted = current.design.nodes if held and current else plan.design.nodes
    return Proposed(
        plan=plan,
        held=held,
        changes=diff(wanted, fleet, "memory"),
        current=current,
        frontier=FRONTIER,
        targets=TARGETS,
        budget_usd_per_hour=Decimal("25.00"),
    )


CASES = {
    "plan-first": proposed(BEFORE, None),
    "plan-change": proposed(AFTER, BEFORE),
    "plan-held": proposed(replace(BEFORE, id="9c1d0"), BEFORE, held=True),
}


@pytest.mark.parametrize("name", CASES)
def test_a_plan_reads_as_it_should(name: str, golden: Callable[[str, str], None]) -> None:
    golden(name, "\n".join(plan_text(CASES[name])))


def test_a_plan_for_machines_keeps_its_keys(golden: Callable[[str, str], None]) -> None:
    golden("plan-change-json", json.dumps(plan_document(CASES["plan-change"]), indent=2))


def test_only_a_plan_that_moves_something_is_a_change() -> None:
    assert CASES["plan-first"].changed
    assert CASES["plan-change"].changed
    assert not CASES["plan-held"].changed
    assert not proposed(BEFORE, BEFORE).changed


def test_a_plan_that_moves_only_the_split_is_a_change() -> None:
    other_split = replace(BEFORE.split, rules=(RouteRule(thresholds=(0.6,)),))
    assert proposed(replace(BEFORE, id="9c1d0", split=other_split), BEFORE).changed
