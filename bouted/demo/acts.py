"""What happens to the fleet in the demo: a price steps, a replica dies."""

import os
import signal
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from bouted.demo.setting import FIRST_ROW, PRICE_COLUMNS
from bouted.demo.stage import Stage, now
from bouted.errors import Retryable
from bouted.market.offers import Market, Offer
from bouted.planner.plan import Plan
from bouted.store.open import open_store
from bouted.store.prices import believed_offers

STEP = Decimal("2.2")
BELOW_ON_DEMAND = Decimal("0.95")


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """The replica that was killed."""

    replica: str
    model: str
    pid: int


def step_price(stage: Stage, plan: Plan) -> str:
    """Raise the price of the spot offer the plan spends most on; returns what was done, in a line."""
    store = open_store(stage.database_url)
    try:
        known = believed_offers(store)
    finally:
        store.close()
    offer = _dearest_spot(plan)
    price = _stepped(offer, known)
    row = (
        f"{offer.provider},{offer.region},{offer.zone},{offer.instance_type},{offer.gpu},{offer.gpu_count},"
        f"{offer.market},{price},{offer.obtainable},{offer.hazard_per_hour},{now():%Y-%m-%d},high,demo"
    )
    path = stage.config_path.parent / "prices.csv"
    fresh = path.with_suffix(".new")
    fresh.write_text(f"{PRICE_COLUMNS}\n{FIRST_ROW}\n{row}\n", encoding="utf-8")
    os.replace(fresh, path)
    return f"{offer.id}: ${offer.usd_per_hour}/h -> ${price}/h"


def _dearest_spot(plan: Plan) -> Offer:
    spot = [node.offer for node in plan.design.nodes if node.offer.market is Market.SPOT]
    if not spot:
        raise Retryable("the plan holds no spot node whose price could step", after_s=0)
    counts = Counter(offer.id for offer in spot)
    return max(spot, key=lambda offer: (offer.usd_per_hour * counts[offer.id], offer.id))


def _stepped(offer: Offer, known: tuple[Offer, ...]) -> Decimal:
    """2.2 times the price, but below on-demand: a spot price above it would not be believed."""
    on_demand = [
        other.usd_per_hour
        for other in known
        if (other.provider, other.region, other.instance_type, other.market)
        == (offer.provider, offer.region, offer.instance_type, Market.ON_DEMAND)
    ]
    most = min(on_demand) * BELOW_ON_DEMAND if on_demand else offer.usd_per_hour * STEP
    return min(offer.usd_per_hour * STEP, most).quantize(Decimal("0.0001"))


def kill_one(stage: Stage) -> Killed:
    """SIGKILL the process group of one ready replica of the model with the most replicas."""
    board = stage.board()
    ready = [r for r in board.replicas if r.status == "ready" and r.pid] if board is not None else []
    if not ready:
        raise Retryable("there is no ready replica to kill", after_s=0)
    counts = Counter(replica.model for replica in ready)
    victim = max(ready, key=lambda replica: (counts[replica.model], replica.name))
    pid = victim.pid or 0
    os.killpg(os.getpgid(pid), signal.SIGKILL)
    return Killed(replica=victim.name, model=victim.model, pid=pid)
