"""What the planner bench compares with: made-up evals, knapsacks, autoscalers, sizes of requests."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from planner_ability import ABILITIES, latent_quality
from planner_arena import Arena
from planner_autoscale import one_type, scaled, tuned_split
from planner_lists import listed
from planner_market import eight_each, many_zones
from planner_melange import Bucket, melange
from planner_pools import usd_of
from planner_sobol import sobol
from planner_spaces import CountSpace, InsideSpace

from bouted.market.offers import Confidence, Market, Offer
from bouted.planner.capacity import Capacities
from bouted.planner.problem import PlanningProblem
from bouted.planner.simulate_judge import warm
from bouted.quality.curve import QualityCurve
from bouted.testing.builders import a_problem, a_quality, a_shape, a_table, a_workload, rules, targets

MODELS = ("small", "large")


def _offer(gpu: str, usd: str, obtainable: int) -> Offer:
    return Offer(
        provider="p",
        region="r",
        zone="z",
        instance_type=f"1x-{gpu}",
        gpu=gpu,
        gpu_count=1,
        market=Market.ON_DEMAND,
        usd_per_hour=Decimal(usd),
        obtainable=obtainable,
        hazard_per_hour=0.0,
        source="test",
        observed_at=datetime(2026, 1, 1, tzinfo=UTC),
        confidence=Confidence.HIGH,
    )


def _problem(*, floor: float = 0.75, budget: str = "20") -> PlanningProblem:
    """L4 is cheap and slow, L40S twice as dear; the large model is three times as slow as the small one."""
    table = a_table(
        {
            a_shape("small", "L4"): 6.0,
            a_shape("large", "L4"): 2.0,
            a_shape("small", "L40S"): 9.0,
            a_shape("large", "L40S"): 6.0,
        }
    )
    return a_problem(
        [_offer("L4", "1", 6), _offer("L40S", "2", 6)],
        table,
        [rules(name) for name in MODELS],
        workload=a_workload(10.0),
        quality=a_quality(MODELS),
        wanted=targets(e2e=3.0, quality=floor),
        budget=budget,
    )


def test_evals_from_latent_abilities_rank_models_by_ability_and_are_tagged_synthetic() -> None:
    quality = latent_quality(ABILITIES, 5)
    means = np.mean(quality.scores, axis=0)
    assert quality.models == ("llama-3.1-8b", "qwen2.5-14b", "qwen2.5-32b", "llama-3.1-70b")
    assert np.all(np.diff(means) > 0.02)
    assert quality.synthetic
    assert list(quality.router_scores) == sorted(quality.router_scores)


def test_evals_from_latent_abilities_are_the_same_for_the_same_seed_only() -> None:
    assert latent_quality(ABILITIES, 5) == latent_quality(ABILITIES, 5)
    assert latent_quality(ABILITIES, 5) != latent_quality(ABILITIES, 6)


def test_a_router_that_sees_noisy_difficulty_beats_a_coin_and_not_an_oracle() -> None:
    pair = {name: ABILITIES[name] for name in ("llama-3.1-8b", "llama-3.1-70b")}
    quality = latent_quality(pair, 5)
    curve = QualityCurve.from_model(quality, 1)
    coin = (curve.mean([1.0, 0.0]) + curve.mean([0.0, 1.0])) / 2
    scores = np.array(quality.scores)
    gains = np.sort(scores[:, 1] - scores[:, 0])
    oracle = float(scores[:, 0].mean() + gains[len(gains) // 2 :].sum() / len(gains))
    assert coin + 0.01 < curve.mean([0.5, 0.5]) < oracle - 0.01


def test_eight_gpus_of_each_type_are_offered_at_one_price_a_gpu() -> None:
    offers = eight_each(("H100-80GB", "L40S"))
    for gpu in ("H100-80GB", "L40S"):
        mine = [offer for offer in offers if offer.gpu == gpu]
        assert sum(offer.gpu_count * offer.obtainable for offer in mine) == 8
        assert len({offer.usd_per_hour / offer.gpu_count for offer in mine}) == 1


def test_live_like_offers_are_as_many_as_asked_of_twenty_types_with_ids_of_their_own() -> None:
    offers = many_zones(500, 5)
    assert len({offer.id for offer in offers}) == 500
    assert len({offer.gpu for offer in offers}) == 20
    assert many_zones(500, 5) == offers


def test_candidate_lists_ascend_in_money_up_to_all_that_can_be_had_and_have_each_type_alone() -> None:
    arena = Arena(_problem(), 60.0)
    for model in range(2):
        fleets = listed(arena, model)
        assert fleets[0].options == ()
        assert all(fleet.usd_per_hour <= 20.0 for fleet in fleets)
        spent = [fleet.usd_per_hour for fleet in fleets]
        assert spent == sorted(spent)
        # With all the money, everything: six of each.
        assert sum(option.count for option in fleets[-1].options) == 12
        for gpu in ("L4", "L40S"):
            assert any({option.offer.gpu for option in fleet.options} == {gpu} for fleet in fleets)


def test_a_candidate_carries_no_less_than_any_other_of_its_price() -> None:
    arena = Arena(_problem(), 60.0)
    fleets = [fleet for fleet in listed(arena, 1) if fleet.usd_per_hour == 10.0]
    # Five L40S carry most of all that is to be had for $10.
    assert max(fleet.rate_per_s for fleet in fleets) == pytest.approx(
        5 * max(arena.capacities.rate(p.shape.id, 1.0) for p in arena.problem.profiles.profiles[3:])
    )


def test_the_tuned_router_uses_the_large_model_no_more_than_the_floor_needs() -> None:
    arena = Arena(_problem(), 60.0)
    split = tuned_split(arena, np.array([1.0, 10.0]))
    assert arena.curve.low(split) >= 0.75
    assert arena.curve.low([split[0] + 0.02, split[1] - 0.02]) < 0.75


def test_an_autoscaler_of_one_type_takes_the_cheapest_that_carries_the_load() -> None:
    arena = Arena(_problem(), 60.0)
    left = {offer.id: offer.obtainable for offer in arena.problem.offers}
    # The large model gets 2 a dollar on L4 and 3 on L40S; only so many are to be had.
    small, large = one_type(arena, 0, 10.0, 1.0, left), one_type(arena, 1, 10.0, 1.0, left)
    assert small is not None
    assert large is not None
    assert small[0].cut.offer.gpu == "L4"
    assert large[0].cut.offer.gpu == "L40S"
    assert one_type(arena, 1, 100.0, 1.0, left) is None


def test_what_is_scaled_model_by_model_shares_what_can_be_had() -> None:
    arena = Arena(_problem(), 60.0)
    design = scaled(arena, np.array([0.5, 0.5]), one_type, factor=1.0, load=1.0)
    assert design is not None
    looked_up = arena.cheap.score(design)
    assert looked_up is not None
    assert looked_up.violated == ()
    assert scaled(arena, np.array([0.5, 0.5]), one_type, factor=1.0, load=20.0) is None


def test_melange_is_never_dearer_than_one_type_when_sizes_are_alike() -> None:
    problem = _problem()
    arena = Arena(problem, 60.0)
    alike = Bucket(share=1.0, capacities=Capacities(problem.profiles, problem.targets))
    left = {offer.id: offer.obtainable for offer in problem.offers}
    for model in range(2):
        for rate in (3.0, 7.0, 11.0):
            mix = melange(arena, (alike,), model, rate, 1.0, left)
            one = one_type(arena, model, rate, 1.0, left)
            assert mix is not None
            assert one is None or usd_of(mix) <= usd_of(one) * 1.01 + 1e-9


def test_melange_mixes_types_where_no_single_one_is_to_be_had() -> None:
    problem = _problem()
    arena = Arena(problem, 60.0)
    alike = Bucket(share=1.0, capacities=Capacities(problem.profiles, problem.targets))
    left = {offer.id: 2 for offer in problem.offers}
    mix = melange(arena, (alike,), 0, 20.0, 1.0, left)
    assert mix is not None
    assert {item.cut.offer.gpu for item in mix} == {"L4", "L40S"}


@pytest.mark.parametrize("space", [CountSpace, InsideSpace])
def test_every_point_of_both_spaces_is_a_design_within_budget_and_availability(
    space: type[CountSpace] | type[InsideSpace],
) -> None:
    arena = Arena(_problem(), 60.0)
    room = {offer.id: offer.obtainable for offer in arena.problem.offers}
    searched = space(arena)
    rng = np.random.default_rng(1)
    found = [design for _ in range(100) if (design := searched.design(rng.random(searched.dimensions)))]
    assert len(found) > 20
    for design in found:
        assert design.usd_per_hour <= arena.problem.budget.usd_per_hour
        for offer_id, most in room.items():
            assert sum(node.offer.id == offer_id for node in design.nodes) <= most


def test_a_searcher_stops_when_it_is_late_and_what_it_saw_is_kept_in_order() -> None:
    warm()
    arena = Arena(_problem(), 1.0)
    sobol(arena, InsideSpace(arena), 1)
    times = [seen.at_s for seen in arena.seen]
    assert times
    assert times == sorted(times)
    assert times[-1] <= 1.0


def test_what_a_look_up_proves_infeasible_is_not_simulated() -> None:
    arena = Arena(_problem(floor=0.99), 60.0)
    design = scaled(arena, np.array([0.5, 0.5]), one_type, factor=1.0, load=1.0)
    assert design is not None
    assert arena.judge(design).short > 0
    assert arena.seen == []
