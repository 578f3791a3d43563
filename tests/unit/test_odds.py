"""What is learned about an offer fades, adds up in any order of looking, and moves the offer's own odds."""

from dataclasses import replace
from datetime import datetime, timedelta
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.market.odds import (
    HALF_LIFE,
    LONGEST_STOCK_OUT,
    PRIOR_REFUSED,
    STOCK_OUT_HALF_LIFE,
    Odds,
    faded,
    granted,
    hazard_per_hour,
    learned,
    lost,
    refusal_odds,
    refused,
    stock_out,
    survived,
)
from bouted.testing.fleet import START, an_offer

HOUR = timedelta(hours=1)
OFFER = replace(an_offer(obtainable=8), hazard_per_hour=0.05)


def test_without_evidence_the_advice_stands() -> None:
    assert learned(OFFER, None, START) == OFFER
    assert hazard_per_hour(None, 0.05, START) == 0.05
    assert refusal_odds(None, START) == PRIOR_REFUSED
    assert stock_out(None, START) == 0.0
    empty = Odds(as_of=START)
    assert isclose(hazard_per_hour(empty, 0.05, START), 0.05)
    assert isclose(refusal_odds(empty, START), PRIOR_REFUSED)


def test_evidence_loses_half_its_weight_in_a_half_life() -> None:
    odds = Odds(as_of=START, hours=100.0, losses=2.0, granted=4.0, refused=8.0)
    after = faded(odds, START + HALF_LIFE)
    assert (after.hours, after.losses, after.granted, after.refused) == (50.0, 1.0, 2.0, 4.0)
    assert faded(odds, START + 7 * HOUR, 7 * HOUR).hours == 50.0
    assert faded(odds, START - HOUR) == odds


def test_quiet_hours_lower_the_hazard_and_losses_raise_it() -> None:
    quiet = survived(None, 100.0, START)
    assert hazard_per_hour(quiet, 0.05, START) == pytest.approx(0.0099, abs=1e-4)
    taken = lost(survived(None, 1.0, START), START)
    assert hazard_per_hour(taken, 0.05, START) > 0.08
    assert hazard_per_hour(lost(None, START), 0.0, START) > 0.0


def test_refusals_raise_the_odds_of_the_next_one_and_grants_lower_them() -> None:
    once = refused(None, START)
    thrice = refused(refused(once, START), START)
    assert refusal_odds(once, START) == pytest.approx(0.4)
    assert refusal_odds(thrice, START) == pytest.approx(0.64)
    assert refusal_odds(granted(thrice, START), START) < refusal_odds(thrice, START)
    assert refusal_odds(thrice, START + 20 * HALF_LIFE) == pytest.approx(PRIOR_REFUSED, abs=1e-4)


def test_a_stock_out_passes_and_returns_later_each_time() -> None:
    odds = refused(None, START)
    assert [stock_out(odds, START + hours * HOUR) for hours in (0, 1, 2)] == [1.0, 0.5, 0.25]
    twice = refused(odds, START)
    assert stock_out(twice, START + 2 * STOCK_OUT_HALF_LIFE) == 0.5
    for _ in range(100):
        odds = refused(odds, START)
    assert stock_out(odds, START + LONGEST_STOCK_OUT) == 0.5
    assert stock_out(granted(odds, START), START) == 0.0


@pytest.mark.parametrize(("hours", "of_eight", "of_one"), [(0, 0, 0), (0.9, 4, 0), (1, 4, 1), (2, 6, 1)])
def test_what_can_be_had_shrinks_after_a_refusal(hours: float, of_eight: int, of_one: int) -> None:
    odds, now = refused(None, START), START + hours * HOUR
    assert learned(OFFER, odds, now).obtainable == of_eight
    assert learned(replace(OFFER, obtainable=1), odds, now).obtainable == of_one
    assert learned(replace(OFFER, obtainable=0), odds, now).obtainable == 0


def test_news_that_comes_late_counts_as_of_its_time() -> None:
    one, other = START, START + 5 * HOUR
    in_order = lost(survived(None, 3.0, one), other)
    late = survived(lost(None, other), 3.0, one)
    assert isclose(in_order.hours, late.hours)
    assert isclose(in_order.losses, late.losses)
    assert late.as_of == in_order.as_of == other


def test_a_grant_that_is_told_late_does_not_end_a_later_stock_out() -> None:
    odds = granted(refused(None, START), START - HOUR)
    assert stock_out(odds, START) == 1.0


def test_counts_below_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="less than nothing"):
        Odds(as_of=START, hours=-1.0)


times = st.integers(0, 60 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
events = st.lists(st.tuples(st.sampled_from(["granted", "refused", "lost", "survived"]), times), max_size=20)


def lived(happened: list[tuple[str, datetime]]) -> Odds | None:
    odds: Odds | None = None
    for kind, at in happened:
        match kind:
            case "granted":
                odds = granted(odds, at)
            case "refused":
                odds = refused(odds, at)
            case "lost":
                odds = lost(odds, at)
            case _:
                odds = survived(odds, 2.5, at)
    return odds


@given(happened=events, prior=st.floats(0, 1), obtainable=st.integers(0, 100))
def test_whatever_happened_odds_stay_odds(
    happened: list[tuple[str, datetime]], prior: float, obtainable: int
) -> None:
    odds, now = lived(happened), START + timedelta(days=60)
    offer = replace(OFFER, hazard_per_hour=prior, obtainable=obtainable)
    after = learned(offer, odds, now)
    assert 0.0 <= after.hazard_per_hour <= 1.0
    assert 0 <= after.obtainable <= obtainable
    assert 0.0 < refusal_odds(odds, now) < 1.0
    assert replace(after, hazard_per_hour=prior, obtainable=obtainable) == offer


@given(happened=events)
def test_the_order_of_telling_does_not_change_the_weights(happened: list[tuple[str, datetime]]) -> None:
    now = START + timedelta(days=60)
    one, other = lived(happened), lived(sorted(happened, key=lambda event: event[1]))
    if one is None or other is None:
        return
    for name in ("hours", "losses", "granted", "refused"):
        assert isclose(
            getattr(faded(one, now), name), getattr(faded(other, now), name), rel_tol=1e-9, abs_tol=1e-12
        )
