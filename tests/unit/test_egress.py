"""What moving data costs: borders, globs, and whose price wins."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.catalog.load import load_egress
from bouted.market.egress import (
    FREE,
    INTERNET,
    Crossing,
    Egress,
    EgressRule,
    Place,
    crossing,
    parse_place,
)

LISTED = tuple(fact.rule() for fact in load_egress())
SHIPPED = Egress(listed=LISTED)


def rule(origin: str, target: str, usd: str, crosses: Crossing | None = None) -> EgressRule:
    return EgressRule(origin=origin, target=target, usd_per_gib=Decimal(usd), crosses=crosses)


def price(egress: Egress, origin: str, target: str) -> Decimal:
    return egress.usd_per_gib(parse_place(origin), parse_place(target))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("aws/us-east-1", Place(provider="aws", region="us-east-1")),
        ("aws/us-east-1/use1-az4", Place(provider="aws", region="us-east-1", zone="use1-az4")),
        ("internet", Place(provider="internet")),
    ],
)
def test_a_place_is_read_from_its_name_and_has_it(text: str, place: Place) -> None:
    assert parse_place(text) == place
    assert place.names[-1] == text


@pytest.mark.parametrize(
    ("origin", "target", "crosses"),
    [
        ("aws/us-east-1", "aws/us-east-1", Crossing.NOTHING),
        ("aws/us-east-1", "aws/us-east-1/use1-az4", Crossing.NOTHING),
        ("aws/us-east-1/use1-az4", "aws/us-east-1/use1-az4", Crossing.NOTHING),
        ("aws/us-east-1/use1-az4", "aws/us-east-1/use1-az6", Crossing.ZONES),
        ("aws/us-east-1", "aws/us-west-2", Crossing.REGIONS),
        ("aws/us-east-1", "gcp/us-east1", Crossing.CLOUDS),
        ("aws/us-east-1", "owned/hq", Crossing.CLOUDS),
        ("internet", "aws/us-east-1", Crossing.CLOUDS),
    ],
)
def test_data_crosses_the_widest_border_between_two_places(
    origin: str, target: str, crosses: Crossing
) -> None:
    assert crossing(parse_place(origin), parse_place(target)) is crosses


@pytest.mark.parametrize(
    ("origin", "target", "usd"),
    [
        ("aws/us-east-1", "gcp/us-central1", "0.09"),
        ("aws/us-east-1", "owned/hq", "0.09"),
        ("aws/ap-southeast-2", "runpod/CZ", "0.114"),
        ("aws/us-east-1", "aws/us-west-2/usw2-az1", "0.02"),
        ("aws/ap-northeast-1", "aws/us-west-2", "0.08"),
        ("aws/us-east-1", "aws/us-east-1/use1-az4", "0"),
        ("aws/us-east-1/use1-az1", "aws/us-east-1/use1-az4", "0.02"),
        ("gcp/us-central1", "aws/us-east-1", "0.12"),
        ("gcp/us-central1", "gcp/europe-west4", "0.02"),
        ("azure/eastus", "aws/us-east-1", "0.087"),
        ("azure/eastus/1", "azure/eastus/2", "0"),
        ("lambda/us-east-1", "aws/us-east-1", "0"),
        ("vast/US", "aws/us-east-1", "0.02"),
        ("internet", "aws/us-east-1", "0"),
        ("owned/hq", "aws/us-east-1", "0"),
        ("nowhere/known", "aws/us-east-1", "0"),
    ],
)
def test_the_shipped_prices_know_the_usual_moves(origin: str, target: str, usd: str) -> None:
    assert price(SHIPPED, origin, target) == Decimal(usd)


def test_the_most_specific_rule_wins_wherever_it_stands() -> None:
    rules = (
        rule("*", "*", "0.50"),
        rule("aws/us-*", "gcp/*", "0.04"),
        rule("aws/*", "gcp/*", "0.05"),
        rule("aws/us-east-1", "gcp/us-central1", "0.01"),
        rule("aws/us-east-1", "gcp/us-central1", "0.99"),
    )
    for order in (rules, (*rules[3:], *rules[:3])):
        egress = Egress(listed=order)
        assert price(egress, "aws/us-east-1", "gcp/us-central1") == Decimal("0.01")
        assert price(egress, "aws/us-west-2", "gcp/us-central1") == Decimal("0.04")
        assert price(egress, "aws/eu-west-1", "gcp/us-central1") == Decimal("0.05")
        assert price(egress, "azure/eastus", "gcp/us-central1") == Decimal("0.50")


def test_a_rule_about_one_kind_of_border_is_more_specific_than_one_about_any() -> None:
    egress = Egress(
        listed=(rule("aws/us-east-1", "aws/us-*", "9"), rule("aws/*", "*", "1", Crossing.REGIONS))
    )
    assert price(egress, "aws/us-east-1", "aws/us-west-2") == 1
    assert price(egress, "aws/us-east-1/a", "aws/us-east-1/b") == 9


def test_the_operators_own_price_wins_over_the_list_however_wide_its_globs() -> None:
    egress = Egress(overrides=(rule("*", "*", "0.001"),), listed=LISTED)
    assert price(egress, "aws/us-east-1", "gcp/us-central1") == Decimal("0.001")
    assert price(egress, INTERNET, "gcp/us-central1") == Decimal("0.001")


def test_a_whole_cloud_is_named_without_a_region_and_case_does_not_matter() -> None:
    egress = Egress(overrides=(rule("AWS", "runpod/us-*", "0.07"),))
    assert price(egress, "aws/us-east-1", "runpod/US-KS-2") == Decimal("0.07")
    assert price(egress, "aws/us-east-1", "runpod/CZ") == 0


WORDS = st.sampled_from(["aws", "gcp", "azure", "lambda", "runpod", "vast", "owned", "internet", "other"])
PLACES = st.builds(
    Place,
    provider=WORDS,
    region=st.sampled_from(["", "us-east-1", "ap-south-1", "asia-east1", "hq"]),
    zone=st.sampled_from(["", "a", "b"]),
)
GLOBS = st.sampled_from(["*", "aws", "aws/*", "aws/us-*", "gcp/*", "*/us-east-1", "[", "*/*/a"])
RULES = st.lists(
    st.builds(
        EgressRule,
        origin=GLOBS,
        target=GLOBS,
        usd_per_gib=st.decimals(0, 1, places=3),
        crosses=st.none() | st.sampled_from(Crossing),
    ),
    max_size=6,
).map(tuple)


@given(PLACES, PLACES, RULES, RULES)
def test_a_price_is_always_some_rules_or_nothing_and_staying_is_free(
    origin: Place, target: Place, overrides: tuple[EgressRule, ...], listed: tuple[EgressRule, ...]
) -> None:
    found = Egress(overrides=overrides, listed=listed).usd_per_gib(origin, target)
    own = {rule.usd_per_gib for rule in overrides if rule.fits(origin, target)}
    any_ = {rule.usd_per_gib for rule in listed if rule.fits(origin, target)}
    if crossing(origin, target) is Crossing.NOTHING:
        assert found == 0
    else:
        assert found in (own or any_ or {Decimal(0)})
    assert FREE.usd_per_gib(origin, target) == 0
    assert crossing(origin, target) is crossing(target, origin)
