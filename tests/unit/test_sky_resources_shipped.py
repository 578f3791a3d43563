"""How many of the offers that ship with bouted SkyPilot can rent; docs/skypilot.md has the table."""

from datetime import UTC, datetime
from pathlib import Path

from bouted.providers.sky_launchable import as_table, shares, unlaunchable
from bouted.providers.sky_places import ZoneNames
from bouted.providers.sky_resources import SkyNames
from bouted.providers.snapshot import SnapshotPrices

from bouted.market.offers import Offer

DOC = Path(__file__).parents[2] / "docs" / "skypilot.md"


def shipped() -> list[Offer]:
    quotes = SnapshotPrices().fetch(datetime(2026, 6, 1, tzinfo=UTC)).quotes
    return [
        Offer(
            provider=quote.provider,
            region=quote.region,
            zone=quote.zone,
            instance_type=quote.instance_type,
            gpu=quote.gpu,
            gpu_count=quote.gpu_count,
            market=quote.market,
            usd_per_hour=quote.price,
            obtainable=quote.obtainable or 1,
            hazard_per_hour=quote.hazard_per_hour or 0.0,
            source=quote.source,
            observed_at=quote.observed_at,
            confidence=quote.confidence,
        )
        for quote in quotes
    ]


def an_account(offers: list[Offer]) -> SkyNames:
    """One that has every zone, under some name."""
    return SkyNames(zones=ZoneNames(names={one.zone: f"{one.region}a" for one in offers if one.zone}))


def test_the_docs_count_what_can_be_rented_of_the_shipped_offers() -> None:
    offers = shipped()
    assert as_table(shares(offers, an_account(offers))) in DOC.read_text(encoding="utf-8")


def test_an_offer_is_left_out_with_its_reason_and_the_others_are_not() -> None:
    offers = shipped()
    left_out = unlaunchable(offers, an_account(offers))
    by_provider = {one.provider for one in offers if one.id in left_out}
    assert by_provider == {"azure", "vast"}
    assert left_out["azure/westus3/Standard_ND96isr_MI300X_v5/spot"].endswith("NVIDIA's driver alone")


def test_without_the_accounts_zone_names_offers_by_zone_id_are_left_out() -> None:
    offers = shipped()
    left_out = unlaunchable(offers, SkyNames())
    by_zone = {one.id for one in offers if one.zone}
    assert by_zone
    assert by_zone <= set(left_out)
    assert {one.id for one in offers if one.provider == "aws" and one.id in left_out} == by_zone
