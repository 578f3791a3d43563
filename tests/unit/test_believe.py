"""What is believed: each rule that sets a quote aside, what must not set one aside, and who wins."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.market.belief import Belief, Said, Trust
from bouted.market.believe import believe
from bouted.market.doubt import MEANING, Doubt
from bouted.market.memory import Memory
from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Quote
from bouted.testing.prices import NOON, a_quote

POLL = timedelta(hours=3)


def on_demand(price: str, **changes: Any) -> Quote:
    return a_quote(price, **{"market": Market.ON_DEMAND, **changes})


def look(
    *quotes: Quote,
    memory: Memory | None = None,
    at: datetime = NOON,
    rank: int = 6,
    whole: bool = True,
    **trust: Any,
) -> Belief:
    """What is believed when one source says these."""
    fresh = tuple(replace(quote, observed_at=at, source="cloud") for quote in quotes)
    said = Said(name="cloud", rank=rank, quotes=fresh, whole=whole)
    return believe((said,), memory or {}, Trust(**trust), at)


def looks(*polls: tuple[Quote, ...], every: timedelta = POLL) -> list[Belief]:
    """The beliefs over several polls in a row."""
    found: list[Belief] = []
    for at, quotes in enumerate(polls):
        memory = found[-1].memory if found else {}
        found.append(look(*quotes, memory=memory, at=NOON + at * every))
    return found


def doubts(belief: Belief) -> list[Doubt]:
    return [one.doubt for one in belief.quarantined]


def price(belief: Belief, offer: str = "aws/us-east-1/g6.xlarge/on_demand") -> Decimal | None:
    return next((one.usd_per_hour for one in belief.offers if one.id == offer), None)


def test_a_sound_quote_becomes_an_offer_with_every_field() -> None:
    quote = a_quote("0.31", confidence=Confidence.MEDIUM, obtainable=3, hazard_per_hour=0.07)
    (offer,) = look(quote).offers
    assert offer.id == quote.id
    assert (offer.usd_per_hour, offer.obtainable, offer.hazard_per_hour) == (Decimal("0.31"), 3, 0.07)
    assert (offer.source, offer.observed_at, offer.confidence) == ("cloud", NOON, Confidence.MEDIUM)


def test_where_a_source_is_silent_the_defaults_are_cautious() -> None:
    spot, firm = look(
        a_quote("0.31", obtainable=None, hazard_per_hour=None),
        on_demand("0.80", obtainable=None, hazard_per_hour=None),
    ).offers[::-1]
    assert (spot.obtainable, spot.hazard_per_hour) == (8, 0.05)
    assert (firm.obtainable, firm.hazard_per_hour) == (8, 0.0005)


@pytest.mark.parametrize(("gpus", "obtainable"), [(1, 8), (2, 6), (4, 4), (8, 4)])
def test_of_large_machines_fewer_are_taken_to_be_had(gpus: int, obtainable: int) -> None:
    (offer,) = look(a_quote("0.31", gpu_count=gpus, obtainable=None)).offers
    assert offer.obtainable == obtainable


@pytest.mark.parametrize(
    ("quote", "doubt", "told"),
    [
        (a_quote("0"), Doubt.NOT_POSITIVE, "0 is not above 0"),
        (a_quote("-1.5"), Doubt.NOT_POSITIVE, "-1.5 is not above 0"),
        (a_quote("1", currency="EUR"), Doubt.CURRENCY, "set prices.usd_per.EUR"),
        (on_demand("731"), Doubt.UNIT, "$731.00 per GPU and hour: cents, or a price per month?"),
        (a_quote("1", gpu_count=0), Doubt.UNIT, "0 GPUs"),
    ],
)
def test_what_cannot_be_a_price_is_set_aside_with_its_reason(quote: Quote, doubt: Doubt, told: str) -> None:
    belief = look(quote)
    assert belief.offers == ()
    (one,) = belief.quarantined
    assert one.doubt is doubt
    assert told in one.detail


def test_a_currency_with_a_rate_is_converted_exactly() -> None:
    belief = look(a_quote("2", currency="EUR"), usd_per={"EUR": Decimal("1.08")})
    assert belief.offers[0].usd_per_hour == Decimal("2.16")


def in_regions(*prices: str, **changes: Any) -> tuple[Quote, ...]:
    return tuple(on_demand(usd, **{"region": f"region-{at}", **changes}) for at, usd in enumerate(prices))


def test_a_price_in_cents_among_prices_in_dollars_is_set_aside() -> None:
    belief = look(*in_regions("0.80", "0.82", "0.81", "0.90", "0.85", "81"))
    assert doubts(belief) == [Doubt.UNIT]
    assert "others ask $0.8" in belief.quarantined[0].detail
    assert len(belief.offers) == 5


def test_eight_gpus_at_the_price_of_one_are_set_aside() -> None:
    one = on_demand("6.88", instance_type="p5.4xlarge", gpu="H100-80GB")
    eight = on_demand("6.88", instance_type="p5.48xlarge", gpu="H100-80GB", gpu_count=8)
    belief = look(one, eight)
    assert doubts(belief) == [Doubt.PER_GPU]
    assert "one alone costs $6.88" in belief.quarantined[0].detail


def test_spot_above_on_demand_is_set_aside_and_its_last_price_stays() -> None:
    first = look(a_quote("0.31"), on_demand("0.80"))
    second = look(a_quote("0.85"), on_demand("0.80"), memory=first.memory, at=NOON + POLL)
    assert doubts(second) == [Doubt.SPOT_ABOVE_ON_DEMAND]
    assert "spot at 0.85 is above on-demand at 0.80" in second.quarantined[0].detail
    assert price(second, "aws/us-east-1/g6.xlarge/spot") == Decimal("0.31")


def test_spot_in_a_zone_is_measured_against_the_region() -> None:
    assert doubts(look(a_quote("0.85", zone="use1-az1"), on_demand("0.80"))) == [Doubt.SPOT_ABOVE_ON_DEMAND]


def test_spot_at_the_on_demand_price_is_no_discount_and_little_trusted() -> None:
    belief = look(a_quote("0.80"), on_demand("0.80"))
    spot = next(offer for offer in belief.offers if offer.market is Market.SPOT)
    assert doubts(belief) == []
    assert spot.confidence is Confidence.LOW


def test_spot_moves_freely_unless_it_jumps_absurdly() -> None:
    steady, doubled, jump = looks((a_quote("0.31"),), (a_quote("0.62"),), (a_quote("3.80"),))
    assert price(doubled, "aws/us-east-1/g6.xlarge/spot") == Decimal("0.62")
    assert doubts(jump) == [Doubt.UNCONFIRMED_STEP]
    assert price(jump, "aws/us-east-1/g6.xlarge/spot") == Decimal("0.62")
    assert steady.quarantined == ()


def test_on_demand_of_a_marketplace_moves_freely() -> None:
    polls = [(on_demand(usd, provider="vast"),) for usd in ("0.40", "0.60", "0.35")]
    assert [belief.quarantined for belief in looks(*polls)] == [(), (), ()]
    assert looks(*polls)[-1].offers[0].usd_per_hour == Decimal("0.35")


def test_a_step_of_one_on_demand_price_is_believed_when_it_has_been_seen_three_times() -> None:
    before, once, twice, thrice = looks(*[(on_demand(usd),) for usd in ("98.32", "55.04", "55.04", "55.04")])
    assert price(before) == price(once) == price(twice) == Decimal("98.32")
    assert "98.32 -> 55.04 (-44%), seen 2 of 3 times; 98.32 stays in use" in twice.quarantined[0].detail
    assert price(thrice) == Decimal("55.04")
    assert thrice.quarantined == ()


def test_a_true_step_is_believed_within_six_hours_however_often_it_is_looked_at() -> None:
    polls = [(on_demand("10"),), *([(on_demand("7"),)] * 80)]
    found = looks(*polls, every=timedelta(minutes=5))
    believed_at = next(at for at, belief in enumerate(found) if price(belief) == Decimal(7))
    assert timedelta(hours=5) < (believed_at - 1) * timedelta(minutes=5) <= timedelta(hours=6)


def test_a_step_first_seen_later_than_now_is_confirmed_from_now_on() -> None:
    before = look(on_demand("10"), at=NOON)
    ahead = look(on_demand("7"), memory=before.memory, at=NOON + timedelta(days=2))
    back = look(on_demand("7"), memory=ahead.memory, at=NOON + POLL)
    still = look(on_demand("7"), memory=back.memory, at=NOON + 2 * POLL)
    after = look(on_demand("7"), memory=still.memory, at=NOON + 3 * POLL)
    assert [price(one) for one in (ahead, back, still, after)] == [10, 10, 10, 7]


def test_a_price_that_comes_and_goes_is_never_believed_and_is_known_as_a_flip_next_time() -> None:
    polls = [
        (on_demand(usd),) for usd in ("3.673", "4.777", "4.777", "3.673", "4.777", "4.777", "4.777", "4.777")
    ]
    found = looks(*polls)
    assert {price(belief) for belief in found} == {Decimal("3.673")}
    assert doubts(found[1]) == [Doubt.UNCONFIRMED_STEP]
    assert doubts(found[4]) == doubts(found[-1]) == [Doubt.FLIPS]


def test_a_known_flip_that_stays_for_a_week_is_believed_after_all() -> None:
    polls = ["3.673", "4.777", "3.673", *["4.777"] * 9]
    found = looks(*[(on_demand(usd),) for usd in polls], every=timedelta(days=1))
    assert price(found[9]) == Decimal("3.673")
    assert price(found[10]) == Decimal("4.777")


def test_a_list_price_that_moves_in_every_region_at_once_is_believed_at_once() -> None:
    before = look(*in_regions("0.86", "0.86", "0.86", instance_type="gpu_1x_a10"))
    after = look(*in_regions("1.29", "1.29", "1.29", instance_type="gpu_1x_a10"), memory=before.memory)
    assert after.quarantined == ()
    assert {offer.usd_per_hour for offer in after.offers} == {Decimal("1.29")}


def test_a_move_of_some_regions_only_must_wait() -> None:
    before = look(*in_regions("3.0", "3.2", "3.4", "3.6"))
    after = look(*in_regions("4.1", "4.3", "3.4", "3.6"), memory=before.memory, at=NOON + POLL)
    assert doubts(after) == [Doubt.UNCONFIRMED_STEP] * 2


def two_sources(mine: Quote, other: Quote, memory: Memory | None = None, at: datetime = NOON) -> Belief:
    said = (
        Said(name="mine", rank=6, quotes=(replace(mine, source="mine", observed_at=at),), whole=True),
        Said(name="other", rank=2, quotes=(replace(other, source="other", observed_at=at),), whole=True),
    )
    return believe(said, memory or {}, Trust(), at)


def test_a_step_that_an_independent_source_confirms_is_believed_at_once() -> None:
    before = two_sources(on_demand("98.32"), on_demand("98.32"))
    after = two_sources(on_demand("55.04"), on_demand("55.04"), before.memory, NOON + POLL)
    assert price(after) == Decimal("55.04")
    assert after.quarantined == ()


def test_a_first_price_far_under_what_another_source_says_must_wait() -> None:
    belief = two_sources(on_demand("33.61"), on_demand("88.49"))
    assert doubts(belief) == [Doubt.DISAGREES]
    assert price(belief) == Decimal("88.49")
    assert belief.offers[0].source == "other"


def test_of_two_sources_the_higher_rank_wins_and_the_loser_is_kept_and_shown() -> None:
    belief = two_sources(on_demand("0.80"), on_demand("0.90"))
    assert price(belief) == Decimal("0.80")
    (lost,) = belief.outvoted
    assert (lost.quote.price, lost.quote.source, lost.winner.source) == (Decimal("0.90"), "other", "mine")


# A cloud whose list prices differ by region alike for every type (levels 1.0, 1.13, 1.28, 1.05), and whose
# discount for a queued start shows up as the on-demand price of one GPU in some regions.
LEVELS = {"central": 1.0, "west4": 1.13, "asia": 1.28, "europe": 1.05}


def cloud(wrong: Mapping[str, float] | None = None, spot: float = 0.25) -> tuple[Quote, ...]:
    """On-demand and spot of an L4, an A100 and an H100 in four regions; H100 where `wrong` says so."""
    quotes = []
    for region, level in LEVELS.items():
        for gpu, usd in (("L4", 0.8), ("A100-80GB", 5.0), ("H100-80GB", 88.0)):
            count = 8 if gpu == "H100-80GB" else 1
            base = {"provider": "gcp", "region": region, "gpu": gpu, "gpu_count": count, "instance_type": gpu}
            paid = (wrong or {}).get(region, usd * level) if gpu == "H100-80GB" else usd * level
            quotes.append(on_demand(f"{paid:.4f}", **base))
            quotes.append(a_quote(f"{usd * level * spot:.4f}", **base))
    return tuple(quotes)


def test_honest_regional_prices_are_all_believed() -> None:
    assert look(*cloud()).quarantined == ()


def test_a_price_far_under_the_types_other_regions_is_set_aside_even_where_most_regions_show_it() -> None:
    belief = look(*cloud({"central": 43.0, "asia": 46.0}))
    assert doubts(belief) == [Doubt.FAR_UNDER_REGIONS] * 2
    assert {one.quote.region for one in belief.quarantined} == {"central", "asia"}
    assert "in 2 other regions" in belief.quarantined[0].detail


def test_other_types_with_the_same_part_are_set_aside_with_it() -> None:
    sibling = on_demand("5.4", provider="gcp", region="central", gpu="H100-80GB", instance_type="H100-1g")
    belief = look(*cloud({"central": 43.0, "asia": 46.0}), sibling)
    assert "like H100-80GB" in next(
        one.detail for one in belief.quarantined if one.quote.instance_type == "H100-1g"
    )


def test_a_region_that_is_dear_for_every_type_makes_no_other_region_suspect() -> None:
    dear = [
        replace(quote, price=quote.price * 2, region=f"dear-{at}")
        for at in (1, 2)
        for quote in cloud()
        if quote.region == "central"
    ]
    assert look(*cloud(), *dear).quarantined == ()


T4_SIZES = {"NC4": 0.5, "NC8": 0.75, "NC16": 1.2, "NC64": 4.3}


def sizes(levels: Mapping[str, float], **odd: float) -> tuple[Quote, ...]:
    """The sizes of a T4 in each region at its level; `odd` are factors on the first region's prices."""
    first = next(iter(levels))
    return tuple(
        on_demand(
            f"{usd * level * (odd.get(size, 1.0) if region == first else 1.0):.4f}",
            provider="azure",
            region=region,
            instance_type=size,
            gpu="T4",
        )
        for region, level in levels.items()
        for size, usd in T4_SIZES.items()
    )


