"""Columns that came since 0005 have a default, so that an older daemon can still write rows."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_CAME = (("plans", "frontier_hash"), ("nodes", "instance_id"), ("replicas", "version"))


def upgrade() -> None:
    """To this revision."""
    _default("")


def downgrade() -> None:
    """Back to 0009."""
    _default(None)


def _default(value: str | None) -> None:
    for table, column in _CAME:
        with op.batch_alter_table(table) as altered:
            altered.alter_column(column, server_default=value)
