"""What is put off waits, longer and longer, and never because of a clock that was set back."""

from datetime import datetime, timedelta

from bouted.reconcile.actions import Outcome
from bouted.reconcile.patience import MOST_S, Patience, key_of
from bouted.testing.prices import NOON

KEY = key_of("StopNode", "t-1")


def later(s: float) -> datetime:
    return NOON + timedelta(seconds=s)


def put_off(patience: Patience, now: datetime, for_s: float) -> None:
    retry_at = now + timedelta(seconds=for_s)
    patience.note(Outcome(action="StopNode", subject="t-1", ok=False, detail="busy", retry_at=retry_at), now)


def test_what_is_put_off_again_and_again_waits_twice_as_long_each_time_and_five_minutes_at_most() -> None:
    patience = Patience()
    for wait_s in (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, MOST_S, MOST_S):
        put_off(patience, NOON, 2.0)
        assert patience.waits(KEY, later(wait_s - 0.1))
        assert not patience.waits(KEY, later(wait_s))


def test_what_succeeded_or_is_wanted_no_more_starts_afresh() -> None:
    patience = Patience()
    put_off(patience, NOON, 2.0)
    patience.note(Outcome(action="StopNode", subject="t-1", ok=True, detail=""), NOON)
    assert not patience.waits(KEY, NOON)
    put_off(patience, NOON, 2.0)
    patience.keep(set())
    assert not patience.waits(KEY, NOON)


def test_a_clock_that_is_set_back_a_day_ends_the_wait() -> None:
    patience = Patience()
    put_off(patience, NOON, 30.0)
    patience.rest("LaunchNode t-2", NOON, 30.0)
    day_before = later(-86_400)
    assert not patience.waits(KEY, day_before)
    assert not patience.waits("LaunchNode t-2", day_before)
    put_off(patience, day_before, 30.0)
    assert patience.waits(KEY, day_before + timedelta(seconds=59))
    assert not patience.waits(KEY, day_before + timedelta(seconds=60))
