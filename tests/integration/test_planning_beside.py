"""A real planning worker plans within what adopted endpoints leave of the budget."""

import asyncio
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from bouted.daemon.adopting import adopt, release
from bouted.daemon.parts import load, selection_of
from bouted.daemon.planning import Made, PlanMaker
from bouted.errors import Infeasible
from bouted.market.offers import Market
from bouted.perf.shapes import Engine
from bouted.planner.client import PlanningWorker
from bouted.planner.plan import Trigger
from bouted.reconcile.adopted import Address
from bouted.reconcile.adopting import Adoption
from bouted.testing.clock import ManualClock
from bouted.testing.deployment import Deployment
from bouted.testing.fleet import an_offer
from bouted.testing.store import fresh_store

OFFERS = tuple(
    an_offer("own", gpu="L40S", gpu_count=n, usd_per_hour=f"{n}.00", market=Market.ON_DEMAND) for n in (1, 4)
)


def an_adoption(usd: Decimal) -> Adoption:
    return Adoption(
        address=Address(base_url="http://10.0.0.5:8000"), engine=Engine.VLLM, model="small", usd_per_hour=usd
    )


def test_a_plan_has_what_adopted_endpoints_leave_and_all_of_it_once_they_are_let_go(tmp_path: Path) -> None:
    deployment, clock = Deployment(tmp_path), ManualClock()
    deployment.write_config(gpus="[L40S]", budget="40")
    deployment.state_dir.mkdir()
    loaded = load(deployment.config_path)
    effort = {"sweep": 64, "evaluations": 4}
    planner = loaded.config.planner.model_copy(update=effort)
    config = loaded.config.model_copy(update={"planner": planner})

    async def life() -> None:
        with closing(fresh_store(tmp_path)) as store:
            worker = PlanningWorker()
            maker = PlanMaker(
                store=store, worker=worker, catalog=loaded.catalog, clock=clock, policy=selection_of
            )

            async def made() -> Made:
                workload = config.declared_workload(1)
                return await maker.make(config, OFFERS, workload, Trigger.OPERATOR, lambda _: None)

            try:
                alone = await made()
                needs = alone.plan.design.usd_per_hour
                assert alone.problem.budget == config.budget_value()
                theirs = adopt(store, an_adoption(40 - needs), clock.now())
                beside = await made()
                assert beside.problem.budget.usd_per_hour == needs == beside.plan.design.usd_per_hour
                assert beside.problem.budget.surge_usd_per_hour == config.budget.surge_usd_per_hour
                assert beside.plan.why[-1] == (
                    f"adopted endpoints cost ${40 - needs:.2f}/h of the budget, which leaves ${needs:.2f}/h"
                )
                release(store, theirs.name, clock.now())
                dearer = adopt(store, an_adoption(40 - needs + Decimal("0.01")), clock.now())
                with pytest.raises(Infeasible, match=r"beside adopted endpoints at \$"):
                    await made()
                release(store, dearer.name, clock.now())
                assert (await made()).problem.budget == config.budget_value()
            finally:
                await worker.close()

    asyncio.run(life())
