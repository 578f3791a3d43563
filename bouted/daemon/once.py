"""`bouted plan`: one plan, made now and stored, with nothing started or stopped."""

import asyncio
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from bouted.clock import Clock, SystemClock
from bouted.daemon.parts import Loaded, feeds_of, launcher_of, load, selection_of, unlaunchable_by
from bouted.daemon.planning import Made, PlanMaker
from bouted.daemon.prices import MarketKeeper
from bouted.daemon.run import made
from bouted.daemon.traffic import Traffic
from bouted.planner.client import PlanningWorker
from bouted.planner.design import Frontier, Progress
from bouted.planner.plan import Plan, Trigger
from bouted.reconcile.actions import ChangeSet
from bouted.reconcile.diff import diff
from bouted.store.fleet import load_fleet
from bouted.store.open import Store, open_store
from bouted.store.owner import require_own
from bouted.store.plans import desired_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A plan made now, the budget and the front it is from, what it would change, and the plan in force
    (None: there is none)."""

    plan: Plan
    held: bool
    frontier: Frontier
    changes: ChangeSet
    current: Plan | None
    budget_usd_per_hour: Decimal


def propose(config_path: Path, on_progress: Callable[[Progress], None]) -> Proposal:
    """Make and store a plan from the prices and the load of now. BoutedError when there can be none.

    Ctrl-C while the search is under way ends it early, with the best so far.
    """
    loaded = load(config_path, to_rent=True)
    made(loaded.config.state_dir)
    store = open_store(loaded.config.database_url())
    try:
        require_own(store, loaded.config.deployment, SystemClock().now())
        return asyncio.run(_propose(loaded, store, SystemClock(), on_progress))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        store.close()


async def _propose(
    loaded: Loaded, store: Store, clock: Clock, on_progress: Callable[[Progress], None]
) -> Proposal:
    config = loaded.config
    market = MarketKeeper(store=store, clock=clock, feeds=feeds_of(loaded))
    traffic = Traffic(f"http://{config.listen.gateway_host}:{config.listen.gateway_port}")
    worker = PlanningWorker()
    maker = PlanMaker(
        store=store,
        worker=worker,
        catalog=loaded.catalog,
        clock=clock,
        policy=selection_of,
        unlaunchable=unlaunchable_by(launcher_of(config)),
    )
    _stop_when_interrupted(worker)
    try:
        maker.recall()
        market.recall(config)
        await market.refresh(config)
        market.require_sound()
        await traffic.poll()
        workload = traffic.workload(
            loaded.declared,
            clock.now().timestamp(),
            config.workload.window_s,
        )
        result = await maker.make(config, market.offers(config), workload, Trigger.OPERATOR, on_progress)
    finally:
        await worker.close()
        await traffic.close()
    return _proposal(store, clock, result, config.launcher.name)


def _stop_when_interrupted(worker: PlanningWorker) -> None:
    """The first Ctrl-C during a search ends it with the best so far; any other ends the command."""
    command, asked = asyncio.current_task(), False

    def interrupted() -> None:
        nonlocal asked
        if not asked and worker.stop():
            asked = True
        elif command is not None:
            command.cancel()

    if threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted)


def _proposal(store: Store, clock: Clock, result: Made, launcher: str) -> Proposal:
    current = desired_plan(store)
    wanted = current.design.nodes if result.held and current is not None else result.plan.design.nodes
    return Proposal(
        plan=result.plan,
        held=result.held,
        frontier=result.frontier,
        changes=diff(wanted, load_fleet(store, clock.now()), launcher),
        current=current,
        budget_usd_per_hour=result.problem.budget.usd_per_hour,
    )
