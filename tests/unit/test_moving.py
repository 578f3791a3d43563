"""Fetching weights is part of what a move costs: for the search, for the choice, and in what is said."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from bouted.policies.select import ByRule
from bouted.policies.select_move import fetching_cost, moving_cost
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.catalog.load import load_catalog, load_egress
from bouted.catalog.precision import Precision
from bouted.codec import dump, parse
from bouted.market.egress import FREE, Egress, parse_place
from bouted.market.offers import Market, Offer
from bouted.planner.design import Design, Estimate, Frontier, Judge, ScoredDesign
from bouted.planner.inside import Ask, Fleet, Inside
from bouted.planner.moving import Fetching, Lives, download_gib, drop_usd, start_usd
from bouted.planner.plan import Choice, Trigger
from bouted.planner.plan_from import make_plan
from bouted.planner.planned import Incumbent, ModelShare, PlannedNode
from bouted.planner.pools import pools
from bouted.planner.problem import PlanningProblem
from bouted.planner.terms import ModelWeights, PriceLife, SwitchingCosts
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules, targets
from bouted.testing.fleet import a_template, an_offer, planned

SHARES = (ModelShare(model="small", share=1.0),)
LISTED = Egress(listed=tuple(fact.rule() for fact in load_egress()))
BUCKET = ModelWeights(model="small", place=parse_place("aws/us-east-1"), gib=100.0)


def asking(switching: bool = True) -> Ask:
    return Ask(shares=(1.0,), factors=(1.0,), headroom=0.0, spot_share=1.0, switching=switching)


def running(offer: Offer, count: int) -> Incumbent:
    return Incumbent(plan_id="7f3a2", nodes=planned(offer, count, small=1), shares=SHARES)


def problem(
    *offers: Offer,
    incumbent: Incumbent | None = None,
    weights: ModelWeights = BUCKET,
    egress: Egress = LISTED,
) -> PlanningProblem:
    return a_problem(
        offers or (an_offer(),),
        a_table({a_shape("small"): 4.0}),
        (rules("small"),),
        wanted=targets(e2e=12.0),
        incumbent=incumbent,
        weights=(weights,),
        egress=egress,
    )


@pytest.mark.parametrize(
    ("model", "precision", "gib"),
    [
        ("llama-3.1-8b", Precision.BF16, 8.03e9 * 2 / 2**30),
        ("llama-3.1-70b", Precision.BF16, 70.55e9 * 2 / 2**30),
        ("llama-3.1-70b", Precision.FP8, (70.55e9 + 2 * 128256 * 8192) / 2**30),
    ],
)
def test_a_download_is_the_parameters_in_the_precision_served(
    model: str, precision: Precision, gib: float
) -> None:
    assert download_gib(load_catalog().model(model), precision) == pytest.approx(gib, rel=0.002)


@pytest.mark.parametrize(
    ("provider", "region", "usd"),
    [("aws", "us-east-1", "0"), ("aws", "us-west-2", "2"), ("gcp", "us-central1", "9"), ("owned", "hq", "9")],
)
def test_fetching_costs_the_way_from_the_bucket_to_the_node(provider: str, region: str, usd: str) -> None:
    offer = an_offer(provider, region=region)
    assert Fetching(problem()).usd("small", offer) == Decimal(usd)
    assert Fetching(problem()).usd("another", offer) == 0


def test_a_node_fetches_each_of_its_models_once() -> None:
    gcp = an_offer("gcp", gpu_count=4)
    other = ModelWeights(model="large", place=parse_place("gcp/europe-west4"), gib=10.0)
    case = replace(problem(), weights=(BUCKET, other))
    assert Fetching(case).nodes_usd(planned(gcp, 2, small=2, large=2)) == 2 * (Decimal(9) + Decimal("0.2"))


def test_weights_from_a_hub_are_free_and_leave_the_search_as_it_was() -> None:
    hub = replace(BUCKET, place=parse_place("internet"))
    old, new = an_offer("gcp", usd_per_hour="2.00"), an_offer("azure", usd_per_hour="1.50")
    plain = replace(problem(old, new, incumbent=running(old, 3)), weights=(), egress=FREE)
    from_hub = problem(old, new, incumbent=running(old, 3), weights=hub)
    assert pools(from_hub) == pools(plain)
    assert Inside(from_hub).cheapest_fleet(asking()) == Inside(plain).cheapest_fleet(asking())
    after = Design(nodes=planned(new, 3, small=1), shares=SHARES)
    assert moving_cost(after, planned(old, 3, small=1), from_hub) == moving_cost(
        after, planned(old, 3, small=1), plain
    )


def test_the_search_keeps_a_node_where_fetching_elsewhere_eats_the_saving() -> None:
    old = an_offer("aws", usd_per_hour="2.00")
    near = an_offer("aws", gpu="L4", usd_per_hour="1.60", market=Market.ON_DEMAND)
    far = an_offer("gcp", usd_per_hour="1.50")
    fleet = Inside(problem(old, far, incumbent=running(old, 3))).cheapest_fleet(asking())
    assert isinstance(fleet, Fleet)
    assert {node.offer.provider for node in fleet.nodes} == {"aws"}
    fleet = Inside(problem(old, near, far, incumbent=running(old, 3))).cheapest_fleet(asking())
    assert isinstance(fleet, Fleet)
    assert {node.offer.market for node in fleet.nodes} == {Market.ON_DEMAND}


def test_the_bound_and_the_first_plan_know_nothing_of_one_time_costs() -> None:
    far = an_offer("gcp", usd_per_hour="1.50")
    fleet = Inside(problem(far)).cheapest_fleet(asking(switching=False))
    assert isinstance(fleet, Fleet)
    assert fleet.bound_usd_per_hour == pytest.approx(4.5, rel=0.01)


@settings(max_examples=60, deadline=None)
@given(
    prices=st.lists(st.integers(100, 300), min_size=3, max_size=3),
    gib=st.integers(0, 300),
    held=st.integers(0, 3),
    load=st.floats(1.0, 14.0),
)
def test_the_fleet_is_the_cheapest_once_fetching_is_spread_over_the_life_of_prices(
    prices: list[int], gib: int, held: int, load: float
) -> None:
    """Against every mix of one-GPU nodes from three places."""
    old, near, far = (
        an_offer(provider, region=region, usd_per_hour=str(Decimal(cents) / 100), obtainable=4)
        for (provider, region), cents in zip(
            (("aws", "us-east-1"), ("aws", "us-west-2"), ("gcp", "us-central1")), prices, strict=True
        )
    )
    case = replace(
        problem(old, near, far, incumbent=running(old, held), weights=replace(BUCKET, gib=float(gib))),
        workload=a_workload(load),
    )
    life_h = case.price_life_h
    fetching, start, overlap = Fetching(case), 0.1 / life_h, 0.1 / life_h

    def cost(counts: tuple[int, int, int]) -> float:
        total = 0.0
        for offer, n in zip((old, near, far), counts, strict=True):
            usd = float(offer.usd_per_hour)
            kept = min(n, held) if offer is old else 0
            total += n * usd + (n - kept) * (usd * start + float(fetching.usd("small", offer)) / life_h)
            total += (held - kept) * usd * overlap if offer is old else 0.0
        return total

    needed = -(-load // 4.0)
    mixes = [(a, b, c) for a in range(5) for b in range(5) for c in range(5) if a + b + c >= needed]
    fleet = Inside(case).cheapest_fleet(asking())
    assert isinstance(fleet, Fleet)
    found = tuple(sum(n.offer.id == offer.id for n in fleet.nodes) for offer in (old, near, far))
    assert cost((found[0], found[1], found[2])) <= min(map(cost, mixes)) * 1.003 + 1e-9


def scored(fleet: tuple[PlannedNode, ...], violated: tuple[str, ...] = ()) -> ScoredDesign:
    design = Design(nodes=fleet, shares=SHARES)
    estimate = Estimate(
        usd_per_hour=design.usd_per_hour,
        ttft_p95_s=1.0,
        tpot_p95_s=0.05,
        e2e_p95_s=8.0,
        quality=0.8,
        quality_low=0.79,
        bound_usd_per_hour=1.0,
        judge=Judge.SIMULATED,
        spread=0.1,
    )
    return ScoredDesign(design=design, estimate=estimate, violated=violated)


def choose(new: ScoredDesign, old: ScoredDesign | None, payback_h: float) -> Choice:
    incumbent = Incumbent(plan_id="7f3a2", nodes=old.design.nodes, shares=SHARES) if old else None
    front = Frontier(designs=(new,), incumbent=old, nearest=None, swept=1, simulated=1, seconds=1.0, seed=1)
    case = replace(problem(incumbent=incumbent), price_life_h=9.0)
    return ByRule(min_payback_h=payback_h).select(front, case)


OLD, NEW = (
    planned(an_offer("aws", usd_per_hour="3.20"), 1, small=1),
    planned(an_offer("gcp", usd_per_hour="2.00"), 1, small=1),
)


def test_a_move_that_pays_back_says_what_part_of_it_is_for_fetching() -> None:
    choice = choose(scored(NEW), scored(OLD), payback_h=10.0)
    assert not choice.held
    assert choice.why == (
        "saves $1.20/h over plan 7f3a2, prices like these hold 9 h; moving costs $9.52 ($9.00 of it to fetch"
        " weights), pays back in 7.93 h",
    )


def test_fetching_may_be_what_makes_a_move_not_worth_it() -> None:
    choice = choose(scored(NEW), scored(OLD), payback_h=1.0)
    assert choice.held
    assert choice.why == (
        "plan 7f3a2 stays: $1.20/h could be saved, but moving costs $9.52 ($9.00 of it to fetch weights)"
        " and would pay back in 7.93 h",
    )


def test_a_forced_move_and_a_first_plan_tell_it_too() -> None:
    forced = choose(scored(NEW), scored(OLD, violated=("capacity",)), payback_h=1.0)
    assert forced.why[1].endswith("moving costs $9.52 ($9.00 of it to fetch weights)")
    first = choose(scored(NEW), None, payback_h=1.0)
    assert first.why == (
        "the only design found that meets every target; fetching its weights costs $9.00 once",
    )


def test_nodes_that_stay_fetch_nothing() -> None:
    design = Design(nodes=(*OLD, *NEW), shares=SHARES)
    assert fetching_cost(design, OLD, problem()) == 9
    assert fetching_cost(design, design.nodes, problem()) == 0


def test_a_plan_tells_what_is_committed_beside_it() -> None:
    case = replace(problem(an_offer()), committed_usd_per_hour=Decimal("17.60"))
    choice = choose(scored(OLD), None, payback_h=1.0)
    made = [
        make_plan(
            choice,
            one,
            trigger=Trigger.FIRST,
            created_at=datetime(2026, 11, 1, tzinfo=UTC),
            config_hash="c",
            problem_hash="p",
            seconds_to_plan=1.0,
        ).why
        for one in (case, replace(case, committed_usd_per_hour=Decimal(0)))
    ]
    assert made[0] == (*choice.why, "committed machines cost $17.60/h on top, used or not")
    assert made[1] == choice.why


def test_a_problem_survives_the_way_to_the_worker_and_an_old_one_is_free() -> None:
    case = problem(an_offer(), incumbent=running(an_offer(), 1), egress=LISTED)
    assert parse(PlanningProblem, dump(PlanningProblem, case)) == case
    older = json.loads(dump(PlanningProblem, case))
    for key in ("weights", "egress", "committed_usd_per_hour"):
        del older[key]
    found = parse(PlanningProblem, json.dumps(older))
    assert Fetching(found).usd("small", an_offer("gcp")) == found.committed_usd_per_hour == 0


def test_a_template_is_fetched_for_by_its_models_not_its_replicas() -> None:
    template = a_template("L4", 4, small=4)
    node = PlannedNode(offer=an_offer("gcp", gpu_count=4), template=template, ordinal=0)
    assert Fetching(problem()).nodes_usd([node]) == 9


def test_starting_takes_longer_where_more_is_fetched() -> None:
    """$2/h for 0.1 h and 100 GiB at 0.01 h each, and $9 of egress; a group pays for each instance."""
    case = replace(problem(), switching=SwitchingCosts(start_h=0.1, overlap_h=0.5, fetch_h_per_gib=0.01))
    (node,) = planned(an_offer("gcp", usd_per_hour="2"), 1, small=1)
    assert start_usd(node, case) == Decimal("2.2") + 9
    assert drop_usd(node, case) == Decimal("1.0")
    (other,) = planned(an_offer("gcp", usd_per_hour="2"), 1, another=1)
    assert start_usd(other, case) == Decimal("0.2")
    group = replace(node, template=replace(node.template, instances=3))
    assert (start_usd(group, case), drop_usd(group, case)) == (3 * start_usd(node, case), Decimal(3))


@pytest.mark.parametrize(
    ("learned_h", "hours"), [(None, 6.0), (6.0, 6.0), (7.0, 6.0), (11.0, 12.0), (1.0, 0.75), (100.0, 96.0)]
)
def test_a_price_lives_as_long_as_was_learned_to_a_power_of_two(
    learned_h: float | None, hours: float
) -> None:
    offer = an_offer()
    lives = () if learned_h is None else (PriceLife(offer_id=offer.id, hours=learned_h),)
    assert Lives(replace(problem(offer), price_lives=lives)).hours(offer) == hours
