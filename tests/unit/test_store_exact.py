"""What goes into the store comes out equal: instants, money, bytes, frozen values."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, LargeBinary, MetaData, Table, create_engine, insert, select
from sqlalchemy.exc import StatementError

from bouted.errors import Gone
from bouted.events import Event, EventKind, Severity
from bouted.store.columns import Money, Packed, UtcDateTime
from bouted.store.documents import get_document, put_document
from bouted.store.events import add_events, list_events
from bouted.store.open import Store
from bouted.store.profiles import KEPT, get_profiles, put_profiles
from bouted.testing.fleet import START

ENGINE = create_engine("sqlite://")
VALUES = Table("v", MetaData(), Column("at", UtcDateTime()), Column("usd", Money()), Column("body", Packed()))
VALUES.metadata.create_all(ENGINE)


@pytest.fixture(scope="module", autouse=True)
def _close_the_engine() -> Iterator[None]:
    yield
    ENGINE.dispose()


@pytest.fixture
def store(each_store: Store) -> Store:
    return each_store


def there_and_back(**values: object) -> tuple[object, ...]:
    with ENGINE.connect() as connection:  # never committed
        connection.execute(insert(VALUES).values(**values))
        return tuple(connection.execute(select(VALUES)).one())


@given(usd=st.decimals(allow_nan=False, allow_infinity=False))
def test_money_comes_back_to_the_last_digit(usd: Decimal) -> None:
    back = there_and_back(usd=usd)[1]
    assert isinstance(back, Decimal)
    assert back.as_tuple() == usd.as_tuple()


zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(at=st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones))
def test_an_instant_comes_back_to_the_microsecond_and_in_utc(at: datetime) -> None:
    back = there_and_back(at=at)[0]
    assert isinstance(back, datetime)
    assert back == at
    assert back.tzinfo is UTC


@given(one=st.datetimes(timezones=st.just(UTC)), other=st.datetimes(timezones=st.just(UTC)))
def test_instants_sort_in_sql_as_they_sort_in_time(one: datetime, other: datetime) -> None:
    with ENGINE.connect() as connection:
        connection.execute(insert(VALUES), [{"at": one}, {"at": other}])
        first = connection.execute(select(VALUES.c.at).order_by(VALUES.c.at)).scalars().first()
    assert first == min(one, other)


@given(body=st.binary(max_size=300))
def test_bytes_come_back(body: bytes) -> None:
    assert there_and_back(body=body)[2] == body


def test_bytes_are_smaller_at_rest() -> None:
    plain = Table("v", MetaData(), Column("body", LargeBinary()))
    with ENGINE.connect() as connection:
        connection.execute(insert(VALUES).values(body=b"prices " * 1000))
        at_rest = connection.execute(select(plain.c.body)).scalar_one()
    assert len(at_rest) < 200


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"at": datetime(2026, 1, 1)}, "naive"),
        ({"usd": 0.1}, "finite Decimal"),
        ({"usd": Decimal("NaN")}, "finite Decimal"),
        ({"usd": Decimal("Infinity")}, "finite Decimal"),
    ],
    ids=["a naive time", "a float as money", "NaN", "infinity"],
)
def test_inexact_values_are_refused(values: dict[str, object], says: str) -> None:
    with pytest.raises(StatementError, match=says):
        there_and_back(**values)


def test_a_document_is_named_by_its_content_and_kept_once(store: Store) -> None:
    body = b"a problem" * 100
    name = put_document(store, "problem", body)
    assert put_document(store, "problem", body) == name
    assert get_document(store, name) == body
    assert put_document(store, "problem", body + b".") != name


def test_a_document_that_is_not_there_is_gone(store: Store) -> None:
    with pytest.raises(Gone, match="no document abc"):
        get_document(store, "abc")


def test_cached_profiles_come_back_by_hash_and_missing_ones_are_left_out(store: Store) -> None:
    put_profiles(store, {"a": b"A", "b": b"B"}, START)
    put_profiles(store, {"b": b"another", "c": b"C"}, START)
    put_profiles(store, {}, START)
    many = [str(number) for number in range(2000)]
    assert get_profiles(store, ["a", "b", "c", *many], START) == {"a": b"A", "b": b"B", "c": b"C"}


def test_profiles_that_nobody_used_for_long_are_dropped_when_others_come(store: Store) -> None:
    put_profiles(store, {"used": b"U", "unused": b"N"}, START)
    get_profiles(store, ["used"], START + timedelta(days=30))
    later = START + KEPT + timedelta(days=1)
    put_profiles(store, {"new": b"W"}, later)
    assert get_profiles(store, ["used", "unused", "new"], later) == {"used": b"U", "new": b"W"}


def an_event(minutes: int, message: str = "m") -> Event:
    return Event(
        at=START + timedelta(minutes=minutes),
        kind=EventKind.REPLAN,
        severity=Severity.NOTICE,
        subject="s",
        message=message,
    )


def test_events_come_back_newest_first_and_in_order_within_an_instant(store: Store) -> None:
    old, first, second = an_event(0), an_event(5, "first"), an_event(5, "second")
    add_events(store, (old, first, second))
    add_events(store, ())
    assert list_events(store) == (second, first, old)
    assert list_events(store, limit=1) == (second,)
    assert list_events(store, since=START + timedelta(minutes=5)) == (second, first)
