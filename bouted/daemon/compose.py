"""Puts the daemon together from a config and from what it meets outside."""

import asyncio
from dataclasses import dataclass

from bouted.clock import Clock
from bouted.daemon.alerting import Alerter
from bouted.daemon.deadman import DeadMan
from bouted.daemon.explaining import Explainer
from bouted.daemon.held_config import HeldConfig
from bouted.daemon.keeping import HouseKeeper
from bouted.daemon.learning import Learner
from bouted.daemon.money import Purse
from bouted.daemon.notices import NoticeKeeper
from bouted.daemon.parts import Loaded, deadman_s, replan_policy_of
from bouted.daemon.past import PastKeeper
from bouted.daemon.planning import PlanMaker
from bouted.daemon.prices import MarketKeeper
from bouted.daemon.promises import Promises
from bouted.daemon.publishing import Publisher
from bouted.daemon.reconciling import Reconciler
from bouted.daemon.replanning import Replanner
from bouted.daemon.rolling_back import RollBack
from bouted.daemon.rollouts import Rollouts
from bouted.daemon.routing import Routing
from bouted.daemon.service import Service
from bouted.daemon.serving import serving_of
from bouted.daemon.sight import Prober, Sight
from bouted.daemon.sweeping import Sweeper
from bouted.daemon.traffic import Traffic
from bouted.market.source import Feed
from bouted.reconcile.execute import Executor
from bouted.reconcile.launcher import Launcher, versions_of
from bouted.store.open import Store
from bouted.threads import InThread

ROUTES = "routes.json"


@dataclass(frozen=True, kw_only=True)
class Outside:
    """All that is not the daemon itself; a simulation brings its own.

    `store` is fenced by `token`, the daemon's lease.
    """

    store: Store
    token: int
    clock: Clock
    launcher: Launcher
    prober: Prober
    traffic: Traffic
    feeds: tuple[Feed, ...]
    maker: PlanMaker
    in_thread: InThread = asyncio.to_thread


def compose(loaded: Loaded, outside: Outside) -> Service:
    """A daemon that has not started yet."""
    store, clock, held = outside.store, outside.clock, HeldConfig(loaded)
    alerter = Alerter(store=store, clock=clock, deployment=loaded.config.deployment)
    replanner = Replanner(store=store, maker=outside.maker, policy=replan_policy_of, clock=clock)
    replanner.applied = alerter.plan_applied
    market = MarketKeeper(store=store, clock=clock, feeds=outside.feeds, in_thread=outside.in_thread)
    reconciler = reconciler_of(held, outside)
    reconciler.prices = lambda: market.believed(held.config)
    sweeper = Sweeper(
        store=store,
        launcher=outside.launcher,
        clock=clock,
        deployment=loaded.config.deployment,
        grace_s=held.orphan_grace_s,
        in_thread=outside.in_thread,
    )
    deadman = DeadMan(
        store=store,
        launcher=outside.launcher,
        clock=clock,
        span_s=lambda: deadman_s(held.config),
        in_thread=outside.in_thread,
    )
    publisher = Publisher(
        held=held,
        store=store,
        clock=clock,
        market=market,
        traffic=outside.traffic,
        sweeper=sweeper,
        deadman=deadman,
        reconciler=reconciler,
        replanner=replanner,
        purse=Purse(store=store, rules=held.billing),
    )
    return Service(
        held=held,
        store=store,
        token=outside.token,
        clock=clock,
        market=market,
        traffic=outside.traffic,
        sweeper=sweeper,
        deadman=deadman,
        prober=outside.prober,
        reconciler=reconciler,
        replanner=replanner,
        rollback=RollBack(
            store=store, clock=clock, rollouts=reconciler.rollouts, told=alerter.plan_rolled_back
        ),
        alerter=alerter,
        notices=NoticeKeeper(store=store, clock=clock),
        past=PastKeeper(store=store, clock=clock),
        learner=Learner(store=store, clock=clock),
        house=HouseKeeper(store=store, clock=clock, in_thread=outside.in_thread),
        publisher=publisher,
        in_thread=outside.in_thread,
    )


def reconciler_of(held: HeldConfig, outside: Outside) -> Reconciler:
    """The part that acts."""
    store, clock, config = outside.store, outside.clock, held.config
    purse = Purse(store=store, rules=held.billing)
    return Reconciler(
        store=store,
        launcher_name=config.launcher.name,
        deployment=config.deployment,
        executor=Executor(store=store, launcher=outside.launcher, clock=clock, in_thread=outside.in_thread),
        sight=Sight(
            store=store,
            launcher=outside.launcher,
            prober=outside.prober,
            clock=clock,
            limits=held.limits,
            in_thread=outside.in_thread,
            absent_s=held.absent_s,
        ),
        routing=Routing(store=store, clock=clock, path=config.state_dir / ROUTES, rules=held.rollout),
        rollouts=Rollouts(
            store=store,
            clock=clock,
            rules=held.rollout,
            specs=held.specs,
            samples=lambda: outside.traffic.samples,
            promises=Promises(store),
        ),
        clock=clock,
        limits=held.limits,
        rules=held.rules,
        versions=lambda: versions_of(outside.launcher),
        month_usd=lambda: purse.month_usd(clock.now()),
        serving=lambda shape: serving_of(held.loaded, shape),
        explainer=Explainer(store=store, clock=clock),
    )
