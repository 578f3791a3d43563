"""Which version of its engine each replica runs, and how long starts took.

Going down, what left for another version was superseded.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    with op.batch_alter_table("nodes") as nodes:
        nodes.add_column(sa.Column("took_s", sa.Double(), nullable=True))
    with op.batch_alter_table("replicas") as replicas:
        replicas.add_column(sa.Column("version", sa.Text(), nullable=False, server_default=""))
        replicas.add_column(sa.Column("took_s", sa.Double(), nullable=True))
    with op.batch_alter_table("replicas") as replicas:
        replicas.alter_column("version", server_default=None)


def downgrade() -> None:
    """Back to 0007."""
    for table in ("nodes", "replicas"):
        rows = sa.table(table, sa.column("reason"))
        upgraded = rows.c.reason == "upgraded"
        op.get_bind().execute(rows.update().where(upgraded).values(reason="superseded"))
    with op.batch_alter_table("replicas") as replicas:
        replicas.drop_column("version")
        replicas.drop_column("took_s")
    with op.batch_alter_table("nodes") as nodes:
        nodes.drop_column("took_s")
