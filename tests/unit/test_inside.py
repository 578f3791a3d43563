"""The integer programme: the cheapest fleet, its bound, and every rule it must keep."""

from collections import Counter
from decimal import Decimal
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.market.offers import Market, Offer
from bouted.perf.shapes import ReplicaShape
from bouted.planner.inside import Ask, Fleet, Inside
from bouted.planner.problem import Incumbent, ModelShare, PlannedNode, PlanningProblem, Template
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
