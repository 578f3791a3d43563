"""When machines that came one after the other under one node's name began and ended.

Going down, such a node is taken to have run from its first start to its last end.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "spend_times",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("began", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["node"], ["nodes.name"], name="fk_spend_times_node_nodes"),
        sa.PrimaryKeyConstraint("node", "at", "began", name="pk_spend_times"),
    )


def downgrade() -> None:
    """Back to 0010."""
    op.drop_table("spend_times")
