"""SkyPilot's own clock on each node: moved in time, checked, and told when it does not move."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bouted.providers.sky_backstop import DEAF_S, NEVER_MIN, Backstop
from bouted.providers.sky_memory import MemorySky
from bouted.providers.sky_record import NodeRecord, NodeRecords, Phase
from bouted.providers.sky_wire import SkyError

from bouted.errors import Retryable
from bouted.testing.clock import ManualClock
from bouted.testing.fleet import an_offer

LEASE_S, FOREVER_S = 3600.0, float("inf")
LEASE = timedelta(seconds=LEASE_S)


class Place:
    """One node, up since now, whose clock runs for four leases."""

    def __init__(self, root: Path) -> None:
        self.clock = ManualClock()
        self.sky = MemorySky(root=root / "sky", clock=self.clock)
        self.records = NodeRecords(root / "nodes")
        self.backstop = self.opened()
        now = self.clock.now()
        record = NodeRecord(name="n", offer=an_offer(), asked_at=now, since=now, phase=Phase.UP)
        self.records.write(replace(record, autodown_at=self.backstop.first(now)))

    def opened(self) -> Backstop:
        return Backstop(
            records=self.records, server=self.sky, client=self.sky, clock=self.clock, lease_s=LEASE_S
        )

    @property
    def record(self) -> NodeRecord:
        found = self.records.read("n")
        assert found is not None
        return found

    @property
    def left(self) -> timedelta | None:
        """For how long it is known to run."""
        at = self.record.autodown_at
        return None if at is None else at - self.clock.now()

    def hold(self, for_s: float = LEASE_S) -> None:
        self.backstop.hold((self.record,), for_s)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_it_is_left_alone_while_much_of_it_is_left_and_moved_before_little_is(place: Place) -> None:
    place.hold()
    assert place.sky.clocks == {}
    place.clock.advance(3 * LEASE_S)
    place.hold()
    assert place.sky.clocks == {"n": 240}
    assert place.left == LEASE, "what was asked for is not done yet, for all that is known"
    place.hold()
    assert place.left == 4 * LEASE


def test_a_node_whose_clock_is_not_known_gets_one(place: Place) -> None:
    place.records.write(replace(place.record, autodown_at=None))
    for _ in range(2):
        place.hold()
    assert (place.sky.clocks, place.left) == ({"n": 240}, 4 * LEASE)


def test_without_a_dead_man_clocks_are_turned_off_and_with_one_they_run_again(place: Place) -> None:
    for _ in range(3):
        place.hold(FOREVER_S)
    assert (place.sky.clocks, place.left) == ({"n": NEVER_MIN}, None)
    assert place.record.moving == ""
    for _ in range(2):
        place.hold()
    assert (place.sky.clocks, place.left) == ({"n": 240}, 4 * LEASE)


def test_a_move_that_skypilot_failed_is_told_and_tried_again(place: Place) -> None:
    place.sky.clocks_fail = SkyError(type="ClusterNotUpError", message="n is not up")
    place.clock.advance(3 * LEASE_S)
    place.hold()
    with pytest.raises(
        Retryable, match="the autodown of n could not be moved: ClusterNotUpError: n is not up"
    ):
        place.hold()
    assert place.left == LEASE
    place.sky.clocks_fail = None
    place.sky.forget_requests()
    with pytest.raises(Retryable, match="SkyPilot lost the request"):
        place.hold()
    place.hold()
    assert place.left == 4 * LEASE


def test_a_move_that_is_not_done_in_time_is_told(place: Place) -> None:
    place.sky.clocks_take_s = 7200.0
    place.clock.advance(3 * LEASE_S)
    place.hold()
    place.clock.advance(60.0)
    with pytest.raises(Retryable, match="autostop-0 is not done, and 3540 s are left"):
        place.hold()


def test_a_server_that_does_not_answer_is_asked_once_and_not_for_every_node(place: Place) -> None:
    place.sky.deaf = True
    place.clock.advance(3 * LEASE_S)
    many = [replace(place.record, name=f"n{number}") for number in range(50)]
    with pytest.raises(Retryable, match=r"n0 could not be moved: SkyPilot did not answer .* \(50 nodes\)"):
        place.backstop.hold(many, LEASE_S)
    assert place.sky.unheard == ["autodown"]
    place.clock.advance(DEAF_S + 1)
    with pytest.raises(Retryable):
        place.hold()
    assert place.sky.unheard == ["autodown"] * 2
    place.sky.trouble = "it does not answer"
    with pytest.raises(Retryable, match="it does not answer"):
        place.opened().hold((place.record,), LEASE_S)
    assert len(place.sky.unheard) == 2
