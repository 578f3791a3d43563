"""The first schema: market, plans, fleet, money, and what steers the daemon."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_UTC = sa.DateTime(timezone=True)
_ENUM = sa.String(32)


def upgrade() -> None:
    """To this revision, from nothing."""
    _market()
    _plans()
    _fleet()
    _journal()
    _steering()


def downgrade() -> None:
    """Back to nothing."""
    for table in (
        "alerts", "board", "control", "leases", "profiles", "events", "actions", "spend_intervals",
        "replicas", "nodes", "plans", "documents", "price_observations", "offers",
    ):  # fmt: skip
        op.drop_table(table)


def _market() -> None:
    op.create_table(
        "offers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("instance_type", sa.Text(), nullable=False),
        sa.Column("gpu", sa.Text(), nullable=False),
        sa.Column("gpu_count", sa.Integer(), nullable=False),
        sa.Column("market", _ENUM, nullable=False),
        sa.Column("last_observed_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_offers"),
    )
    op.create_table(
        "price_observations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("usd_per_hour", sa.Text(), nullable=False),
        sa.Column("obtainable", sa.Integer(), nullable=False),
        sa.Column("hazard_per_hour", sa.Double(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("confidence", _ENUM, nullable=False),
        sa.Column("observed_at", _UTC, nullable=False),
        sa.Column("recorded_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_price_observations"),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"], name="fk_price_observations_offer_id_offers"),
    )
    op.create_index(
        "ix_price_observations_offer_id_observed_at", "price_observations", ["offer_id", "observed_at"]
    )


def _plans() -> None:
    op.create_table(
        "documents",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_documents"),
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("trigger", _ENUM, nullable=False),
        sa.Column("status", _ENUM, nullable=False),
        sa.Column("problem_hash", sa.Text(), nullable=False),
        sa.Column("config_hash", sa.Text(), nullable=False),
        sa.Column("usd_per_hour", sa.Text(), nullable=False),
        sa.Column("p95_s", sa.Double(), nullable=False),
        sa.Column("quality", sa.Double(), nullable=False),
        sa.Column("gap", sa.Double(), nullable=False),
        sa.Column("seconds_to_plan", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_plans"),
        sa.ForeignKeyConstraint(["problem_hash"], ["documents.hash"], name="fk_plans_problem_hash_documents"),
    )
    op.create_index("ix_plans_created_at", "plans", ["created_at"])


def _fleet() -> None:
    op.create_table(
        "nodes",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("offer", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("launcher", sa.Text(), nullable=False),
        sa.Column("status", _ENUM, nullable=False),
        sa.Column("reason", _ENUM, nullable=False),
        sa.Column("since", _UTC, nullable=False),
        sa.Column("launched_at", _UTC, nullable=True),
        sa.Column("ended_at", _UTC, nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_nodes"),
    )
    op.create_index("ix_nodes_slot", "nodes", ["slot"])
    op.create_index("ix_nodes_status", "nodes", ["status"])
    op.create_table(
        "replicas",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("status", _ENUM, nullable=False),
        sa.Column("reason", _ENUM, nullable=False),
        sa.Column("since", _UTC, nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_replicas"),
        sa.ForeignKeyConstraint(["node"], ["nodes.name"], name="fk_replicas_node_nodes"),
    )
    op.create_index("ix_replicas_node", "replicas", ["node"])
    op.create_index("ix_replicas_status", "replicas", ["status"])
    op.create_table(
        "spend_intervals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("started_at", _UTC, nullable=False),
        sa.Column("ended_at", _UTC, nullable=True),
        sa.Column("usd_per_hour", sa.Text(), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_spend_intervals"),
        sa.ForeignKeyConstraint(["node"], ["nodes.name"], name="fk_spend_intervals_node_nodes"),
    )
    op.create_index("ix_spend_intervals_node", "spend_intervals", ["node"])
    op.create_index("ix_spend_intervals_ended_at", "spend_intervals", ["ended_at"])
    running = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_spend_intervals_open",
        "spend_intervals",
        ["node"],
        unique=True,
        sqlite_where=running,
        postgresql_where=running,
    )


def _journal() -> None:
    op.create_table(
        "actions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", _UTC, nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", _ENUM, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("finished_at", _UTC, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_actions"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", _UTC, nullable=False),
        sa.Column("kind", _ENUM, nullable=False),
        sa.Column("severity", _ENUM, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_at", "events", ["at"])


def _steering() -> None:
    op.create_table(
        "profiles",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_profiles"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("expires_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "control",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("down_requested", sa.Boolean(), nullable=False),
        sa.Column("accepted_plan_id", sa.Text(), nullable=True),
        sa.Column("desired_plan_id", sa.Text(), nullable=True),
        sa.Column("updated_at", _UTC, nullable=True),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_control_single")),
        sa.PrimaryKeyConstraint("id", name="pk_control"),
        sa.ForeignKeyConstraint(["accepted_plan_id"], ["plans.id"], name="fk_control_accepted_plan_id_plans"),
        sa.ForeignKeyConstraint(["desired_plan_id"], ["plans.id"], name="fk_control_desired_plan_id_plans"),
    )
    op.create_table(
        "board",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("written_at", _UTC, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_board_single")),
        sa.PrimaryKeyConstraint("id", name="pk_board"),
    )
    op.create_table(
        "alerts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", _ENUM, nullable=False),
        sa.Column("opened_at", _UTC, nullable=False),
        sa.Column("last_sent_at", _UTC, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_alerts"),
    )
