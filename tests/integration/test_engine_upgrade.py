"""Another version of an engine: one replica after another, enough of them serving, no further if it fails."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bouted.reconcile.disruption import Freeze
from bouted.reconcile.fleet import Replica
from bouted.reconcile.states import NodeStatus, ReplicaStatus
from bouted.store.events import list_events
from bouted.store.fleet import load_fleet
from bouted.testing.fleet import an_offer, planned
from bouted.testing.passes import Passes, passes_over
from bouted.testing.store import fresh_store

L4 = an_offer(gpu="L4", usd_per_hour="0.80", obtainable=20)
A100 = an_offer(gpu="A100-80GB", gpu_count=4, usd_per_hour="8.00", obtainable=1)


@pytest.fixture
def passes(tmp_path: Path) -> Passes:
    return passes_over(fresh_store(tmp_path), tmp_path)


def go(passes: Passes, seconds: int) -> None:
    asyncio.run(passes.go(seconds))


def serving(passes: Passes) -> list[Replica]:
    fleet = load_fleet(passes.store, passes.clock.now())
    return [replica for replica in fleet.replicas if replica.status is ReplicaStatus.READY]


def versions(passes: Passes) -> Counter[str]:
    return Counter(replica.version for replica in serving(passes))


def fewest_serving(passes: Passes, seconds: int) -> int:
    """Pass by pass, the fewest that served at once."""
    fewest = len(serving(passes))
    for _ in range(seconds):
        go(passes, 1)
        fewest = min(fewest, len(serving(passes)))
    return fewest


def settled(passes: Passes, seconds: int = 40) -> None:
    for _ in range(4):
        go(passes, seconds)
        passes.clock.advance(200)
    go(passes, 1)


def test_the_version_that_runs_is_kept_with_the_replica(passes: Passes) -> None:
    passes.want("p1", planned(L4, 2, small=1))
    go(passes, 20)
    assert versions(passes) == {"memory 1": 2}


def test_equal_replicas_are_upgraded_in_place_one_by_one(passes: Passes) -> None:
    passes.want("p1", planned(L4, 3, small=1))
    settled(passes)
    passes.cloud.engine_version = "memory 2"
    assert fewest_serving(passes, 90) == 2
    assert versions(passes) == {"memory 2": 3}
    assert len(passes.launches()) == 3
    told = [event.message for event in list_events(passes.store, limit=500)]
    assert sum(message.endswith("ready -> draining (upgraded)") for message in told) == 3


def test_the_only_replica_of_a_model_goes_after_another_node_serves(passes: Passes) -> None:
    passes.want("p1", planned(L4, small=1))
    settled(passes)
    passes.cloud.engine_version = "memory 2"
    assert fewest_serving(passes, 120) == 1
    settled(passes)
    assert versions(passes) == {"memory 2": 1}
    assert len(passes.launches()) == 2
    nodes = load_fleet(passes.store, passes.clock.now()).nodes
    assert sum(node.status is NodeStatus.UP for node in nodes) == 1


def test_with_no_other_machine_to_be_had_the_only_replica_stays_and_serves(passes: Passes) -> None:
    passes.want("p1", planned(A100, small=1))
    settled(passes)
    passes.cloud.engine_version = "memory 2"
    assert fewest_serving(passes, 120) == 1
    assert versions(passes) == {"memory 1": 1}


def test_a_version_that_does_not_start_stops_the_upgrade_and_the_old_one_heals_it(passes: Passes) -> None:
    passes.want("p1", planned(L4, 3, small=1))
    settled(passes)
    passes.cloud.engine_version = "memory 2"
    passes.cloud.listen_s = 1e9
    assert fewest_serving(passes, 200) == 2
    assert versions(passes) == {"memory 1": 2}
    passes.cloud.engine_version = "memory 1"
    passes.cloud.listen_s = 2
    passes.clock.advance(3600)
    go(passes, 60)
    passes.clock.advance(3600)
    go(passes, 60)
    assert versions(passes) == {"memory 1": 3}


def test_what_is_behind_is_the_first_to_go_when_fewer_are_wanted(passes: Passes) -> None:
    passes.want("p1", planned(L4, 3, small=1))
    settled(passes)
    passes.cloud.engine_version = "memory 2"
    while versions(passes)["memory 2"] < 1:
        go(passes, 1)
    (new,) = [r.node for r in serving(passes) if r.version == "memory 2"]
    passes.want("p2", planned(L4, 2, small=1))
    settled(passes)
    assert new in {replica.node for replica in serving(passes)}
    assert versions(passes) == {"memory 2": 2}


def test_nothing_is_upgraded_while_changes_are_frozen(passes: Passes) -> None:
    passes.want("p1", planned(L4, 2, small=1))
    settled(passes)
    limits, now = passes.reconciler.limits(), passes.clock.now()
    freeze = Freeze(start=now, end=now + timedelta(minutes=2))
    frozen = replace(limits, disruption=replace(limits.disruption, freezes=(freeze,)))
    passes.reconciler.limits = lambda: frozen
    passes.cloud.engine_version = "memory 2"
    assert fewest_serving(passes, 60) == 2
    assert versions(passes) == {"memory 1": 2}
    passes.clock.advance(120)
    go(passes, 60)
    assert versions(passes) == {"memory 2": 2}
