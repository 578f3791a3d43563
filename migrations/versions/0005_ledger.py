"""What is known of a node's paid time is kept, not intervals made of it; what bills said of each cloud.

Going up, a node's intervals become one account: it starts where the first starts, ends where the last ends,
and each further interval is a change of price. Going down, intervals are made again of what is known, without
the providers' rounding; later corrections are lost, and so is what bills said.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_UTC = sa.DateTime(timezone=True)
_RUNNING = sa.text("ended_at IS NULL")
Row = Mapping[str, Any]


def upgrade() -> None:
    """To this revision."""
    accounts, prices = _accounts(), _prices()
    _cuts()
    _factors()
    intervals = _read("spend_intervals", ("id", *_INTERVAL))
    connection = op.get_bind()
    found = connection.execute(sa.select(intervals).order_by(intervals.c.node, intervals.c.id)).mappings()
    providers = _providers()
    for _, of_node in groupby(list(found), key=lambda row: str(row["node"])):
        account, steps = as_account(list(of_node))
        connection.execute(accounts.insert(), {**account, "provider": providers[account["node"]]})
        for step in steps:
            connection.execute(prices.insert(), dict(step))
    op.drop_table("spend_intervals")


def downgrade() -> None:
    """Back to 0004."""
    intervals = _intervals()
    accounts = _read("spend_accounts", _ACCOUNT)
    prices = _read("spend_prices", ("node", "at", "usd_per_hour"))
    connection = op.get_bind()
    steps: dict[str, list[Row]] = {}
    for row in connection.execute(sa.select(prices).order_by(prices.c.at)).mappings():
        steps.setdefault(str(row["node"]), []).append(row)
    for account in connection.execute(sa.select(accounts).order_by(accounts.c.node)).mappings().all():
        for row in as_intervals(account, steps.get(str(account["node"]), [])):
            connection.execute(intervals.insert(), dict(row))
    events = sa.table("events", sa.column("kind", sa.Text()))
    connection.execute(events.delete().where(events.c.kind == "bill_read"))
    for table in ("billed_factors", "spend_cuts", "spend_prices", "spend_accounts"):
        op.drop_table(table)


def as_account(intervals: Sequence[Row]) -> tuple[Row, list[Row]]:
    """One node's intervals, oldest first, as its account and its changes of price.

    Whoever closed them knew no provider's end, and called a start `estimated` until the provider had told it.
    """
    first, last = intervals[0], intervals[-1]
    refused = last["ended_at"] is not None and all(row["ended_at"] <= row["started_at"] for row in intervals)
    account = {
        "node": first["node"],
        "asked_at": first["started_at"],
        "started_at": None if first["estimated"] else first["started_at"],
        "restarted_at": None if first["estimated"] else first["started_at"],
        "noticed_end": last["ended_at"],
        "ended_at": None,
        "came_up": not refused,
        "usd_per_hour": first["usd_per_hour"],
    }
    steps = {
        row["started_at"]: {
            "node": row["node"],
            "at": row["started_at"],
            "usd_per_hour": row["usd_per_hour"],
            "heard_at": row["started_at"],
        }
        for row in intervals[1:]
    }
    return account, list(steps.values())


def as_intervals(account: Row, steps: Iterable[Row]) -> list[Row]:
    """An account as intervals of one price each."""
    start = account["started_at"] or account["asked_at"]
    end = account["ended_at"] or account["noticed_end"]
    ran = account["came_up"] or account["started_at"] is not None or end is None
    end = end if end is None or (ran and end > start) else start
    prices = [(start, account["usd_per_hour"])]
    for step in steps:
        if step["at"] <= start:
            prices = [(start, step["usd_per_hour"])]
        elif end is None or step["at"] < end:
            prices.append((step["at"], step["usd_per_hour"]))
    ends = [at for at, _ in prices[1:]] + [end]
    return [
        {
            "node": account["node"],
            "started_at": at,
            "ended_at": until,
            "usd_per_hour": price,
            "estimated": account["started_at"] is None,
        }
        for (at, price), until in zip(prices, ends, strict=True)
    ]


def _providers() -> dict[str, str]:
    nodes = sa.table("nodes", sa.column("name"), sa.column("offer"))
    found = op.get_bind().execute(sa.select(nodes.c.name, nodes.c.offer))
    return {name: json.loads(offer)["provider"] for name, offer in found}


_INTERVAL = ("node", "started_at", "ended_at", "usd_per_hour", "estimated")
_TIMES = ("started_at", "ended_at", "asked_at", "noticed_end", "at")
_ACCOUNT = ("node", "asked_at", "started_at", "noticed_end", "ended_at", "came_up", "usd_per_hour")


def _read(name: str, columns: Iterable[str]) -> sa.TableClause:
    """A table to read: times and truths come as what they are, on every database."""
    kinds = {**dict.fromkeys(_TIMES, _UTC), **dict.fromkeys(("estimated", "came_up"), sa.Boolean())}
    return sa.table(name, *(sa.column(column, kinds.get(column, sa.Text())) for column in columns))


def _accounts() -> sa.Table:
    table = op.create_table(
        "spend_accounts",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("asked_at", _UTC, nullable=False),
        sa.Column("started_at", _UTC, nullable=True),
        sa.Column("restarted_at", _UTC, nullable=True),
        sa.Column("noticed_end", _UTC, nullable=True),
        sa.Column("ended_at", _UTC, nullable=True),
        sa.Column("came_up", sa.Boolean(), nullable=False),
        sa.Column("usd_per_hour", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("node", name="pk_spend_accounts"),
        sa.ForeignKeyConstraint(["node"], ["nodes.name"], name="fk_spend_accounts_node_nodes"),
    )
    op.create_index("ix_spend_accounts_noticed_end", "spend_accounts", ["noticed_end"])
    return table


def _prices() -> sa.Table:
    return op.create_table(
        "spend_prices",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("at", _UTC, nullable=False),
        sa.Column("usd_per_hour", sa.Text(), nullable=False),
        sa.Column("heard_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("node", "at", name="pk_spend_prices"),
        sa.ForeignKeyConstraint(["node"], ["nodes.name"], name="fk_spend_prices_node_nodes"),
    )


def _cuts() -> None:
    op.create_table(
        "spend_cuts",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("at", _UTC, nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("node", "at", name="pk_spend_cuts"),
        sa.ForeignKeyConstraint(["node"], ["nodes.name"], name="fk_spend_cuts_node_nodes"),
    )


def _factors() -> None:
    op.create_table(
        "billed_factors",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("factor", sa.Text(), nullable=False),
        sa.Column("billed_usd", sa.Text(), nullable=False),
        sa.Column("ledger_usd", sa.Text(), nullable=False),
        sa.Column("nodes", sa.Integer(), nullable=False),
        sa.Column("hours", sa.Double(), nullable=False),
        sa.Column("since", _UTC, nullable=False),
        sa.Column("until", _UTC, nullable=False),
        sa.Column("read_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("provider", name="pk_billed_factors"),
    )


def _intervals() -> sa.Table:
    table = op.create_table(
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
    op.create_index(
        "uq_spend_intervals_open",
        "spend_intervals",
        ["node"],
        unique=True,
        sqlite_where=_RUNNING,
        postgresql_where=_RUNNING,
    )
    return table
