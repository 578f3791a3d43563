"""Config sections about supply: what may be rented, what is owned, where prices come from."""

from decimal import Decimal
from enum import StrEnum
from re import compile as pattern
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from bouted.config.fields import (
    Name,
    Positive,
    Seconds,
    Text,
    Usd,
    Whole,
    known_name,
    one_of,
    refusal,
    shown,
    surroundings,
)
from bouted.config.hardware import described_by
from bouted.config.problems import did_you_mean
from bouted.config.quotas import QuotaSettings, SpotSettings, gpu_name, said_once
from bouted.config.section import Section, plugin_options
from bouted.market.allowed import matches_any
from bouted.market.egress import INTERNET

OWNED = "owned"  # the provider of machines that are at no cloud
LOCAL = "local"
_WORD = pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_PLACE_GLOB = pattern(r"[A-Za-z0-9._*?\[\]!-]+(/[A-Za-z0-9._*?\[\]!-]+){0,2}\Z")


def _currency(value: object) -> str:
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha() and value.isupper():
        return value
    raise refusal(f"must be a currency's three letters, got {shown(value)}", "like EUR")


Currency = Annotated[str, BeforeValidator(_currency)]


def _gpu_glob(value: str, info: ValidationInfo) -> str:
    known = surroundings(info).gpus
    if known is not None and not any(matches_any(gpu, (value,)) for gpu in known):
        hint = f"{did_you_mean(value, known)} {described_by()}".strip()
        raise refusal(f"{shown(value)} matches no GPU in the catalog", hint)
    return value


class RegionSettings(Section):
    """Regions as globs; empty `allow` allows all, `deny` wins."""

    allow: tuple[Text, ...] = ()
    deny: tuple[Text, ...] = ()


class GpuSettings(Section):
    """GPU types as globs over the catalog's names; empty `allow` allows all, `deny` wins."""

    allow: tuple[Annotated[Text, AfterValidator(_gpu_glob)], ...] = ()
    deny: tuple[Annotated[Text, AfterValidator(_gpu_glob)], ...] = ()


class Holding(StrEnum):
    """How a machine is held. OWNED and RESERVED cost their rate while used, COMMITTED costs it either way."""

    OWNED = "owned"
    RESERVED = "reserved"
    COMMITTED = "committed"


def _word(value: str) -> str:
    if not _WORD.match(value):
        raise refusal(f"must be one word of letters, digits, '.', '_' and '-', got {shown(value)}")
    return value


Word = Annotated[Text, AfterValidator(_word)]


class OwnedSettings(Section):
    """Machines that need no renting: `count` of `gpu_count` GPUs each, at `usd_per_hour` a machine.

    `provider`, `instance_type` and `region` say which cloud they are at, if they are at one.
    """

    name: Name
    kind: Annotated[Holding, one_of(Holding)] = Holding.OWNED
    provider: Name = Field(default=OWNED, validate_default=True)
    instance_type: Word | None = Field(default=None, validate_default=True)
    gpu: Annotated[Text, AfterValidator(gpu_name)]
    gpu_count: Annotated[Whole, Field(ge=1, le=72)]
    count: Annotated[Whole, Field(ge=1, le=10_000)] = 1
    region: Word = Field(default=LOCAL, validate_default=True)
    zone: Word | None = None
    usd_per_hour: Usd = Field(default=Decimal(0), validate_default=True)

    @property
    def offered_type(self) -> str:
        """The cloud's name for the machine; the machine's own where it is at no cloud."""
        return self.instance_type or self.name

    @property
    def place_and_type(self) -> tuple[str, str, str]:
        """What its offer is known by."""
        return self.provider, self.zone or self.region, self.offered_type

    @field_validator("provider")
    @classmethod
    def _held_at_a_cloud(cls, provider: str, info: ValidationInfo) -> str:
        if provider != OWNED and info.data.get("kind") is Holding.OWNED:
            raise refusal(
                f"is {provider}, where nothing is owned",
                "set kind: reserved (paid while used) or committed (paid either way)",
            )
        return provider

    @field_validator("instance_type")
    @classmethod
    def _known_to_the_cloud(cls, instance_type: str | None, info: ValidationInfo) -> str | None:
        at = info.data.get("provider", OWNED)
        if instance_type is None and at != OWNED:
            raise refusal(f"is needed at {at}", "the cloud's own name for the machine")
        return instance_type

    @field_validator("region")
    @classmethod
    def _somewhere(cls, region: str, info: ValidationInfo) -> str:
        at = info.data.get("provider", OWNED)
        if region == LOCAL and at != OWNED:
            raise refusal(f"is needed at {at}", "the cloud's own name for it")
        return region

    @field_validator("usd_per_hour")
    @classmethod
    def _committed_to_something(cls, usd_per_hour: Decimal, info: ValidationInfo) -> Decimal:
        if usd_per_hour == 0 and info.data.get("kind") is Holding.COMMITTED:
            raise refusal(
                "is needed for a committed machine: what one costs an hour, used or not",
                "kind: owned is for machines that cost nothing more",
            )
        return usd_per_hour


