"""How prices moved between two looks at the market."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bouted.market.drift import price_drift
from bouted.testing.prices import an_offer

A = an_offer("1.00", instance_type="a")
B = an_offer("2.00", instance_type="b")
C = an_offer("4.00", instance_type="c")


def test_an_unmoved_market_has_no_steps() -> None:
    drift = price_drift((A, B), (A, B), (A.id,))
    assert drift.steps == ()
    assert drift.appeared == drift.vanished == ()
    assert drift.fleet_delta_usd_per_hour == 0


def test_steps_are_told_apart_by_whether_the_fleet_stands_on_them() -> None:
    after = (
        replace(A, usd_per_hour=Decimal("1.50")),
        replace(B, usd_per_hour=Decimal("1.00")),
        replace(C, usd_per_hour=Decimal("5.00")),
    )
    drift = price_drift((A, B, C), after, (A.id,))
    assert [(step.offer_id, step.pct) for step in drift.held] == [(A.id, 50.0)]
    assert [(step.offer_id, step.pct) for step in drift.cheaper] == [(B.id, -50.0)]
    assert [(step.offer_id, step.pct) for step in drift.dearer] == [(C.id, 25.0)]
    assert [step.offer_id for step in drift.steps] == sorted((A.id, B.id, C.id))


def test_the_fleets_bill_moves_once_for_every_node() -> None:
    after = (replace(A, usd_per_hour=Decimal("1.10")), replace(B, usd_per_hour=Decimal("1.70")))
    assert price_drift((A, B), after, (A.id, A.id, B.id)).fleet_delta_usd_per_hour == Decimal("-0.10")


def test_offers_that_come_and_go_are_named_and_are_no_steps() -> None:
    drift = price_drift((A, B), (B, C), (A.id,))
    assert (drift.appeared, drift.vanished, drift.steps) == ((C.id,), (A.id,), ())


PRICES = st.dictionaries(
    st.sampled_from("abcdef"), st.decimals("0.01", "90", places=2), min_size=1, max_size=6
)


@given(before=PRICES, after=PRICES, held=st.lists(st.sampled_from("abcdef"), max_size=5))
def test_each_moved_offer_is_in_one_part_and_there_and_back_cancels(
    before: dict[str, Decimal], after: dict[str, Decimal], held: list[str]
) -> None:
    old, new = (
        tuple(an_offer(price, instance_type=name) for name, price in side.items()) for side in (before, after)
    )
    ids = tuple(an_offer(instance_type=name).id for name in held)
    there, back = price_drift(old, new, ids), price_drift(new, old, ids)
    moved = [name for name in before.keys() & after.keys() if before[name] != after[name]]
    assert len({step.offer_id for step in there.steps}) == len(there.steps) == len(moved)
    assert there.fleet_delta_usd_per_hour == -back.fleet_delta_usd_per_hour
    assert (there.appeared, there.vanished) == (back.vanished, back.appeared)