def test_a_type_that_alone_is_dearer_in_one_region_waits_for_a_week_even_at_first_sight() -> None:
    belief = look(*sizes({"east": 1.0, "west": 1.1, "north": 1.3}, NC16=1.6))
    (one,) = belief.quarantined
    assert (one.doubt, one.quote.region, one.quote.instance_type) == (Doubt.ABOVE_SIBLINGS, "east", "NC16")
    assert "60% above what 3 other T4 types here imply, seen 1 of 3 times" in one.detail
    days = looks(*[sizes({"east": 1.0, "west": 1.1, "north": 1.3}, NC16=1.6)] * 9, every=timedelta(days=1))
    assert [len(belief.quarantined) for belief in days] == [1] * 7 + [0, 0]


def test_a_region_that_is_dear_for_all_sizes_is_believed_at_first_sight() -> None:
    assert look(*sizes({"east": 2.0, "west": 1.0, "north": 1.0})).quarantined == ()


def test_proportions_take_three_types_and_three_regions_to_know() -> None:
    few = sizes({"east": 1.0, "west": 1.0, "north": 1.0}, NC16=1.6)
    assert look(*(quote for quote in few if quote.instance_type in ("NC4", "NC16"))).quarantined == ()
    assert look(*(quote for quote in few if quote.region != "north")).quarantined == ()


