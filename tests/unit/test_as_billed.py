"""Offers at what clouds bill: from the quote, however often it is applied."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bouted.codec import dump, parse
from bouted.market.billed import as_billed
from bouted.market.offers import Market, Offer
from bouted.testing.fleet import an_offer

factors = st.decimals("0.2", "5", places=4)


@given(first=factors, second=factors, price=st.decimals("0.01", "200", places=4))
def test_another_factor_starts_from_the_quote(first: Decimal, second: Decimal, price: Decimal) -> None:
    offer = an_offer(usd_per_hour=str(price))
    once = as_billed(offer, {"aws": first})
    assert once.usd_per_hour == price * first
    assert as_billed(once, {"aws": second}) == as_billed(offer, {"aws": second})
    assert as_billed(once, {}) == offer
    assert once.quoted == price


def test_other_clouds_and_machines_of_ones_own_cost_what_they_cost() -> None:
    offer = an_offer("gcp")
    assert as_billed(offer, {"aws": Decimal(2)}) == offer
    reserved = replace(an_offer(), market=Market.OWNED)
    assert as_billed(reserved, {"aws": Decimal(2)}) == reserved


def test_an_offer_stored_before_bills_were_read_is_quoted_at_its_price() -> None:
    stored = dump(Offer, an_offer(usd_per_hour="2.50")).replace(b',"quoted_usd_per_hour":null', b"")
    assert b"quoted" not in stored
    assert parse(Offer, stored).quoted == Decimal("2.50")
