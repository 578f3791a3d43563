"""Folding what sources say into the market: failure, recovery, back-off, gaps; and the supply rules."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bouted.config.supply import SourceSettings
from bouted.errors import (
    BoutedError,
    Misconfigured,
    NotConfigured,
    PermissionMissing,
    Retryable,
    SourceBroken,
    SourceFailed,
)
from bouted.events import EventKind
from bouted.market.allowed import SupplyRules, allowed_offers
from bouted.market.asking import Result, ask
from bouted.market.belief import Trust
from bouted.market.collect import Collected, fold, open_feeds
from bouted.market.doubt import Doubt
from bouted.market.offers import Market, Offer
from bouted.market.quotes import Answer, Unread
from bouted.market.state import MarketState
from bouted.testing.prices import NOON, Said, ScriptedPrices, a_feed, a_quote, an_offer

A = a_quote("1.00", instance_type="a")
B = a_quote("2.00", instance_type="b")
FAILED = SourceFailed("the price list is down", hint="wait")


def look(
    *sources: ScriptedPrices, before: MarketState | None = None, after_s: float = 0, jitter: float = 1.0
) -> Collected:
    """Every source is asked, and what it says is folded in."""
    now = NOON + timedelta(seconds=after_s)
    heard = {source.name: ask(source, now) for source in sources}
    feeds = tuple(a_feed(source) for source in sources)
    return fold(feeds, heard, before or MarketState(taken_at=now), now, trust=Trust(), jitter=jitter)


def prices(collected: Collected) -> dict[str, Decimal]:
    return {offer.instance_type: offer.usd_per_hour for offer in collected.state.offers}


def test_offers_of_all_sources_are_joined_and_sorted() -> None:
    got = look(ScriptedPrices((B,), name="x"), ScriptedPrices((A,), name="y")).state
    assert [(offer.id, offer.source) for offer in got.offers] == [(A.id, "y"), (B.id, "x")]
    assert got.troubled() == ()


@pytest.mark.parametrize(
    ("answer", "result", "told"),
    [
        (FAILED, Result.FAILED, "the price list is down (wait)"),
        (Misconfigured("prices", "no key"), Result.FAILED, "prices: no key"),
        (
            PermissionMissing("ec2:Describe", hint="add it"),
            Result.DENIED,
            "permission missing: ec2:Describe (add it)",
        ),
        (Retryable("slow down", after_s=90), Result.THROTTLED, "slow down"),
        ((), Result.FAILED, "gave no quotes"),
        (KeyError("sku"), Result.FAILED, "bug in the source: KeyError: 'sku'"),
    ],
    ids=["it fails", "a person must act", "it may not", "it is throttled", "it is empty", "it has a bug"],
)
def test_a_source_without_an_answer_keeps_its_last_prices_with_their_age(
    answer: Said, result: Result, told: str
) -> None:
    shaky, steady = ScriptedPrices((A,), answer, name="shaky"), ScriptedPrices((B,), name="steady")
    first = look(shaky, steady)
    second = look(shaky, steady, before=first.state, after_s=60)
    assert second.state.offers == first.state.offers
    (course,) = second.state.troubled()
    assert (course.name, course.since, course.error) == ("shaky", NOON + timedelta(seconds=60), told)
    assert course.result is result
    assert [event.kind for event in second.events] == [EventKind.SOURCE_FAILED]
    assert told in second.events[0].message


def test_only_what_a_person_must_mend_is_marked_so() -> None:
    errors: list[BoutedError] = [SourceBroken("not CSV"), Misconfigured("p", "no key"), FAILED]
    needs = [look(ScriptedPrices(error)).state.troubled()[0].needs_person for error in errors]
    assert needs == [True, True, False]


def test_failure_and_recovery_are_each_told_once() -> None:
    source, state, told = ScriptedPrices((A,), FAILED, FAILED, FAILED, (B,), (B,)), None, []
    for at in range(6):
        collected = look(source, before=state, after_s=600 * at)
        state = collected.state
        told.append([event.kind.value for event in collected.events])
    assert told == [[], ["source_failed"], [], [], ["source_recovered"], []]
    assert prices(collected) == {"b": Decimal(2)}


def test_a_source_without_credentials_is_no_trouble_and_is_looked_at_again_in_an_hour() -> None:
    collected = look(ScriptedPrices(NotConfigured("no credentials")), ScriptedPrices((A,), name="other"))
    assert collected.events == ()
    assert collected.state.troubled() == ()
    course = collected.state.courses["scripted"]
    assert course.result is Result.IDLE
    assert course.next_at == NOON + timedelta(hours=1)


def test_a_failing_source_is_asked_ever_later_and_its_circuit_opens_and_recovers() -> None:
    source, state, waits, opened = ScriptedPrices(*[FAILED] * 9, (A,)), None, [], []
    for at in range(10):
        collected = look(source, before=state, after_s=at)
        state = collected.state
        course = state.courses["scripted"]
        waits.append((course.next_at - course.asked_at).total_seconds())
        opened.append(course.open)
    assert waits == [15, 30, 60, 120, 240, 480, 960, 1800, 1800, 300]
    assert opened == [False] * 4 + [True] * 5 + [False]


def test_jitter_spreads_retries_over_half_the_wait() -> None:
    waits = [
        look(ScriptedPrices(FAILED), jitter=jitter).state.courses["scripted"].next_at - NOON
        for jitter in (0.0, 0.5, 1.0)
    ]
    assert waits == [timedelta(seconds=s) for s in (7.5, 11.25, 15.0)]


def test_a_throttled_source_waits_as_long_as_it_was_told() -> None:
    course = look(ScriptedPrices(Retryable("slow down", after_s=90))).state.courses["scripted"]
    assert course.next_at == NOON + timedelta(seconds=90)


def test_the_start_of_a_failure_stays_its_first_moment() -> None:
    source = ScriptedPrices(FAILED)
    first = look(source)
    later = look(source, before=first.state, after_s=3600)
    assert later.state.troubled()[0].since == NOON
    assert later.state.offers == ()


def test_half_an_answer_keeps_what_it_does_not_mention_and_says_what_is_missing() -> None:
    half = Answer(quotes=(a_quote("1.10", instance_type="a"),), gaps=("us-west-2: timed out",))
    source = ScriptedPrices((A, B), half)
    first = look(source)
    second = look(source, before=first.state, after_s=60)
    assert prices(second) == {"a": Decimal("1.10"), "b": Decimal("2.00")}
    course = second.state.courses["scripted"]
    assert (course.result, course.error, course.since) == (Result.PARTIAL, "us-west-2: timed out", None)


def test_prices_of_a_source_that_is_no_longer_asked_are_dropped() -> None:
    first = look(ScriptedPrices((A,), name="old"), ScriptedPrices((B,), name="kept"))
    assert prices(look(ScriptedPrices((B,), name="kept"), before=first.state)) == {"b": Decimal(2)}


def test_what_is_set_aside_stays_shown_while_its_source_is_silent_and_goes_when_it_is_mended() -> None:
    unread = Unread(source="scripted", row=(("price", "?"),), reason="price '?' is no number")
    bad = Answer(quotes=(a_quote("0", instance_type="a", source="scripted"), B), unread=(unread,))
    source = ScriptedPrices(bad, FAILED, (A, B))
    first = look(source)
    second = look(source, before=first.state, after_s=60)
    third = look(source, before=second.state, after_s=120)
    for collected in (first, second):
        assert [one.doubt for one in collected.state.quarantined] == [Doubt.NOT_POSITIVE]
        assert collected.state.unread == (unread,)
    assert third.state.quarantined == ()
    assert third.state.unread == ()


def test_a_feed_with_every_row_broken_gives_no_offer_and_is_counted() -> None:
    rows = tuple(Unread(source="scripted", row=(("n", str(n)),), reason="no price") for n in range(3))
    collected = look(ScriptedPrices(Answer(quotes=(), unread=rows)))
    assert collected.state.offers == ()
    course = collected.state.courses["scripted"]
    assert (course.quotes, course.unread) == (0, 3)
    assert course.error == "every row is broken: no price"
    assert collected.state.troubled() == (course,)


def test_two_sources_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="different names"):
        look(ScriptedPrices((A,)), ScriptedPrices((B,)))


def opened(*rules: SourceSettings, folder: Path) -> list[tuple[str, float, float]]:
    feeds = open_feeds(rules, folder, every_s=300, timeout_s=30)
    return [(feed.source.name, feed.every_s, feed.timeout_s) for feed in feeds]


def test_sources_are_opened_by_the_names_options_and_pace_of_the_config(tmp_path: Path) -> None:
    file = SourceSettings(name="file", options={"path": "mine.csv"}, every_s=5.0, timeout_s=1.0)
    assert opened(SourceSettings(name="snapshot"), file, folder=tmp_path) == [
        ("snapshot", 300, 30),
        ("file:mine.csv", 5, 1),
    ]


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("snapshot", {"url": 1}, "url"),
        ("file", {"path": "x.csv", "pth": "x"}, "pth"),
        ("file", {}, "path"),
        ("filed", {}, "did you mean 'file'"),
    ],
)
def test_a_source_with_wrong_options_is_refused(
    tmp_path: Path, name: str, options: dict[str, object], told: str
) -> None:
    with pytest.raises(Misconfigured, match=told):
        opened(SourceSettings(name=name, options=options), folder=tmp_path)


EAST = an_offer(provider="aws", region="us-east-1", gpu="L4")
WEST = an_offer(provider="gcp", region="us-west1", gpu="H100-80GB")
EURO = an_offer(provider="gcp", region="europe-west4", gpu="A100-80GB")
OURS = an_offer("0", provider="owned", region="hq", market=Market.OWNED)


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        (SupplyRules(), (EAST, WEST, EURO, OURS)),
        (SupplyRules(clouds=("gcp",)), (WEST, EURO, OURS)),
        (SupplyRules(regions_allow=("US-*",)), (EAST, WEST, OURS)),
        (SupplyRules(regions_allow=("us-*",), regions_deny=("us-west*",)), (EAST, OURS)),
        (SupplyRules(gpus_allow=("l4", "H100*")), (EAST, WEST, OURS)),
        (SupplyRules(gpus_deny=("*-80GB",)), (EAST, OURS)),
        (SupplyRules(clouds=("azure",)), (OURS,)),
    ],
)
def test_supply_rules_let_in_what_they_say_and_always_what_is_owned(
    rules: SupplyRules, allowed: tuple[Offer, ...]
) -> None:
    assert allowed_offers((EAST, WEST, EURO, OURS), rules) == allowed