def test_regions_where_a_type_stands_alone_teach_nothing_about_it() -> None:
    together = sizes({"east": 1.0, "west": 1.0, "north": 1.0})
    alone = [
        on_demand(usd, provider="azure", region=region, instance_type="NC16", gpu="T4")
        for region, usd in (("a", "1.1"), ("b", "1.1"), ("c", "1.1"), ("d", "1.1"))
    ]
    assert look(*together, *alone).quarantined == ()


def test_one_dear_region_makes_no_other_region_suspect() -> None:
    assert look(*cloud({"asia": 200.0})).quarantined == ()


def test_a_low_price_that_spot_follows_is_believed() -> None:
    quotes = cloud({"central": 44.0, "asia": 46.0})
    followed = [
        replace(quote, price=quote.price / 2)
        if quote.market is Market.SPOT and quote.gpu == "H100-80GB" and quote.region in ("central", "asia")
        else quote
        for quote in quotes
    ]
    assert look(*followed).quarantined == ()


def test_a_price_that_nobody_confirms_is_dropped_at_its_limit_and_says_so() -> None:
    first = look(a_quote("0.31"))
    kept = look(memory=first.memory, at=NOON + timedelta(hours=23), whole=False)
    gone = look(memory=first.memory, at=NOON + timedelta(hours=25), whole=False)
    assert kept.offers == first.offers
    assert gone.offers == ()
    assert "last confirmed 25 h ago, the limit is 24 h" in gone.quarantined[0].detail


