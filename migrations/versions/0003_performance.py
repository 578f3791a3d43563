"""What measurements taught: corrections of the model, starts that failed. Step costs become curves.

Plans and the problems they were made from hold step costs as JSON; those of 0002 were `overhead_s +
max(weights_s, tokens * compute_s_per_token) + context * kv_s_per_token`, which a curve through three points
holds exactly. A problem keeps its name, though its bytes are others now: plans refer to it by that name.
"""

import json
import zlib
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_UTC = sa.DateTime(timezone=True)
_ENUM = sa.String(32)
_KEPT = ("kv_capacity_tokens", "max_batch", "max_step_tokens", "evidence", "spread")
_ROOFLINE = frozenset({"overhead_s", "weights_s", "compute_s_per_token", "kv_s_per_token"})
_CURVE = frozenset({"tokens", "tokens_s", "kv_s", "max_step_tokens"})

Costs = dict[str, Any]


def upgrade() -> None:
    """To this revision. Cached profiles are dropped: they were cached under other names."""
    op.drop_table("profiles")
    op.create_table(
        "profiles",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_profiles"),
    )
    op.create_index("ix_profiles_used_at", "profiles", ["used_at"])
    _learned()
    _rewrite(_ROOFLINE, as_curve)


def downgrade() -> None:
    """Back to 0002: what was learned is forgotten, curves become the nearest rooflines."""
    op.drop_table("refused_starts")
    op.drop_table("corrections")
    op.drop_table("profiles")
    op.create_table(
        "profiles",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_profiles"),
    )
    _rewrite(_CURVE, as_roofline)


def as_curve(costs: Costs) -> Costs:
    """A roofline as the curve that says the same for every step."""
    overhead_s, weights_s = costs["overhead_s"], costs["weights_s"]
    token_s = costs["compute_s_per_token"]
    knee = weights_s / token_s if token_s else 0.0
    knots = (0.0, knee, knee + 1.0) if knee > 0 else (0.0, 1.0)
    return {
        "tokens": knots,
        "tokens_s": [overhead_s + max(weights_s, count * token_s) for count in knots],
        "pair_s": 0.0,
        "seq_s": 0.0,
        "kv_s": costs["kv_s_per_token"],
        **{name: costs[name] for name in _KEPT},
    }


def as_roofline(costs: Costs) -> Costs:
    """The roofline with the curve's first value and its last slope; what else it says is lost."""
    (x0, x1), (y0, y1) = costs["tokens"][-2:], costs["tokens_s"][-2:]
    token_s = max(0.0, (y1 - y0) / (x1 - x0))
    first_s = costs["tokens_s"][0]
    overhead_s = min(max(0.0, y1 - token_s * x1), first_s)
    return {
        "overhead_s": overhead_s,
        "weights_s": first_s - overhead_s,
        "compute_s_per_token": token_s,
        "kv_s_per_token": costs["kv_s"],
        **{name: costs[name] for name in _KEPT},
    }


def _learned() -> None:
    op.create_table(
        "corrections",
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("updated_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("shape", name="pk_corrections"),
    )
    op.create_table(
        "refused_starts",
        sa.Column("replica", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("gpu", sa.Text(), nullable=False),
        sa.Column("tp", sa.Integer(), nullable=False),
        sa.Column("pp", sa.Integer(), nullable=False),
        sa.Column("precision", _ENUM, nullable=False),
        sa.Column("engine", _ENUM, nullable=False),
        sa.Column("kind", _ENUM, nullable=False),
        sa.Column("at", _UTC, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("replica", name="pk_refused_starts"),
    )


def _rewrite(keys: frozenset[str], change: Callable[[Costs], Costs]) -> None:
    """Changes every JSON object with these keys in plans and in the problems behind them."""
    bind = op.get_bind()
    plans = sa.table("plans", sa.column("id", sa.Text()), sa.column("body", sa.Text()))
    documents = sa.table(
        "documents",
        sa.column("hash", sa.Text()),
        sa.column("kind", sa.Text()),
        sa.column("body", sa.LargeBinary()),
    )
    for name in bind.scalars(sa.select(plans.c.id)).all():
        text = bind.scalar(sa.select(plans.c.body).where(plans.c.id == name)) or ""
        changed = json.dumps(_walk(json.loads(text), keys, change))
        bind.execute(plans.update().where(plans.c.id == name).values(body=changed))
    for name in bind.scalars(sa.select(documents.c.hash).where(documents.c.kind == "problem")).all():
        packed = bind.scalar(sa.select(documents.c.body).where(documents.c.hash == name)) or b""
        body = json.dumps(_walk(json.loads(zlib.decompress(packed)), keys, change)).encode()
        bind.execute(documents.update().where(documents.c.hash == name).values(body=zlib.compress(body)))


def _walk(value: Any, keys: frozenset[str], change: Callable[[Costs], Costs]) -> Any:
    if isinstance(value, list):
        return [_walk(item, keys, change) for item in value]
    if not isinstance(value, dict):
        return value
    if keys <= value.keys():
        return change(value)
    return {name: _walk(item, keys, change) for name, item in value.items()}
