"""Asks regions for spot prices, all at once, none longer than the deadline."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from bouted.errors import BoutedError, SourceFailed
from bouted.market.quotes import Quote, Unread

from .aws_client import AwsClient
from .aws_facts import RegionFacts
from .aws_spot import PRODUCT, SpotPage, in_force, names_zones_only, read_spot
from .aws_together import together

HISTORY = timedelta(days=90)  # AWS keeps no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one region gave, and why something is missing."""

    region: str
    quotes: tuple[Quote, ...] = ()
    unread: tuple[Unread, ...] = ()
    problem: BoutedError | None = None


def ask_all(regions: tuple[str, ...], ask: Callable[[str], Part], until: float) -> tuple[Part, ...]:
    """Each region's part, in order. One that gives none by `until` is left to end by itself, and missing."""
    heard = together([partial(ask, region) for region in regions], until)
    return tuple(
        part if isinstance(part, Part) else Part(region=region, problem=part)
        for region, part in zip(regions, heard, strict=True)
    )


class SpotAsker:
    """Asks one region for spot prices: those in force, or their past."""

    def __init__(self, client: AwsClient, facts: RegionFacts, source: str) -> None:
        self._client = client
        self._facts = facts
        self._source = source

    def now(self, region: str, now: datetime, until: float) -> Part:
        """The prices in force: AWS gives the last change before the time asked for."""
        part = self._between(region, now, now, until)
        return Part(region=region, quotes=in_force(part.quotes), unread=part.unread, problem=part.problem)

    def past(self, region: str, now: datetime, since: datetime, until: float) -> Part:
        """Every change from `since` on, and the price that was then in force; 90 days at most."""
        return self._between(region, now, max(since, now - HISTORY), until)

    def _between(self, region: str, now: datetime, since: datetime, until: float) -> Part:
        facts = self._facts.of(region, now, until)
        if not facts.specs:  # no types to ask for would mean all
            unknown = SourceFailed(f"{region}: no instance type with GPUs can be read")
            return Part(region=region, unread=facts.unread, problem=unknown)
        pages = self._client.pages(
            "ec2",
            region,
            "describe_spot_price_history",
            "SpotPriceHistory",
            until,
            StartTime=since,
            InstanceTypes=sorted(facts.specs),
            ProductDescriptions=[PRODUCT],
        )
        zone_ids, problem = self._zone_ids(region, pages.rows)
        page = SpotPage(source=self._source, region=region, specs=facts.specs, zone_ids=zone_ids, now=now)
        quotes, unread = read_spot(pages.rows, page)
        problem = pages.problem or problem
        if problem is None and not quotes and not unread:
            problem = SourceFailed(f"{region}: no spot prices at all")
        return Part(region=region, quotes=quotes, unread=(*facts.unread, *unread), problem=problem)

    def _zone_ids(
        self, region: str, rows: tuple[object, ...]
    ) -> tuple[Mapping[str, str], BoutedError | None]:
        if not names_zones_only(rows):
            return {}, None
        try:
            return self._facts.zone_ids(region), None
        except BoutedError as problem:
            return {}, problem
