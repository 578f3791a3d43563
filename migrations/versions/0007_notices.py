"""What providers take back: what they call each node's machine, and until when it stays.

Going down, notices are forgotten; what was given up because of one was superseded.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    with op.batch_alter_table("nodes") as nodes:
        nodes.add_column(sa.Column("instance_id", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("nodes") as nodes:
        nodes.alter_column("instance_id", server_default=None)
    op.create_table(
        "notices",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leaves_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", "instance", name="pk_notices"),
    )
    op.create_index("ix_notices_leaves_at", "notices", ["leaves_at"])


def downgrade() -> None:
    """Back to 0006."""
    for table in ("nodes", "replicas"):
        rows = sa.table(table, sa.column("reason"))
        noticed = rows.c.reason == "noticed"
        op.get_bind().execute(rows.update().where(noticed).values(reason="superseded"))
    op.drop_index("ix_notices_leaves_at", "notices")
    op.drop_table("notices")
    with op.batch_alter_table("nodes") as nodes:
        nodes.drop_column("instance_id")
