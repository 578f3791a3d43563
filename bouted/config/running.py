"""Config sections about running: the store, moves, launcher, safety, alerts, addresses."""

from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from re import compile as pattern
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from bouted.config.disruption import DisruptionSettings
from bouted.config.fields import (
    ExistingFile,
    Positive,
    Real,
    Seconds,
    Span,
    Text,
    Usd,
    Whole,
    known_name,
    refusal,
    surroundings,
)
from bouted.config.rollout import RolloutSettings
from bouted.config.section import Section, plugin_options
from bouted.planner.terms import SwitchingCosts, UsualStart

HOUR_S = 3600

_PASSWORD = pattern(r"://[^/@]*:[^/@]+@|[?&]password=")


def _store_url(url: str) -> str:
    if _PASSWORD.search(url):
        raise refusal("holds a password", "put the URL in a file and name it in url_file")
    if not url.startswith(("sqlite:////", "postgresql")):
        raise refusal("must start with sqlite://// (and an absolute path) or postgresql")
    return url


class DatabaseSettings(Section):
    """Where the store is, and how long it keeps what. With neither `url` nor `url_file` it is SQLite in the
    state folder."""

    url: Annotated[Text, AfterValidator(_store_url)] | None = None
    url_file: ExistingFile | None = None
    keep_days: Annotated[Whole, Field(ge=32, le=36_500)] = 400
    journal_days: Annotated[Whole, Field(ge=1, le=36_500)] = 30
    daily_backup: bool = True

    @field_validator("url_file")
    @classmethod
    def _one_of_the_two(cls, url_file: Path | None, info: ValidationInfo) -> Path | None:
        if url_file is not None and info.data.get("url") is not None:
            raise refusal("is given although url is", "keep one of them")
        return url_file


class ChangeSettings(Section):
    """How willing bouted is to move, how long a move may take, and how long a price is taken to hold.

    Without `fetch_gib_per_s`, fetching weights is taken to be part of `start_hours`; without either, starts
    and fetches are taken to last as long as they did here, once there were some. `price_life_hours` is for
    offers whose prices have no history yet.
    """

    min_payback_minutes: Span = 60.0
    load_step_pct: Annotated[Positive, Field(le=1000)] = 30.0
    load_settle_s: Span = 60.0
    min_replan_gap_s: Span = 60.0
    drain_s: Span = 30.0
    launch_timeout_s: Seconds = 900.0
    ready_timeout_s: Seconds = 1200.0
    stop_timeout_s: Seconds = 600.0
    max_launches: Annotated[Whole, Field(ge=1, le=1000)] = 4
    max_surge_replicas: Annotated[Whole, Field(ge=0, le=10_000)] | None = None
    max_stop_pct: Annotated[Positive, Field(le=100)] = 50.0
    disruption: DisruptionSettings = DisruptionSettings()
    start_hours: Annotated[Real, Field(ge=0, le=24)] = 0.1
    fetch_gib_per_s: Annotated[Positive, Field(le=10_000)] | None = None
    price_life_hours: Annotated[Positive, Field(le=8760)] = 6.0
    rollout: RolloutSettings = RolloutSettings()

    @property
    def start_said(self) -> bool:
        """Whether the config says how long starts take; else what they took here is believed."""
        return bool({"start_hours", "fetch_gib_per_s"} & self.model_fields_set)

    def switching(self, usual: UsualStart | None = None) -> SwitchingCosts:
        """What moving costs: a dropped node runs on while its successor starts, then drains.

        The `usual` start here counts unless the config says how long starts take.
        """
        if usual is None or self.start_said:
            fetch_h = 0.0 if self.fetch_gib_per_s is None else 1 / (self.fetch_gib_per_s * HOUR_S)
            usual = UsualStart(hours=self.start_hours, starts=0, fetch_h_per_gib=fetch_h)
        return SwitchingCosts(
            start_h=usual.hours,
            overlap_h=usual.hours + self.drain_s / HOUR_S,
            fetch_h_per_gib=usual.fetch_h_per_gib,
            starts=usual.starts,
            fetches=usual.fetches,
        )


class LauncherSettings(Section):
    """The plug-in that starts nodes and replicas, and its options."""

    name: Text = "local"
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _plain_options(cls, value: Any) -> Any:
        if isinstance(value, dict) and "options" in value:
            return {**value, "options": plugin_options(value["options"], "options.")}
        return value

    @model_validator(mode="after")
    def _check(self, info: ValidationInfo) -> Self:
        known_name("launcher", surroundings(info).launchers, self.name)
        return self


def _deadman(value: Any) -> Any:
    return None if value == "off" else value


_LeaseHours = Annotated[Real, Field(ge=0.05, le=8760)]


class SafetySettings(Section):
    """`deadman_hours`: nodes end themselves after this long without word from bouted; `off` never.

    What a list lacks is gone after `absent_s`. The provider's whole list is compared with the rows every
    `sweep_s`; what runs without a row is ended once it is `orphan_grace_s` old.
    """

    deadman_hours: Annotated[_LeaseHours | None, BeforeValidator(_deadman)] = 12.0
    absent_s: Annotated[Real, Field(ge=0, le=3600)] = 5.0
    sweep_s: Annotated[Real, Field(ge=1, le=86400)] = 300.0
    orphan_grace_s: Span = 600.0


class SlackSettings(Section):
    """Alerts go to the webhook whose URL the file holds; none without it."""

    webhook_file: ExistingFile | None = None
    plan_change_usd_per_hour: Usd = Decimal(2)
    budget_pct: tuple[Annotated[Whole, Field(ge=1, le=1000)], ...] = (80, 100)


class AlertSettings(Section):
    """Who is told."""

    slack: SlackSettings = SlackSettings()


def _port(value: int) -> int:
    if value > 65535:
        raise refusal(f"must be a port, 0 to 65535 (0: any free one), got {value}")
    return value


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class ListenSettings(Section):
    """Where the gateway listens. Off this machine only with API keys, one per line in `api_keys_file`."""

    gateway_host: Text = "127.0.0.1"
    gateway_port: Annotated[Whole, Field(ge=0), AfterValidator(_port)] = 8080
    api_keys_file: ExistingFile | None = Field(default=None, validate_default=True)

    @field_validator("api_keys_file")
    @classmethod
    def _needed_off_loopback(cls, api_keys_file: Path | None, info: ValidationInfo) -> Path | None:
        host = info.data.get("gateway_host")
        if api_keys_file is None and host is not None and not is_loopback(host):
            raise refusal(
                f"is needed: {host} can be reached from other machines",
                "name a file with one key per line, or listen on 127.0.0.1",
            )
        return api_keys_file