def beside_the_snapshot(quotes: tuple[Quote, ...], *, hand_kept: bool = False, hours: float = 0) -> Belief:
    """A snapshot with three prices, and this beside it, `hours` after both were heard."""
    dated = tuple(
        replace(quote, source="snapshot", observed_at=NOON - timedelta(days=300))
        for quote in (a_quote("0.50", region="old"), on_demand("0.90"), a_quote("9", provider="gcp"))
    )
    fresh = tuple(replace(quote, source="cloud") for quote in quotes)
    snapshot = Said(name="snapshot", rank=0, quotes=dated, whole=True)
    first = believe(
        (snapshot, Said(name="cloud", rank=6, quotes=fresh, whole=True, hand_kept=hand_kept)),
        {},
        Trust(),
        NOON,
    )
    silent = Said(name="cloud", rank=6, quotes=(), whole=False, hand_kept=hand_kept)
    return believe((snapshot, silent), first.memory, Trust(), NOON + timedelta(hours=hours))


def test_a_dated_price_stands_only_while_nobody_who_is_asked_now_answers_for_that_market() -> None:
    belief = beside_the_snapshot((a_quote("0.31"),))
    assert {(offer.provider, offer.region, offer.market.value) for offer in belief.offers} == {
        ("aws", "us-east-1", "spot"), ("aws", "us-east-1", "on_demand"), ("gcp", "us-east-1", "spot"),
    }  # fmt: skip
    (one,) = belief.quarantined
    assert (one.doubt, one.quote.region) == (Doubt.DATED, "old")
    assert one.detail == "of 2025-05-05; cloud is asked now"


