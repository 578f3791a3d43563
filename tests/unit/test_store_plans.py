"""Plans, switches, board, actions and alerts come back as they were written."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from bouted.board import BoardPlan, BoardReplica, BoardTarget
from bouted.errors import Gone, Misconfigured
from bouted.planner.plan import PlanStatus
from bouted.store.actions import begin_action, finish_action, list_actions
from bouted.store.alerts import AlertRow, load_alerts, resolve_alert, save_alert
from bouted.store.board import publish_board
from bouted.store.control import Control, load_control, update_control
from bouted.store.kinds import ActionState, AlertState
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.open import Store, open_store
from bouted.store.plans import (
    desired_plan,
    list_plans,
    load_plan,
    save_plan,
    set_desired_plan,
    set_plan_status,
)
from bouted.store.read_board import read_board, read_status
from bouted.testing.fleet import START, an_offer, planned
from bouted.testing.store import a_board, a_plan


@pytest.fixture
def store(each_store: Store) -> Store:
    return each_store


def later(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def saved(store: Store, *plan_ids: str) -> None:
    """Plans a minute apart, in this order."""
    for minute, plan_id in enumerate(plan_ids):
        plan = a_plan(store, plan_id, created_at=later(minute))
        save_plan(store, plan, PlanStatus.PROPOSED)


def statuses(store: Store) -> dict[str, PlanStatus]:
    return {row.plan.id: row.status for row in list_plans(store, 10)}


# plans


def test_a_plan_comes_back_equal(store: Store) -> None:
    plan = a_plan(store, "aaa1", nodes=planned(an_offer(usd_per_hour="1.2345678901234567890"), small=2))
    save_plan(store, plan, PlanStatus.PROPOSED)
    assert load_plan(store, "aaa1") == plan


def test_a_plan_is_found_by_the_start_of_its_id(store: Store) -> None:
    saved(store, "abc1", "abd2", "ab")
    assert load_plan(store, "abd").id == "abd2"
    assert load_plan(store, "ab").id == "ab", "a whole id wins over those that start with it"


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ("x", "no plan 'x'"),
        ("a%", "no plan 'a%'"),
        ("a_", "no plan 'a_'"),
        ("abc1 ", "no plan 'abc1 '"),
        ("abc", "'abc' fits abc1, abc2"),
        ("", "'' fits abc1, abc2, abd3, ..."),
    ],
)
def test_a_start_that_fits_none_or_several_is_refused(start: str, says: str, store: Store) -> None:
    saved(store, "abc1", "abc2", "abd3", "b")
    with pytest.raises(Misconfigured) as refused:
        load_plan(store, start)
    assert refused.value.message == f"plan: {says}"
    assert refused.value.hint


def test_plans_are_listed_newest_first(store: Store) -> None:
    saved(store, "aaa1", "bbb2", "ccc3")
    assert [row.plan.id for row in list_plans(store, 2)] == ["ccc3", "bbb2"]


def test_a_plan_needs_the_problem_it_was_made_from(store: Store) -> None:
    plan = replace(a_plan(store, "aaa1"), problem_hash="nowhere")
    with pytest.raises(Gone, match="no document nowhere"):
        save_plan(store, plan, PlanStatus.PROPOSED)
    assert list_plans(store, 10) == ()


def test_a_plans_status_can_be_set_and_its_body_stays(store: Store) -> None:
    saved(store, "aaa1")
    before = load_plan(store, "aaa1")
    set_plan_status(store, "aaa1", PlanStatus.HELD)
    assert statuses(store) == {"aaa1": PlanStatus.HELD}
    assert load_plan(store, "aaa1") == before
    with pytest.raises(Misconfigured, match="no plan 'zzz9'"):
        set_plan_status(store, "zzz9", PlanStatus.HELD)


def test_a_plan_put_in_force_supersedes_the_one_before(store: Store) -> None:
    saved(store, "aaa1", "bbb2", "ccc3")
    token = take_lease(store, DAEMON_LEASE, "me", START, 60)
    assert desired_plan(store) is None
    for plan_id in ("aaa1", "bbb2", "bbb2"):
        set_desired_plan(store.fenced(DAEMON_LEASE, token), plan_id)
    assert desired_plan(store) == load_plan(store, "bbb2")
    assert statuses(store) == {
        "aaa1": PlanStatus.SUPERSEDED,
        "bbb2": PlanStatus.APPLIED,
        "ccc3": PlanStatus.PROPOSED,
    }


# switches


def test_all_switches_are_off_before_anyone_sets_one(store: Store) -> None:
    assert load_control(store) == Control()


def test_a_switch_leaves_the_others_and_survives_a_restart(store: Store) -> None:
    saved(store, "aaa1")
    token = take_lease(store, DAEMON_LEASE, "me", START, 60)
    set_desired_plan(store.fenced(DAEMON_LEASE, token), "aaa1")
    update_control(store, START, "ann", paused=True)
    update_control(store, later(1), "bob", accepted_plan_id="aaa1")
    after = update_control(store, later(2), "eve", down_requested=True)
    assert after == Control(
        paused=True,
        down_requested=True,
        accepted_plan_id="aaa1",
        desired_plan_id="aaa1",
        updated_at=later(2),
        updated_by="eve",
    )
    store.close()
    reopened = open_store(store.url)
    assert load_control(reopened) == after
    assert update_control(reopened, later(3), "eve", accepted_plan_id=None).accepted_plan_id is None
    reopened.close()


def test_a_plan_put_in_force_leaves_the_operators_switches(store: Store) -> None:
    saved(store, "aaa1", "bbb2")
    before = update_control(store, START, "ann", paused=True, accepted_plan_id="bbb2")
    token = take_lease(store, DAEMON_LEASE, "me", START, 60)
    set_desired_plan(store.fenced(DAEMON_LEASE, token), "aaa1")
    assert load_control(store) == replace(before, desired_plan_id="aaa1")


def test_a_plan_that_is_not_there_cannot_be_accepted(store: Store) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        update_control(store, START, "ann", accepted_plan_id="zzz9")
    assert load_control(store) == Control()


# board


def test_a_board_comes_back_equal_and_the_next_one_takes_its_place(store: Store) -> None:
    assert read_board(store.url) is None
    publish_board(store, a_board(START, verdict="STARTING"), START)
    plan = BoardPlan(
        id="aaa1", created_at=START.isoformat(), trigger="first", usd_per_hour="1.10", p95_s=0.1 + 0.2,
        quality=0.8, gap_to_bound=0.01, rate_per_s=2.0, thresholds=(0.25, 0.5),
    )  # fmt: skip
    replica = BoardReplica(
        name="t-1-0-1", node="t-1", model="small", shape="1xL4", status="ready", reason="observed",
        since=START.isoformat(), endpoint="http://127.0.0.1:1", pid=7,
    )  # fmt: skip
    target = BoardTarget(name="p95", unit="s", target=3.0, planned=2.0, measured=None)
    board = replace(
        a_board(later(1)), note="naïve ☃\nline", plan=plan, replicas=(replica,), targets=(target,)
    )
    publish_board(store, board, later(1))
    assert read_board(store.url) == board


def test_status_without_a_database_is_empty_and_makes_none(tmp_path: Path) -> None:
    status = read_status(f"sqlite:///{tmp_path / 'bouted.db'}")
    assert (status.board, status.holder, status.expires_at) == (None, "", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("body", ["{}", "not json", "[]", '{"written_at": 1}'])
def test_a_board_of_another_version_is_refused_with_a_hint(body: str, store: Store) -> None:
    publish_board(store, a_board(START), START)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE board SET body = :body"), {"body": body})
    with pytest.raises(Misconfigured, match="another version of bouted") as refused:
        read_board(store.url)
    assert "restart the daemon" in refused.value.hint


# actions


def test_an_action_is_an_intent_until_it_is_finished(store: Store) -> None:
    first = begin_action(store, "aaa1", "launch", "t-1", START)
    second = begin_action(store, "aaa1", "launch", "t-2", later(1))
    finish_action(store, first, True, "i-123", later(2))
    finish_action(store, second, False, "no capacity", later(3))
    begin_action(store, "aaa1", "stop", "t-2", later(4))
    stop, failed, done = list_actions(store, 10)
    assert (stop.state, stop.detail, stop.finished_at) == (ActionState.INTENT, "", None)
    assert (failed.state, failed.detail, failed.finished_at) == (ActionState.FAILED, "no capacity", later(3))
    assert (done.id, done.at, done.plan_id, done.kind, done.subject) == (
        first,
        START,
        "aaa1",
        "launch",
        "t-1",
    )
    assert (done.state, done.detail, done.finished_at) == (ActionState.DONE, "i-123", later(2))
    assert list_actions(store, 1) == (stop,)


def test_an_action_that_is_not_there_is_gone(store: Store) -> None:
    with pytest.raises(Gone, match="no action 7"):
        finish_action(store, 7, True, "", START)


# alerts


def test_alerts_are_one_row_per_incident_sorted_by_key(store: Store) -> None:
    alerts = tuple(
        AlertRow(key=key, state=AlertState.OPEN, opened_at=START, last_sent_at=None, body="x") for key in "ba"
    )
    for alert in alerts:
        save_alert(store, alert)
    sent = replace(alerts[0], last_sent_at=later(1), body="y")
    save_alert(store, sent)
    assert load_alerts(store) == (alerts[1], sent)


def test_resolving_an_alert_changes_its_state_alone(store: Store) -> None:
    alert = AlertRow(key="a", state=AlertState.OPEN, opened_at=START, last_sent_at=later(1), body="x")
    save_alert(store, alert)
    resolve_alert(store, "a")
    resolve_alert(store, "nobody's")
    assert load_alerts(store) == (replace(alert, state=AlertState.RESOLVED),)