def _told_apart(machines: tuple[OwnedSettings, ...]) -> tuple[OwnedSettings, ...]:
    for at, machine in enumerate(machines):
        for other in machines[:at]:
            if machine.place_and_type == other.place_and_type and machine.name != other.name:
                raise refusal(
                    f"{machine.name} is of the same type in the same place as {other.name}",
                    "make them one entry, with a count",
                )
    return machines


def _place_glob(value: str) -> str:
    if value != INTERNET and not _PLACE_GLOB.match(value):
        raise refusal(f"must be cloud/region, as a glob, or {INTERNET}, got {shown(value)}", "like aws/us-*")
    return value


class EgressSettings(Section):
    """What moving data costs you, where that is not the list price. Both ends are globs over cloud/region."""

    from_: Annotated[Text, AfterValidator(_place_glob)] = Field(alias="from")
    to: Annotated[Text, AfterValidator(_place_glob)]
    usd_per_gib: Usd


def _said_once(prices: tuple[EgressSettings, ...]) -> tuple[EgressSettings, ...]:
    pairs = [(price.from_, price.to) for price in prices]
    for at, pair in enumerate(pairs):
        if pair in pairs[:at]:
            raise refusal(f"prices {pair[0]} to {pair[1]} twice", "keep one")
    return prices


class SupplySettings(Section):
    """What may be rented, and what is already there."""

    clouds: tuple[Text, ...] = ()
    regions: RegionSettings = RegionSettings()
    gpus: GpuSettings = GpuSettings()
    spot: SpotSettings = SpotSettings()
    quotas: Annotated[tuple[QuotaSettings, ...], AfterValidator(said_once)] = ()
    owned: Annotated[tuple[OwnedSettings, ...], AfterValidator(_told_apart)] = ()
    egress: Annotated[tuple[EgressSettings, ...], AfterValidator(_said_once)] = ()


class SourceSettings(Section):
    """One price source: the plug-in's name and its pace; every other key is handed to it as an option."""

    name: Text
    every_s: Seconds | None = None
    timeout_s: Seconds | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, dict) or "options" in value:
            return value
        own = {key: value[key] for key in ("name", "every_s", "timeout_s") if key in value}
        options = {key: item for key, item in value.items() if key not in own}
        return {**own, "options": plugin_options(options)}

    @model_validator(mode="after")
    def _check(self, info: ValidationInfo) -> Self:
        known_name("price source", surroundings(info).sources, self.name)
        return self


def _unique_sources(sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
    for at, source in enumerate(sources):
        if source in sources[:at]:
            raise refusal(f"{source.name!r} is listed twice with the same options", "keep one")
    return sources


class PriceSettings(Section):
    """Where prices come from, how often they are asked for, and how big a move makes bouted plan again.

    `usd_per` has what one unit of another currency is worth, e.g. {EUR: 1.08}. A price that nobody confirms
    is believed for the limits' hours.
    """

    sources: Annotated[tuple[SourceSettings, ...], AfterValidator(_unique_sources), Field(min_length=1)] = (
        SourceSettings(name="snapshot"),
    )
    refresh_s: Seconds = 300.0
    timeout_s: Seconds = 30.0
    step_pct: Annotated[Positive, Field(le=1000)] = 10.0
    usd_per: dict[Currency, Annotated[Usd, Field(gt=0)]] = Field(default_factory=dict)
    spot_limit_hours: Positive = 24.0
    on_demand_limit_hours: Positive = 336.0
