"""What sources said comes back equal after a restart, and a poll that only confirms writes no claim."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bouted.market.asking import Outcome, Result
from bouted.market.belief import Belief, Said, Trust
from bouted.market.believe import believe
from bouted.market.collect import fold
from bouted.market.course import Course
from bouted.market.doubt import Doubt, Outvoted, Quarantined
from bouted.market.memory import Claim, Pending
from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Answer, Quote, Unread
from bouted.market.state import MarketState
from bouted.store.claims import (
    UNREAD_KEPT,
    load_courses,
    load_market,
    load_memory,
    load_outvoted,
    load_quarantined,
    load_unread,
    save_belief,
    save_courses,
)
from bouted.store.open import Store
from bouted.store.tables import PriceClaims
from bouted.testing.prices import NOON, ScriptedPrices, a_feed, a_quote
from bouted.testing.store import fresh_store

TRUST = Trust()


@pytest.fixture
def store(each_store: Store) -> Store:
    return each_store


def later(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def a_course(name: str = "cloud", at: datetime = NOON, **changes: object) -> Course:
    course = Course(name=name, result=Result.ANSWERED, asked_at=at, next_at=at, answered_at=at)
    return replace(course, **changes)  # type: ignore[arg-type]


def said(*quotes: Quote, at: datetime = NOON, name: str = "cloud", rank: int = 5, whole: bool = True) -> Said:
    now = tuple(replace(quote, source=name, observed_at=at) for quote in quotes)
    return Said(name=name, rank=rank, quotes=now, whole=whole)


def saved(store: Store, belief: Belief, at: datetime = NOON, *names: str) -> int:
    courses = {name: a_course(name, at) for name in names or ("cloud",)}
    return save_belief(store, belief, (), courses, at)


def changed_at(store: Store) -> dict[tuple[str, bool], datetime]:
    with store.reading() as session:
        rows = session.execute(select(PriceClaims.offer_id, PriceClaims.aside, PriceClaims.changed_at))
        return {(offer_id, aside): at for offer_id, aside, at in rows}


A, B = a_quote("1.00", instance_type="a"), a_quote("2.00", instance_type="b")


def test_nothing_is_remembered_at_first(store: Store) -> None:
    assert load_memory(store) == {}
    assert (load_quarantined(store), load_outvoted(store), load_unread(store)) == ((), (), ())
    assert load_courses(store) == {}
    assert load_market(store, NOON) is None


def test_every_field_of_an_accepted_quote_comes_back(store: Store) -> None:
    full = a_quote(
        "1.230", zone="use1-az1", effective_at=later(-3), confidence=Confidence.MEDIUM,
        obtainable=None, hazard_per_hour=0.1 + 0.2, row=(("naïve ☃", '"quoted"\n'), ("empty", "")),
    )  # fmt: skip
    belief = believe((said(full),), {}, TRUST, NOON)
    saved(store, belief)
    assert load_memory(store) == belief.memory
    (claim,) = load_memory(store).values()
    assert claim.accepted is not None
    assert str(claim.accepted.price) == "1.230"


def test_a_poll_that_only_confirms_writes_no_claim_and_yet_all_is_fresh(store: Store) -> None:
    first = believe((said(A, B),), {}, TRUST, NOON)
    assert saved(store, first) == 2
    second = believe((said(A, B, at=later(1)),), first.memory, TRUST, later(1))
    assert saved(store, second, later(1)) == 0
    assert set(changed_at(store).values()) == {NOON}
    assert load_memory(store) == second.memory
    assert {claim.accepted and claim.accepted.observed_at for claim in load_memory(store).values()} == {
        later(1)
    }


def test_an_offer_that_an_answer_does_not_mention_keeps_its_age(store: Store) -> None:
    first = believe((said(A, B),), {}, TRUST, NOON)
    saved(store, first)
    memory = first.memory
    for hour in (1, 2):
        belief = believe((said(A, at=later(hour), whole=False),), memory, TRUST, later(hour))
        assert saved(store, belief, later(hour)) == (1 if hour == 1 else 0), "its age is written once"
        memory = belief.memory
        assert load_memory(store) == memory


def test_a_source_that_is_silent_changes_nothing(store: Store) -> None:
    first = believe((said(A, B),), {}, TRUST, NOON)
    saved(store, first)
    silent = believe((said(at=later(1), whole=False),), first.memory, TRUST, later(1))
    assert saved(store, silent, later(1)) == 0
    assert load_memory(store) == first.memory


def test_a_price_that_moves_writes_its_own_claim_alone(store: Store) -> None:
    first = believe((said(A, B),), {}, TRUST, NOON)
    saved(store, first)
    moved = believe((said(replace(A, price=Decimal("1.10")), B, at=later(1)),), first.memory, TRUST, later(1))
    assert saved(store, moved, later(1)) == 1
    assert changed_at(store) == {(A.id, False): later(1), (B.id, False): NOON}
    assert load_memory(store) == moved.memory


def test_an_offer_that_vanished_leaves_no_claim(store: Store) -> None:
    first = believe((said(A, B),), {}, TRUST, NOON)
    saved(store, first)
    gone = believe((said(A, at=later(1)),), first.memory, TRUST, later(1))
    saved(store, gone, later(1))
    assert [key[1] for key in load_memory(store)] == [A.id]


def test_a_source_dated_on_purpose_keeps_the_date_of_each_row(store: Store) -> None:
    dated = tuple(
        replace(quote, source="cloud", observed_at=later(-24 * days)) for quote, days in ((A, 30), (B, 20))
    )
    belief = believe((Said(name="cloud", rank=0, quotes=dated, whole=True),), {}, TRUST, NOON)
    saved(store, belief)
    assert load_memory(store) == belief.memory


def test_a_quarantined_quote_and_the_accepted_one_it_came_after_are_both_kept(store: Store) -> None:
    first = believe((said(A),), {}, TRUST, NOON)
    jump = believe((said(replace(A, price=Decimal("9.00")), at=later(1)),), first.memory, TRUST, later(1))
    assert [one.doubt for one in jump.quarantined] == [Doubt.UNCONFIRMED_STEP]
    saved(store, jump, later(1))
    assert load_quarantined(store) == jump.quarantined
    memory = load_memory(store)
    assert memory == jump.memory
    (claim,) = memory.values()
    assert claim.pending == Pending(price=Decimal("9.00"), since=later(1), times=1)


def test_a_price_that_goes_stale_is_kept_as_such_and_written_once(store: Store) -> None:
    first = believe((said(A),), {}, TRUST, NOON)
    saved(store, first)
    silent = said(whole=False)
    for day, written in ((2, 1), (3, 0)):
        belief = believe((silent,), first.memory, TRUST, later(24 * day))
        assert saved(store, belief, later(24 * day)) == written
        (stale,) = load_quarantined(store)
        assert (stale.doubt, stale.quote) == (Doubt.STALE, belief.quarantined[0].quote)
    assert load_memory(store) == first.memory


def test_a_stale_price_with_a_doubted_one_after_it_are_told_apart(store: Store) -> None:
    first = believe((said(A),), {}, TRUST, NOON)
    doubted = said(replace(A, price=Decimal(0)), at=later(48))
    belief = believe((doubted,), first.memory, TRUST, later(48))
    assert len(belief.quarantined) == 2
    saved(store, belief, later(48))
    assert sorted(one.doubt for one in load_quarantined(store)) == [Doubt.NOT_POSITIVE, Doubt.STALE]
    assert load_memory(store) == belief.memory


def test_who_lost_to_whom_comes_back(store: Store) -> None:
    belief = believe(
        (said(A, B, rank=6), said(replace(A, price=Decimal("1.05")), name="wide: aws", rank=2)),
        {},
        TRUST,
        NOON,
    )
    assert len(belief.outvoted) == 1
    saved(store, belief, NOON, "cloud", "wide: aws")
    assert load_outvoted(store) == belief.outvoted


def test_a_quote_under_a_longer_name_belongs_to_its_source(store: Store) -> None:
    quote = replace(A, source="gpuhunt: runpod", observed_at=NOON)
    wide = Said(
        name="gpuhunt", rank=2, quotes=(quote, replace(quote, price=Decimal(-1), zone="z")), whole=True
    )
    belief = believe((wide,), {}, TRUST, NOON)
    saved(store, belief, NOON, "gpuhunt")
    assert load_memory(store) == belief.memory
    assert load_quarantined(store) == belief.quarantined
    assert list(load_memory(store)) == [("gpuhunt", A.id)]


def test_without_a_course_every_claim_keeps_its_own_time(store: Store) -> None:
    belief = believe((said(A, B),), {}, TRUST, NOON)
    save_belief(store, belief, (), {}, NOON)
    assert load_memory(store) == belief.memory


def test_flips_and_waits_are_remembered_and_forgotten(store: Store) -> None:
    key = ("cloud", A.id)
    waiting = Claim(
        accepted=None,
        pending=Pending(price=Decimal("3.10"), since=NOON, times=2),
        dropped=(Decimal("2.50"), Decimal("2.5")),
    )
    memory = {key: waiting, ("cloud", B.id): Claim(accepted=B, dropped=(Decimal(7),))}
    saved(store, Belief(offers=(), quarantined=(), outvoted=(), memory=memory))
    assert load_memory(store) == memory
    settled = {key: Claim(accepted=A)}
    saved(store, Belief(offers=(), quarantined=(), outvoted=(), memory=settled))
    assert load_memory(store) == settled


def test_rows_that_could_not_be_read_are_kept_per_source_up_to_a_limit(store: Store) -> None:
    rows = tuple(
        Unread(source="b", row=(("n", str(number)),), reason="no price") for number in range(UNREAD_KEPT + 5)
    )
    other = Unread(source="a", row=(), reason="not a row")
    save_belief(store, MarketState(taken_at=NOON), (*rows, other), {}, NOON)
    assert load_unread(store) == (other, *rows[:UNREAD_KEPT])
    save_belief(store, MarketState(taken_at=NOON), (other,), {}, later(1))
    assert load_unread(store) == (other,)


def test_courses_come_back_whole_and_those_no_longer_asked_go(store: Store) -> None:
    sick = a_course(
        "sick", result=Result.THROTTLED, since=later(-1), failures=7, error="slow down", answered_at=None,
        needs_person=True, quotes=3, unread=2, next_at=later(1),
    )  # fmt: skip
    courses = {"sick": sick, "well": a_course("well")}
    save_courses(store, courses)
    assert load_courses(store) == courses
    save_courses(store, {"well": courses["well"]})
    assert load_courses(store) == {"well": courses["well"]}


def test_saving_courses_alone_leaves_the_claims_fresh(store: Store) -> None:
    first = believe((said(A),), {}, TRUST, NOON)
    saved(store, first)
    second = believe((said(A, at=later(1)),), first.memory, TRUST, later(1))
    saved(store, second, later(1))
    save_courses(store, {"cloud": a_course(at=later(2), failures=1)})
    assert load_memory(store) == second.memory


def test_a_market_goes_on_after_a_restart_where_it_stopped(store: Store) -> None:
    """Folding the same answers with a restart in between or without comes to the same."""
    feeds = (a_feed(ScriptedPrices(A, name="cloud")),)  # type: ignore[arg-type]
    kept = restarted = MarketState(taken_at=NOON)
    for hour, price in enumerate(["1.00", "9.00", "9.00", "1.00", "9.00", "0", "1.01"]):
        quote = replace(A, price=Decimal(price), source="cloud", observed_at=later(hour))
        unread = (Unread(source="cloud", row=(("x", price),), reason="odd"),) if hour % 2 else ()
        outcome = Outcome(result=Result.ANSWERED, answer=Answer(quotes=(quote, B), unread=unread))
        heard = {"cloud": outcome} if hour != 4 else {"cloud": Outcome(result=Result.FAILED, error="down")}
        kept = fold(feeds, heard, kept, later(hour), trust=TRUST, jitter=0.5).state
        restarted = fold(feeds, heard, restarted, later(hour), trust=TRUST, jitter=0.5).state
        assert restarted == kept
        save_belief(store, restarted, restarted.unread, restarted.courses, later(hour))
        loaded = load_market(store, later(hour))
        assert loaded is not None
        again = fold(feeds, {}, loaded, later(hour), trust=TRUST, jitter=0.5).state
        assert again.offers == kept.offers
        restarted = replace(again, taken_at=kept.taken_at)
        assert restarted == kept


@pytest.mark.parametrize("price", ["0", "-3", "1e400", "0.000000000000000001"])
def test_absurd_claims_are_kept_as_they_were_said(price: str, store: Store) -> None:
    quote = a_quote(price, gpu_count=2**70, obtainable=-(2**70))
    aside = Quarantined(quote=quote, doubt=Doubt.UNIT, detail="x")
    saved(store, Belief(offers=(), quarantined=(aside,), outvoted=(), memory={}))
    (back,) = load_quarantined(store)
    assert str(back.quote.price) == str(quote.price)


odd_text = st.text(st.characters() | st.sampled_from("\0\ud800☃"), max_size=6)
quotes = st.builds(
    Quote,
    provider=odd_text,
    region=odd_text,
    zone=odd_text,
    instance_type=odd_text,
    gpu=odd_text,
    gpu_count=st.integers(),
    market=st.sampled_from(Market),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    currency=odd_text,
    source=st.sampled_from(["cloud", "cloud: b", "other"]),
    observed_at=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    effective_at=st.none() | st.datetimes(datetime(2020, 1, 1), timezones=st.just(UTC)),
    confidence=st.sampled_from(Confidence),
    obtainable=st.none() | st.integers(),
    hazard_per_hour=st.none() | st.floats(0, 1),
    row=st.lists(st.tuples(odd_text, odd_text), max_size=2).map(tuple),
)


@settings(max_examples=60)
@given(
    accepted=st.lists(quotes, max_size=4),
    aside=st.lists(quotes, max_size=4),
    reasons=st.lists(odd_text, max_size=2),
)
def test_whatever_strangers_say_can_be_kept(
    accepted: list[Quote], aside: list[Quote], reasons: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No odd byte, size or number of one source stops the writing of the others; prices stay as said."""
    store = fresh_store(tmp_path_factory.mktemp("odd"))
    memory = {(quote.source.partition(":")[0], quote.id): Claim(accepted=quote) for quote in accepted}
    belief = Belief(
        offers=(),
        quarantined=tuple(Quarantined(quote=q, doubt=Doubt.UNIT, detail=q.region) for q in aside),
        outvoted=(),
        memory=memory,
    )
    unread = tuple(Unread(source="cloud", row=((text, text),), reason=text) for text in reasons)
    save_belief(store, belief, unread, {"cloud": a_course(error="\0\ud800")}, NOON)
    claimed = {str(quote.price) for quote in (*accepted, *aside)}
    back = [one.quote for one in load_quarantined(store)]
    back += [claim.accepted for claim in load_memory(store).values() if claim.accepted is not None]
    assert {str(quote.price) for quote in back} <= claimed
    assert len(load_unread(store)) == len(reasons)
    store.close()


