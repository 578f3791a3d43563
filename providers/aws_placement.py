"""Spot placement scores: how likely AWS thinks a request for spot capacity is to succeed, zone by zone."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from .aws_client import AwsClient
from .aws_options import PlacementAsk
from .aws_read import count_of, text_of

GOOD_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementScore:
    """AWS's score, 1 to 10, for `capacity` instances of any of `types` in a zone, as of `at`.

    It is about the types together, so it does not say how many of one type can be had:
    quotes do not carry it.
    """

    region: str
    zone_id: str
    types: tuple[str, ...]
    capacity: int
    score: int
    at: datetime


class PlacementScores:
    """Asks the questions of the config, once an hour: AWS limits how many different ones it answers a day."""

    def __init__(self, client: AwsClient, asks: tuple[PlacementAsk, ...], regions: tuple[str, ...]) -> None:
        self._client = client
        self._asks = asks
        self._regions = regions
        self._scores: tuple[PlacementScore, ...] = ()
        self._asked_at: datetime | None = None

    def of(self, now: datetime, until: float) -> tuple[PlacementScore, ...]:
        """The scores, an hour old at most; a failure is raised, and the next call asks again."""
        if self._asked_at is None or not timedelta(0) <= now - self._asked_at < GOOD_FOR:
            self._scores = tuple(score for ask in self._asks for score in self._one(ask, now, until))
            self._asked_at = now
        return self._scores

    def _one(self, ask: PlacementAsk, now: datetime, until: float) -> list[PlacementScore]:
        pages = self._client.pages(
            "ec2",
            self._regions[0],
            "get_spot_placement_scores",
            "SpotPlacementScores",
            until,
            InstanceTypes=list(ask.types),
            TargetCapacity=ask.capacity,
            TargetCapacityUnitType="units",
            SingleAvailabilityZone=True,
            RegionNames=list(self._regions),
        )
        if pages.problem is not None:
            raise pages.problem
        read = (_read(row, ask, now) for row in pages.rows)
        return [score for score in read if score is not None]


def _read(row: object, ask: PlacementAsk, now: datetime) -> PlacementScore | None:
    region, zone_id = text_of(row, "Region"), text_of(row, "AvailabilityZoneId")
    score = count_of(row, "Score")
    if not region or not zone_id or score is None or not 1 <= score <= 10:
        return None
    return PlacementScore(
        region=region, zone_id=zone_id, types=ask.types, capacity=ask.capacity, score=score, at=now
    )
