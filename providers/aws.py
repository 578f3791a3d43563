"""Prices of AWS, live: spot per zone, on demand per region; and what AWS says about machines it will take."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from bouted.errors import BoutedError, PermissionMissing, Retryable, SourceFailed
from bouted.market.diagnosis import Diagnosis
from bouted.market.notices import Notice
from bouted.market.quotes import Answer, Quote

from .answering import Gathered
from .aws_bulk import ask_offer_file
from .aws_client import AwsClient
from .aws_doctor import diagnose
from .aws_errors import not_configured, worst
from .aws_facts import RegionFacts
from .aws_listed import quotes_of
from .aws_lists import PriceLists, Reading
from .aws_notices import NoticeQueue
from .aws_on_demand import ask_price_list
from .aws_options import AwsOptions
from .aws_placement import PlacementScore, PlacementScores
from .aws_regions import Part, SpotAsker, ask_all

log = logging.getLogger(__name__)

_HISTORY_S = 600.0


class AwsPrices:
    """GPU instances of AWS; rank 6.

    Spot prices are asked for at every look; specs, offerings and on-demand prices once a day, and quotes of
    those say when that was. A region that cannot be asked is a gap. Without credentials it gives on-demand
    prices when the option `on_demand` is `bulk`, and is not configured otherwise.
    """

    name = "aws"
    rank = 6

    def __init__(self, options: AwsOptions) -> None:
        self._options = options
        self._client = AwsClient(options.profile, timeout_s=options.patience_s, attempts=options.attempts)
        self._facts = RegionFacts(self._client, options.types, self.name)
        self._spot = SpotAsker(self._client, self._facts, self.name)
        self._lists = PriceLists(self._read_list, options.on_demand_every_s)
        self._placement = PlacementScores(self._client, options.placement, options.regions)
        self._queue = NoticeQueue(self._client, options.notices_queue_url, options.regions[0])

    @classmethod
    def from_config(cls, options: Mapping[str, Any], *, config_dir: Path) -> "AwsPrices":
        """A source as a config names it; see AwsOptions for what it may say."""
        return cls(AwsOptions.read(options))

    def fetch(self, now: datetime) -> Answer:
        """Spot and on-demand quotes of every region that answered within `patience_s`."""
        live = self._has_credentials()
        until = self._until(self._options.patience_s)
        regions = self._options.regions
        for region in regions:
            self._lists.start(region, now)
        spot: tuple[Part, ...] = ()
        if live:
            spot = ask_all(regions, lambda region: self._spot.now(region, now, until), until)
        listed = tuple(self._listed(region, now, until, live=live) for region in regions)
        return _answer(self.name, spot, listed)

    def spot_history(self, now: datetime, since: datetime) -> tuple[Quote, ...]:
        """Every spot price change of the regions that answer, oldest first, 90 days back at most.

        A quote's `effective_at` is when it changed. Regions that do not answer are logged; none is an error.
        """
        if not self.credential_found():
            raise not_configured()
        until = self._until(_HISTORY_S)
        past = partial(self._spot.past, now=now, since=since, until=until)
        parts = ask_all(self._options.regions, lambda region: past(region), until)
        quotes = [quote for part in parts for quote in part.quotes]
        problems = tuple(part.problem for part in parts if part.problem is not None)
        if not quotes:
            raise worst(problems)
        for problem in problems:
            log.warning("aws: past spot prices: %s", problem)
        return tuple(sorted(quotes, key=lambda quote: (quote.effective_at or now, quote.id)))

    def placement_scores(self, now: datetime) -> tuple[PlacementScore, ...]:
        """AWS's scores for the option `placement`, an hour old at most; none where it is not set."""
        return self._placement.of(now, self._until(self._options.patience_s))

    def diagnose(self, now: datetime) -> Diagnosis:
        """The credential, every permission that is missing, the quotas of each region, placement scores."""
        found = diagnose(self._client, self._options, now, self._until(self._options.patience_s))
        return replace(found, notes=self._scored(now)) if found.configured and not found.missing else found

    def _scored(self, now: datetime) -> tuple[str, ...]:
        try:
            scores = self.placement_scores(now)
        except (SourceFailed, Retryable) as error:
            return (f"spot placement scores: {error}",) if self._options.placement else ()
        return tuple(
            f"spot placement score {one.score} of 10 in {one.zone_id or one.region} "
            f"for {one.capacity} of {', '.join(one.types)}"
            for one in scores
        )

    def notices(self, wait_s: float) -> tuple[Notice, ...]:
        """What came into the queue. A zone is given by its id, "" where that cannot be found out."""
        return tuple(self._placed(notice) for notice in self._queue.receive(wait_s))

    def acknowledge(self, notices: tuple[Notice, ...]) -> None:
        """Take them off the queue."""
        self._queue.forget(tuple(notice.receipt for notice in notices))

    def credential_found(self) -> bool:
        """Whether boto3 finds credentials here."""
        return bool(self._client.credential())

    def _has_credentials(self) -> bool:
        found = self.credential_found()
        if not found and self._options.on_demand != "bulk":
            raise not_configured()
        return found

    def _until(self, seconds: float) -> float:
        return monotonic() + seconds

    def _read_list(self, region: str, now: datetime) -> Reading:
        options = self._options
        until = self._until(options.bulk_timeout_s)
        if options.on_demand == "api":
            return ask_price_list(self._client, region, options.types, self.name, now, until)
        return ask_offer_file(
            options.bulk_url,
            region,
            options.types,
            self.name,
            now,
            timeout_s=options.patience_s,
            until=until,
        )

    def _listed(self, region: str, now: datetime, until: float, *, live: bool) -> Part:
        """A region's on-demand quotes. Those of the file need no word of AWS on the GPUs, see aws_specs."""
        prices, problem = self._lists.take(region, now, until)
        facts = self._facts.known(region)
        if prices is None or (facts is None and self._options.on_demand == "api"):
            return Part(region=region, problem=problem)
        quotes, unread = quotes_of(prices, facts.specs if facts and live else None, self.name)
        return Part(region=region, quotes=quotes, unread=unread, problem=problem)

    def _placed(self, notice: Notice) -> Notice:
        if not notice.zone:
            return notice
        try:
            return replace(notice, zone=self._facts.zone_ids(notice.region).get(notice.zone, ""))
        except BoutedError:
            return replace(notice, zone="")


def _answer(source: str, spot: tuple[Part, ...], listed: tuple[Part, ...]) -> Answer:
    gathered = Gathered(source)
    for part in (*spot, *listed):
        gathered.take(Answer(quotes=part.quotes, unread=part.unread))
    problems = tuple(part.problem for part in (*spot, *listed) if part.problem is not None)
    answer = gathered.answer(tuple(dict.fromkeys(_gap(part) for part in (*spot, *listed) if part.problem)))
    refused = bool(spot) and all(isinstance(part.problem, Retryable) and not part.quotes for part in spot)
    if refused or (not answer.quotes and not answer.unread):
        raise worst(problems)
    return answer


def _gap(part: Part) -> str:
    told = str(part.problem)
    where = (
        f"{part.region}: " if isinstance(part.problem, PermissionMissing) or part.region not in told else ""
    )
    return f"{where}{told}"