prices = st.sampled_from(["1.00", "1.01", "2.50", "9.00", "0"])
polls = st.lists(st.dictionaries(st.sampled_from("abc"), prices, max_size=3), min_size=1, max_size=6)


@settings(max_examples=40)
@given(polls=polls)
def test_any_run_of_polls_is_remembered_exactly(
    polls: list[Mapping[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.mktemp("polls")
    store = fresh_store(folder)
    memory: Mapping[tuple[str, str], Claim] = {}
    for hour, poll in enumerate(polls):
        found = tuple(a_quote(price, instance_type=kind) for kind, price in poll.items())
        answer = said(*found, at=later(hour), whole=len(poll) != 1)
        belief = believe((answer,), memory, TRUST, later(hour))
        saved(store, belief, later(hour))
        memory = load_memory(store)
        assert memory == belief.memory
        assert load_quarantined(store) == belief.quarantined
        assert saved(store, belief, later(hour)) == 0
    store.close()


def test_an_outvoted_quote_whose_winner_went_is_not_shown_without_it(store: Store) -> None:
    lost = Outvoted(quote=replace(A, source="wide"), winner=replace(A, source="cloud"))
    memory = {("wide", A.id): Claim(accepted=lost.quote)}
    saved(store, Belief(offers=(), quarantined=(), outvoted=(lost,), memory=memory))
    assert load_outvoted(store) == ()
