"""One active daemon: the lease goes to one, moves only after it ends, and an old token is worth nothing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest

from bouted.errors import AlreadyRunning, Misconfigured
from bouted.planner.plan import PlanStatus
from bouted.store.lease import DAEMON_LEASE, LeaseInfo, lease_holder, release_lease, renew_lease, take_lease
from bouted.store.open import Store
from bouted.store.plans import desired_plan, list_plans, save_plan, set_desired_plan
from bouted.store.read_board import daemon_alive
from bouted.testing.fleet import START
from bouted.testing.store import a_plan

TTL_S = 30.0


@pytest.fixture
def store(each_store: Store) -> Store:
    return each_store


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def take(store: Store, holder: str, seconds: float = 0) -> int:
    return take_lease(store, DAEMON_LEASE, holder, at(seconds), TTL_S)


def renew(store: Store, holder: str, token: int, seconds: float) -> bool:
    return renew_lease(store, DAEMON_LEASE, holder, token, at(seconds), TTL_S)


@pytest.mark.parametrize("held_before", [False, True], ids=["nobody had it", "an expired one is there"])
def test_of_many_that_ask_at_once_one_gets_the_lease(held_before: bool, store: Store) -> None:
    if held_before:
        take(store, "the dead one", -100)
    holders = [f"d{number}" for number in range(8)]
    start = Barrier(len(holders))

    def ask(holder: str) -> str | None:
        start.wait(10)
        try:
            take(store, holder)
        except AlreadyRunning:
            return None
        return holder

    with ThreadPoolExecutor(len(holders)) as pool:
        won = [holder for holder in pool.map(ask, holders) if holder is not None]
    held = lease_holder(store, DAEMON_LEASE, START)
    assert held is not None
    assert won == [held.holder]
    assert held.token == 1 + held_before


def test_a_lease_that_has_not_ended_is_refused_with_its_holders_name(store: Store) -> None:
    take(store, "one")
    with pytest.raises(AlreadyRunning, match="held by one") as refused:
        take(store, "two", TTL_S - 0.001)
    assert refused.value.hint
    assert lease_holder(store, DAEMON_LEASE, START) == LeaseInfo(
        name=DAEMON_LEASE, holder="one", token=1, expires_at=at(TTL_S)
    )


def test_a_lease_can_be_taken_over_from_the_moment_it_ends(store: Store) -> None:
    take(store, "one")
    assert lease_holder(store, DAEMON_LEASE, at(TTL_S)) is None
    assert take(store, "two", TTL_S) == 2


def test_the_token_grows_with_each_holder_and_stays_with_the_same_one(store: Store) -> None:
    tokens = [take(store, holder, 100 * turn) for turn, holder in enumerate(("a", "a", "b", "a", "b"))]
    assert tokens == [1, 1, 2, 3, 4]


def test_renewing_moves_the_end_and_only_for_the_holder(store: Store) -> None:
    token = take(store, "one")
    assert renew(store, "one", token, 20)
    assert not renew(store, "two", token, 21)
    assert not renew(store, "one", token + 1, 21)
    held = lease_holder(store, DAEMON_LEASE, at(21))
    assert held is not None
    assert held.expires_at == at(20 + TTL_S)


def test_whoever_was_overtaken_cannot_renew(store: Store) -> None:
    old = take(store, "one")
    new = take(store, "two", 100)
    assert not renew(store, "one", old, 101)
    assert renew(store, "two", new, 101)


def test_a_late_renewal_holds_as_long_as_nobody_else_came(store: Store) -> None:
    token = take(store, "one")
    assert renew(store, "one", token, 500)
    with pytest.raises(AlreadyRunning):
        take(store, "two", 501)


def test_a_lease_given_back_is_free_at_once_and_its_token_is_not_used_again(store: Store) -> None:
    token = take(store, "one")
    release_lease(store, DAEMON_LEASE, "one", token)
    assert lease_holder(store, DAEMON_LEASE, START) is None
    assert not renew(store, "one", token, 1)
    assert take(store, "one", 1) == token + 1


def test_giving_back_what_another_holds_changes_nothing(store: Store) -> None:
    old = take(store, "one")
    take(store, "two", 100)
    release_lease(store, DAEMON_LEASE, "one", old)
    held = lease_holder(store, DAEMON_LEASE, at(100))
    assert held is not None
    assert held.holder == "two"


def test_leases_of_different_names_do_not_meet(store: Store) -> None:
    take(store, "one")
    assert take_lease(store, "other", "two", START, TTL_S) == 1


def test_readers_see_that_a_daemon_is_alive_until_its_lease_ends(store: Store) -> None:
    assert not daemon_alive(store.url, START)
    take(store, "one")
    assert daemon_alive(store.url, at(TTL_S - 0.001))
    assert not daemon_alive(store.url, at(TTL_S))


def test_a_daemon_that_was_overtaken_cannot_put_a_plan_in_force(store: Store) -> None:
    for plan_id in ("aaa1", "bbb2"):
        save_plan(store, a_plan(store, plan_id), PlanStatus.PROPOSED)
    old = take(store, "one")
    set_desired_plan(store.fenced(DAEMON_LEASE, old), "aaa1")
    new = take(store, "two", 100)
    with pytest.raises(AlreadyRunning, match="held by two"):
        set_desired_plan(store.fenced(DAEMON_LEASE, old), "bbb2")
    assert [(row.plan.id, row.status) for row in list_plans(store, 10)] == [
        ("aaa1", PlanStatus.APPLIED),
        ("bbb2", PlanStatus.PROPOSED),
    ]
    set_desired_plan(store.fenced(DAEMON_LEASE, new), "bbb2")
    in_force = desired_plan(store)
    assert in_force is not None
    assert in_force.id == "bbb2"


def test_without_a_lease_no_plan_comes_into_force(store: Store) -> None:
    save_plan(store, a_plan(store, "aaa1"), PlanStatus.PROPOSED)
    with pytest.raises(AlreadyRunning):
        set_desired_plan(store.fenced(DAEMON_LEASE, 0), "aaa1")
    assert desired_plan(store) is None


def test_a_plan_that_is_not_there_leaves_the_one_in_force(store: Store) -> None:
    plan = a_plan(store, "aaa1")
    save_plan(store, plan, PlanStatus.PROPOSED)
    token = take(store, "one")
    set_desired_plan(store.fenced(DAEMON_LEASE, token), "aaa1")
    with pytest.raises(Misconfigured, match="no plan 'zzz9'"):
        set_desired_plan(store.fenced(DAEMON_LEASE, token), "zzz9")
    assert desired_plan(store) == plan
    assert list_plans(store, 10)[0].status is PlanStatus.APPLIED
