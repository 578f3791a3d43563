"""When to plan again."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from bouted.policies.replan import ReplanOnDrift
from hypothesis import given
from hypothesis import strategies as st

from bouted import plugins
from bouted.codec import dump, parse
from bouted.market.offers import Offer
from bouted.planner.plan import Trigger
from bouted.planner.situation import Direction, LoadShift, ReplanPolicy, Situation
from bouted.testing.prices import NOON, an_offer

POLICY = ReplanOnDrift(price_step_pct=10, load_step_pct=30, load_settle_s=60, min_gap_s=60)
HELD = an_offer("1.00", instance_type="held")
OTHER = an_offer("2.00", instance_type="other")
PLANNED = Situation(at=NOON, config_hash="c", offers=(HELD, OTHER), held=(HELD.id,), rate_per_s=4.0)


def later(s: float) -> datetime:
    return NOON + timedelta(seconds=s)


def why(current: Situation, after_s: float = 600) -> tuple[Trigger, str] | None:
    reason = POLICY.reason(PLANNED, current, later(after_s))
    return (reason.trigger, reason.detail) if reason else None


def at_price(offer: Offer, usd_per_hour: str) -> Offer:
    return replace(offer, usd_per_hour=Decimal(usd_per_hour))


def off(direction: Direction, since_s: float) -> LoadShift:
    return LoadShift(direction=direction, since=later(since_s))


def test_without_a_plan_there_is_a_first_one() -> None:
    reason = POLICY.reason(None, PLANNED, NOON)
    assert reason is not None
    assert reason.trigger is Trigger.FIRST


def test_nothing_new_is_no_reason() -> None:
    assert why(PLANNED) is None


@pytest.mark.parametrize(("before", "now"), [("0", "2.50"), ("2.50", "0")], ids=["adopted", "let go"])
def test_what_is_adopted_or_let_go_is_acted_on_at_once(before: str, now: str) -> None:
    previous = replace(PLANNED, adopted_usd_per_hour=Decimal(before))
    reason = POLICY.reason(previous, replace(PLANNED, adopted_usd_per_hour=Decimal(now)), NOON)
    assert reason is not None
    assert reason.trigger is Trigger.OPERATOR
    assert (
        reason.detail
        == f"adopted endpoints cost ${Decimal(now):.2f}/h, planned beside ${Decimal(before):.2f}/h"
    )
    assert POLICY.reason(previous, previous, later(600)) is None


def test_a_config_that_plans_depend_on_is_acted_on_at_once() -> None:
    assert why(replace(PLANNED, config_hash="d"), 0) == (
        Trigger.CONFIG, "the config changed what plans depend on",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("held", "other", "told"),
    [
        ("1.09", "2.00", None),
        ("1.10", "2.00", "aws/us-east-1/held/spot +10 % ($1.00 -> $1.10)"),
        ("0.90", "2.00", "aws/us-east-1/held/spot -10 % ($1.00 -> $0.90)"),
        ("1.00", "1.81", None),
        ("1.00", "1.80", "aws/us-east-1/other/spot -10 % ($2.00 -> $1.80)"),
        ("1.00", "9.00", None),
        ("1.20", "1.00", "aws/us-east-1/other/spot -50 % ($2.00 -> $1.00) and 1 more"),
    ],
    ids=["held moved", "held rose", "held fell", "other moved", "other fell", "other rose", "both"],
)  # fmt: skip
def test_a_price_step_matters_when_it_is_held_or_falls(held: str, other: str, told: str | None) -> None:
    current = replace(PLANNED, offers=(at_price(HELD, held), at_price(OTHER, other)))
    assert why(current) == (None if told is None else (Trigger.PRICE, told))


def test_a_slow_creep_counts_from_what_was_planned_with() -> None:
    steps = ["1.03", "1.06", "1.09", "1.12"]
    told = [why(replace(PLANNED, offers=(at_price(HELD, price), OTHER))) for price in steps]
    assert [one is not None for one in told] == [False, False, False, True]


@pytest.mark.parametrize(
    ("new", "matters"),
    [
        (an_offer("0.95", instance_type="new"), False),
        (an_offer("0.90", instance_type="new"), True),
        (an_offer("3.60", instance_type="new", gpu_count=4), True),
        (an_offer("9.00", instance_type="new", gpu="H100-80GB"), True),
    ],
    ids=["hardly cheaper", "cheaper", "cheaper per GPU", "a GPU not seen before"],
)
def test_a_new_offer_matters_when_it_undercuts_its_gpu(new: Offer, matters: bool) -> None:
    assert (why(replace(PLANNED, offers=(HELD, OTHER, new))) is not None) is matters


def test_a_price_step_waits_for_the_gap_between_plans() -> None:
    current = replace(PLANNED, offers=(at_price(HELD, "2.00"), OTHER))
    assert why(current, 59) is None
    assert why(current, 60) is not None


def test_a_plan_made_later_than_now_keeps_no_gap() -> None:
    current = replace(PLANNED, offers=(at_price(HELD, "2.00"), OTHER))
    assert why(current, -86_400) is not None


@pytest.mark.parametrize(
    ("low", "high", "shift"),
    [
        (3.0, 5.0, None),
        (5.0, 7.0, None),
        (5.2, 7.0, Direction.UP),
        (2.0, 2.8, Direction.DOWN),
        (2.0, 3.0, None),
        (0.0, 0.0, Direction.DOWN),
    ],
)
def test_the_load_is_off_when_its_whole_interval_is(low: float, high: float, shift: Direction | None) -> None:
    got = POLICY.load_shift(4.0, low, high, None, NOON)
    assert (got.direction if got else None) is shift


def test_a_plan_for_no_load_is_off_with_any_load_and_right_without() -> None:
    assert POLICY.load_shift(0.0, 0.0, 0.0, None, NOON) is None
    assert POLICY.load_shift(0.0, 0.5, 2.0, None, NOON) == off(Direction.UP, 0)


def test_a_shift_keeps_its_start_until_it_turns_or_ends() -> None:
    shift = POLICY.load_shift(4.0, 6.0, 8.0, None, later(0))
    shift = POLICY.load_shift(4.0, 7.0, 9.0, shift, later(10))
    assert shift == off(Direction.UP, 0)
    turned = POLICY.load_shift(4.0, 1.0, 2.0, shift, later(20))
    assert turned == off(Direction.DOWN, 20)
    assert POLICY.load_shift(4.0, 3.0, 5.0, turned, later(30)) is None


def test_a_shift_that_began_later_than_now_begins_now() -> None:
    shift = POLICY.load_shift(4.0, 6.0, 8.0, off(Direction.UP, 86_400), NOON)
    assert shift == off(Direction.UP, 0)


@pytest.mark.parametrize(
    ("shift", "targets_met", "after_s", "fires"),
    [
        (off(Direction.UP, 0), True, 19, False),
        (off(Direction.UP, 0), True, 20, True),
        (off(Direction.UP, 0), None, 20, True),
        (off(Direction.UP, 0), False, 1, True),
        (off(Direction.DOWN, 0), False, 59, False),
        (off(Direction.DOWN, 0), True, 60, True),
        (off(Direction.DOWN, 50), True, 100, False),
    ],
    ids=["just rising", "rising", "not measured", "targets missed", "just falling", "falling", "anew"],
)  # fmt: skip
def test_a_rise_is_acted_on_sooner_than_a_fall(
    shift: LoadShift, targets_met: bool | None, after_s: float, fires: bool
) -> None:
    current = replace(PLANNED, rate_per_s=8.0, load_shift=shift, targets_met=targets_met)
    got = why(current, after_s)
    assert (got is not None) is fires
    if got:
        assert got[0] is Trigger.LOAD
        assert "8 queries/s, planned for 4" in got[1]


def test_lost_capacity_is_acted_on_at_once_and_once() -> None:
    current = replace(PLANNED, lost_nodes=("n-2",), out_of_stock=(HELD.id,))
    assert why(current, 0) == (Trigger.CAPACITY, f"out of stock: {HELD.id}; lost: n-2")
    assert POLICY.reason(current, current, later(600)) is None


def test_an_offer_whose_launches_fail_is_a_reason_at_once_and_once_whatever_is_said_next() -> None:
    current = replace(PLANNED, not_launching={HELD.id: "UnauthorizedOperation"})
    assert why(current, 0) == (Trigger.CAPACITY, f"launches fail of {HELD.id}: UnauthorizedOperation")
    again = replace(current, not_launching={HELD.id: "UnauthorizedOperation, once more"})
    assert POLICY.reason(current, again, later(600)) is None
    back = POLICY.reason(current, PLANNED, later(90))
    assert back is not None
    assert back.detail == f"worth another try: {HELD.id}"


def test_stock_that_may_be_back_is_tried_after_the_gap() -> None:
    planned = replace(PLANNED, out_of_stock=(OTHER.id,))
    assert POLICY.reason(planned, PLANNED, later(30)) is None
    reason = POLICY.reason(planned, PLANNED, later(90))
    assert reason is not None
    assert reason.trigger is Trigger.CAPACITY
    assert OTHER.id in reason.detail


def test_a_lost_node_that_was_replaced_is_no_reason() -> None:
    assert POLICY.reason(replace(PLANNED, lost_nodes=("n-2",)), PLANNED, later(600)) is None


@given(
    held=st.decimals("0.05", "20", places=2),
    other=st.decimals("0.05", "20", places=2),
    rate=st.floats(0, 50),
    lost=st.lists(st.sampled_from(["n-1", "n-2"]), unique=True),
    after_s=st.integers(0, 7200),
)
def test_planning_for_the_present_leaves_no_reason_to_plan_again(
    held: Decimal, other: Decimal, rate: float, lost: list[str], after_s: int
) -> None:
    current = Situation(
        at=NOON,
        config_hash="x",
        offers=(at_price(HELD, str(held)), at_price(OTHER, str(other))),
        held=(OTHER.id,),
        rate_per_s=rate,
        load_shift=POLICY.load_shift(rate, rate, rate, None, NOON),
        lost_nodes=tuple(lost),
    )
    assert POLICY.reason(current, current, later(after_s)) is None


def test_a_situation_survives_the_store() -> None:
    situation = replace(PLANNED, load_shift=off(Direction.UP, 3), lost_nodes=("n",), targets_met=False)
    assert parse(Situation, dump(Situation, situation)) == situation


def test_the_policy_is_installed_under_its_name() -> None:
    policy: ReplanPolicy = plugins.load("bouted.policies", "drift")(
        price_step_pct=10, load_step_pct=30, load_settle_s=60, min_gap_s=60
    )
    assert isinstance(policy, ReplanOnDrift)
