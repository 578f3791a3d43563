"""The guards refuse what they must, and what they cannot make sense of."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bouted.errors import Misconfigured
from bouted.market.offers import Market
from bouted.reconcile import guards
from bouted.reconcile.actions import Action, DrainReplica, StopNode
from bouted.reconcile.fleet import FleetState, Node, Unreadable
from bouted.reconcile.guards import (
    Bill,
    most_at_once,
    prove_guards,
    refuse_bill,
    refuse_launch,
    refuse_mass_stop,
)
from bouted.reconcile.states import NodeStatus, ReplicaStatus
from bouted.testing.fleet import START, FleetWorld, an_offer, limits, must_serve, planned
from bouted.testing.store import a_node

NOTHING = Decimal(0)


@pytest.mark.parametrize(
    ("launch", "rest", "month", "refusal"),
    [
        ("5", "5", "0", None),
        ("5.01", "5", "0", "would commit $10.01/h, the cap is $10.00/h ($8.00 + $2.00 surge)"),
        ("1", "1", "98", None),
        ("1", "1", "98.01", "would take this month to $100.01 within an hour, the cap is $100.00"),
        ("0", "0", "500", None),
        ("-1", "0", "0", "makes no sense"),
        ("NaN", "0", "0", "makes no sense"),
        ("1", "NaN", "0", "makes no sense"),
        ("1", "Infinity", "0", "makes no sense"),
        ("1", "0", "NaN", "makes no sense"),
        ("1", "-5", "0", "makes no sense"),
    ],
)
def test_a_bill_is_refused_over_a_cap_and_when_it_is_no_number(
    launch: str, rest: str, month: str, refusal: str | None
) -> None:
    bill = Bill(
        launch_usd_per_hour=Decimal(launch), committed_usd_per_hour=Decimal(rest), month_usd=Decimal(month)
    )
    said = refuse_bill(bill, limits("8", "2", cap_usd_per_month=Decimal(100)))
    assert said == refusal if refusal is None else refusal in str(said)


def a_fleet(*nodes: Node, unreadable: tuple[Unreadable, ...] = ()) -> FleetState:
    return FleetState(nodes=nodes, replicas=(), incarnations=(), unreadable=unreadable)


def test_a_node_that_was_asked_for_before_is_not_counted_twice() -> None:
    node = replace(a_node("n", usd_per_hour="6.00"), status=NodeStatus.LAUNCHING)
    assert refuse_launch(node, a_fleet(node), limits("6", "0"), must_serve(small=1), NOTHING, START) is None


def test_what_cannot_be_read_is_counted_at_what_it_costs() -> None:
    row = Unreadable(name="x", node="x", why="", hint="", usd_per_hour=Decimal(5))
    node = a_node("n", usd_per_hour="6.00")
    said = refuse_launch(
        node, a_fleet(unreadable=(row,)), limits("6", "0"), must_serve(small=1), NOTHING, START
    )
    assert said == "launching n would commit $11.00/h, the cap is $6.00/h ($6.00 + $0.00 surge)"


def test_only_a_machine_of_ones_own_is_free() -> None:
    (owned,) = planned(an_offer("owned", usd_per_hour="0", market=Market.OWNED), small=1)
    free = replace(a_node("n"), offer=owned.offer)
    assert refuse_launch(free, a_fleet(), limits(), must_serve(small=1), NOTHING, START) is None
    object.__setattr__(free.offer, "market", Market.SPOT)
    assert "at no price" in str(refuse_launch(free, a_fleet(), limits(), must_serve(small=1), NOTHING, START))


@pytest.mark.parametrize(
    ("count", "pct", "most"),
    [(1, 50, 2), (4, 50, 2), (9, 50, 4), (10, 50, 5), (10, 100, 10), (10, -1, 2), (10, 1e9, 2)],
)
def test_two_may_always_go_and_a_share_of_many(count: int, pct: float, most: int) -> None:
    assert most_at_once(count, limits(max_stop_pct=pct)) == most


def serving(count: int) -> FleetWorld:
    world = FleetWorld(limits())
    world.converge(planned(an_offer(obtainable=50), count, small=1))
    return world


def test_a_list_that_stops_more_than_its_share_is_refused_whoever_made_it() -> None:
    fleet, half = serving(10).fleet(), limits(max_stop_pct=50.0)
    drains: list[Action] = [DrainReplica(replica=replica) for replica in fleet.replicas]
    assert refuse_mass_stop(drains[:5], fleet, half) is None
    assert "6 of 10 serving replicas would stop at once" in str(refuse_mass_stop(drains[:6], fleet, half))
    stops: list[Action] = [StopNode(node=node) for node in fleet.nodes]
    assert refuse_mass_stop(stops[:5], fleet, half) is None
    assert "6 of 10 nodes would stop at once" in str(refuse_mass_stop(stops[:6], fleet, half))


def test_what_is_on_its_way_out_already_counts() -> None:
    world = serving(10)
    for name in sorted(world.replicas)[:3]:
        world.replicas[name] = replace(world.replicas[name], status=ReplicaStatus.DRAINING)
    fleet = world.fleet()
    ready = [r for r in fleet.replicas if r.status is ReplicaStatus.READY]
    drains: list[Action] = [DrainReplica(replica=replica) for replica in ready]
    assert refuse_mass_stop(drains[:2], fleet, limits(max_stop_pct=50.0)) is None
    assert refuse_mass_stop(drains[:3], fleet, limits(max_stop_pct=50.0)) is not None


def test_guards_that_hold_let_a_daemon_start() -> None:
    prove_guards(limits("0", "0"))
    prove_guards(limits("25", "10", cap_usd_per_month=Decimal(1)))


def test_a_guard_that_takes_no_number_for_a_low_one_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def naive(bill: Bill, bounds: object) -> str | None:
        total = bill.launch_usd_per_hour + bill.committed_usd_per_hour
        return "too much" if total.is_finite() and total > 200 else None

    monkeypatch.setattr(guards, "refuse_bill", naive)
    with pytest.raises(Misconfigured, match="do not refuse what they must"):
        prove_guards(limits("100", "100"))
