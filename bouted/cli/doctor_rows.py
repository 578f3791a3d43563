"""What the doctor found, as lines and as JSON. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bouted.cli.columns import columns
from bouted.cli.units import age
from bouted.market.course import Course
from bouted.market.diagnosis import Diagnosis, Quota
from bouted.market.examine import Examined

_HEAD = ("SOURCE", "STATE", "CREDENTIAL", "REACHABLE", "QUOTES", "BROKEN ROWS", "LAST ANSWER")
_QUOTA_HEAD = ("QUOTA", "REGION", "MARKET", "LIMIT", "USED", "")

Courses = Mapping[str, Course]


def lines(examined: Sequence[Examined], courses: Courses, now: datetime) -> list[str]:
    """A line per source, then what is missing with its remedy, then the quotas."""
    rows = [_row(one, courses.get(one.name), now) for one in examined]
    told = columns([_HEAD, *rows], right=frozenset({4, 5}))
    for one in examined:
        told += _remedies(one)
    quotas = [quota for one in examined for quota in one.diagnosis.quotas]
    if quotas:
        told += ["", *columns([_QUOTA_HEAD, *map(_quota, quotas)], right=frozenset({3, 4}))]
    return told


def document(examined: Sequence[Examined], courses: Courses) -> list[dict[str, Any]]:
    """The same for JSON."""
    return [
        {
            "name": one.name,
            "state": state(one.diagnosis, courses.get(one.name)),
            "credential": one.diagnosis.credential,
            "reachable": one.diagnosis.reachable,
            "missing": list(one.diagnosis.missing),
            "problem": one.diagnosis.problem,
            "hint": one.diagnosis.hint,
            "notes": list(one.diagnosis.notes),
            "quotes": course.quotes if course else None,
            "unread": course.unread if course else None,
            "answered_at": course.answered_at.isoformat() if course and course.answered_at else None,
            "error": course.error if course else "",
            "quotas": [
                {
                    "provider": quota.provider,
                    "region": quota.region,
                    "family": quota.family,
                    "market": quota.market.value,
                    "limit": quota.limit,
                    "used": quota.used,
                    "unit": quota.unit,
                }
                for quota in one.diagnosis.quotas
            ],
        }
        for one in examined
        for course in (courses.get(one.name),)
    ]


def state(diagnosis: Diagnosis, course: Course | None) -> str:
    """One word for it."""
    if diagnosis.missing:
        return "permission missing"
    if not diagnosis.configured:
        return "not configured"
    if diagnosis.problem:
        return "trouble"
    if course is not None and course.since is not None:
        return "circuit open" if course.open else course.result.value
    return "ok"


def _row(one: Examined, course: Course | None, now: datetime) -> tuple[str, ...]:
    reach = {True: "yes", False: "no", None: "-"}[one.diagnosis.reachable]
    answered = course.answered_at if course else None
    return (
        one.name,
        state(one.diagnosis, course),
        one.diagnosis.credential or "none found",
        reach,
        str(course.quotes) if course else "-",
        str(course.unread) if course else "-",
        f"{age((now - answered).total_seconds())} ago" if answered else "never",
    )


def _remedies(one: Examined) -> list[str]:
    diagnosis = one.diagnosis
    told = [f"{one.name}: missing permission {permission}" for permission in diagnosis.missing]
    if diagnosis.problem and not any(one in diagnosis.problem for one in diagnosis.missing):
        told.append(f"{one.name}: {diagnosis.problem}")
    if diagnosis.hint and (told or not diagnosis.credential):
        told.append(f"{one.name}: {diagnosis.hint}")
    told += [f"{one.name}: {note}" for note in diagnosis.notes]
    return ["", *told] if told else []


def _quota(quota: Quota) -> tuple[str, ...]:
    used = "-" if quota.used is None else f"{quota.used:g}"
    where = f"{quota.provider}/{quota.region}"
    return quota.family, where, quota.market.replace("_", "-"), f"{quota.limit:g}", used, quota.unit
