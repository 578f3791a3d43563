"""What `bouted cost` looks like."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from bouted.cli.bill_rows import bill_document, bill_screen
from bouted.cli.cost_rows import Told, document, screen
from bouted.daemon.board import Spend
from bouted.ledger.bills import Billed, Matching
from bouted.ledger.cost import By, summed
from bouted.ledger.shares import IDLE, CostLine, Place
from bouted.market.offers import Market
from bouted.store.billed import KnownFactor
from bouted.testing.fleet import an_offer

Golden = Callable[[str, str], None]

NOW = datetime(2026, 11, 24, 3, 7, tzinfo=UTC)
SINCE = NOW - timedelta(days=7)


def a_line(
    node: str, place: Place, usd: str, *, cloud: str = "aws", market: Market = Market.SPOT, seen: bool = False
) -> CostLine:
    offer = an_offer(cloud, gpu="H100-80GB", gpu_count=8, market=market, usd_per_hour="17.26")
    return CostLine(
        node=node,
        offer=offer,
        place=place,
        start=SINCE,
        end=NOW,
        usd=Fraction(usd),
        usd_per_hour=offer.usd_per_hour,
        estimated=seen,
    )


SMALL, LARGE = Place(position=0, model="small", gpus=1), Place(position=1, model="large", gpus=4)
SPARE = Place(position=None, model=IDLE, gpus=3)
LINES = (
    a_line("bt-prod-1a2b3c4d-1", SMALL, "161.005"),
    a_line("bt-prod-1a2b3c4d-1", LARGE, "644.02"),
    a_line("bt-prod-1a2b3c4d-1", SPARE, "483.015"),
    a_line("bt-prod-9e8d7c6b-2", LARGE, "12.005", cloud="lambda", market=Market.ON_DEMAND, seen=True),
)
TOLD = Told(
    now=NOW,
    since=SINCE,
    spend=Spend(
        today_usd=Decimal("31.2"), month_usd=Decimal("6312.04"), forecast_month_usd=Decimal("8240.11")
    ),
    usd_per_hour=Decimal("18.42"),
    usd_per_month=Decimal(12000),
    table=summed(LINES, By.MODEL),
)
TIGHT = Told(
    now=NOW,
    since=SINCE,
    spend=TOLD.spend,
    usd_per_hour=TOLD.usd_per_hour,
    usd_per_month=Decimal(8000),
    table=summed(LINES, By.REPLICA),
    factors=(
        KnownFactor(
            provider="aws",
            factor=Decimal("1.0700"),
            hours=336.0,
            until=NOW.replace(day=1, hour=0, minute=0),
            read_at=NOW,
        ),
    ),
)


def test_the_cost_screen_by_model(golden: Golden) -> None:
    golden("cost", "\n".join(screen(TOLD)))


def test_the_cost_screen_over_the_months_budget_with_what_bills_taught(golden: Golden) -> None:
    golden("cost-replicas", "\n".join(screen(TIGHT)))


def test_the_cost_screen_of_a_deployment_that_spent_nothing(golden: Golden) -> None:
    nothing = Spend(today_usd=Decimal(0), month_usd=Decimal(0), forecast_month_usd=Decimal(0))
    told = Told(
        now=NOW,
        since=SINCE,
        spend=nothing,
        usd_per_hour=Decimal(0),
        usd_per_month=None,
        table=summed((), By.MODEL),
    )
    golden("cost-empty", "\n".join(screen(told)))


def test_the_document_keeps_its_keys(golden: Golden) -> None:
    golden("cost-json", json.dumps(document(TIGHT), indent=2))


def a_billed(provider: str, billed: str, ledger: str, hours: float) -> Billed:
    return Billed(
        provider=provider,
        billed_usd=Decimal(billed),
        ledger_usd=Decimal(ledger),
        nodes=3,
        hours=hours,
        since=SINCE,
        until=NOW,
    )


BILLED = (a_billed("aws", "1401.13", "1309.47", 336.2), a_billed("gcp", "0.40", "0.41", 0.3))


def test_a_bill_beside_the_ledger(golden: Golden) -> None:
    matching = Matching(accounts={}, strangers={"i-1", "i-2"}, strangers_usd=Decimal("88.2"))
    golden("cost-bill", "\n".join(bill_screen("cur-00001.csv.gz", BILLED, matching)))
    golden("cost-bill-json", json.dumps(bill_document(BILLED, matching), indent=2))
