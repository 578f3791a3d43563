"""Puts a database at a revision of the schema, as an upgrade or a person going back would."""

from alembic import command

from bouted.store.engine import WRITES, make_engine
from bouted.store.upgrade import alembic_config, scripts_folder


def at_revision(url: str, revision: str, *, up: bool) -> None:
    """Up or down to this revision, with the rows in place."""
    engine = make_engine(url, migrating=True).execution_options(**{WRITES: True})
    with engine.begin() as connection:
        move = command.upgrade if up else command.downgrade
        move(alembic_config(scripts_folder(), connection), revision)
    engine.dispose()
