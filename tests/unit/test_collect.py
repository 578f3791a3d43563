"""Asking all price sources: disagreement, failure, recovery, slowness; and the supply rules."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from threading import Event as Flag
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.config.supply import SourceSettings
from bouted.errors import Misconfigured, SourceFailed
from bouted.events import EventKind
from bouted.market.allowed import SupplyRules, allowed_offers
from bouted.market.collect import Collected, collect_market, open_sources
from bouted.market.offers import Market, MarketSnapshot, Offer
from bouted.market.source import PriceSource
from bouted.testing.prices import NOON, ScriptedPrices, an_offer

A = an_offer("1.00", instance_type="a")
B = an_offer("2.00", instance_type="b")
FAILED = SourceFailed("the price list is down", hint="wait")


@pytest.fixture
def gate() -> Iterator[Flag]:
    """A source waits at it; opened at the end, so that no thread outlives its test."""
    flag = Flag()
    yield flag
    flag.set()


def ask(
    *sources: PriceSource, previous: MarketSnapshot | None = None, after_s: float = 0, timeout_s: float = 5
) -> Collected:
    now = NOON + timedelta(seconds=after_s)
    return collect_market(sources, previous, now, timeout_s=timeout_s)


def prices(collected: Collected) -> dict[str, Decimal]:
    return {offer.instance_type: offer.usd_per_hour for offer in collected.snapshot.offers}


def test_offers_of_all_sources_are_joined_and_sorted() -> None:
    got = ask(ScriptedPrices((B,), name="x"), ScriptedPrices((A,), name="y")).snapshot
    assert [(offer.id, offer.source) for offer in got.offers] == [(A.id, "y"), (B.id, "x")]
    assert got.stale == ()


def test_the_higher_rank_wins_even_when_it_is_older() -> None:
    low = ScriptedPrices((replace(A, observed_at=NOON),), name="low", rank=0)
    dear = replace(A, usd_per_hour=Decimal(3), observed_at=NOON - timedelta(days=9))
    high = ScriptedPrices((dear,), name="high", rank=10)
    assert prices(ask(low, high)) == prices(ask(high, low)) == {"a": Decimal(3)}


def test_among_equal_ranks_the_later_observation_wins() -> None:
    older = ScriptedPrices((replace(A, observed_at=NOON - timedelta(hours=1)),), name="z")
    newer = ScriptedPrices((replace(A, usd_per_hour=Decimal(3)),), name="a")
    assert prices(ask(older, newer)) == prices(ask(newer, older)) == {"a": Decimal(3)}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (FAILED, "the price list is down (wait)"),
        (Misconfigured("prices", "no key"), "prices: no key"),
        ((), "gave no offers"),
        (KeyError("sku"), "bug in the source: KeyError: 'sku'"),
    ],
    ids=["it fails", "a person must act", "it is empty", "it has a bug"],
)
def test_a_source_without_an_answer_keeps_its_last_prices_with_their_age(
    answer: Exception | tuple[Offer, ...], told: str
) -> None:
    shaky, steady = ScriptedPrices((A,), answer, name="shaky"), ScriptedPrices((B,), name="steady")
    first = ask(shaky, steady)
    second = ask(shaky, steady, previous=first.snapshot, after_s=60)
    assert second.snapshot.offers == first.snapshot.offers
    (stale,) = second.snapshot.stale
    assert (stale.name, stale.since, stale.error) == ("shaky", NOON + timedelta(seconds=60), told)
    assert [event.kind for event in second.events] == [EventKind.SOURCE_FAILED]
    assert told in second.events[0].message


def test_failure_and_recovery_are_each_told_once() -> None:
    source, snapshot, told = ScriptedPrices((A,), FAILED, FAILED, FAILED, (B,), (B,)), None, []
    for at in range(6):
        collected = ask(source, previous=snapshot, after_s=600 * at)
        snapshot = collected.snapshot
        told.append([event.kind.value for event in collected.events])
    assert told == [[], ["source_failed"], [], [], ["source_recovered"], []]
    assert prices(collected) == {"b": Decimal(2)}


def test_the_start_of_a_failure_stays_its_first_moment() -> None:
    source = ScriptedPrices(FAILED)
    first = ask(source)
    later = ask(source, previous=first.snapshot, after_s=3600)
    assert later.snapshot.stale[0].since == NOON
    assert later.snapshot.offers == ()


def test_prices_of_a_source_that_is_no_longer_asked_are_dropped() -> None:
    first = ask(ScriptedPrices((A,), name="old"), ScriptedPrices((B,), name="kept"))
    assert prices(ask(ScriptedPrices((B,), name="kept"), previous=first.snapshot)) == {"b": Decimal(2)}


def test_a_slow_source_costs_the_timeout_and_is_not_asked_again_while_it_hangs(gate: Flag) -> None:
    def wait() -> tuple[Offer, ...]:
        gate.wait(30)
        return (B,)

    slow, quick = ScriptedPrices((A,), wait, name="slow"), ScriptedPrices((B,), name="quick")
    first = ask(slow, quick)
    started = monotonic()
    second = ask(slow, quick, previous=first.snapshot, timeout_s=0.05)
    third = ask(slow, quick, previous=second.snapshot, timeout_s=0.05)
    assert monotonic() - started < 5
    assert prices(third) == {"a": Decimal(1), "b": Decimal(2)}
    assert second.snapshot.stale[0].error == "gave no answer in time"
    assert third.snapshot.stale[0].error == "has not answered since an earlier call"
    assert len(slow.asked_at) == 2


def test_two_sources_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="different names"):
        ask(ScriptedPrices((A,)), ScriptedPrices((B,)))


@given(
    answers=st.lists(
        st.dictionaries(st.sampled_from("abc"), st.integers(1, 9), max_size=3), min_size=1, max_size=4
    )
)
@settings(max_examples=40)
def test_ids_are_unique_and_sorted_whatever_the_sources_say(answers: list[dict[str, int]]) -> None:
    offers = (
        tuple(an_offer(str(price), instance_type=name) for name, price in said.items()) for said in answers
    )
    sources = (ScriptedPrices(said, name=f"s{rank}", rank=rank) for rank, said in enumerate(offers))
    collected = ask(*sources)
    ids = [offer.id for offer in collected.snapshot.offers]
    assert ids == sorted(set(ids))
    for name in "abc":
        said = [one[name] for one in answers if name in one]
        assert prices(collected).get(name) == (said[-1] if said else None)


def test_sources_are_opened_by_the_names_and_options_of_the_config(tmp_path: Path) -> None:
    snapshot, file = open_sources(
        (SourceSettings(name="snapshot"), SourceSettings(name="file", options={"path": "mine.csv"})), tmp_path
    )
    assert (snapshot.name, file.name) == ("snapshot", "file:mine.csv")
    assert snapshot.rank < file.rank


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("snapshot", {"url": 1}, "snapshot has no option 'url'"),
        ("file", {"pth": "x"}, "file has no option 'pth'"),
        ("file", {}, "file needs a path"),
        ("filed", {}, "did you mean 'file'"),
    ],
)
def test_a_source_with_wrong_options_is_refused(
    tmp_path: Path, name: str, options: dict[str, object], told: str
) -> None:
    with pytest.raises(Misconfigured, match=told):
        open_sources((SourceSettings(name=name, options=options),), tmp_path)


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
