"""The integer programme against every fleet there is, in small worlds with every rule at once."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import event, given, settings
from hypothesis import strategies as st

from bouted.market.egress import Place
from bouted.market.offers import Market, Offer
from bouted.perf.shapes import ReplicaShape
from bouted.planner.cheapest import GAP
from bouted.planner.inside import Ask, Fleet, Inside
from bouted.planner.planned import Incumbent, ModelShare, PlannedNode, Template
from bouted.planner.terms import ModelWeights, PriceLife, Quota, SpotRules, SwitchingCosts
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules
from bouted.testing.every_fleet import EveryFleet
from bouted.testing.fleet import an_offer

SMALL, LARGE, LARGE2 = a_shape("small"), a_shape("large"), a_shape("large", tp=2)
OVER_TWO = replace(a_shape("large", pp=2), instances=2)
PLACES = (("aws", "us-1"), ("aws", "us-2"), ("gcp", "eu-1"))
SHARES = (ModelShare(model="small", share=0.5), ModelShare(model="large", share=0.5))

held_counts = st.sampled_from([0, 0, 1, 1, 2])
shares_kept = st.sampled_from([1.0, 1.0, 1.0, 0.6, 0.4])


@st.composite
def offers(draw: st.DrawFn) -> tuple[Offer, ...]:
    """Up to three, on any market, in three places; two-GPU instances are scarce."""
    found = []
    for provider, region in PLACES[: draw(st.sampled_from([1, 2, 3, 3]))]:
        market = draw(st.sampled_from([Market.SPOT, Market.SPOT, Market.ON_DEMAND, Market.OWNED]))
        gpus = draw(st.sampled_from([1, 1, 2]))
        cents = 0 if market is Market.OWNED and draw(st.booleans()) else draw(st.integers(50, 400))
        found.append(
            an_offer(
                provider,
                region=region,
                gpu_count=gpus,
                market=market,
                usd_per_hour=str(Decimal(cents) / 100),
                obtainable=draw(st.sampled_from([0, 1, 2, 3, 3] if gpus == 1 else [1, 2, 2])),
            )
        )
    return tuple(found)


@st.composite
def alike(draw: st.DrawFn) -> tuple[Offer, ...]:
    """Three or four offers of one-GPU instances that differ in their price, and in how long it holds."""
    market = draw(st.sampled_from([Market.SPOT, Market.ON_DEMAND]))
    return tuple(
        replace(
            an_offer(
                "aws",
                market=market,
                usd_per_hour=str(Decimal(draw(st.integers(50, 300))) / 100),
                obtainable=draw(st.integers(1, 2)),
            ),
            zone=zone,
        )
        for zone in "abcd"[: draw(st.integers(3, 4))]
    )


@st.composite
def incumbents(draw: st.DrawFn, sold: tuple[Offer, ...]) -> Incumbent | None:
    nodes: list[PlannedNode] = []
    for offer in sold:
        cut = tuple(sorted(draw(st.sampled_from([SMALL, LARGE])) for _ in range(offer.gpu_count)))
        template = Template(gpu="L4", gpu_count=offer.gpu_count, replicas=cut)
        nodes += [PlannedNode(offer=offer, template=template, ordinal=n) for n in range(draw(held_counts))]
    return Incumbent(plan_id="old", nodes=tuple(nodes), shares=SHARES) if nodes else None


@st.composite
def worlds(draw: st.DrawFn, markets: st.SearchStrategy[tuple[Offer, ...]]) -> EveryFleet:
    """A small problem with any of the rules."""
    sold = draw(markets)
    rates = {SMALL: draw(st.integers(2, 6)), LARGE: draw(st.integers(0, 3)), LARGE2: draw(st.integers(1, 8))}
    rates[OVER_TWO] = draw(st.integers(1, 7))
    known: dict[ReplicaShape, float] = {s: float(rate) for s, rate in rates.items() if rate}
    names = [rules("small", least=draw(st.integers(0, 2))), rules("large", least=draw(st.integers(0, 1)))]
    if draw(st.integers(0, 3)) == 0:
        names[1] = replace(names[1], clouds=("gcp",))
    if draw(st.integers(0, 3)) == 0:
        names[0] = replace(names[0], regions=("us-*",))
    market = draw(st.sampled_from([Market.SPOT, Market.ON_DEMAND]))
    quota = Quota(provider="aws", region="*", gpu="L4", market=market, gpus=draw(st.integers(0, 3)))
    problem = a_problem(
        sold,
        a_table(known),
        names,
        workload=a_workload(draw(st.floats(0.5, 4.0))),
        budget=draw(st.sampled_from(["0.5", "1", "3", "8"])),
        incumbent=draw(incumbents(sold)),
        weights=tuple(
            ModelWeights(model=name, place=Place(provider="aws"), gib=gib)
            for name, gib in (("small", draw(st.sampled_from([0.0, 90.0]))), ("large", 40.0))
        ),
    )
    return EveryFleet(
        replace(
            problem,
            spot=SpotRules(max_share=1.0, pool_max_share=draw(shares_kept), zone_max_share=draw(shares_kept)),
            quotas=(quota,) if draw(st.booleans()) else (),
            switching=SwitchingCosts(
                start_h=draw(st.sampled_from([0.1, 1.0])),
                overlap_h=draw(st.sampled_from([0.0, 0.5, 4.0])),
                fetch_h_per_gib=draw(st.sampled_from([0.0, 0.02])),
            ),
            price_lives=tuple(
                PriceLife(offer_id=offer.id, hours=draw(st.sampled_from([1.0, 40.0]))) for offer in sold[::2]
            ),
            groups=draw(st.sampled_from([1, 2])),
        ),
        known,
    )


def ask(share: float, *, spot: float, switching: bool) -> Ask:
    return Ask(
        shares=(1 - share, share), factors=(1.0, 1.0), headroom=0.0, spot_share=spot, switching=switching
    )


asks = st.builds(
    ask,
    st.sampled_from([0.0, 0.2, 0.5, 0.9]),
    spot=st.sampled_from([1.0, 0.7, 0.3]),
    switching=st.booleans(),
)


@settings(max_examples=120, deadline=None)
@given(worlds(offers()), asks)
def test_no_fleet_that_keeps_every_rule_costs_less(world: EveryFleet, wanted: Ask) -> None:
    check(world, wanted)


@settings(max_examples=120, deadline=None)
@given(worlds(alike()), asks)
def test_no_fleet_costs_less_where_offers_stand_for_each_other(world: EveryFleet, wanted: Ask) -> None:
    check(world, wanted)


def check(world: EveryFleet, wanted: Ask) -> None:
    """The fleet found is one of the cheapest of all, and the bound below it is true."""
    found = Inside(world.problem).cheapest_fleet(wanted)
    moving = wanted.switching and world.problem.incumbent is not None
    best = world.cheapest(wanted, surge=moving)
    beyond = best is None and moving
    if beyond:
        best = world.cheapest(wanted, surge=False)
    if best is None:
        event("no fleet")
        assert found is None
        return
    event("over surge" if beyond else "moving" if wanted.switching else "from nothing")
    assert isinstance(found, Fleet)
    assert found.over_surge == beyond
    assert world.does(found.nodes, wanted, surge=moving and not beyond)
    cost = world.objective(found.nodes, switching=wanted.switching)
    assert best - 1e-6 <= cost <= best + GAP * max(best, 1.0) + 1e-6
    if wanted.switching:
        assert found.bound_usd_per_hour is None
    else:
        assert found.bound_usd_per_hour is not None
        assert found.bound_usd_per_hour <= best + 1e-6
