"""Problems say how spot is spread, not only its largest share; on the way back, splits have thresholds again.

Problems are kept as JSON; those of 0003 had the largest spot share as `spot_max_share`. A problem keeps its
name, though its bytes are others now: plans refer to it by that name.
"""

import json
import zlib
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Document = dict[str, Any]


def upgrade() -> None:
    """To this revision. Plans are left alone: thresholds are still read."""
    _rewrite_problems(with_spot_rules)


def downgrade() -> None:
    """Back to 0003. How spot is spread is lost, and so are rules of routing other than the first one's
    thresholds."""
    _rewrite_problems(with_spot_share)
    _rewrite_plans(with_thresholds)
    events = sa.table("events", sa.column("kind", sa.Text()))
    op.get_bind().execute(events.delete().where(events.c.kind == "plan_recovered"))


def with_spot_rules(problem: Document) -> Document:
    """A problem of 0003 as this revision has it."""
    if "spot_max_share" not in problem:
        return problem
    rest = {name: value for name, value in problem.items() if name != "spot_max_share"}
    spot = {"max_share": problem["spot_max_share"], "pool_max_share": 1.0, "zone_max_share": 1.0}
    return {**rest, "spot": spot}


def with_spot_share(problem: Document) -> Document:
    """A problem of this revision as 0003 has it."""
    if "spot" not in problem:
        return problem
    rest = {name: value for name, value in problem.items() if name != "spot"}
    return {**rest, "spot_max_share": problem["spot"]["max_share"]}


def with_thresholds(plan: Document) -> Document:
    """A plan of this revision as 0003 has it. One that routes by prices gets thresholds where its shares are
    met if scores are spread evenly."""
    split = plan["split"]
    if "rules" not in split:
        return plan
    thresholds = next((rule["thresholds"] for rule in split["rules"] if rule["thresholds"]), None)
    if thresholds is None:
        thresholds = [min(1.0, share) for share in accumulate(split["shares"][:-1])]
    kept = {name: split[name] for name in ("models", "shares", "scorer_hash")}
    return {**plan, "split": {**kept, "thresholds": thresholds}}


def _rewrite_problems(change: Callable[[Document], Document]) -> None:
    bind = op.get_bind()
    documents = sa.table(
        "documents",
        sa.column("hash", sa.Text()),
        sa.column("kind", sa.Text()),
        sa.column("body", sa.LargeBinary()),
    )
    for name in bind.scalars(sa.select(documents.c.hash).where(documents.c.kind == "problem")).all():
        packed = bind.scalar(sa.select(documents.c.body).where(documents.c.hash == name)) or b""
        before = json.loads(zlib.decompress(packed))
        after = change(before)
        if after is not before:
            body = zlib.compress(json.dumps(after).encode())
            bind.execute(documents.update().where(documents.c.hash == name).values(body=body))


def _rewrite_plans(change: Callable[[Document], Document]) -> None:
    bind = op.get_bind()
    plans = sa.table("plans", sa.column("id", sa.Text()), sa.column("body", sa.Text()))
    for name in bind.scalars(sa.select(plans.c.id)).all():
        text = bind.scalar(sa.select(plans.c.body).where(plans.c.id == name)) or ""
        body = json.dumps(change(json.loads(text)))
        bind.execute(plans.update().where(plans.c.id == name).values(body=body))
