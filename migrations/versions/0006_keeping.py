"""What is large may be let go: the problem and the search behind an old plan. Old rows are found quickly.

Going down, a plan whose problem was let go gets an empty one, what needs attention is taken for running, and
events of kinds that came since are lost.
"""

import json
import zlib

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_INDEXES = (
    ("nodes", ["slot", "incarnation"]),
    ("nodes", ["ended_at"]),
    ("replicas", ["since"]),
    ("actions", ["at"]),
)

_REASONS = (
    "plan", "superseded", "operator", "observed", "replaced", "lost", "unhealthy", "no_capacity", "quota",
    "budget", "timeout", "error", "drained", "node_ended",
)  # fmt: skip
_KINDS = (
    "daemon_started", "daemon_stopped", "plan_proposed", "plan_applied", "plan_held", "plan_failed",
    "plan_recovered", "replan", "price_step", "load_step", "source_failed", "source_recovered", "notice",
    "config_changed", "config_rejected", "node_status", "replica_status", "action_failed", "budget", "paused",
    "resumed", "down", "alert_failed",
)  # fmt: skip


def upgrade() -> None:
    """To this revision."""
    op.drop_index("ix_nodes_slot", "nodes")
    for table, columns in _INDEXES:
        op.create_index(_name(table, columns), table, columns)
    with op.batch_alter_table("plans") as plans:
        plans.drop_constraint("fk_plans_problem_hash_documents", type_="foreignkey")
        plans.add_column(sa.Column("frontier_hash", sa.Text(), nullable=False, server_default=""))
    _name_frontiers()
    with op.batch_alter_table("plans") as plans:
        plans.alter_column("frontier_hash", server_default=None)


def downgrade() -> None:
    """Back to 0005."""
    _without_attention()
    _with_empty_problems()
    with op.batch_alter_table("plans") as plans:
        plans.drop_column("frontier_hash")
        plans.create_foreign_key("fk_plans_problem_hash_documents", "documents", ["problem_hash"], ["hash"])
    for table, columns in _INDEXES:
        op.drop_index(_name(table, columns), table)
    op.create_index("ix_nodes_slot", "nodes", ["slot"])


def _name(table: str, columns: list[str]) -> str:
    return "_".join(["ix", table, *columns])


def _name_frontiers() -> None:
    plans = sa.table("plans", sa.column("id"), sa.column("body"), sa.column("frontier_hash"))
    bind = op.get_bind()
    for plan_id in bind.scalars(sa.select(plans.c.id)).all():
        body = bind.scalar(sa.select(plans.c.body).where(plans.c.id == plan_id))
        name = _frontier_of(str(body))
        bind.execute(plans.update().where(plans.c.id == plan_id).values(frontier_hash=name))


def _frontier_of(body: str) -> str:
    """The front that a plan's JSON names; "" for one that names none, or cannot be read."""
    try:
        return str(json.loads(body).get("frontier_hash", ""))
    except (ValueError, AttributeError):
        return ""


def _without_attention() -> None:
    for table, status in (("nodes", "up"), ("replicas", "failed")):
        rows = sa.table(table, sa.column("status"), sa.column("reason"))
        doubtful = rows.c.status == "needs_attention"
        op.get_bind().execute(rows.update().where(doubtful).values(status=status, reason="observed"))
        newer = rows.c.reason.not_in(_REASONS)
        op.get_bind().execute(rows.update().where(newer).values(reason="observed"))
    events = sa.table("events", sa.column("kind"))
    op.get_bind().execute(events.delete().where(events.c.kind.not_in(_KINDS)))


def _with_empty_problems() -> None:
    documents = sa.table(
        "documents", sa.column("hash"), sa.column("kind"), sa.column("body", sa.LargeBinary())
    )
    plans = sa.table("plans", sa.column("problem_hash"))
    here = sa.select(documents.c.hash)
    gone = sa.select(plans.c.problem_hash).where(plans.c.problem_hash.not_in(here)).distinct()
    empty = zlib.compress(b"{}")
    for name in op.get_bind().scalars(gone).all():
        op.get_bind().execute(documents.insert().values(hash=name, kind="problem", body=empty))
