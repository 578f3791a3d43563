"""The config section about when, and how much at once, what serves may be moved without need."""

from datetime import UTC, datetime, time
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from bouted.config.fields import Whole, one_of, refusal, shown
from bouted.config.section import Section
from bouted.reconcile.disruption import Day, Disruption, Freeze, Window


def _time_of_day(value: Any) -> time:
    if isinstance(value, time):
        return value
    try:
        return datetime.strptime(value, "%H:%M").time()
    except (TypeError, ValueError):
        raise refusal(f"must be a time of day in UTC, got {shown(value)}", 'like "22:30"') from None


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise refusal(f"must be a date and time, got {shown(value)}", 'like "2026-12-24 12:00"') from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]
Instant = Annotated[datetime, BeforeValidator(_instant)]


class WindowSettings(Section):
    """Some hours (UTC) of some days of the week; every day unless given. It may pass midnight."""

    days: Annotated[tuple[Annotated[Day, one_of(Day)], ...], Field(min_length=1)] = tuple(Day)
    from_: TimeOfDay = Field(alias="from")
    to: TimeOfDay

    @model_validator(mode="after")
    def _has_a_length(self) -> Self:
        if self.from_ == self.to:
            raise refusal("begins and ends at the same time", "leave it out for the whole day", key="to")
        return self


class FreezeSettings(Section):
    """Nothing that serves is moved from then to then (UTC unless an offset is given)."""

    from_: Instant = Field(alias="from")
    to: Instant

    @model_validator(mode="after")
    def _has_a_length(self) -> Self:
        if self.to <= self.from_:
            raise refusal("ends before it begins", key="to")
        return self


class DisruptionSettings(Section):
    """At most `max_drains` replicas drain at once, in `windows` (always, if none) and outside `freezes`."""

    max_drains: Annotated[Whole, Field(ge=1, le=10_000)] = 4
    windows: tuple[WindowSettings, ...] = ()
    freezes: tuple[FreezeSettings, ...] = ()

    def value(self) -> Disruption:
        """The same for the reconciler."""
        return Disruption(
            max_drains=self.max_drains,
            windows=tuple(Window(days=w.days, start=w.from_, end=w.to) for w in self.windows),
            freezes=tuple(Freeze(start=f.from_, end=f.to) for f in self.freezes),
        )
