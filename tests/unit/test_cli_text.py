"""Numbers, tables and paragraphs as people read them."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.cli.colour import coloured
from bouted.cli.columns import columns, cut, fields, paragraph, whole
from bouted.cli.progress import progress_text
from bouted.cli.units import age, clock, count, figure, seconds, share, usd, usd_change, usd_round
from bouted.planner.design import Progress


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (usd("8240.05"), "$8,240.05"),
        (usd("-2.3"), "-$2.30"),
        (usd("0"), "$0.00"),
        (usd("0.0004"), "$0.0004"),
        (usd_round("412.07"), "$412"),
        (usd_round("31.2"), "$31.20"),
        (usd_change(Decimal("1.5")), "+$1.50"),
        (usd_change(Decimal("-1.5")), "-$1.50"),
        (usd_change(Decimal(0)), "$0.00"),
        (age(-3), "0s"),
        (age(41.9), "41s"),
        (age(252), "4m12s"),
        (age(7860), "2h11m"),
        (age(3 * 86400 + 4 * 3600), "3d04h"),
        (seconds(0.64), "640 ms"),
        (seconds(1.844), "1.84 s"),
        (seconds(0.95, like=12.0), "0.95 s"),
        (seconds(1.2, like=0.9), "1200 ms"),
        (seconds(1234.0), "1234 s"),
        (share(0.74), "74 %"),
        (share(0.004), "0.4 %"),
        (share(0.0), "0 %"),
        (share(1.0), "100 %"),
        (figure(0.8712, ""), "0.871"),
        (figure(12.0, "s"), "12 s"),
        (figure(1.5, "tokens"), "1.5 tokens"),
        (count(1, "model"), "1 model"),
        (count(3, "model"), "3 models"),
    ],
)
def test_a_figure_reads_plainly_and_carries_its_unit(text: str, expected: str) -> None:
    assert text == expected


def test_a_time_of_today_needs_no_date() -> None:
    now = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    assert clock(now.replace(hour=3), now) == "03:00:00"
    assert clock(now.replace(day=22), now) == "2026-11-22 14:00"


@given(st.lists(st.lists(st.text("abc ", max_size=8), min_size=3, max_size=3), min_size=1, max_size=5))
def test_columns_keep_every_cell_and_line_up(rows: list[list[str]]) -> None:
    lines = columns(rows)
    assert len(lines) == len(rows)
    start = max(len(row[0]) for row in rows) + 2
    for row, line in zip(rows, lines, strict=True):
        assert line.startswith(row[0].rstrip())
        assert line[start:].startswith(row[1].rstrip())


def test_numbers_are_set_to_the_right() -> None:
    assert columns([("a", "1"), ("b", "10")], right=frozenset({1})) == ["a   1", "b  10"]


def test_a_line_that_is_too_long_says_that_it_was_cut() -> None:
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdefg", 6) == "abc..."


def test_parts_that_fit_no_more_go_on_below() -> None:
    assert fields(("aaaa", "bbbb", "cccc"), indent=2, width=10) == ["aaaa  bbbb", "  cccc"]


def test_a_command_is_never_broken_over_two_lines() -> None:
    lines = paragraph("NEXT", f"do this: {whole('bouted apply 9c1d0')}", width=30)
    assert lines == ["NEXT  do this:", "      bouted apply 9c1d0"]


def test_colour_changes_no_letter() -> None:
    lines = ["bouted: OK  plan x", "DAEMON    gone", "p95  1 s  OVER by 3 %", "plain"]
    shown = coloured(lines)
    assert shown[3] == "plain"
    assert all("\x1b[" in line for line in shown[:3])


def test_progress_tells_the_stage_the_count_and_the_best_so_far() -> None:
    progress = Progress(stage="sweep", done=12, total=256, best_usd_per_hour=16.1, seconds=3.24)
    assert progress_text(progress) == "planning: sweep 12 of 256, best $16.10/h, 3.2 s"
    known = replace(progress, bound_usd_per_hour=15.48, deadline_s=43.0)
    told = "planning: sweep 12 of 256, best $16.10/h, 4 % above the bound, 3.2 s, 40 s left"
    assert progress_text(known) == told
    early = Progress(stage="profiles", done=0, total=0, best_usd_per_hour=None, seconds=0.0)
    assert progress_text(early) == "planning: profiles, 0.0 s"
