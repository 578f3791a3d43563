"""Runs migrations over the connection that the store hands over, or over `alembic -x url=...`."""

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection

from bouted.store.engine import WRITES, make_engine
from bouted.store.tables import Base


def run(connection: Connection) -> None:
    """Runs what Alembic was asked for, in one transaction: SQLite can roll schema changes back."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_over_url() -> None:
    """For developers: `alembic -x url=sqlite:////tmp/new.db revision --autogenerate`."""
    url = context.get_x_argument(as_dictionary=True).get("url")
    if not isinstance(url, str):
        raise CommandError("say which database: alembic -x url=sqlite:////folder/new.db ...")
    engine = make_engine(url, migrating=True).execution_options(**{WRITES: True})
    with engine.begin() as connection:
        run(connection)


handed_over = context.config.attributes.get("connection")
if handed_over is None:
    run_over_url()
else:
    run(handed_over)
