"""How it goes with each price source, kept across restarts: back-off and open circuits outlive the daemon."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bouted.market.course import Course
from bouted.store.session import Store
from bouted.store.tables import PriceSources


def save_courses(store: Store, courses: Mapping[str, Course]) -> None:
    """Puts these courses in place of those kept before."""
    with store.writing() as session:
        write_courses(session, courses, None)


def load_courses(store: Store) -> dict[str, Course]:
    """The courses as they were last saved, by source."""
    with store.reading() as session:
        rows = session.scalars(select(PriceSources).order_by(PriceSources.name))
        return {row.name: _course(row) for row in rows}


def write_courses(
    session: Session, courses: Mapping[str, Course], seen: Mapping[str, datetime] | None
) -> None:
    """The same in an open transaction. `seen` says when each source's freshest quote was observed."""
    session.execute(delete(PriceSources).where(PriceSources.name.not_in(sorted(courses))))
    for name, course in courses.items():
        row = session.merge(
            PriceSources(
                name=name,
                result=course.result,
                asked_at=course.asked_at,
                next_at=course.next_at,
                answered_at=course.answered_at,
                since=course.since,
                failures=course.failures,
                error=course.error,
                needs_person=course.needs_person,
                quotes=course.quotes,
                unread=course.unread,
            )
        )
        if seen is not None:
            row.seen_at = seen.get(name)


def _course(row: PriceSources) -> Course:
    return Course(
        name=row.name,
        result=row.result,
        asked_at=row.asked_at,
        next_at=row.next_at,
        answered_at=row.answered_at,
        since=row.since,
        failures=row.failures,
        error=row.error,
        needs_person=row.needs_person,
        quotes=row.quotes,
        unread=row.unread,
    )
