"""The dead-man switch: renewed in time, told early when that fails, and never in the way of anything else."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bouted.daemon.deadman import DeadMan
from bouted.errors import Retryable
from bouted.events import EventKind, Severity
from bouted.reconcile.launcher import NodeOrder
from bouted.store.events import list_events
from bouted.store.open import Store
from bouted.testing.clock import ManualClock
from bouted.testing.fleet import an_offer
from bouted.testing.launcher import MemoryCloud, MemoryLauncher
from bouted.testing.store import fresh_store

SPAN_S = 3600.0


class Moody(MemoryLauncher):
    """Cannot renew the nodes in `bad`, for this reason."""

    bad: frozenset[str] = frozenset()
    why: Exception = Retryable("503 service unavailable", after_s=5.0)

    def renew(self, nodes: tuple[str, ...], for_s: float) -> None:
        if self.bad & set(nodes):
            raise self.why
        super().renew(nodes, for_s)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = fresh_store(tmp_path)
    yield opened
    opened.close()


class Bench:
    """Two nodes with a lease of an hour."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock, self.span_s = store, ManualClock(), SPAN_S
        self.launcher = Moody(MemoryCloud(self.clock), deadman_s=SPAN_S)
        for name in ("a", "b"):
            self.launcher.launch(NodeOrder(name=name, offer=an_offer()))
        self.deadman = self.restarted()

    def restarted(self) -> DeadMan:
        return DeadMan(store=self.store, launcher=self.launcher, clock=self.clock, span_s=lambda: self.span_s)

    def renew(self, *, later_s: float = 0.0, spans: int = 1) -> datetime:
        self.clock.advance(later_s)
        return asyncio.run(self.deadman.renew(("a", "b"), spans))

    def running(self) -> list[str]:
        return [node.name for node in self.launcher.seen().nodes if node.ended_at is None]

    def told(self) -> list[Severity]:
        events = list_events(self.store)
        return [event.severity for event in events if event.kind is EventKind.DEADMAN][::-1]


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store)


def test_nodes_that_are_renewed_outlive_their_lease_and_others_do_not(bench: Bench) -> None:
    for _ in range(5):
        bench.renew(later_s=SPAN_S / 2)
    assert bench.running() == ["a", "b"]
    bench.clock.advance(SPAN_S)
    assert bench.running() == []


def test_a_renewal_that_fails_is_told_at_a_third_of_the_lease_and_once(bench: Bench) -> None:
    bench.renew()
    bench.launcher.bad = frozenset("ab")
    bench.renew(later_s=SPAN_S / 6)
    assert (bench.told(), bench.deadman.trouble) == ([], "")
    bench.renew(later_s=SPAN_S / 6)
    bench.renew(later_s=SPAN_S / 6)
    assert bench.told() == [Severity.PAGE]
    assert bench.running() == ["a", "b"]
    ends = f"{bench.clock.now() + timedelta(seconds=SPAN_S / 2):%Y-%m-%d %H:%M} UTC"
    assert bench.deadman.trouble == (
        "the dead-man switch of 2 nodes (a, ...) cannot be moved: 503 service unavailable;"
        f" they end themselves from {ends} on"
    )


def test_a_renewal_that_works_again_is_told_too(bench: Bench) -> None:
    bench.renew()
    bench.launcher.bad = frozenset("a")
    bench.renew(later_s=SPAN_S / 2)
    bench.launcher.bad = frozenset()
    bench.renew()
    assert bench.told() == [Severity.PAGE, Severity.NOTICE]
    assert bench.deadman.trouble == ""


def test_one_node_that_cannot_be_renewed_does_not_stop_the_others(bench: Bench) -> None:
    bench.launcher.bad = frozenset("a")
    bench.renew(later_s=SPAN_S / 2)
    bench.clock.advance(SPAN_S / 2 + 1)
    assert bench.running() == ["b"]
    assert "of a cannot be moved" in bench.deadman.trouble


def test_a_first_renewal_that_fails_is_told_at_once(bench: Bench) -> None:
    bench.launcher.bad = frozenset("ab")
    bench.deadman = bench.restarted()
    bench.renew()
    assert bench.told() == [Severity.PAGE]
    assert bench.deadman.trouble.endswith("they end themselves when their leases run out")


def test_a_bug_in_a_launcher_is_a_failed_renewal_and_no_more(bench: Bench) -> None:
    bench.launcher.bad, bench.launcher.why = frozenset("ab"), KeyError("lease")
    bench.renew()
    assert "KeyError: 'lease'" in bench.deadman.trouble


def test_a_clean_stop_may_leave_several_leases(bench: Bench) -> None:
    assert bench.renew(spans=6) == bench.clock.now() + timedelta(seconds=6 * SPAN_S)
    bench.clock.advance(5 * SPAN_S)
    assert bench.running() == ["a", "b"]


def test_a_clock_that_is_set_back_hides_no_trouble(bench: Bench) -> None:
    bench.renew()
    bench.launcher.bad = frozenset("ab")
    bench.deadman.clock = bench.clock = ManualClock(bench.clock.now() - timedelta(days=1))
    bench.renew()
    bench.renew(later_s=SPAN_S / 3)
    assert bench.told() == [Severity.PAGE]


def test_a_lease_is_renewed_six_times_and_every_ten_minutes_at_least(bench: Bench) -> None:
    assert bench.deadman.every_s() == 600.0
    bench.span_s = 12 * SPAN_S
    assert bench.restarted().every_s() == 600.0
    bench.span_s = SPAN_S / 2
    assert bench.restarted().every_s() == 300.0


def test_a_lease_that_was_made_shorter_is_renewed_more_often_at_once(bench: Bench) -> None:
    bench.renew()
    bench.span_s = 360.0
    assert bench.deadman.every_s() == 60.0


def test_a_lease_that_was_made_longer_is_renewed_as_often_as_before_until_every_node_has_it(
    bench: Bench,
) -> None:
    bench.span_s = 360.0
    bench.renew()
    bench.span_s = SPAN_S
    bench.launcher.bad = frozenset("a")
    bench.renew()
    assert bench.deadman.every_s() == 60.0
    bench.launcher.bad = frozenset()
    bench.renew()
    assert bench.deadman.every_s() == 600.0


def test_a_node_that_is_launched_has_the_lease_of_the_daemons_start_and_is_renewed_before_its_end(
    bench: Bench,
) -> None:
    bench.span_s = 360.0
    bench.deadman = bench.restarted()
    bench.span_s = SPAN_S
    bench.renew()
    assert bench.deadman.every_s() == 60.0
