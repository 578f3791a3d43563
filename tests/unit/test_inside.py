"""The integer programme: the cheapest fleet, its bound, and every rule it must keep."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.market.offers import Market, Offer
from bouted.perf.shapes import ReplicaShape
from bouted.planner.inside import Ask, Fleet, Inside, TooDear
from bouted.planner.planned import Incumbent, ModelShare, PlannedNode, Template
from bouted.planner.problem import PlanningProblem
from bouted.planner.terms import Budget, PriceLife, Quota, SpotRules
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules
from bouted.testing.fleet import an_offer

SMALL, LARGE = a_shape("small"), a_shape("large")
BOTH = (rules("small"), rules("large"))


def ask(*shares: float, headroom: float = 0.0, spot: float = 1.0, switching: bool = False) -> Ask:
    return Ask(
        shares=shares, factors=(1.0,) * len(shares), headroom=headroom, spot_share=spot, switching=switching
    )


def carried(fleet: Fleet, rates: dict[ReplicaShape, float], model: str, spot: bool = True) -> float:
    return sum(
        rates[shape]
        for node in fleet.nodes
        if spot or node.offer.market is not Market.SPOT
        for shape in node.template.replicas
        if shape.model == model
    )


def bundles(gpu_count: int) -> list[tuple[int, int]]:
    """Replicas of two one-GPU models that fill a node."""
    return [(n, gpu_count - n) for n in range(gpu_count + 1)]


def brute_force(
    offers: list[Offer], rates: dict[ReplicaShape, float], needs: tuple[float, float]
) -> Decimal | None:
    """The cheapest price of all multisets of nodes that carry both needs."""
    best: Decimal | None = None
    choices = [
        [
            Counter(dict(zip(bundles(o.gpu_count), n, strict=True)))
            for n in product(range(o.obtainable + 1), repeat=o.gpu_count + 1)
            if sum(n) <= o.obtainable
        ]
        for o in offers
    ]
    for chosen in product(*choices):
        price = sum(
            (o.usd_per_hour * sum(c.values()) for o, c in zip(offers, chosen, strict=True)), Decimal(0)
        )
        if best is not None and price >= best:
            continue
        small = sum(rates[SMALL] * a * n for c in chosen for (a, _), n in c.items())
        large = sum(rates[LARGE] * b * n for c in chosen for (_, b), n in c.items())
        if small >= needs[0] - 1e-9 and large >= needs[1] - 1e-9:
            best = price
    return best


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from([1, 2]), st.integers(50, 400), st.integers(1, 2)), min_size=1, max_size=3
    ),
    st.integers(2, 6),
    st.integers(1, 4),
    st.floats(1.0, 12.0),
    st.sampled_from([0.2, 0.5, 0.9]),
)
def test_the_fleet_is_the_cheapest_of_all_and_the_bound_is_below_it(
    sold: list[tuple[int, int, int]], small_rate: int, large_rate: int, load: float, share: float
) -> None:
    offers = [
        an_offer(f"c{i}", gpu_count=n, usd_per_hour=str(Decimal(cents) / 100), obtainable=have)
        for i, (n, cents, have) in enumerate(sold)
    ]
    rates = {SMALL: float(small_rate), LARGE: float(large_rate)}
    problem = a_problem(offers, a_table(rates), BOTH, workload=a_workload(load))
    fleet = Inside(problem).cheapest_fleet(ask(1 - share, share))
    best = brute_force(offers, rates, (load * (1 - share), load * share))
    if best is None:
        assert fleet is None
    else:
        assert isinstance(fleet, Fleet)
        assert fleet.usd_per_hour <= best * Decimal("1.003")
        assert fleet.bound_usd_per_hour is not None
        assert fleet.bound_usd_per_hour <= float(best) + 1e-6
        assert fleet.bound_usd_per_hour <= float(fleet.usd_per_hour) + 1e-6


def one_gpu_problem(offers: list[Offer], load: float = 10.0, **changes: object) -> PlanningProblem:
    models = (rules("small", least=int(str(changes.pop("least", 0)))),)
    return a_problem(offers, a_table({SMALL: 4.0}), models, workload=a_workload(load), **changes)  # type: ignore[arg-type]


def test_no_more_nodes_are_taken_than_can_be_had() -> None:
    cheap = an_offer("cheap", usd_per_hour="1", obtainable=2)
    dear = an_offer("dear", usd_per_hour="3", obtainable=8)
    fleet = Inside(one_gpu_problem([cheap, dear])).cheapest_fleet(ask(1.0))
    assert isinstance(fleet, Fleet)
    assert Counter(node.offer.provider for node in fleet.nodes) == {"cheap": 2, "dear": 1}


def test_a_load_that_no_fleet_can_carry_has_no_fleet() -> None:
    assert Inside(one_gpu_problem([an_offer(obtainable=2)])).cheapest_fleet(ask(1.0)) is None


def test_owned_nodes_are_free_and_used_first() -> None:
    owned = an_offer("rack", usd_per_hour="0", market=Market.OWNED, obtainable=2)
    rented = an_offer("cloud", usd_per_hour="2")
    fleet = Inside(one_gpu_problem([owned, rented])).cheapest_fleet(ask(1.0))
    assert isinstance(fleet, Fleet)
    assert fleet.usd_per_hour == Decimal("2")
    assert Counter(node.offer.provider for node in fleet.nodes) == {"rack": 2, "cloud": 1}


def test_headroom_is_load_to_carry() -> None:
    problem = one_gpu_problem([an_offer()], load=8.0)
    exact, roomy = (Inside(problem).cheapest_fleet(ask(1.0, headroom=h)) for h in (0.0, 0.3))
    assert isinstance(exact, Fleet)
    assert isinstance(roomy, Fleet)
    assert (len(exact.nodes), len(roomy.nodes)) == (2, 3)


def test_spot_never_covers_more_than_its_share_of_the_need() -> None:
    spot = an_offer("spot", usd_per_hour="1", market=Market.SPOT, obtainable=9)
    steady = an_offer("steady", usd_per_hour="4", market=Market.ON_DEMAND, obtainable=9)
    rates = {SMALL: 4.0}
    for share, dear in ((1.0, 0), (0.5, 2), (0.2, 2), (0.0, 3)):
        fleet = Inside(one_gpu_problem([spot, steady])).cheapest_fleet(ask(1.0, spot=share))
        assert isinstance(fleet, Fleet)
        assert carried(fleet, rates, "small", spot=False) >= (1 - share) * 10.0 - 1e-9
        assert (
            sum(1 for node in fleet.nodes if node.offer is not spot and node.offer.provider == "steady")
            == dear
        )


def test_a_model_stays_on_the_clouds_and_regions_it_is_allowed() -> None:
    away = an_offer("far", gpu_count=2, usd_per_hour="1", region="us-west-1")
    home = an_offer("near", gpu_count=2, usd_per_hour="9", region="eu-west-1")
    models = (rules("small"), rules("large", clouds=("near",), regions=("eu-*",)))
    problem = a_problem([away, home], a_table({SMALL: 4.0, LARGE: 2.0}), models)
    fleet = Inside(problem).cheapest_fleet(ask(0.8, 0.2))
    assert isinstance(fleet, Fleet)
    for node in fleet.nodes:
        if any(shape.model == "large" for shape in node.template.replicas):
            assert node.offer.provider == "near"
    assert {node.offer.provider for node in fleet.nodes} == {"far", "near"}


def test_min_replicas_hold_even_for_a_model_without_load() -> None:
    models = (rules("small", least=3), rules("large", least=1))
    problem = a_problem([an_offer()], a_table({SMALL: 40.0, LARGE: 2.0}), models)
    fleet = Inside(problem).cheapest_fleet(ask(1.0, 0.0))
    assert isinstance(fleet, Fleet)
    found = Counter(shape.model for node in fleet.nodes for shape in node.template.replicas)
    assert found == {"small": 3, "large": 1}


def running(offer: Offer, count: int, first: int = 0) -> Incumbent:
    template = Template(gpu="L4", gpu_count=1, replicas=(SMALL,))
    nodes = tuple(PlannedNode(offer=offer, template=template, ordinal=n) for n in range(first, first + count))
    return Incumbent(plan_id="old", nodes=nodes, shares=(ModelShare(model="small", share=1.0),))


def test_switching_costs_keep_what_is_nearly_as_cheap() -> None:
    old = an_offer("old", usd_per_hour="2.00")
    new = an_offer("new", usd_per_hour="1.90")
    problem = one_gpu_problem([old, new], start_h=1.0, overlap_h=0.5, incumbent=running(old, 2))
    plain = Inside(problem).cheapest_fleet(ask(1.0))
    steady = Inside(problem).cheapest_fleet(ask(1.0, switching=True))
    assert isinstance(plain, Fleet)
    assert isinstance(steady, Fleet)
    assert {node.offer.provider for node in plain.nodes} == {"new"}
    assert Counter(node.offer.provider for node in steady.nodes) == {"old": 2, "new": 1}
    assert steady.usd_per_hour == Decimal("5.90")
    assert steady.bound_usd_per_hour is None


def test_a_kept_node_keeps_its_place_in_the_plan() -> None:
    offer = an_offer()
    problem = one_gpu_problem([offer], incumbent=running(offer, 2, first=3))
    fleet = Inside(problem).cheapest_fleet(ask(1.0, switching=True))
    assert isinstance(fleet, Fleet)
    assert [node.ordinal for node in fleet.nodes] == [0, 3, 4]


def test_nodes_of_an_offer_that_is_sold_out_may_stay_but_not_grow() -> None:
    gone = an_offer("gone", usd_per_hour="1", obtainable=0)
    dear = an_offer("dear", usd_per_hour="5")
    problem = one_gpu_problem([gone, dear], incumbent=running(gone, 2))
    fleet = Inside(problem).cheapest_fleet(ask(1.0, switching=True))
    assert isinstance(fleet, Fleet)
    assert Counter(node.offer.provider for node in fleet.nodes) == {"gone": 2, "dear": 1}


def bought(found: object) -> Counter[str]:
    """How many nodes of each cloud."""
    assert isinstance(found, Fleet)
    return Counter(node.offer.provider for node in found.nodes)


def a_quota(provider: str, gpus: int, market: Market = Market.SPOT) -> Quota:
    return Quota(provider=provider, region="us-*", gpu="L4", market=market, gpus=gpus)


def test_offers_under_one_quota_hold_no_more_gpus_than_it_allows() -> None:
    cheap = an_offer("cheap", usd_per_hour="1")
    wide = an_offer("cheap", gpu_count=2, usd_per_hour="2")
    dear = an_offer("dear", usd_per_hour="3")
    case = replace(one_gpu_problem([cheap, wide, dear]), quotas=(a_quota("cheap", 2),))
    fleet = Inside(case).cheapest_fleet(ask(1.0))
    assert isinstance(fleet, Fleet)
    assert sum(node.offer.gpu_count for node in fleet.nodes if node.offer.provider == "cheap") == 2
    assert bought(fleet)["dear"] == 1


def test_a_quota_says_nothing_of_another_market_or_place() -> None:
    cheap = an_offer("cheap", usd_per_hour="1")
    for quota in (
        a_quota("cheap", 0, Market.ON_DEMAND),
        replace(a_quota("cheap", 0), region="eu-*"),
        replace(a_quota("cheap", 0), gpu="T4"),
    ):
        case = replace(one_gpu_problem([cheap]), quotas=(quota,))
        assert bought(Inside(case).cheapest_fleet(ask(1.0))) == {"cheap": 3}


def test_nodes_that_run_may_stay_whatever_a_quota_says_now() -> None:
    old, dear = an_offer("old", usd_per_hour="1"), an_offer("dear", usd_per_hour="9")
    case = replace(one_gpu_problem([old, dear], incumbent=running(old, 2)), quotas=(a_quota("old", 0),))
    assert bought(Inside(case).cheapest_fleet(ask(1.0, switching=True))) == {"old": 2, "dear": 1}


def test_a_second_pool_is_used_once_losing_the_first_would_leave_too_little() -> None:
    offers = [an_offer("cheap", usd_per_hour="1"), an_offer("dear", usd_per_hour="2")]
    for share, wanted in (
        (1.0, {"cheap": 3}),
        (0.6, {"cheap": 2, "dear": 1}),
        (0.5, {"cheap": 2, "dear": 2}),
    ):
        case = replace(one_gpu_problem(offers), spot=SpotRules(max_share=1.0, pool_max_share=share))
        assert bought(Inside(case).cheapest_fleet(ask(1.0))) == wanted


def test_two_pools_of_one_zone_are_no_spread_over_zones() -> None:
    here = [an_offer("cheap", usd_per_hour="1"), replace(an_offer("cheap"), instance_type="other")]
    away = an_offer("dear", usd_per_hour="5")
    case = replace(one_gpu_problem([*here, away]), spot=SpotRules(max_share=1.0, zone_max_share=0.5))
    assert bought(Inside(case).cheapest_fleet(ask(1.0)))["dear"] == 2


def test_a_fleet_that_cannot_be_spread_is_no_fleet() -> None:
    case = replace(one_gpu_problem([an_offer()]), spot=SpotRules(max_share=1.0, pool_max_share=0.5))
    assert Inside(case).cheapest_fleet(ask(1.0)) is None


def test_new_nodes_must_fit_beside_the_old_ones_until_they_serve() -> None:
    """Moving all three at once takes $9/h; what budget and surge leave pays for one new node."""
    old, new = an_offer("old", usd_per_hour="2"), an_offer("new", usd_per_hour="1")
    case = one_gpu_problem([old, new], start_h=0.0, overlap_h=0.0, incumbent=running(old, 3), budget="6")
    for surge, wanted in (("3", {"new": 3}), ("1.5", {"new": 1, "old": 2}), ("0.5", {"old": 3})):
        budget = Budget(usd_per_hour=Decimal(6), surge_usd_per_hour=Decimal(surge))
        fleet = Inside(replace(case, budget=budget)).cheapest_fleet(ask(1.0, switching=True))
        assert bought(fleet) == wanted
        assert isinstance(fleet, Fleet)
        assert not fleet.over_surge


def test_owned_nodes_fit_beside_anything() -> None:
    old = an_offer("old", usd_per_hour="2")
    rack = an_offer("rack", usd_per_hour="0", market=Market.OWNED)
    case = one_gpu_problem([old, rack], incumbent=running(old, 3), budget="6")
    case = replace(case, budget=Budget(usd_per_hour=Decimal(6), surge_usd_per_hour=Decimal(0)))
    fleet = Inside(case).cheapest_fleet(ask(1.0, switching=True))
    assert set(bought(fleet)) == {"rack"}


def test_a_fleet_that_cannot_be_reached_beside_the_old_one_says_so() -> None:
    old = an_offer("old", usd_per_hour="2", obtainable=1)
    new = an_offer("new", usd_per_hour="2")
    case = one_gpu_problem([old, new], incumbent=running(old, 1), budget="4")
    case = replace(case, budget=Budget(usd_per_hour=Decimal(4), surge_usd_per_hour=Decimal(0)))
    fleet = Inside(case).cheapest_fleet(ask(1.0, switching=True))
    assert bought(fleet) == {"old": 1, "new": 2}
    assert isinstance(fleet, Fleet)
    assert fleet.over_surge


def test_nodes_where_their_model_may_not_run_any_more_do_not_stay() -> None:
    old, new = an_offer("old", usd_per_hour="1"), an_offer("new", usd_per_hour="9")
    case = one_gpu_problem([old, new], incumbent=running(old, 3))
    case = replace(case, models=(rules("small", clouds=("new",)),))
    assert bought(Inside(case).cheapest_fleet(ask(1.0, switching=True))) == {"new": 3}


def test_a_saving_that_does_not_last_is_not_moved_for() -> None:
    old, new = an_offer("old", usd_per_hour="2.00"), an_offer("new", usd_per_hour="1.50")
    case = one_gpu_problem([old, new], start_h=1.0, overlap_h=0.0, incumbent=running(old, 3))
    for hours, wanted in ((1.0, "old"), (48.0, "new")):
        lives = (PriceLife(offer_id=new.id, hours=hours),)
        fleet = Inside(replace(case, price_lives=lives)).cheapest_fleet(ask(1.0, switching=True))
        assert bought(fleet) == {wanted: 3}


def test_one_pipeline_over_two_instances_where_only_small_ones_are_sold() -> None:
    over = replace(a_shape("large", pp=2), instances=2)
    single = an_offer(usd_per_hour="1", obtainable=5)
    case = a_problem([single], a_table({over: 4.0}), (rules("large"),), workload=a_workload(8.0))
    assert Inside(case).cheapest_fleet(ask(1.0)) is None
    fleet = Inside(replace(case, groups=2)).cheapest_fleet(ask(1.0))
    assert isinstance(fleet, Fleet)
    assert [(node.template.instances, node.usd_per_hour) for node in fleet.nodes] == [(2, Decimal(2))] * 2
    assert fleet.usd_per_hour == 4
    tight = replace(case, groups=2, offers=(replace(single, obtainable=3),))
    assert Inside(tight).cheapest_fleet(ask(1.0)) is None


def test_an_answer_does_not_depend_on_what_was_asked_before() -> None:
    offers = [an_offer(f"c{i}", gpu_count=1 + i % 2, usd_per_hour=f"{1 + i * 0.37:.2f}") for i in range(4)]
    problem = a_problem(offers, a_table({SMALL: 4.0, LARGE: 2.0}), BOTH)
    many = [ask(share, 1 - share, spot=spot) for share in (0.2, 0.5, 0.8) for spot in (0.4, 1.0)]
    forwards, backwards = Inside(problem), Inside(problem)
    there = [forwards.cheapest_fleet(one) for one in many]
    back = [backwards.cheapest_fleet(one) for one in reversed(many)]
    assert there == back[::-1]


def test_what_costs_more_than_the_ceiling_is_known_to() -> None:
    inside = Inside(one_gpu_problem([an_offer(usd_per_hour="2")]))
    dear = inside.cheapest_fleet(ask(1.0), ceiling=5.5)
    assert isinstance(dear, TooDear)
    assert 5.5 < dear.at_least_usd_per_hour <= 6.0
    assert bought(inside.cheapest_fleet(ask(1.0), ceiling=6.0)) == {"aws": 3}