def test_the_snapshot_comes_back_when_the_live_source_has_been_silent_for_too_long() -> None:
    belief = beside_the_snapshot((a_quote("0.31"),), hours=25)
    assert "old" in {offer.region for offer in belief.offers}
    assert doubts(belief) == [Doubt.STALE]


def test_a_file_kept_by_hand_does_not_put_the_snapshot_aside() -> None:
    assert len(beside_the_snapshot((a_quote("0.31"),), hand_kept=True).offers) == 4


def test_a_source_of_rank_0_is_dated_on_purpose_and_never_too_old() -> None:
    first = look(a_quote("0.31"), rank=0)
    assert (
        look(memory=first.memory, at=NOON + timedelta(days=900), whole=False, rank=0).offers == first.offers
    )


def test_what_a_whole_answer_no_longer_mentions_is_no_longer_offered() -> None:
    first = look(a_quote("0.31"), on_demand("0.80"))
    assert [offer.market for offer in look(on_demand("0.80"), memory=first.memory).offers] == [
        Market.ON_DEMAND
    ]
    kept = look(on_demand("0.80"), memory=first.memory, whole=False)
    assert len(kept.offers) == 2


def test_prices_kept_by_hand_are_taken_at_their_word() -> None:
    def by_hand(usd: str, memory: Memory, at: datetime = NOON) -> Belief:
        said = Said(name="file", rank=10, quotes=(on_demand(usd),), whole=True, hand_kept=True)
        return believe((said,), memory, Trust(), at)

    assert price(by_hand("2.00", by_hand("9.00", {}).memory)) == Decimal("2.00")
    assert price(by_hand("2.00", {}, NOON + timedelta(days=400))) == Decimal("2.00")
    assert doubts(by_hand("0", {})) == [Doubt.NOT_POSITIVE]


def test_every_doubt_has_a_meaning_in_words() -> None:
    assert set(MEANING) == set(Doubt)


PRICES = st.decimals("-1", "200", places=2) | st.just(Decimal(0))


@given(
    polls=st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.sampled_from(list(Market)[:2]), PRICES), max_size=8),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=60)
def test_whatever_is_said_every_quote_is_believed_or_set_aside_and_no_price_is_made_up(
    polls: list[list[tuple[int, Market, Decimal]]],
) -> None:
    memory: Memory = {}
    ever: set[tuple[str, Decimal]] = set()
    for at, said in enumerate(polls):
        quotes = {
            quote.id: quote
            for region, market, usd in said
            for quote in (a_quote(usd, region=f"r{region}", market=market),)
        }
        ever |= {(quote.id, quote.price) for quote in quotes.values()}
        belief = look(*quotes.values(), memory=memory, at=NOON + at * POLL)
        memory = belief.memory
        believed = {offer.id for offer in belief.offers}
        assert all((offer.id, offer.usd_per_hour) in ever for offer in belief.offers)
        assert all(offer.usd_per_hour > 0 for offer in belief.offers)
        assert [offer.id for offer in belief.offers] == sorted(believed)
        aside = {one.quote.id for one in belief.quarantined}
        assert set(quotes) <= believed | aside


@pytest.mark.parametrize(
    "changes", [{"price": "NaN"}, {"price": "Infinity"}, {"hazard_per_hour": float("nan")}]
)
def test_a_quote_is_made_of_numbers(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be numbers"):
        a_quote(**changes)
