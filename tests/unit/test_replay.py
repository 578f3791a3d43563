"""A recorded feed is judged look by look, as it would have been live."""

from datetime import timedelta
from decimal import Decimal

from bouted.market.belief import Said, Trust
from bouted.market.doubt import Doubt
from bouted.market.memory import Claim
from bouted.market.offers import Market
from bouted.market.quotes import Answer, Unread
from bouted.market.replay import replay
from bouted.testing.prices import NOON, a_quote

FIRM = a_quote("10", market=Market.ON_DEMAND, provider="aws", source="file:x.csv")
OTHER = a_quote("3", market=Market.ON_DEMAND, provider="gcp", source="file:x.csv")
HOUR = timedelta(hours=1)


def test_everything_set_aside_on_the_way_is_told_and_the_last_belief_is_kept() -> None:
    unread = Unread(source="file:x.csv", row=(("Price", "?"),), reason="no number")
    flipped = a_quote("14", market=Market.ON_DEMAND, source="file:x.csv")
    found = replay(
        [(NOON, Answer(quotes=(FIRM,), unread=(unread,))), (NOON + HOUR, Answer(quotes=(flipped,)))], Trust()
    )
    assert [offer.usd_per_hour for offer in found.belief.offers] == [Decimal(10)]
    assert [(one.quote.price, one.doubt) for one in found.quarantined] == [
        (Decimal(14), Doubt.UNCONFIRMED_STEP)
    ]
    assert found.unread == (unread,)
    assert found.looks == 2


def test_a_look_without_a_provider_says_nothing_of_it() -> None:
    found = replay([(NOON, Answer(quotes=(FIRM,))), (NOON + HOUR, Answer(quotes=(OTHER,)))], Trust())
    assert [offer.provider for offer in found.belief.offers] == ["aws", "gcp"]


def test_what_is_remembered_speaks_at_every_look() -> None:
    known = a_quote("30", market=Market.ON_DEMAND, source="aws")
    looks = [(NOON + at * HOUR, Answer(quotes=(FIRM,))) for at in range(2)]
    found = replay(looks, Trust(), memory={("aws", FIRM.id): Claim(accepted=known)})
    assert [one.doubt for one in found.quarantined] == [Doubt.DISAGREES] * 2


def test_what_stands_beside_is_believed_where_the_feed_is_silent() -> None:
    snapshot = Said(name="snapshot", rank=0, quotes=(OTHER,), whole=True)
    found = replay([(NOON, Answer(quotes=(FIRM,)))], Trust(), beside=(snapshot,))
    assert {offer.provider for offer in found.belief.offers} == {"aws", "gcp"}
