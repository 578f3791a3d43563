"""When moves are allowed, as the config says it."""

from datetime import UTC, datetime, time
from typing import Any

import pytest
from pydantic import ValidationError

from bouted.config.disruption import DisruptionSettings
from bouted.reconcile.disruption import Day, Disruption, Freeze, Window


def test_windows_and_freezes_are_read_in_utc() -> None:
    settings = DisruptionSettings.model_validate(
        {
            "max_drains": 2,
            "windows": (
                {"days": ("sat", "sun"), "from": "22:00", "to": "06:00"},
                {"from": "02:00", "to": "03:30"},
            ),
            "freezes": ({"from": "2026-12-24 12:00", "to": "2027-01-02T08:00+02:00"},),
        }
    )
    assert settings.value() == Disruption(
        max_drains=2,
        windows=(
            Window(days=(Day.SAT, Day.SUN), start=time(22), end=time(6)),
            Window(days=tuple(Day), start=time(2), end=time(3, 30)),
        ),
        freezes=(
            Freeze(start=datetime(2026, 12, 24, 12, tzinfo=UTC), end=datetime(2027, 1, 2, 6, tzinfo=UTC)),
        ),
    )


def test_nothing_is_closed_unless_the_config_says_so() -> None:
    assert DisruptionSettings().value() == Disruption()


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ({"from": "25:00", "to": "06:00"}, "must be a time of day in UTC, got '25:00'"),
        ({"from": 22, "to": "06:00"}, "must be a time of day in UTC, got 22"),
        ({"from": "06:00", "to": "06:00"}, "begins and ends at the same time"),
        ({"days": ("saturday",), "from": "06:00", "to": "07:00"}, "must be one of mon, tue"),
        ({"days": (), "from": "06:00", "to": "07:00"}, "at least 1 item"),
    ],
)
def test_a_wrong_window_is_refused_in_words(window: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DisruptionSettings.model_validate({"windows": (window,)})


@pytest.mark.parametrize(
    ("freeze", "said"),
    [
        ({"from": "soon", "to": "2027-01-02"}, "must be a date and time, got 'soon'"),
        ({"from": "2027-01-02", "to": "2027-01-01"}, "ends before it begins"),
    ],
)
def test_a_wrong_freeze_is_refused_in_words(freeze: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DisruptionSettings.model_validate({"freezes": (freeze,)})
