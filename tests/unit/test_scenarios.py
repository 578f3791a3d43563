"""What may come: seeded traces that lie where they should, losses that designs share, what is made of it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.market.egress import Place
from bouted.market.offers import Market
from bouted.planner.goals import Risk, Robustness
from bouted.planner.losses import Losses
from bouted.planner.planned import PlannedNode
from bouted.planner.problem import PlanningProblem
from bouted.planner.rehearse import heirs
from bouted.planner.risk import mean_of_worst, over_scenarios, pooled
from bouted.planner.scenarios import scenarios, tilted, usd_spread
from bouted.planner.terms import ModelWeights
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules
from bouted.testing.fleet import an_offer, planned

SMALL = a_shape("small")


def a_case(
    count: int = 3, *, low: float = 10.0, high: float = 10.0, seed: int = 1, **changes: object
) -> PlanningProblem:
    workload = replace(a_workload(10.0), rate_low_per_s=low, rate_high_per_s=high)
    problem = a_problem(
        [an_offer()],
        a_table({SMALL: 8.0}),
        (rules("small"),),
        workload=workload,
        seed=seed,
        **changes,  # type: ignore[arg-type]
    )
    return replace(problem, robustness=Robustness(scenarios=count))


def nodes(count: int, hazard: float, market: Market = Market.SPOT) -> tuple[PlannedNode, ...]:
    offer = replace(an_offer(market=market, obtainable=count), hazard_per_hour=hazard)
    return planned(offer, count, small=1)


def test_the_first_scenario_is_the_expected_one() -> None:
    first = scenarios(a_case(low=8.0, high=20.0))[0]
    assert (first.rate_per_s, first.prompt_factor, first.spot_price_factor) == (10.0, 1.0, 1.0)
    assert len(first.draws) / first.arrivals_s[-1] == pytest.approx(10.0, rel=0.1)


@given(st.integers(2, 8), st.integers(0, 50))
def test_loads_stay_within_their_interval_and_reach_its_high_end(count: int, seed: int) -> None:
    rates = [s.rate_per_s for s in scenarios(a_case(count, low=6.0, high=25.0, seed=seed))]
    assert rates[1] == 25.0
    assert all(6.0 <= rate <= 25.0 for rate in rates)
    assert len(set(rates)) == count


def test_a_load_that_is_sure_is_the_same_everywhere() -> None:
    assert {s.rate_per_s for s in scenarios(a_case(5))} == {10.0}


@pytest.mark.parametrize("count", [1, 2, 3, 6, 12])
def test_more_scenarios_have_shorter_traces(count: int) -> None:
    found = scenarios(a_case(count))
    assert len(found) == count
    assert sum(len(s.draws) for s in found) <= max(9000, 1500 * count)


def test_the_same_seed_gives_the_same_traces_and_another_seed_others() -> None:
    first, again, other = (scenarios(a_case(seed=seed)) for seed in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.arrivals_s, b.arrivals_s)
        assert np.array_equal(a.prompt_tokens, b.prompt_tokens)
        assert np.array_equal(a.draws, b.draws)
    assert not np.array_equal(first[1].prompt_tokens, other[1].prompt_tokens)


def test_more_load_only_squeezes_the_arrivals_of_a_scenario() -> None:
    calm, busy = (scenarios(a_case(high=high))[1] for high in (12.0, 24.0))
    assert np.allclose(calm.arrivals_s, 2 * busy.arrivals_s)
    assert np.array_equal(calm.prompt_tokens, busy.prompt_tokens)


def test_prompts_get_longer_in_some_scenarios_and_shorter_in_others() -> None:
    factors = [s.prompt_factor for s in scenarios(a_case(9))[1:]]
    assert min(factors) < 0.95
    assert max(factors) > 1.05
    assert np.mean(np.log(factors)) == pytest.approx(0.0, abs=0.03)


@given(st.lists(st.integers(1, 5000), min_size=8, max_size=64), st.floats(0.8, 1.25))
def test_tilting_moves_the_mean_prompt_toward_what_was_asked(lengths: list[int], factor: float) -> None:
    prompts = np.array(lengths, dtype=np.float64)
    odds = tilted(prompts, factor)
    assert odds.sum() == pytest.approx(1.0)
    assert np.all(odds >= 0)
    moved = odds @ prompts / prompts.mean()
    assert min(1.0, factor) - 1e-6 <= moved <= max(1.0, factor) + 1e-6


def test_tilting_a_usual_mix_hits_the_mean_exactly() -> None:
    prompts = np.random.default_rng(1).lognormal(6.0, 1.0, 256)
    assert tilted(prompts, 1.2) @ prompts == pytest.approx(1.2 * prompts.mean(), rel=1e-6)


def test_what_has_no_hazard_is_never_missing() -> None:
    losses, fleet = Losses(a_case()), nodes(50, hazard=0.0)
    assert losses.odds(fleet) == 0.0
    assert losses.shortages(fleet) == ()


def test_the_longer_a_replacement_takes_the_likelier_a_node_is_missing() -> None:
    weights = ModelWeights(model="small", place=Place(provider="aws", region="us-east-1", zone=""), gib=20.0)
    fleet = nodes(1, hazard=0.5)
    quick = a_case(start_h=0.1)
    slow = replace(quick, weights=(weights,), switching=replace(quick.switching, fetch_h_per_gib=0.01))
    assert Losses(quick).odds(fleet) == pytest.approx(1 - np.exp(-0.05))
    assert Losses(slow).odds(fleet) == pytest.approx(1 - np.exp(-0.5 * 0.3))
    assert Losses(slow).shortages(fleet)[0].lasts_s == pytest.approx(0.3 * 3600)


def test_two_fleets_are_short_of_a_node_as_often_as_either_is() -> None:
    losses, few, many = Losses(a_case()), nodes(2, hazard=0.3), nodes(6, hazard=0.3)
    assert 1 - losses.odds(many) == pytest.approx((1 - losses.odds(few)) ** 3)


@given(
    st.lists(st.tuples(st.integers(1, 8), st.floats(0.0, 50.0), st.integers(1, 3)), min_size=1, max_size=7),
    st.integers(0, 100),
)
def test_shortages_miss_something_and_share_the_odds_of_missing_anything(
    parts: list[tuple[int, float, int]], seed: int
) -> None:
    fleet = tuple(
        node
        for number, (gpus, hazard, count) in enumerate(parts)
        for node in planned(
            replace(an_offer(f"p{number}", gpu_count=gpus), hazard_per_hour=hazard), count, small=gpus
        )
    )
    losses = Losses(a_case(seed=seed))
    found = losses.shortages(fleet)
    assert len(found) <= 4
    assert sum(short.odds for short in found) == pytest.approx(losses.odds(fleet))
    for short in found:
        assert short.missing
        assert all(node.offer.hazard_per_hour > 0 for node in short.missing)


def test_rare_losses_take_one_node_of_each_kind_in_proportion_to_its_hazard() -> None:
    calm = replace(an_offer("calm"), hazard_per_hour=0.01)
    risky = replace(an_offer("risky", gpu_count=2), hazard_per_hour=0.02)
    fleet = (*planned(calm, 2, small=1), *planned(risky, 3, small=2))
    first, second = Losses(a_case()).shortages(fleet)
    assert [node.offer.provider for node in first.missing] == ["risky"]
    assert [node.offer.provider for node in second.missing] == ["calm"]
    assert first.odds == pytest.approx(3 * second.odds)


def test_frequent_losses_take_each_node_with_its_odds() -> None:
    (short,) = Losses(a_case()).shortages(nodes(400, hazard=3.0))
    assert len(short.missing) / 400 == pytest.approx(1 - np.exp(-0.3), abs=0.07)


def test_a_place_in_two_fleets_has_the_same_luck_in_both() -> None:
    losses, many = Losses(a_case()), nodes(300, hazard=3.0)
    (of_few,), (of_many,) = losses.shortages(many[:200]), losses.shortages(many)
    assert set(of_few.missing) == set(of_many.missing) & set(many[:200])


def test_prices_spread_only_what_stands_on_spot() -> None:
    drawn = scenarios(a_case(9))
    spot, steady = nodes(2, 0.0), nodes(2, 0.0, Market.ON_DEMAND)
    assert usd_spread(steady, drawn) == 0.0
    assert usd_spread((), drawn) == 0.0
    assert usd_spread((*spot, *steady), drawn) == pytest.approx(usd_spread(spot, drawn) / 2)
    assert 0.02 < usd_spread(spot, drawn) < 0.15


EVEN = np.ones(4)


@pytest.mark.parametrize(
    ("risk", "tail", "told"),
    [
        (Risk.MEAN, 0.25, 4.0),
        (Risk.CVAR, 0.25, 4.0),
        (Risk.CVAR, 0.01, 4.0),
        (Risk.CVAR, 0.5, 3.5),
        (Risk.CVAR, 0.375, (4.0 + 3.0 / 2) / 1.5),
        (Risk.CVAR, 1.0, 2.5),
    ],
)
def test_what_counts_of_scenarios_is_all_requests_or_the_worst(risk: Risk, tail: float, told: float) -> None:
    seconds = [np.full(40, each) for each in (2.0, 4.0, 1.0, 3.0)]
    assert over_scenarios(seconds, EVEN, Robustness(risk=risk, tail=tail)) == pytest.approx(told)


def test_a_rare_disaster_makes_some_requests_late_and_no_more() -> None:
    usual, disaster = np.linspace(0.0, 1.0, 1001), np.full(100, 360.0)
    odds = np.array([0.99, 0.01])
    assert over_scenarios([usual, disaster], odds, Robustness()) == pytest.approx(0.95 / 0.99, rel=2e-3)
    cautious = Robustness(risk=Risk.CVAR, tail=0.1)
    assert over_scenarios([usual, disaster], odds, cautious) == pytest.approx(36.0 + 0.9 * 0.95, rel=2e-3)


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0.001, 1.0)), min_size=1, max_size=8),
    st.floats(0.01, 1.0),
)
def test_the_mean_of_the_worst_lies_between_the_mean_and_the_worst(
    rows: list[tuple[float, float]], tail: float
) -> None:
    values, odds = np.array(rows).T
    found = mean_of_worst(values, odds, tail)
    assert float(values @ odds / odds.sum()) * (1 - 1e-9) <= found <= values.max() * (1 + 1e-9)


@given(
    st.lists(st.lists(st.floats(0, 1e3), min_size=1, max_size=30), min_size=1, max_size=5),
    st.floats(0.01, 1.0),
)
def test_the_p95_of_all_lies_among_those_of_the_scenarios_or_between(
    rows: list[list[float]], odds: float
) -> None:
    seconds = [np.array(row) for row in rows]
    found = pooled(seconds, np.linspace(odds, 1.0, len(rows)))
    assert min(map(np.min, seconds)) <= found <= max(map(np.max, seconds))


@pytest.mark.parametrize(
    ("up", "expected"),
    [
        ({0, 1, 2}, [0, 1, 2]),
        ({1, 2}, [1, 1, 2]),
        ({0, 2}, [0, 2, 2]),
        ({2}, [2, 2, 2]),
        ({0, 1}, [0, 1, 2]),
        (set[int](), [0, 1, 2]),
    ],
)
def test_the_next_abler_model_inherits_and_no_less_able_one(up: set[int], expected: list[int]) -> None:
    assert heirs(3, up) == expected
