"""What the daemon tells Slack over its life: once, again after a failure, never twice for a restart."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bouted.config.schema import Config
from bouted.daemon.alerting import Alerter
from bouted.daemon.board import Spend
from bouted.daemon.parts import load
from bouted.events import EventKind
from bouted.planner.plan import Plan
from bouted.reconcile.fleet import FleetState
from bouted.store.events import list_events
from bouted.store.open import Store
from bouted.testing.clock import ManualClock
from bouted.testing.deployment import Deployment
from bouted.testing.fleet import an_offer, planned
from bouted.testing.slack import REFUSED, TAKEN, SlackStandIn, slack
from bouted.testing.store import a_plan, fresh_store

NO_FLEET = FleetState(nodes=(), replicas=(), incarnations=())


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack's client takes a proxy from the environment; loopback needs none."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(fresh_store(tmp_path)) as store:
        yield store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def alerter(store: Store, clock: ManualClock) -> Alerter:
    return Alerter(store=store, clock=clock, deployment="t")


def config_for(folder: Path, server: SlackStandIn | None) -> Config:
    """$40 an hour and $1000 a month; alerts go to `server`, if there is one."""
    deployment = Deployment(folder)
    webhook = folder / "webhook"
    more = ""
    if server is not None:
        webhook.write_text(server.url)
        more = f"alerts: {{slack: {{webhook_file: {webhook}, plan_change_usd_per_hour: 2}}}}\n"
    deployment.write_config(budget="40, usd_per_month: 1000", more=more)
    return load(deployment.config_path).config


def a_plan_at(store: Store, plan_id: str, usd_per_hour: str) -> Plan:
    return a_plan(store, plan_id, nodes=planned(an_offer(usd_per_hour=usd_per_hour)))


def tell(
    alerter: Alerter, config: Config, *, month: str = "0", plan: Plan | None = None, plan_error: str = ""
) -> None:
    """One pass of the daemon."""
    spend = Spend(
        today_usd=Decimal(0), month_usd=Decimal(month), forecast_month_usd=max(Decimal(900), Decimal(month))
    )
    asyncio.run(alerter.tell(config, plan, NO_FLEET, spend, plan_error))


def failures(store: Store) -> list[str]:
    return [event.message for event in list_events(store) if event.kind is EventKind.ALERT_FAILED]


def test_a_plan_that_moves_the_bill_is_told_once(tmp_path: Path, store: Store, alerter: Alerter) -> None:
    with slack() as server:
        config = config_for(tmp_path, server)
        alerter.plan_applied(a_plan_at(store, "old", "10"), a_plan_at(store, "new", "14.50"))
        tell(alerter, config)
        tell(alerter, config)
    (text,) = server.told
    assert "Plan changed: $10.00/h -&gt; $14.50/h" in text
    assert "replaced plan old: cheapest" in text
    assert failures(store) == []


def test_a_restart_tells_no_plan_change_again(
    tmp_path: Path, store: Store, clock: ManualClock, alerter: Alerter
) -> None:
    with slack() as server:
        config = config_for(tmp_path, server)
        before, after = a_plan_at(store, "old", "10"), a_plan_at(store, "new", "14.50")
        alerter.plan_applied(before, after)
        tell(alerter, config)
        restarted = replace(alerter, changes=[])
        tell(restarted, config)
        restarted.plan_applied(before, after)
        tell(restarted, config)
    assert len(server.told) == 1


@pytest.mark.parametrize("after", ["10", "12", "8"])
def test_a_plan_change_within_the_limit_is_not_told(
    after: str, tmp_path: Path, store: Store, alerter: Alerter
) -> None:
    with slack() as server:
        config = config_for(tmp_path, server)
        alerter.plan_applied(a_plan_at(store, "old", "10"), a_plan_at(store, "new", after))
        tell(alerter, config)
    assert server.told == []
    assert alerter.changes == []


def test_the_first_plan_is_no_change(tmp_path: Path, store: Store, alerter: Alerter) -> None:
    with slack() as server:
        config = config_for(tmp_path, server)
        alerter.plan_applied(None, a_plan_at(store, "new", "30"))
        tell(alerter, config)
    assert server.told == []


def test_a_slack_that_refuses_is_one_event_and_is_tried_again(
    tmp_path: Path, store: Store, alerter: Alerter
) -> None:
    with slack(REFUSED, REFUSED, TAKEN) as server:
        config = config_for(tmp_path, server)
        alerter.plan_applied(a_plan_at(store, "old", "10"), a_plan_at(store, "new", "20"))
        for _ in range(4):
            tell(alerter, config)
    assert len(server.told) == 3
    (message,) = failures(store)
    assert "404" in message
    assert "secret" not in message


def test_a_slack_that_fails_anew_is_a_new_event(tmp_path: Path, store: Store, alerter: Alerter) -> None:
    with slack(REFUSED, TAKEN, REFUSED) as server:
        config = config_for(tmp_path, server)
        alerter.plan_applied(a_plan_at(store, "a", "10"), a_plan_at(store, "b", "20"))
        tell(alerter, config)
        tell(alerter, config)
        alerter.plan_applied(a_plan_at(store, "b", "20"), a_plan_at(store, "c", "10"))
        tell(alerter, config)
    assert len(failures(store)) == 2


def test_a_webhook_file_that_vanished_is_one_event_and_loses_no_message(
    tmp_path: Path, store: Store, alerter: Alerter
) -> None:
    with slack() as server:
        config = config_for(tmp_path, server)
        alerter.plan_applied(a_plan_at(store, "old", "10"), a_plan_at(store, "new", "20"))
        (tmp_path / "webhook").unlink()
        tell(alerter, config)
        tell(alerter, config)
        assert len(failures(store)) == 1
        (tmp_path / "webhook").write_text(server.url)
        tell(alerter, config)
    assert len(server.told) == 1


def test_without_a_webhook_nothing_is_told_or_kept_for_later(
    tmp_path: Path, store: Store, alerter: Alerter
) -> None:
    alerter.plan_applied(a_plan_at(store, "old", "10"), a_plan_at(store, "new", "20"))
    tell(alerter, config_for(tmp_path, None), month="5000")
    with slack() as server:
        tell(alerter, config_for(tmp_path, server))
    assert server.told == []
    assert failures(store) == []


def test_each_level_of_the_monthly_budget_is_told_once(
    tmp_path: Path, store: Store, clock: ManualClock, alerter: Alerter
) -> None:
    with slack() as server:
        config = config_for(tmp_path, server)
        for month in ("799.99", "800", "850", "999", "1000.50", "1100"):
            tell(alerter, config, month=month)
            clock.advance(60)
    heads = [text.partition(":")[0] for text in server.told]
    assert len(heads) == 2
    assert "Monthly budget 80 % used: $800.00 of $1,000.00" in server.told[0]
    assert "Monthly budget 100 % used: $1,000.50 of $1,000.00" in server.told[1]


def test_planning_that_fails_is_one_incident_until_a_plan_succeeds(
    tmp_path: Path, store: Store, clock: ManualClock, alerter: Alerter
) -> None:
    plan = a_plan_at(store, "abc", "10")
    with slack() as server:
        config = config_for(tmp_path, server)
        for error in ("the worker died", "the worker died", "it was late"):
            tell(alerter, config, plan=plan, plan_error=error)
            clock.advance(60)
        tell(replace(alerter, changes=[]), config, plan=plan, plan_error="it was late")
        tell(alerter, config, plan=plan)
        tell(alerter, config, plan=plan)
    opened, resolved = server.told
    assert "OPEN  Planning failed: the worker died" in opened
    assert "bouted keeps plan abc in force; plans again by itself." in opened
    assert "RESOLVED  Planning failed: the worker died" in resolved
    assert "Lasted 3 min" in resolved


def test_without_a_plan_to_stand_on_the_failure_is_a_page_of_one_line(
    tmp_path: Path, store: Store, alerter: Alerter
) -> None:
    with slack() as server:
        tell(alerter, config_for(tmp_path, server), plan_error="a bug: x\nmore of it\nand more")
    (text,) = server.told
    assert text.startswith(":rotating_light: OPEN  Planning failed: a bug: x  [")
    assert "has no plan to fall back on" in text
    assert "more of it" not in text
