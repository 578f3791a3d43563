"""What of a region changes rarely: the GPUs of its instance types, which it offers, the ids of its zones."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from bouted.errors import SourceFailed
from bouted.market.quotes import Unread

from .aws_client import AwsClient
from .aws_read import list_of, text_of
from .aws_specs import Spec, read_specs

GOOD_FOR = timedelta(days=1)
_MOST_VALUES = 200  # of one EC2 filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The types with GPUs that a region offers, by name, as read at `at`; and rows that could not be read."""

    at: datetime
    specs: Mapping[str, Spec]
    unread: tuple[Unread, ...]


class RegionFacts:
    """Asks once a day and remembers. Safe to call from threads, for different regions at once."""

    def __init__(self, client: AwsClient, types: tuple[str, ...], source: str) -> None:
        self._client = client
        self._types = types
        self._source = source
        self._facts: dict[str, Facts] = {}
        self._zone_ids: dict[str, Mapping[str, str]] = {}
        self._lock = Lock()

    def known(self, region: str) -> Facts | None:
        """What was read last, however old."""
        with self._lock:
            return self._facts.get(region)

    def of(self, region: str, now: datetime, until: float) -> Facts:
        """The facts of a region, a day old at most; raises what kept AWS from telling them."""
        facts = self.known(region)
        if facts is None or not timedelta(0) <= now - facts.at < GOOD_FOR:
            facts = self._asked(region, now, until)
            with self._lock:
                self._facts[region] = facts
        return facts

    def zone_ids(self, region: str) -> Mapping[str, str]:
        """The region's zone ids by the names this account has for them; they do not change."""
        with self._lock:
            known = self._zone_ids.get(region)
        if known is None:
            said = self._client.ask("ec2", region, "describe_availability_zones")
            zones = list_of(said, "AvailabilityZones")
            known = {text_of(zone, "ZoneName"): text_of(zone, "ZoneId") for zone in zones}
            with self._lock:
                self._zone_ids[region] = known
        return known

    def _asked(self, region: str, now: datetime, until: float) -> Facts:
        types = [{"Name": "instance-type", "Values": list(self._types)}]
        pages = self._client.pages(
            "ec2", region, "describe_instance_types", "InstanceTypes", until, Filters=types
        )
        if pages.problem is not None:
            raise pages.problem
        specs, unread = read_specs(pages.rows, self._source)
        offered = self._offered(region, sorted(specs), until)
        here = {name: spec for name, spec in specs.items() if name in offered}
        if not here and not unread:
            raise SourceFailed(
                f"{region}: no instance types with GPUs", hint="check the options regions and types"
            )
        return Facts(at=now, specs=here, unread=unread)

    def _offered(self, region: str, names: list[str], until: float) -> set[str]:
        found: set[str] = set()
        for first in range(0, len(names), _MOST_VALUES):
            some = [{"Name": "instance-type", "Values": names[first : first + _MOST_VALUES]}]
            pages = self._client.pages(
                "ec2",
                region,
                "describe_instance_type_offerings",
                "InstanceTypeOfferings",
                until,
                LocationType="region",
                Filters=some,
            )
            if pages.problem is not None:
                raise pages.problem
            found |= {text_of(row, "InstanceType") for row in pages.rows}
        return found
