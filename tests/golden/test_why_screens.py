"""What `bouted why` and `bouted pareto` print, as text and as JSON; and the page that stands alone."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from bouted.catalog.gpus import Evidence
from bouted.cli.pareto_document import pareto_document
from bouted.cli.pareto_html import pareto_html
from bouted.cli.pareto_points import Front, front_of
from bouted.cli.pareto_text import pareto_text
from bouted.cli.why_document import why_document
from bouted.cli.why_text import why_text
from bouted.market.offers import Confidence, Market
from bouted.perf.profile import Metric
from bouted.planner.assumed import (
    Assumed,
    LoadAssumed,
    MovingAssumed,
    PriceAssumed,
    QualityAssumed,
    StepsAssumed,
)
from bouted.planner.design import Design, Estimate, Frontier, Judge, ScoredDesign
from bouted.planner.plan import Plan, Trigger
from bouted.planner.planned import ModelShare, PlannedNode
from bouted.planner.problem import PlanningProblem
from bouted.planner.relax import Unit
from bouted.planner.whatif import Bought, MoreMoney, WhatIf
from bouted.planner.why import Why
from bouted.planner.whynot import Verdict, WhyNot
from bouted.quality.route_split import RouteRule, RouteSplit
from bouted.testing.builders import a_problem, a_shape, a_table, rules, targets
from bouted.testing.fleet import an_offer, planned
from bouted.workload.profile import WorkloadSource

AT = datetime(2026, 11, 23, 14, 5, 11, tzinfo=UTC)
L4 = an_offer("aws", gpu="L4", gpu_count=4, usd_per_hour="1.16")
A100 = an_offer("gcp", gpu="A100-80GB", gpu_count=2, usd_per_hour="5.10", region="us-central1")
H100 = an_offer(
    "lambda", gpu="H100-80GB", gpu_count=4, usd_per_hour="12.94", market=Market.ON_DEMAND, region="us-east-1"
)
SHARES = (ModelShare(model="small", share=0.74), ModelShare(model="large", share=0.26))


def scored(
    nodes: tuple[PlannedNode, ...], e2e: float, low: float, *, violated: tuple[str, ...] = ()
) -> ScoredDesign:
    design = Design(nodes=nodes, shares=SHARES)
    estimate = Estimate(
        usd_per_hour=design.usd_per_hour,
        ttft_p95_s=0.64,
        tpot_p95_s=0.038,
        e2e_p95_s=e2e,
        quality=low + 0.007,
        quality_low=low,
        bound_usd_per_hour=6.24,
        judge=Judge.SIMULATED,
        spread=0.08,
        usd_spread=0.03,
    )
    return ScoredDesign(design=design, estimate=estimate, violated=violated)


CHOSEN = scored((*planned(L4, 1, small=4), *planned(A100, 1, large=1)), 9.84, 0.864)
FRONT = (
    CHOSEN,
    scored((*planned(L4, 2, small=4), *planned(A100, 1, large=1)), 8.1, 0.872),
    scored((*planned(L4, 1, small=4), *planned(A100, 2, large=1)), 6.9, 0.881),
    scored((*planned(L4, 1, small=4), *planned(H100, 1, large=1)), 4.2, 0.886),
    scored((*planned(L4, 4, small=4), *planned(H100, 1, large=1)), 3.9, 0.866),
)
OLD = scored((*planned(L4, 2, small=4), *planned(H100, 1, large=1)), 13.1, 0.861, violated=("e2e_p95",))

PLAN = Plan(
    id="9c1d0",
    created_at=AT,
    trigger=Trigger.PRICE,
    design=CHOSEN.design,
    split=RouteSplit(models=("small", "large"), shares=(0.74, 0.26), rules=(RouteRule(),), scorer_hash="s"),
    shapes=(),
    estimate=CHOSEN.estimate,
    objective=Metric.E2E,
    rate_per_s=12.4,
    why=(
        "saves $9.00/h over plan 7f3a2, prices like these hold 9 h; moving costs $1.02, pays back in 7 min",
    ),
    runner_up="$7.42/h, p95 e2e 8.1 s, quality 0.879: $1.16/h dearer",
    problem_hash="p",
    config_hash="c",
    seed=7,
    seconds_to_plan=6.2,
)


def problem() -> PlanningProblem:
    return a_problem(
        (L4, A100, H100),
        a_table({a_shape("small"): 4.0}),
        (rules("small"), rules("large")),
        wanted=replace(targets(ttft=0.9, e2e=12.0, quality=0.86), objective=Metric.E2E),
        budget="25.00",
    )


def frontier() -> Frontier:
    return Frontier(designs=FRONT, incumbent=OLD, nearest=None, swept=256, simulated=24, seconds=6.0, seed=7)


def drawn() -> Front:
    return front_of(PLAN, problem(), frontier())


def bought(
    name: str, unit: Unit, now: float | None, limit: float | None, step: float, saves: str = "0"
) -> Bought:
    return Bought(
        name=name,
        unit=unit,
        now=now,
        limit=limit,
        step=step,
        saves_usd_per_hour=Decimal(saves),
        faster_s=0.0,
    )


WHAT_IF = WhatIf(
    bought=(
        bought("p95 ttft", Unit.SECONDS, 0.64, 0.9, 0.09),
        bought("p95 e2e", Unit.SECONDS, 9.84, 12.0, 0.1, "0.60"),
        bought("quality floor", Unit.QUALITY, 0.864, 0.86, 0.01, "1.10"),
        bought("budget", Unit.USD_PER_HOUR, 6.26, 25.0, 1.0),
        bought("spot share", Unit.SHARE, None, 0.7, 0.1),
        bought("stock of gcp/us-central1/2xA100-80GB/spot", Unit.COUNT, None, None, 1.0, "0.31"),
        bought("min_replicas of large", Unit.COUNT, 1.0, 1.0, 1.0),
    ),
    more_money=MoreMoney(
        step_usd_per_hour=Decimal(1), usd_per_hour=Decimal("7.20"), p95_s=9.04, faster_s=0.8
    ),
    near=(CHOSEN,),
)
GPUS = (
    WhyNot(gpu="A100-80GB", verdict=Verdict.USED),
    WhyNot(gpu="B200", verdict=Verdict.SOLD_OUT),
    WhyNot(
        gpu="H100-80GB",
        verdict=Verdict.DEARER,
        offer="lambda/us-east-1/4xH100-80GB/on_demand",
        more_usd_per_hour=Decimal("7.84"),
    ),
    WhyNot(gpu="L4", verdict=Verdict.USED),
    WhyNot(
        gpu="L40S",
        verdict=Verdict.AS_CHEAP,
        offer="vast/US/1x_L40S/spot",
        more_usd_per_hour=Decimal("0.01"),
    ),
    WhyNot(gpu="MI300X", verdict=Verdict.NOT_ALLOWED),
    WhyNot(gpu="RTX5090", verdict=Verdict.NO_FLEET),
    WhyNot(gpu="T4", verdict=Verdict.TOO_SLOW, idle_s=31.2),
    WhyNot(gpu="V100", verdict=Verdict.NO_ROOM),
)
ASSUMED = Assumed(
    prices=(
        PriceAssumed(
            offer="aws/us-east-1/4xL4/spot",
            count=1,
            usd_per_hour=Decimal("1.16"),
            source="aws DescribeSpotPriceHistory",
            age_s=timedelta(minutes=4, seconds=12).total_seconds(),
            confidence=Confidence.HIGH,
            hazard_per_hour=0.05,
            holds_h=9.0,
        ),
        PriceAssumed(
            offer="gcp/us-central1/2xA100-80GB/spot",
            count=1,
            usd_per_hour=Decimal("5.10"),
            source="gcp Cloud Billing catalog",
            age_s=timedelta(hours=2, minutes=11).total_seconds(),
            confidence=Confidence.MEDIUM,
            hazard_per_hour=0.02,
            holds_h=720.0,
        ),
    ),
    steps=(
        StepsAssumed(
            shape="large@A100-80GB:tp2pp1:bf16:vllm", evidence=Evidence.INTERPOLATED, spread=0.2, tempo=None
        ),
        StepsAssumed(shape="small@L4:tp1pp1:bf16:vllm", evidence=Evidence.MEASURED, spread=0.05, tempo=1.07),
    ),
    load=LoadAssumed(
        source=WorkloadSource.OBSERVED,
        samples=3720,
        rate_per_s=12.4,
        rate_low_per_s=11.6,
        rate_high_per_s=13.3,
        arrival_cv=1.2,
        prompt_tokens=412.0,
        output_tokens=155.0,
    ),
    quality=QualityAssumed(prompts=600, synthetic=False, declared=False, mean=0.871, low=0.864),
    moving=MovingAssumed(
        start_h=0.1,
        overlap_h=0.108333,
        fetch_h_per_gib=0.0001,
        weights_gib=(("small", 15.0), ("large", 131.4)),
    ),
    scenarios=3,
    latency_spread=0.08,
)


def told(**changes: object) -> Why:
    why = Why(plan=PLAN, problem=problem(), frontier=frontier(), what_if=WHAT_IF, gpus=GPUS, assumed=ASSUMED)
    return replace(why, **changes)  # type: ignore[arg-type]


CASES: dict[str, Callable[[], list[str]]] = {
    "why": lambda: why_text(told()),
    "why-gpu": lambda: why_text(
        told(what_if=None, gpus=(GPUS[2], WhyNot(gpu="B300", verdict=Verdict.NOT_ON_SALE), GPUS[0]))
    ),
    "why-declared": lambda: why_text(
        told(
            what_if=replace(
                WHAT_IF,
                bought=(),
                more_money=replace(WHAT_IF.more_money, usd_per_hour=None, p95_s=None, faster_s=0.0),
                near=(),
            ),
            gpus=(),
            assumed=replace(
                ASSUMED,
                load=replace(ASSUMED.load, source=WorkloadSource.DECLARED),
                quality=replace(ASSUMED.quality, declared=True),
                scenarios=0,
            ),
        )
    ),
    "why-billed": lambda: why_text(
        told(
            gpus=(),
            assumed=replace(
                ASSUMED,
                prices=(
                    replace(
                        ASSUMED.prices[0], usd_per_hour=Decimal("1.2412"), quoted_usd_per_hour=Decimal("1.16")
                    ),
                    *ASSUMED.prices[1:],
                ),
            ),
        )
    ),
    "why-learned": lambda: why_text(
        told(
            gpus=(),
            assumed=replace(
                ASSUMED,
                moving=replace(
                    ASSUMED.moving,
                    start_h=0.062,
                    fetch_h_per_gib=0.0006,
                    starts=12,
                    fetches=9,
                    measured=("small",),
                ),
            ),
        )
    ),
    "pareto": lambda: pareto_text(drawn()),
}


@pytest.mark.parametrize("name", CASES)
def test_a_screen_reads_as_it_should(name: str, golden: Callable[[str, str], None]) -> None:
    lines = CASES[name]()
    assert max(map(len, lines)) <= 100
    golden(name, "\n".join(lines))


def test_the_documents_keep_their_keys(golden: Callable[[str, str], None]) -> None:
    golden("why-json", json.dumps(why_document(told()), indent=2))
    golden("pareto-json", json.dumps(pareto_document(drawn()), indent=2))


class Page(HTMLParser):
    """What a page holds: its tags in order, how deep they end, and all attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta",):
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_says_in_words_what_it_draws() -> None:
    text = pareto_html(drawn())
    page = Page(text)
    assert page.open == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not {"href", "src", "onclick"} & set(page.attributes)
    assert "url(" not in text
    assert "@import" not in text
    assert "img" in page.attributes["role"]
    assert text.count("<tr") == 1 + len(drawn().points)
    assert text.count('class="point ') == len(drawn().points)


def test_what_people_write_is_not_markup_in_the_page() -> None:
    front = drawn()
    nasty = replace(front, plan=replace(front.plan, why=("<script>alert(1)</script> & more",)))
    assert "script" not in Page(pareto_html(nasty)).tags
    assert "&lt;script&gt;" in pareto_html(nasty)


def test_a_front_of_one_design_is_drawn_too() -> None:
    alone = replace(frontier(), designs=(CHOSEN,), incumbent=None)
    front = front_of(PLAN, problem(), alone)
    assert [point.chosen for point in front.points] == [True]
    assert any("@" in line for line in pareto_text(front))
    assert Page(pareto_html(front)).open == []


def test_a_held_plan_is_the_one_in_force_and_drawn_though_it_is_not_on_the_front() -> None:
    held = replace(PLAN, design=OLD.design, estimate=OLD.estimate)
    front = front_of(held, problem(), frontier())
    (marked,) = (point for point in front.points if point.chosen)
    assert marked.incumbent
    assert not marked.fits
    assert len(front.points) == len(FRONT) + 1
