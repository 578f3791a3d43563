"""The options of the AWS source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .aws_bulk import BULK_URL
from .source_options import Options

REGIONS = ("us-east-1", "us-east-2", "us-west-2", "eu-west-1")
TYPES = ("g*", "p*")  # the families with GPUs
DAY_S = 86400.0
PATIENCE_S, BULK_TIMEOUT_S, ATTEMPTS = 20.0, 600.0, 3
LEAST_TYPES = 3  # AWS scores fewer types low whatever the capacity


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementAsk:
    """One question for spot placement scores: so many instances, of any of these types."""

    types: tuple[str, ...]
    capacity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsOptions:
    """What a config may say.

    `types` are EC2's wildcards for the instance types to price. `profile` is of ~/.aws; "" leaves the choice
    to boto3. `patience_s` is for one look at all regions, `bulk_timeout_s` for reading one offer file, which
    goes on between looks. `on_demand` is "api", or "bulk" for the file that takes no credentials; either is
    read anew every `on_demand_every_s`. `placement` are the few questions for scores; AWS limits new ones.
    """

    regions: tuple[str, ...] = REGIONS
    types: tuple[str, ...] = TYPES
    profile: str = ""
    patience_s: float = PATIENCE_S
    attempts: int = ATTEMPTS
    on_demand: str = "api"
    on_demand_every_s: float = DAY_S
    bulk_url: str = BULK_URL
    bulk_timeout_s: float = BULK_TIMEOUT_S
    placement: tuple[PlacementAsk, ...] = ()
    notices_queue_url: str = ""

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> "AwsOptions":
        """The options as a config gives them; Misconfigured, naming the option, when one is wrong."""
        asked = _AwsRead("aws", options)
        read = cls(
            regions=asked.some("regions", REGIONS),
            types=asked.some("types", TYPES),
            profile=asked.text("profile", ""),
            patience_s=asked.number("patience_s", PATIENCE_S, least=0.1),
            attempts=int(asked.number("attempts", ATTEMPTS, least=1)),
            on_demand=asked.one_of("on_demand", ("api", "bulk")),
            on_demand_every_s=asked.number("on_demand_every_s", DAY_S, least=60),
            bulk_url=asked.text("bulk_url", BULK_URL).rstrip("/"),
            bulk_timeout_s=asked.number("bulk_timeout_s", BULK_TIMEOUT_S, least=0.1),
            placement=asked.placement("placement"),
            notices_queue_url=asked.text("notices_queue_url", ""),
        )
        asked.close()
        return read


class _AwsRead(Options):
    def one_of(self, key: str, choices: tuple[str, ...]) -> str:
        """One of these texts, the first where it is not given."""
        value = self.text(key, choices[0])
        if value not in choices:
            raise self._wrong(key, f"must be {' or '.join(choices)}, got {value!r}")
        return value

    def some(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of texts with something in it, each once."""
        value = tuple(dict.fromkeys(self.texts(key, default)))
        if not value:
            raise self._wrong(key, "must not be empty")
        return value

    def placement(self, key: str) -> tuple[PlacementAsk, ...]:
        """A list of questions, each with types and capacity."""
        value = self._take(key, [])
        if not isinstance(value, list):
            raise self._wrong(key, f"must be a list, got {value!r}", hint=_PLACEMENT_HINT)
        return tuple(self._question(key, one) for one in value)

    def _question(self, key: str, one: object) -> PlacementAsk:
        if not isinstance(one, Mapping) or set(one) != {"types", "capacity"}:
            raise self._wrong(key, f"has types and capacity, got {one!r}", hint=_PLACEMENT_HINT)
        types, capacity = one["types"], one["capacity"]
        if not isinstance(types, list) or not all(isinstance(name, str) and name for name in types):
            raise self._wrong(key, f"types must be a list of texts, got {types!r}", hint=_PLACEMENT_HINT)
        if len(set(types)) < LEAST_TYPES:
            raise self._wrong(key, "needs three types or more: AWS scores fewer low, whatever there is")
        if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 1:
            raise self._wrong(key, f"capacity must be a whole number above 0, got {capacity!r}")
        return PlacementAsk(types=tuple(types), capacity=capacity)


_PLACEMENT_HINT = "[{types: [g6.xlarge, g6.2xlarge, g6e.xlarge], capacity: 4}]"
