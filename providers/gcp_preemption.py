"""How likely a Spot VM is to be preempted, from what Google tells of those that were. Pure."""

import math
from datetime import UTC, datetime, timedelta

from google.cloud.compute_v1 import CapacityHistoryResponsePreemptionRecord as PreemptionRecord

from bouted.market.quotes import Row

RATE_OVER = timedelta(days=7)


def hazard(records: tuple[PreemptionRecord, ...], run_h: float) -> float | None:
    """The odds that a Spot VM is preempted within an hour; None without records.

    Google tells which share of the VMs that stopped were preempted, not how long they had run. A VM that runs
    for `run_h` hours on average stops at a rate of 1 / run_h, and that share of its stops are preemptions, so
    the odds in an hour are 1 - exp(-share / run_h). The share is the mean over the newest week, by time.
    """
    spans = [
        (instant(record.interval.start_time), instant(record.interval.end_time), record) for record in records
    ]
    if not spans:
        return None
    newest = max(end for _, end, _ in spans)
    week = [
        ((end - max(start, newest - RATE_OVER)).total_seconds(), record.preemption_rate)
        for start, end, record in spans
        if end > newest - RATE_OVER
    ]
    share = sum(length * rate for length, rate in week) / sum(length for length, _ in week)
    return 1.0 - math.exp(-share / run_h)


def instant(said: str) -> datetime:
    """A time as Google writes it; ValueError when it is none."""
    try:
        at = datetime.fromisoformat(said)
        if at.tzinfo is None:
            raise ValueError("it has no time zone")
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        told = " ".join(said.split())[:40]
        raise ValueError(f"{told!r} is no time: {' '.join(str(error).split())[:80]}") from error


def rate_problem(record: PreemptionRecord) -> str:
    """Why a record cannot be used, "" when it can."""
    if "preemption_rate" not in record or not 0.0 <= record.preemption_rate <= 1.0:
        return "preemptionRate is no share between 0 and 1"
    try:
        start, end = instant(record.interval.start_time), instant(record.interval.end_time)
    except ValueError as error:
        return str(error)
    return "" if start < end else "interval is empty"


def rate_row(record: PreemptionRecord) -> Row:
    """A record's own columns."""
    return (
        ("startTime", record.interval.start_time),
        ("endTime", record.interval.end_time),
        ("preemptionRate", str(record.preemption_rate)),
    )
