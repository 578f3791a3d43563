"""The cloud in memory does what a test scripts. That it is a launcher, tests/contract says."""

from collections.abc import Callable

import pytest

from bouted.errors import NoCapacity, NotYet, QuotaExceeded, Retryable
from bouted.testing.clock import ManualClock
from bouted.testing.launcher import MemoryCloud, MemoryLauncher
from bouted.testing.orders import a_node_order, a_replica_order


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cloud(clock: ManualClock) -> MemoryCloud:
    return MemoryCloud(clock, boot_s=60, listen_s=30, end_s=5)


@pytest.fixture
def launcher(cloud: MemoryCloud) -> MemoryLauncher:
    return MemoryLauncher(cloud)


def _not_yet(call: Callable[[], None]) -> bool:
    try:
        call()
    except NotYet:
        return True
    return False


def test_a_manual_clock_moves_only_forward(clock: ManualClock) -> None:
    before = clock.now()
    assert (clock.advance(1.5) - before).total_seconds() == 1.5
    with pytest.raises(ValueError, match="go back"):
        clock.advance(-1)


def test_a_stock_out_lasts_until_restock(cloud: MemoryCloud, launcher: MemoryLauncher) -> None:
    cloud.stock_out("aws/*")
    with pytest.raises(NoCapacity):
        launcher.launch(a_node_order())
    cloud.restock("aws/*")
    launcher.launch(a_node_order())


def test_a_slow_launch_is_slow_for_the_nodes_named(
    cloud: MemoryCloud, launcher: MemoryLauncher, clock: ManualClock
) -> None:
    cloud.slow_launch("slow-*", 600)
    cloud.slow_launch("stuck")
    for name in ("node-1", "slow-1", "stuck"):
        launcher.launch(a_node_order(name))
    clock.advance(60)
    assert [node.name for node in launcher.seen().nodes if node.up] == ["node-1"]
    clock.advance(540)
    assert [node.name for node in launcher.seen().nodes if node.up] == ["node-1", "slow-1"]
    launcher.renew(("stuck",), 1e8)
    clock.advance(1e7)
    assert not any(node.up for node in launcher.seen().nodes if node.name == "stuck")


def test_a_lost_node_ends_with_its_engines(
    cloud: MemoryCloud, launcher: MemoryLauncher, clock: ManualClock
) -> None:
    launcher.launch(a_node_order())
    clock.advance(60)
    launcher.start_replica(a_replica_order())
    lost_at = clock.advance(1)
    cloud.lose_node("node-1")
    (node,) = launcher.seen().nodes
    assert (node.up, node.ended_at) == (False, lost_at)
    assert launcher.seen().replicas == ()


def test_a_scripted_failure_comes_once(cloud: MemoryCloud, launcher: MemoryLauncher) -> None:
    cloud.fail_next("launch", QuotaExceeded("no more L4 in us-east-1"))
    with pytest.raises(QuotaExceeded):
        launcher.launch(a_node_order())
    launcher.launch(a_node_order())
    assert cloud.calls == [("launch", "node-1"), ("launch", "node-1")]


def test_stopping_takes_its_time(launcher: MemoryLauncher, clock: ManualClock) -> None:
    launcher.launch(a_node_order())
    clock.advance(60)
    launcher.start_replica(a_replica_order())
    assert _not_yet(lambda: launcher.stop_replica("replica-1", "node-1"))
    assert _not_yet(lambda: launcher.start_replica(a_replica_order()))
    clock.advance(5)
    assert not _not_yet(lambda: launcher.stop_replica("replica-1", "node-1"))
    assert _not_yet(lambda: launcher.stop_node("node-1"))
    clock.advance(5)
    assert not _not_yet(lambda: launcher.stop_node("node-1"))


def test_an_engine_that_never_ends_goes_with_its_node(
    cloud: MemoryCloud, launcher: MemoryLauncher, clock: ManualClock
) -> None:
    launcher.launch(a_node_order())
    clock.advance(60)
    launcher.start_replica(a_replica_order())
    cloud.never_end("replica-*")
    with pytest.raises(Retryable):
        launcher.stop_replica("replica-1", "node-1")
    clock.advance(3600)
    assert [replica.name for replica in launcher.seen().replicas] == ["replica-1"]
    assert _not_yet(lambda: launcher.stop_node("node-1"))
    clock.advance(5)
    assert launcher.seen().replicas == ()


def test_an_engine_has_the_endpoint_that_the_test_gives_it(clock: ManualClock) -> None:
    cloud = MemoryCloud(clock, boot_s=0, listen_s=0, endpoint=lambda order: "http://127.0.0.1:9")
    launcher = MemoryLauncher(cloud)
    launcher.launch(a_node_order())
    launcher.start_replica(a_replica_order())
    assert [replica.endpoint for replica in launcher.seen().replicas] == ["http://127.0.0.1:9"]


def test_a_lost_answer_leaves_what_was_done(cloud: MemoryCloud, launcher: MemoryLauncher) -> None:
    cloud.lose_answer("launch", Retryable("connection reset", after_s=1.0))
    with pytest.raises(Retryable):
        launcher.launch(a_node_order())
    assert [node.name for node in launcher.sweep()] == ["node-1"]


def test_lists_may_lag_behind_launches(
    cloud: MemoryCloud, launcher: MemoryLauncher, clock: ManualClock
) -> None:
    cloud.lag_lists("node-*", 90)
    launcher.launch(a_node_order())
    clock.advance(89)
    assert (launcher.seen().nodes, launcher.sweep()) == ((), ())
    clock.advance(1)
    assert [node.up for node in launcher.sweep()] == [True]
