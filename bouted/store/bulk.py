"""Many rows in one statement, past the ORM's bookkeeping: markets have thousands."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, bindparam
from sqlalchemy.orm import Session

from bouted.store.tables import Base


def insert_rows(session: Session, kind: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts these rows."""
    if rows:
        session.connection().execute(_table(kind).insert(), list(rows))


def update_rows(session: Session, kind: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Updates the rows with these primary keys; every row names the same columns."""
    if not rows:
        return
    table = _table(kind)
    keys = [column.name for column in table.primary_key]
    found = [table.c[key] == bindparam(f"key_{key}") for key in keys]
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0] if name not in keys}
    session.connection().execute(
        table.update().where(*found).values(values),
        [{f"{'key' if name in keys else 'new'}_{name}": row[name] for name in row} for row in rows],
    )


def delete_rows(session: Session, kind: type[Base], keys: Sequence[Sequence[Any]]) -> None:
    """Deletes the rows with these primary keys, each in the order of the key's columns."""
    if not keys:
        return
    table = _table(kind)
    names = [column.name for column in table.primary_key]
    found = [table.c[name] == bindparam(f"key_{name}") for name in names]
    rows = [{f"key_{name}": part for name, part in zip(names, key, strict=True)} for key in keys]
    session.connection().execute(table.delete().where(*found), rows)


def _table(kind: type[Base]) -> Table:
    table = kind.__table__
    assert isinstance(table, Table)
    return table
