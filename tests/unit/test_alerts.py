"""People are told of an incident once, again while it lasts, and when it is over; how Slack takes it."""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bouted.alerts.due import due_alerts
from bouted.alerts.incident import (
    Alert,
    PlanChange,
    SpendView,
    config_rejected,
    hourly_budget,
    monthly_budget,
    plan_changed,
)
from bouted.alerts.slack import SlackSender, webhook_from_file
from bouted.alerts.tell import tell
from bouted.errors import Misconfigured, Retryable
from bouted.store.alerts import AlertRow, load_alerts, save_alert
from bouted.store.open import open_store
from bouted.testing.slack import TAKEN, Answer, slack
from bouted.testing.store import fresh_store

NOW = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)


def spend(
    rate: str = "20", month: str = "0", levels: tuple[int, ...] = (80, 100), monthly: str | None = "1000"
) -> SpendView:
    return SpendView(
        plan_id="7f3a2",
        usd_per_hour=Decimal(rate),
        budget_usd_per_hour=Decimal(25),
        spent_month_usd=Decimal(month),
        forecast_month_usd=Decimal(900),
        budget_usd_per_month=None if monthly is None else Decimal(monthly),
        budget_pct=levels,
    )


def change(before: str, after: str, plan_id: str = "9c1d0") -> PlanChange:
    return PlanChange(
        plan_id=plan_id,
        before_plan_id="7f3a2",
        before_usd_per_hour=Decimal(before),
        after_usd_per_hour=Decimal(after),
        why="price",
    )


def given(*alerts: Alert | None) -> tuple[Alert, ...]:
    return tuple(alert for alert in alerts if alert is not None)


