"""How many GiB each engine's start fetched, and how long that took.

Going down, what never came up took too long.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    with op.batch_alter_table("replicas") as replicas:
        replicas.add_column(sa.Column("fetched_gib", sa.Double(), nullable=True))
        replicas.add_column(sa.Column("fetch_s", sa.Double(), nullable=True))


def downgrade() -> None:
    """Back to 0008."""
    nodes = sa.table("nodes", sa.column("reason"))
    never_up = nodes.c.reason == "never_up"
    op.get_bind().execute(nodes.update().where(never_up).values(reason="timeout"))
    with op.batch_alter_table("replicas") as replicas:
        replicas.drop_column("fetch_s")
        replicas.drop_column("fetched_gib")
