"""The market's memory: claims of sources, how sources fare, odds; what is believed now beside each offer."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_UTC = sa.DateTime(timezone=True)
_ENUM = sa.String(32)

_LATEST: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("usd_per_hour", sa.Text()),
    ("obtainable", sa.Integer()),
    ("hazard_per_hour", sa.Double()),
    ("source", sa.Text()),
    ("confidence", _ENUM),
)


def upgrade() -> None:
    """To this revision. What is believed of each offer is copied from its latest observation."""
    op.add_column("price_observations", sa.Column("effective_at", _UTC, nullable=True))
    for name, kind in _LATEST:
        op.add_column("offers", sa.Column(name, kind, nullable=True))
    _copy_latest()
    with op.batch_alter_table("offers") as offers:
        for name, kind in _LATEST:
            offers.alter_column(name, existing_type=kind, nullable=False)
    _claims()
    _sources()
    _odds()


def downgrade() -> None:
    """Back to 0001: observations stay, what sources claimed and what was learned is forgotten."""
    for table in (
        "nodes_counted", "offer_odds", "price_sources", "price_unread", "price_waits", "price_claims",
    ):  # fmt: skip
        op.drop_table(table)
    with op.batch_alter_table("offers") as offers:
        for name, _ in _LATEST:
            offers.drop_column(name)
    op.drop_column("price_observations", "effective_at")


def _copy_latest() -> None:
    """Fills the new columns; an offer without an observation never had a price and goes."""
    names = ", ".join(name for name, _ in _LATEST)
    op.execute(
        f"UPDATE offers SET ({names}) = ("
        f"SELECT {names} FROM price_observations AS seen WHERE seen.offer_id = offers.id "
        "ORDER BY seen.observed_at DESC, seen.id DESC LIMIT 1)"
    )
    op.execute("DELETE FROM offers WHERE usd_per_hour IS NULL")


def _claims() -> None:
    op.create_table(
        "price_claims",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("aside", sa.Boolean(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("instance_type", sa.Text(), nullable=False),
        sa.Column("gpu", sa.Text(), nullable=False),
        sa.Column("gpu_count", sa.Integer(), nullable=False),
        sa.Column("market", _ENUM, nullable=False),
        sa.Column("price", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("quoted_by", sa.Text(), nullable=False),
        sa.Column("observed_at", _UTC, nullable=False),
        sa.Column("effective_at", _UTC, nullable=True),
        sa.Column("confidence", _ENUM, nullable=False),
        sa.Column("obtainable", sa.Integer(), nullable=True),
        sa.Column("hazard_per_hour", sa.Double(), nullable=True),
        sa.Column("row", sa.Text(), nullable=False),
        sa.Column("verdict", _ENUM, nullable=False),
        sa.Column("doubt", _ENUM, nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("fresh", sa.Boolean(), nullable=False),
        sa.Column("changed_at", _UTC, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "offer_id", "aside", name="pk_price_claims"),
    )
    op.create_table(
        "price_waits",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("price", sa.Text(), nullable=True),
        sa.Column("since", _UTC, nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("dropped", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "offer_id", name="pk_price_waits"),
    )
    op.create_table(
        "price_unread",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("rows", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_price_unread"),
    )


def _sources() -> None:
    op.create_table(
        "price_sources",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("result", _ENUM, nullable=False),
        sa.Column("asked_at", _UTC, nullable=False),
        sa.Column("next_at", _UTC, nullable=False),
        sa.Column("answered_at", _UTC, nullable=True),
        sa.Column("since", _UTC, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("needs_person", sa.Boolean(), nullable=False),
        sa.Column("quotes", sa.Integer(), nullable=False),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.Column("seen_at", _UTC, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_price_sources"),
    )


def _odds() -> None:
    op.create_table(
        "offer_odds",
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("as_of", _UTC, nullable=False),
        sa.Column("hours", sa.Double(), nullable=False),
        sa.Column("losses", sa.Double(), nullable=False),
        sa.Column("granted", sa.Double(), nullable=False),
        sa.Column("refused", sa.Double(), nullable=False),
        sa.Column("refused_in_row", sa.Integer(), nullable=False),
        sa.Column("refused_at", _UTC, nullable=True),
        sa.PrimaryKeyConstraint("offer_id", name="pk_offer_odds"),
    )
    op.create_table(
        "nodes_counted",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("launch", sa.Boolean(), nullable=False),
        sa.Column("hours_to", _UTC, nullable=True),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("node", name="pk_nodes_counted"),
        sa.ForeignKeyConstraint(["node"], ["nodes.name"], name="fk_nodes_counted_node_nodes"),
    )