class Told:
    """What people were told, with the store's rows in memory."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.rows: dict[str, AlertRow] = {}

    def pass_at(self, minutes: float, held: Sequence[Alert]) -> list[str]:
        """One pass of the daemon; returns the heads of the messages it sent."""
        before = len(self.messages)
        due = due_alerts(
            held, tuple(self.rows.values()), deployment="t", now=NOW + timedelta(minutes=minutes)
        )
        tell(due, self.messages.append, self.save)
        return [message.split("  ")[0].split()[-1] for message in self.messages[before:]]

    def save(self, row: AlertRow) -> None:
        self.rows[row.key] = row


# What is an incident


@pytest.mark.parametrize(
    ("rate", "told"),
    [("24.99", False), ("25", False), ("25.01", True)],
    ids=["below the hourly budget", "exactly at it", "above it"],
)
def test_the_hourly_budget_is_passed_only_above_it(rate: str, told: bool) -> None:
    assert (hourly_budget(spend(rate)) is not None) is told


@pytest.mark.parametrize(
    ("month", "key"),
    [
        ("799.99", None),
        ("800", "budget_month:2026-11:80"),
        ("999.99", "budget_month:2026-11:80"),
        ("1000", "budget_month:2026-11:100"),
    ],
)
def test_the_highest_level_of_the_monthly_budget_that_was_passed_counts(month: str, key: str | None) -> None:
    alert = monthly_budget(spend(month=month), NOW)
    assert (alert and alert.key) == key


def test_without_a_monthly_budget_no_month_is_too_dear() -> None:
    assert monthly_budget(spend(month="1000000", monthly=None), NOW) is None


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [("10", "12", False), ("10", "12.01", True), ("12.01", "10", True), ("10", "10", False)],
    ids=["by the limit", "dearer by more", "cheaper by more", "not at all"],
)
def test_a_plan_change_is_told_when_it_moves_the_bill_by_more_than_the_limit(
    before: str, after: str, told: bool
) -> None:
    assert (plan_changed(change(before, after), Decimal(2)) is not None) is told


def test_a_config_that_is_fine_is_no_incident() -> None:
    assert config_rejected("", "7f3a2") is None


# When it is told


def test_an_incident_is_told_once_while_it_lasts() -> None:
    told, held = Told(), given(config_rejected("broken", "p"))
    assert told.pass_at(0, held) == ["OPEN"]
    assert told.pass_at(1, held) == []
    assert told.pass_at(719, held) == []


def test_a_lasting_incident_is_brought_up_again_every_12_hours() -> None:
    told, held = Told(), given(config_rejected("broken", "p"))
    passes = [told.pass_at(minutes, held) for minutes in (0, 720, 721, 1440)]
    assert [len(heads) for heads in passes] == [1, 1, 0, 1]
    assert "STILL OPEN" in told.messages[1]


def test_the_end_of_an_incident_is_told_once_and_it_may_come_back() -> None:
    told, held = Told(), given(config_rejected("broken", "p"))
    assert told.pass_at(0, held) == ["OPEN"]
    assert told.pass_at(5, ()) == ["RESOLVED"]
    assert "Lasted 5 min" in told.messages[-1]
    assert told.pass_at(6, ()) == []
    assert told.pass_at(7, held) == ["OPEN"]


def test_a_clock_that_is_set_back_silences_no_incident() -> None:
    told, held = Told(), given(config_rejected("broken", "p"))
    assert told.pass_at(300, held) == ["OPEN"]
    assert told.pass_at(0, held) == ["OPEN"], "once too often is better than not for hours"
    assert "STILL OPEN" in told.messages[-1]
    assert told.pass_at(1, held) == []
    assert told.pass_at(2, ()) == ["RESOLVED"]
    assert "Lasted 2 min" in told.messages[-1]


def test_a_clock_that_is_set_back_before_an_incident_was_told_starts_its_wait_anew() -> None:
    told, over = Told(), given(hourly_budget(spend("30")))
    assert told.pass_at(300, over) == []
    assert told.pass_at(0, over) == []
    assert told.pass_at(1, over) == []
    assert told.pass_at(2.5, over) == ["OPEN"]


def test_an_hourly_rate_that_is_over_for_a_moment_only_is_not_told() -> None:
    told, over = Told(), given(hourly_budget(spend("30")))
    assert told.pass_at(0, over) == []
    assert told.pass_at(1, ()) == []
    assert told.pass_at(1.5, over) == []
    assert told.pass_at(3, over) == []
    assert told.pass_at(3.5, over) == ["OPEN"]
    assert "since 2026-11-23 14:03" in told.messages[-1]


def test_a_higher_level_takes_the_place_of_the_lower_one_without_calling_it_resolved() -> None:
    told = Told()
    assert told.pass_at(0, given(monthly_budget(spend(month="850"), NOW))) == ["OPEN"]
    assert told.pass_at(1, given(monthly_budget(spend(month="1001"), NOW))) == ["OPEN"]
    assert told.pass_at(1500, given(monthly_budget(spend(month="1100"), NOW))) == ["OPEN"]
    assert len(told.messages) == 3
    assert "STILL OPEN" in told.messages[2]
    assert "100 %" in told.messages[1]


def test_a_new_month_ends_the_old_one() -> None:
    told = Told()
    told.pass_at(0, given(monthly_budget(spend(month="1001"), NOW)))
    december = monthly_budget(spend(month="5"), NOW + timedelta(days=10))
    assert december is None
    assert told.pass_at(14400, ()) == ["RESOLVED"]


def test_a_plan_change_is_told_once_and_never_resolved() -> None:
    told, moved = Told(), given(plan_changed(change("10", "20"), Decimal(2)))
    assert told.pass_at(0, moved) == ["NOTICE"]
    assert told.pass_at(1, moved) == []
    assert told.pass_at(2, ()) == []
    assert told.pass_at(2000, moved) == []
    assert told.pass_at(2001, given(plan_changed(change("20", "10", "aaaaa"), Decimal(2)))) == ["NOTICE"]


def test_a_message_that_could_not_be_sent_is_due_again() -> None:
    told, held = Told(), given(config_rejected("broken", "p"))

    def fails(message: str) -> None:
        raise Retryable("Slack is away", after_s=1.0)

    with pytest.raises(Retryable):
        tell(due_alerts(held, (), deployment="t", now=NOW), fails, told.save)
    assert told.rows == {}
    assert told.pass_at(1, held) == ["OPEN"]


def test_a_restart_repeats_no_message(tmp_path: Path) -> None:
    sent: list[str] = []
    held = given(config_rejected("broken", "p"), plan_changed(change("10", "20"), Decimal(2)))
    fresh_store(tmp_path).close()
    for restart in range(3):
        with closing(open_store(f"sqlite:///{tmp_path / 'bouted.db'}")) as store:
            now = NOW + timedelta(minutes=restart)
            due = due_alerts(held, load_alerts(store), deployment="t", now=now)
            tell(due, sent.append, lambda row, store=store: save_alert(store, row))  # type: ignore[misc]
    assert len(sent) == 2


# How Slack takes it


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack's client takes a proxy from the environment; loopback needs none."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_a_message_arrives_as_one_text_in_slacks_spelling(no_proxy: None) -> None:
    with slack(TAKEN) as server:
        SlackSender(server.url, pause_s=0.01).send("$1/h -> $2/h & more")
    assert server.got == [{"text": "$1/h -&gt; $2/h &amp; more"}]


@pytest.mark.parametrize(
    "first",
    [Answer(429, "rate_limited", {"Retry-After": "0"}), Answer(500, "server error"), Answer(503, "away")],
    ids=["asks to wait", "fails", "is away"],
)
def test_slack_is_asked_again_when_it(first: Answer, no_proxy: None) -> None:
    with slack(first, TAKEN) as server:
        SlackSender(server.url, pause_s=0.01).send("hello")
    assert len(server.got) == 2


@pytest.mark.parametrize(("status", "said"), [(400, "invalid_payload"), (403, "no_service"), (404, "gone")])
def test_a_refusal_is_told_and_not_tried_again(status: int, said: str, no_proxy: None) -> None:
    with slack(Answer(status, said)) as server, pytest.raises(Misconfigured) as caught:
        SlackSender(server.url, pause_s=0.01).send("hello")
    assert len(server.got) == 1
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_long_wait_is_left_to_the_caller(no_proxy: None) -> None:
    with (
        slack(Answer(429, "rate_limited", {"Retry-After": "3600"})) as server,
        pytest.raises(Retryable) as caught,
    ):
        SlackSender(server.url, pause_s=0.01).send("hello")
    assert len(server.got) == 1
    assert caught.value.after_s == 3600


def test_slack_that_cannot_be_reached_is_retryable_and_nothing_tells_the_url(
    no_proxy: None, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with slack(TAKEN) as server:
        url = server.url
    sender = SlackSender(url, pause_s=0.01)
    with caplog.at_level("DEBUG"), pytest.raises(Retryable) as caught:
        sender.send("hello")
    said = "".join((str(caught.value), repr(sender), caplog.text, *capfd.readouterr()))
    assert "secret" not in said


@pytest.mark.parametrize(
    "content",
    ["", "not a url", "http://hooks.slack.com/services/x", "https://a b", "https://[", "ftp://127.0.0.1/x"],
)
def test_a_file_without_a_safe_webhook_is_refused_and_not_quoted(content: str, tmp_path: Path) -> None:
    file = tmp_path / "slack"
    file.write_text(content)
    with pytest.raises(Misconfigured, match="holds no Slack webhook") as caught:
        webhook_from_file(file)
    assert not content or content not in str(caught.value)


def test_a_webhook_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"slack_url.*cannot be read"):
        webhook_from_file(tmp_path / "slack_url")


def test_a_webhook_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "slack"
    file.write_text("https://hooks.slack.com/services/T/B/x\n")
    assert webhook_from_file(file).webhook_url == "https://hooks.slack.com/services/T/B/x"
