"""After a rollback planning starts anew, once, and leaves the design alone that was rolled back."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bouted.catalog.load import load_catalog
from bouted.codec import dump
from bouted.config.change import planning_hash
from bouted.config.schema import Config
from bouted.daemon.bars import load_bars
from bouted.daemon.parts import load, selection_of
from bouted.daemon.planning import PlanMaker
from bouted.events import Event, EventKind, Severity
from bouted.planner.client import PlanningWorker
from bouted.planner.design import Design, Estimate, Frontier, Judge, ScoredDesign
from bouted.planner.plan import PlanStatus
from bouted.planner.planned import ModelShare, PlannedNode
from bouted.planner.problem import PlanningProblem
from bouted.store.documents import put_document
from bouted.store.events import add_events
from bouted.store.open import Store
from bouted.store.plans import save_plan
from bouted.testing.builders import a_problem, a_shape, a_table, rules
from bouted.testing.clock import ManualClock
from bouted.testing.deployment import Deployment
from bouted.testing.fleet import START, an_offer, planned
from bouted.testing.store import a_plan, fresh_store

CHEAP, DEAR = an_offer(gpu="L4", usd_per_hour="1.00"), an_offer(gpu="L40S", usd_per_hour="3.00")
BAD, GOOD = planned(CHEAP, 2, small=1), planned(DEAR, 1, small=1)
PROBLEM = a_problem(
    (CHEAP, DEAR), a_table({a_shape("small", "L4"): 5.0, a_shape("small", "L40S"): 9.0}), (rules("small"),)
)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    deployment = Deployment(tmp_path)
    deployment.write_config()
    return load(deployment.config_path).config


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(fresh_store(tmp_path)) as opened:
        yield opened


def scored(nodes: tuple[PlannedNode, ...]) -> ScoredDesign:
    design = Design(nodes=nodes, shares=(ModelShare(model="small", share=1.0),))
    estimate = Estimate(
        usd_per_hour=design.usd_per_hour, ttft_p95_s=0.2, tpot_p95_s=0.02, e2e_p95_s=2.0, quality=0.9,
        quality_low=0.9, bound_usd_per_hour=0.0, judge=Judge.SIMULATED, spread=0.1,
    )  # fmt: skip
    return ScoredDesign(design=design, estimate=estimate, violated=())


def a_front(*designs: ScoredDesign, incumbent: ScoredDesign | None = None) -> Frontier:
    return Frontier(
        designs=designs, incumbent=incumbent, nearest=None, swept=0, simulated=0, seconds=0.0, seed=1
    )


def roll_back(store: Store, config: Config) -> None:
    """Two L4 were in force, and were rolled back at START."""
    plan = replace(
        a_plan(store, "bad", nodes=BAD),
        problem_hash=put_document(store, "problem", dump(PlanningProblem, PROBLEM)),
        config_hash=planning_hash(config),
    )
    save_plan(store, plan, PlanStatus.ROLLED_BACK)
    told = Event(
        at=START, kind=EventKind.PLAN_ROLLED_BACK, severity=Severity.WARNING, subject="bad", message="m"
    )
    add_events(store, (told,))


def a_maker(store: Store, clock: ManualClock) -> PlanMaker:
    return PlanMaker(
        store=store, worker=PlanningWorker(), catalog=load_catalog(), clock=clock, policy=selection_of
    )


def chosen(store: Store, config: Config, front: Frontier, minutes: float) -> tuple[Decimal, bool, str]:
    """What is chosen so long after the rollback: its cost, whether it is held, and the first reason."""
    clock = ManualClock(START + timedelta(minutes=minutes))
    choice = a_maker(store, clock).chosen(config, front, PROBLEM)
    return choice.chosen.usd_per_hour, choice.held, choice.why[0]


def test_the_design_that_was_rolled_back_is_not_chosen_again_within_the_day(
    store: Store, config: Config
) -> None:
    front = a_front(scored(BAD), scored(GOOD))
    assert chosen(store, config, front, 5)[0] == 2, "before, the cheapest is chosen"
    roll_back(store, config)
    assert chosen(store, config, front, 5)[0] == 3
    assert chosen(store, config, front, 23 * 60)[0] == 3
    assert chosen(store, config, front, 24 * 60)[0] == 2


def test_where_only_that_design_is_left_what_is_in_force_stays(store: Store, config: Config) -> None:
    roll_back(store, config)
    front = a_front(scored(BAD), incumbent=scored(GOOD))
    usd_per_hour, held, why = chosen(store, config, front, 5)
    assert (float(usd_per_hour), held) == (3.0, True)
    assert why == "nothing is left but what was rolled back lately"
    alone = a_front(scored(BAD))
    assert chosen(store, config, alone, 5)[0] == 2, "better that than nothing"


def test_a_bar_knows_what_the_design_was_judged_by(store: Store, config: Config) -> None:
    assert load_bars(store, START) == ()
    roll_back(store, config)
    (bar,) = load_bars(store, START + timedelta(minutes=5))
    shape = BAD[0].template.replicas[0]
    assert (bar.plan_id, bar.at) == ("bad", START)
    assert bar.costs == {shape.id: PROBLEM.profiles.by_shape[shape.id].costs}
    assert load_bars(store, START + timedelta(hours=24)) == ()
