"""The ledger's arithmetic: times, prices and rules to charges, against a bill worked out another way."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.ledger.bill import bill_usd
from bouted.ledger.charge import Account, charged_usd, charges
from bouted.ledger.cost import By, summed, to_cents
from bouted.ledger.forecast import month_forecast, month_of, rate_ahead
from bouted.ledger.prices import PriceStep, pieces
from bouted.ledger.rules import EXACT, SHIPPED, BillingRule, rule_for
from bouted.ledger.shares import IDLE, CostLine, Cut, cost_lines, places
from bouted.ledger.times import Life, Run, Span, billed_until, paid_span, paid_spans, runs
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.states import NodeStatus
from bouted.testing.fleet import START, a_template, an_offer
from bouted.testing.store import a_node

MINUTE = BillingRule(provider="x", minimum_s=60, granularity_s=1)
WHOLE_MINUTES = BillingRule(provider="x", granularity_s=60)
STOPPED_BILLED = BillingRule(provider="x", stopped_billed=True)
LATE = START + timedelta(days=400)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def account(life: Life, usd: str = "3600", *steps: tuple[float, str]) -> Account:
    return Account(
        node="n",
        provider="x",
        life=life,
        usd_per_hour=Decimal(usd),
        steps=tuple(PriceStep(at=at(when), usd_per_hour=Decimal(price)) for when, price in steps),
    )


def ran(from_s: float, to_s: float) -> Life:
    return Life(asked_at=at(from_s - 5), started_at=at(from_s), ended_at=at(to_s), came_up=True)


# what a life costs, at a dollar a second


@pytest.mark.parametrize(
    ("rule", "used_s", "billed_s"),
    [
        (EXACT, 0.5, 0.5),
        (MINUTE, 0.5, 60),
        (MINUTE, 59.2, 60),
        (MINUTE, 60.2, 61),
        (MINUTE, 61, 61),
        (WHOLE_MINUTES, 0.000001, 60),
        (WHOLE_MINUTES, 60, 60),
        (WHOLE_MINUTES, 60.000001, 120),
        (MINUTE, 0, 0),
    ],
    ids=lambda value: getattr(value, "provider", str(value)),
)
def test_time_is_billed_as_the_provider_counts_it(rule: BillingRule, used_s: float, billed_s: float) -> None:
    assert charged_usd(account(ran(100, 100 + used_s)), rule, START, LATE) == Fraction(billed_s)


def test_what_is_rounded_up_costs_what_the_node_cost_last() -> None:
    life = ran(0, 30)
    assert charged_usd(account(life, "3600", (10, "7200"), (40, "36000")), MINUTE, START, LATE) == 10 + 50 * 2


def test_a_node_that_runs_costs_up_to_the_question_and_no_further() -> None:
    life = Life(asked_at=at(0), started_at=at(10), came_up=True)
    assert charged_usd(account(life), WHOLE_MINUTES, START, at(40)) == 30


def test_the_providers_times_win_over_what_was_asked_and_noticed() -> None:
    life = Life(asked_at=at(0), started_at=at(20), noticed_end=at(900), ended_at=at(50), came_up=True)
    span = paid_span(life, EXACT)
    assert span is not None
    assert (span.start, span.end, span.estimated) == (at(20), at(50), False)


@pytest.mark.parametrize(
    ("life", "start_estimated", "end_estimated"),
    [
        (Life(asked_at=at(0), came_up=True), True, False),
        (Life(asked_at=at(0), started_at=at(1), noticed_end=at(9)), False, True),
        (Life(asked_at=at(0), noticed_end=at(9), came_up=True), True, True),
        (Life(asked_at=at(0), started_at=at(1)), False, False),
    ],
    ids=["start unknown, runs on", "end only seen", "neither known", "start known, runs on"],
)
def test_an_edge_that_no_provider_confirmed_is_an_estimate(
    life: Life, start_estimated: bool, end_estimated: bool
) -> None:
    span = paid_span(life, EXACT)
    assert span is not None
    assert (span.start_estimated, span.end_estimated) == (start_estimated, end_estimated)


def test_a_launch_that_never_came_up_cost_nothing_unless_the_provider_says_it_ran() -> None:
    never = Life(asked_at=at(0), noticed_end=at(600))
    assert paid_span(never, EXACT) is None
    told = Life(asked_at=at(0), noticed_end=at(600), started_at=at(5))
    assert charged_usd(account(told), EXACT, START, LATE) == 595


def test_where_stopped_is_billed_a_stopped_node_costs_until_it_is_gone() -> None:
    stopped = Life(asked_at=at(0), started_at=at(0), ended_at=at(50), came_up=True)
    assert charged_usd(account(stopped), STOPPED_BILLED, START, at(80)) == 80
    assert charged_usd(account(stopped), EXACT, START, at(80)) == 50
    gone = Life(asked_at=at(0), started_at=at(0), ended_at=at(50), noticed_end=at(70), came_up=True)
    assert charged_usd(account(gone), STOPPED_BILLED, START, at(80)) == 70


def test_every_provider_that_ships_has_a_rule_with_its_source() -> None:
    assert all(rule.source for rule in SHIPPED)
    assert rule_for("aws").minimum_s == rule_for("gcp").minimum_s == 60
    assert rule_for("lambda").granularity_s == 60
    assert rule_for("local") == rule_for("owned") == EXACT


# properties

times = st.integers(0, 10**9).map(lambda us: START + timedelta(microseconds=us))
prices = st.decimals("0.0001", "100", places=4)
rules = st.builds(
    BillingRule,
    provider=st.just("x"),
    minimum_s=st.sampled_from([0, 1, 60, 600]),
    granularity_s=st.sampled_from([0, 1, 60, 3600]),
    stopped_billed=st.booleans(),
)
step_lists = st.lists(
    st.builds(PriceStep, at=times, usd_per_hour=prices), max_size=6, unique_by=lambda s: s.at
)
lives = st.builds(
    Life,
    asked_at=times,
    started_at=st.none() | times,
    restarted_at=st.none() | times,
    noticed_end=st.none() | times,
    ended_at=st.none() | times,
    came_up=st.booleans(),
)
accounts = st.builds(
    Account,
    node=st.just("n"),
    provider=st.just("x"),
    life=lives,
    usd_per_hour=prices,
    steps=step_lists.map(tuple),
)


@given(start=times, end=times, first=prices, steps=step_lists, rule=rules)
def test_the_ledger_comes_to_the_bill_worked_out_the_short_way(
    start: datetime, end: datetime, first: Decimal, steps: list[PriceStep], rule: BillingRule
) -> None:
    life = Life(asked_at=start, started_at=start, ended_at=end, noticed_end=end, came_up=True)
    kept = Account(node="n", provider="x", life=life, usd_per_hour=first, steps=tuple(steps))
    quoted = [(START - timedelta(days=1), first), *((step.at, step.usd_per_hour) for step in steps)]
    assert charged_usd(kept, rule, START, LATE) == bill_usd(start, end, quoted, rule)


@given(kept=accounts, rule=rules, cuts=st.lists(times, min_size=2, max_size=6))
def test_adjoining_questions_add_up(kept: Account, rule: BillingRule, cuts: list[datetime]) -> None:
    cuts = sorted(cuts)
    parts = (charged_usd(kept, rule, a, b) for a, b in pairwise(cuts))
    assert sum(parts, Fraction(0)) == charged_usd(kept, rule, cuts[0], cuts[-1])


@given(kept=accounts, rule=rules, earlier=times, later=times)
def test_what_was_spent_is_never_negative_and_only_grows(
    kept: Account, rule: BillingRule, earlier: datetime, later: datetime
) -> None:
    first, second = sorted((earlier, later))
    before = charged_usd(kept, rule, START, first)
    assert 0 <= before <= charged_usd(kept, rule, START, second)


@given(kept=accounts, rule=rules, now=times)
def test_a_span_never_ends_before_it_starts_and_is_billed_at_least_in_full(
    kept: Account, rule: BillingRule, now: datetime
) -> None:
    span = paid_span(kept.life, rule)
    if span is None:
        assert charged_usd(kept, rule, START, LATE) == 0
        return
    assert span.end is None or span.end >= span.start
    assert billed_until(span, rule, now) >= (span.end or span.start)


@given(start=times, end=times, first=prices, steps=step_lists)
def test_pieces_follow_each_other_without_gap_or_overlap(
    start: datetime, end: datetime, first: Decimal, steps: list[PriceStep]
) -> None:
    found = list(pieces(start, end, first, steps))
    if start >= end:
        assert found == []
        return
    assert (found[0].start, found[-1].end) == (start, end)
    assert all(before.end == after.start for before, after in pairwise(found))
    assert all(piece.start < piece.end for piece in found)


def edges(spans: Iterable[Span]) -> list[tuple[datetime, datetime | None]]:
    return [(span.start, span.end) for span in spans]


moments = st.lists(st.integers(0, 30).map(at), max_size=6)


@given(starts=moments, ends=moments)
def test_machines_under_one_name_follow_each_other(starts: list[datetime], ends: list[datetime]) -> None:
    found = runs(starts, ends)
    assert all(before.end is not None and before.end <= after.start for before, after in pairwise(found))
    assert all(run.start in starts and (run.end is None or run.end in ends) for run in found)
    assert bool(found) == bool(starts)
    if starts:
        assert found[0].start == min(starts)
        assert (found[-1].end is None) == (max(starts) >= max(ends, default=START - timedelta(days=1)))


def test_where_stopping_does_not_stop_the_bill_a_second_start_begins_no_second_machine() -> None:
    kept = BillingRule(provider="x", minimum_s=0, granularity_s=0, stopped_billed=True)
    life = Life(
        asked_at=at(0), started_at=at(200), restarted_at=at(200), ended_at=at(300), noticed_end=at(310),
        came_up=True, earlier=(Run(at(0), at(100)),),
    )  # fmt: skip
    assert [(span.start, span.end) for span in paid_spans(life, kept)] == [(at(0), at(310))]
    assert [(span.start, span.end) for span in paid_spans(life, EXACT)] == [
        (at(0), at(100)),
        (at(200), at(300)),
    ]


# who it was spent for


def lines_of(template_gpus: int, *, usd: str = "8", **models: int) -> list[CostLine]:
    template = a_template("L4", template_gpus, **models)
    offer = an_offer(gpu_count=template_gpus, usd_per_hour=usd)
    charged = list(pieces(at(0), at(3600), Decimal(usd), ()))
    cuts = (Cut(at=at(0), template=template),)
    return list(cost_lines("n", offer, charged, cuts, estimated=False))


def test_a_model_costs_its_share_of_the_gpus_and_idle_ones_stand_apart() -> None:
    template = a_template("L4", 8, small=3)
    assert [(place.model, place.gpus) for place in places(template)] == [("small", 2)] * 3 + [(IDLE, 2)]
    table = summed(lines_of(8, small=3), By.MODEL)
    assert [(row.key, row.usd) for row in table.rows] == [("small", Fraction(6)), (IDLE, Fraction(2))]
    assert [(row.key, row.gpu_hours) for row in table.rows] == [("small", Fraction(6)), (IDLE, Fraction(2))]


def test_a_node_without_replicas_is_idle() -> None:
    (row,) = summed(lines_of(4), By.MODEL).rows
    assert (row.key, row.usd) == (IDLE, Fraction(8))


def test_from_a_new_cut_on_the_money_is_for_its_places() -> None:
    one, four = a_template("L4", 4, large=1), a_template("L4", 4, small=2)
    cuts = (Cut(at=at(900), template=one), Cut(at=at(1800), template=four))
    charged = pieces(at(0), at(3600), Decimal(8), ())
    found = summed(cost_lines("n", an_offer(gpu_count=4), charged, cuts, estimated=True), By.REPLICA)
    assert [(row.key, row.usd, row.estimated_usd) for row in found.rows] == [
        ("n-r0 large", Fraction(4), Fraction(4)),
        ("n-r0 small", Fraction(2), Fraction(2)),
        ("n-r1 small", Fraction(2), Fraction(2)),
    ]


@given(kept=accounts, rule=rules, until=times, by=st.sampled_from(By), small=st.integers(0, 3))
def test_parts_sum_exactly_to_what_was_charged(
    kept: Account, rule: BillingRule, until: datetime, by: By, small: int
) -> None:
    charged = charges(kept, rule, START, until)
    template = a_template("L4", 7, small=small, large=1)
    cuts = (Cut(at=START, template=template), Cut(at=at(300), template=a_template("L4", 7, large=2)))
    table = summed(cost_lines("n", an_offer(gpu_count=7), charged, cuts, estimated=False), by)
    assert (
        table.total.usd
        == sum((row.usd for row in table.rows), Fraction(0))
        == charged_usd(kept, rule, START, until)
    )


@given(st.lists(st.fractions(0, 1000), max_size=8))
def test_cents_on_the_screen_sum_to_the_rounded_total(parts: list[Fraction]) -> None:
    cents = to_cents(parts)
    assert sum(cents, Decimal(0)) == Decimal(round(sum(parts, Fraction(0)) * 100)).scaleb(-2)
    assert all(abs(Fraction(cent) - part) < Fraction(1, 100) for cent, part in zip(cents, parts, strict=True))


# where the month is heading


def test_the_forecast_goes_on_with_what_will_stand() -> None:
    statuses = [NodeStatus.PLANNED, NodeStatus.LAUNCHING, NodeStatus.UP, NodeStatus.STOPPING, NodeStatus.GONE]
    nodes = tuple(replace(a_node(f"n-{status}", usd_per_hour="2.00"), status=status) for status in statuses)
    fleet = FleetState(nodes=nodes, replicas=(), incarnations=())
    assert rate_ahead(fleet) == 6
    last_day = START.replace(day=30)
    assert month_of(last_day).end == START.replace(month=12)
    assert month_forecast(Decimal(100), Decimal(6), last_day) == 100 + 24 * 6
