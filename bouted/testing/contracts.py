"""What every launcher must keep, as tests. Subclass LauncherContract and give it a `bench` fixture.

Needs pytest, which bouted itself does not install. To read failures in full, call
`pytest.register_assert_rewrite("bouted.testing.contracts")` before the import.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol
from unittest.mock import ANY

import pytest

from bouted.clock import Clock
from bouted.errors import Gone, Misconfigured, NoCapacity, NotYet
from bouted.reconcile.launcher import (
    Launcher,
    NodeOrder,
    Refused,
    SeenNode,
    SeenReplica,
    Why,
    WithLogs,
    versions_of,
)
from bouted.testing.orders import a_node_order, a_replica_order


class LauncherBench(Protocol):
    """A place to run launchers in, and the hand that does to it what launchers cannot."""

    @property
    def clock(self) -> Clock:
        """The clock that the launchers go by."""
        ...

    def open(self, deployment: str = "ours", deadman_s: float = 3600.0) -> Launcher:
        """A new launcher object on the same place, as after a restart of the daemon."""
        ...

    def until(self, done: Callable[[], bool]) -> None:
        """Let time pass until `done()`; AssertionError when that does not come."""
        ...

    def stock_out(self, offers: str) -> None:
        """Let offers whose id matches this glob be sold out."""
        ...

    def kill(self, replica: SeenReplica) -> None:
        """End an engine from outside."""
        ...


class LauncherContract:
    """The promises of `bouted.reconcile.launcher.Launcher`."""

    def test_a_launched_node_comes_up(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        launcher.launch(a_node_order())
        assert not _node(launcher).up
        _come_up(bench, launcher)
        assert _node(launcher).ended_at is None

    def test_launching_the_same_name_twice_gives_one_node(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        launcher.launch(a_node_order())
        _come_up(bench, launcher)
        started_at = _node(launcher).started_at
        launcher.launch(a_node_order())
        assert [node.started_at for node in launcher.seen().nodes] == [started_at]

    def test_a_sold_out_offer_is_no_capacity_at_once_or_later_and_leaves_nothing(
        self, bench: LauncherBench
    ) -> None:
        launcher = bench.open()
        order = a_node_order()
        bench.stock_out("*/us-east-1/*")
        refused = _sold_out(launcher, order)
        if refused is not None:
            assert refused.offer_id == order.offer.id
            assert launcher.seen().nodes == ()
        else:
            bench.until(lambda: _node(launcher).refused is not None)
            assert _node(launcher).refused == Refused(why=Why.NO_CAPACITY, detail=ANY)
            assert _ended(launcher)
            assert _node(launcher).started_at is None
        launcher.launch(a_node_order("node-2", region="us-west-2"))
        bench.until(lambda: any(node.up for node in launcher.seen().nodes))

    def test_a_group_is_started_whole_or_refused_with_a_reason(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        order = replace(a_node_order(), instances=2)
        refusal = _refusal(launcher, order)
        assert not refusal or "groups" in refusal
        assert [node.name for node in launcher.seen().nodes] == ([] if refusal else [order.name])

    def test_a_sold_out_offer_does_not_disturb_the_node_it_gave_before(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        launcher.launch(a_node_order())
        bench.stock_out("*")
        launcher.launch(a_node_order())
        assert [node.name for node in launcher.seen().nodes] == ["node-1"]

    def test_a_replica_waits_for_its_node_to_be_up(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        launcher.launch(a_node_order())
        with pytest.raises(NotYet):
            launcher.start_replica(a_replica_order())
        assert launcher.seen().replicas == ()

    def test_a_replica_on_a_node_that_is_not_there_is_refused(self, bench: LauncherBench) -> None:
        with pytest.raises(Gone):
            bench.open().start_replica(a_replica_order())

    def test_a_started_replica_is_seen_at_once_and_then_listens(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        _come_up(bench, launcher)
        launcher.start_replica(a_replica_order())
        assert [(seen.name, seen.node) for seen in launcher.seen().replicas] == [("replica-1", "node-1")]
        _listen(bench, launcher)
        assert _replica(launcher).endpoint.startswith("http")
        chosen = versions_of(launcher)
        if chosen:
            assert _replica(launcher).version == chosen[a_replica_order().shape.engine]

    def test_starting_the_same_name_twice_gives_one_replica(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        _start(bench, launcher)
        before = launcher.seen().replicas
        launcher.start_replica(a_replica_order())
        assert launcher.seen().replicas == before

    def test_a_stopped_replica_is_gone_and_its_node_stays(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        _start(bench, launcher)
        _done(bench, lambda: launcher.stop_replica("replica-1", "node-1"))
        assert launcher.seen().replicas == ()
        assert _node(launcher).up
        launcher.stop_replica("replica-1", "node-1")

    def test_a_stopped_node_takes_its_replicas_with_it(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        launcher.launch(a_node_order(gpus=2))
        _start(bench, launcher)
        launcher.start_replica(a_replica_order("replica-2"))
        _done(bench, lambda: launcher.stop_node("node-1"))
        assert _ended(launcher)
        assert launcher.seen().replicas == ()
        launcher.stop_node("node-1")

    def test_no_replica_starts_on_a_node_that_was_stopped(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        _come_up(bench, launcher)
        _done(bench, lambda: launcher.stop_node("node-1"))
        with pytest.raises(Gone):
            launcher.start_replica(a_replica_order())

    def test_what_does_not_exist_counts_as_stopped(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        launcher.stop_node("never-was")
        launcher.stop_replica("never-was", "never-was")
        _come_up(bench, launcher)
        launcher.stop_replica("never-was", "node-1")

    def test_an_engine_that_dies_is_told_as_dead_or_not_at_all_and_can_be_started_again(
        self, bench: LauncherBench
    ) -> None:
        launcher = bench.open()
        _start(bench, launcher)
        first = _replica(launcher)
        bench.kill(first)
        bench.until(lambda: all(seen.last_word for seen in launcher.seen().replicas))
        launcher.start_replica(a_replica_order())
        _listen(bench, launcher)
        assert _replica(launcher).pid != first.pid

    def test_a_new_launcher_sees_and_stops_what_the_last_one_started(self, bench: LauncherBench) -> None:
        before = bench.open()
        _start(bench, before)
        after = bench.open()
        assert after.seen() == before.seen()
        after.launch(a_node_order())
        after.start_replica(a_replica_order())
        assert after.seen() == before.seen()
        _done(bench, lambda: after.stop_node("node-1"))
        assert before.seen().replicas == ()

    def test_another_deployment_is_neither_seen_nor_touched(self, bench: LauncherBench) -> None:
        theirs, ours = bench.open("theirs"), bench.open("ours")
        _start(bench, theirs)
        assert ours.seen().nodes == ()
        assert ours.seen().replicas == ()
        before = theirs.seen()
        ours.renew(("node-1",), 0.0)
        ours.stop_replica("replica-1", "node-1")
        ours.stop_node("node-1")
        assert theirs.seen() == before

    def test_a_sweep_lists_what_is_seen_with_the_same_times(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        assert launcher.sweep() == ()
        _come_up(bench, launcher)
        launcher.launch(a_node_order("node-2"))
        assert [node.name for node in launcher.sweep()] == ["node-1", "node-2"]
        assert _times(launcher.sweep()) == _times(launcher.seen().nodes)

    def test_a_sweep_says_what_was_rented_where_that_can_be_told(self, bench: LauncherBench) -> None:
        launcher, order = bench.open(), a_node_order()
        launcher.launch(order)
        assert [node.offer_id or order.offer.id for node in launcher.sweep()] == [order.offer.id]

    def test_a_sweep_lists_nothing_of_another_deployment(self, bench: LauncherBench) -> None:
        bench.open("theirs").launch(a_node_order())
        assert bench.open("ours").sweep() == ()
        assert [node.name for node in bench.open("theirs").sweep()] == ["node-1"]

    def test_a_launch_whose_answer_was_lost_is_swept_and_is_not_made_twice(
        self, bench: LauncherBench
    ) -> None:
        bench.open().launch(a_node_order())
        after = bench.open()
        assert [node.name for node in after.sweep()] == ["node-1"]
        _come_up(bench, after)
        before = _times(after.sweep())
        after.launch(a_node_order())
        assert _times(after.sweep()) == before

    def test_a_node_runs_from_its_launch_on_and_not_from_when_it_is_up(self, bench: LauncherBench) -> None:
        launcher, asked_at = bench.open(), bench.clock.now().replace(microsecond=0)
        launcher.launch(a_node_order())
        bench.until(lambda: _node(launcher).started_at is not None or _node(launcher).up)
        begun_at = bench.clock.now()
        _come_up(bench, launcher)
        started_at = _node(launcher).started_at
        assert started_at is None or asked_at <= started_at <= begun_at

    def test_an_end_is_told_once_and_for_all(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        _come_up(bench, launcher)
        asked_at = bench.clock.now()
        _done(bench, lambda: launcher.stop_node("node-1"))
        gone_at, told = bench.clock.now(), launcher.sweep()
        assert all(asked_at <= node.ended_at <= gone_at for node in told if node.ended_at is not None)
        bench.until(lambda: bench.clock.now() > gone_at)
        assert _ended(launcher)
        assert bench.open().sweep() in (told, ())

    def test_a_name_that_ended_can_be_launched_anew(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        _come_up(bench, launcher)
        _done(bench, lambda: launcher.stop_node("node-1"))
        launcher.launch(a_node_order())
        bench.until(lambda: any(node.up for node in launcher.seen().nodes))
        assert [node.name for node in launcher.sweep() if node.ended_at is None] == ["node-1"]

    def test_a_node_that_nobody_renews_ends_itself(self, bench: LauncherBench) -> None:
        launcher = bench.open(deadman_s=3600.0)
        _start(bench, launcher)
        until = bench.clock.now() + timedelta(seconds=1)
        launcher.renew(("node-1",), 1.0)
        bench.until(lambda: _ended(launcher) and launcher.seen().replicas == ())
        assert bench.clock.now() >= until
        told = launcher.sweep()
        assert all(node.ended_at >= until for node in told if node.ended_at is not None)
        _done(bench, lambda: launcher.stop_node("node-1"))
        assert launcher.sweep() in (told, ())

    def test_a_node_that_is_renewed_outlives_its_first_lease(self, bench: LauncherBench) -> None:
        launcher = bench.open(deadman_s=2.0)
        launcher.launch(a_node_order())
        first_lease_end = bench.clock.now() + timedelta(seconds=2)
        launcher.renew(("node-1", "never-was"), 3600.0)
        bench.until(lambda: bench.clock.now() > first_lease_end)
        assert not _ended(launcher)

    def test_a_node_that_ended_is_not_renewed_back_to_life(self, bench: LauncherBench) -> None:
        launcher = bench.open()
        launcher.launch(a_node_order())
        _done(bench, lambda: launcher.stop_node("node-1"))
        launcher.renew(("node-1",), 3600.0)
        assert _ended(launcher)


class LogsContract:
    """The promises of `bouted.reconcile.launcher.WithLogs`, for launchers that show logs; its bench is the
    same."""

    def test_an_engines_log_is_read_piece_by_piece_to_its_end(self, bench: LauncherBench) -> None:
        _, logs = _started(bench)
        whole = _whole_log(logs)
        assert whole
        assert logs.log("replica-1", "node-1", len(whole.encode())) == ("", len(whole.encode()))
        assert logs.log("replica-1", "node-1", 5)[0] == whole.encode()[5:].decode()
        assert logs.log("replica-1", "node-1", -5)[0] == whole.encode()[-5:].decode()
        assert logs.log("replica-1", "node-1", -(10**9))[0] == whole

    def test_an_engine_that_lives_may_write_more_and_one_that_died_has_a_log_still(
        self, bench: LauncherBench
    ) -> None:
        launcher, logs = _started(bench)
        whole = _whole_log(logs)
        assert logs.lives("replica-1", "node-1")
        bench.kill(_replica(launcher))
        bench.until(lambda: not logs.lives("replica-1", "node-1"))
        assert _whole_log(logs).startswith(whole)

    @pytest.mark.parametrize(("name", "node"), [("replica-9", "node-1"), ("replica-1", "node-9")])
    def test_an_engine_that_never_was_has_no_log(self, bench: LauncherBench, name: str, node: str) -> None:
        _, logs = _started(bench)
        with pytest.raises(Gone):
            logs.log(name, node, 0)

    def test_another_deployments_engine_has_no_log_here(self, bench: LauncherBench) -> None:
        _start(bench, bench.open("theirs"))
        ours = bench.open("ours")
        assert isinstance(ours, WithLogs)
        with pytest.raises(Gone):
            ours.log("replica-1", "node-1", 0)


def _started(bench: LauncherBench) -> tuple[Launcher, WithLogs]:
    launcher = bench.open()
    _start(bench, launcher)
    assert isinstance(launcher, WithLogs)
    return launcher, launcher


def _whole_log(logs: WithLogs) -> str:
    text, then = logs.log("replica-1", "node-1", 0)
    return text if not text else text + logs.log("replica-1", "node-1", then)[0]


def _sold_out(launcher: Launcher, order: NodeOrder) -> NoCapacity | None:
    """How a launch was refused at once; None where it was accepted."""
    try:
        launcher.launch(order)
    except NoCapacity as refused:
        return refused
    return None


def _refusal(launcher: Launcher, order: NodeOrder) -> str:
    """Why a launcher does not start this; "" where it does."""
    try:
        launcher.launch(order)
    except Misconfigured as refused:
        return refused.message
    return ""


def _node(launcher: Launcher) -> SeenNode:
    (node,) = launcher.seen().nodes
    return node


def _replica(launcher: Launcher) -> SeenReplica:
    (replica,) = launcher.seen().replicas
    return replica


def _times(nodes: tuple[SeenNode, ...]) -> list[tuple[str, datetime | None, datetime | None]]:
    return [(node.name, node.started_at, node.ended_at) for node in nodes]


def _ended(launcher: Launcher) -> bool:
    """A node that ended is listed with its end, or not any more."""
    return all(node.ended_at is not None and not node.up for node in launcher.seen().nodes)


def _come_up(bench: LauncherBench, launcher: Launcher) -> None:
    launcher.launch(a_node_order())
    bench.until(lambda: _node(launcher).up)


def _listen(bench: LauncherBench, launcher: Launcher) -> None:
    bench.until(lambda: any(seen.endpoint for seen in launcher.seen().replicas))


def _start(bench: LauncherBench, launcher: Launcher) -> None:
    """One node with one replica that listens."""
    _come_up(bench, launcher)
    launcher.start_replica(a_replica_order())
    _listen(bench, launcher)


def _done(bench: LauncherBench, stop: Callable[[], None]) -> None:
    """Ask until it is done, as the reconciler does."""

    def stopped() -> bool:
        try:
            stop()
        except NotYet:
            return False
        return True

    bench.until(stopped)
