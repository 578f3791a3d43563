"""Config sections about supply: what may be rented, what is owned, where prices come from."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from bouted.config.fields import (
    Name,
    Positive,
    Seconds,
    Share,
    Text,
    Usd,
    Whole,
    known_name,
    refusal,
    shown,
    surroundings,
)
from bouted.config.problems import did_you_mean
from bouted.config.section import Section, plugin_options
from bouted.market.allowed import matches_any


def _currency(value: object) -> str:
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha() and value.isupper():
        return value
    raise refusal(f"must be a currency's three letters, got {shown(value)}", "like EUR")


Currency = Annotated[str, BeforeValidator(_currency)]


def _gpu(value: str, info: ValidationInfo) -> str:
    return known_name("GPU in the catalog", surroundings(info).gpus, value)


def _gpu_glob(value: str, info: ValidationInfo) -> str:
    known = surroundings(info).gpus
    if known is not None and not any(matches_any(gpu, (value,)) for gpu in known):
        raise refusal(f"{shown(value)} matches no GPU in the catalog", did_you_mean(value, known))
    return value


class RegionSettings(Section):
    """Regions as globs; empty `allow` allows all, `deny` wins."""

    allow: tuple[Text, ...] = ()
    deny: tuple[Text, ...] = ()


class GpuSettings(Section):
    """GPU types as globs over the catalog's names; empty `allow` allows all, `deny` wins."""

    allow: tuple[Annotated[Text, AfterValidator(_gpu_glob)], ...] = ()
    deny: tuple[Annotated[Text, AfterValidator(_gpu_glob)], ...] = ()


class SpotSettings(Section):
    """The largest share of a model's capacity that may stand on spot."""

    max_share: Share = 0.7


class OwnedSettings(Section):
    """Machines that are yours or reserved: offers at $0. `count` machines of `gpu_count` GPUs each."""

    name: Name
    gpu: Annotated[Text, AfterValidator(_gpu)]
    gpu_count: Annotated[Whole, Field(ge=1, le=72)]
    count: Annotated[Whole, Field(ge=1, le=10_000)] = 1
    region: Name = "local"


class SupplySettings(Section):
    """What may be rented, and what is already there."""

    clouds: tuple[Text, ...] = ()
    regions: RegionSettings = RegionSettings()
    gpus: GpuSettings = GpuSettings()
    spot: SpotSettings = SpotSettings()
    owned: tuple[OwnedSettings, ...] = ()


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
