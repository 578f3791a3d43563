"""${message}"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """To this revision, rows in place. A daemon of the release before goes on writing: what is added is
    nullable or keeps its server_default."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Back to the one before, rows in place."""
    ${downgrades if downgrades else "pass"}
