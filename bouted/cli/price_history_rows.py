"""How prices moved, a line per offer with a sparkline. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bouted.cli.columns import columns
from bouted.cli.units import age, count, usd
from bouted.market.offers import Offer
from bouted.store.prices import PricePoint

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 24
_HEAD = ("OFFER", "GPU", "FIRST", "LAST", "LOW", "HIGH", "STEPS", "SINCE", "LIVES", "PRICE OVER TIME")

Moved = tuple[Offer, tuple[PricePoint, ...]]
Lives = Mapping[str, timedelta | None]


def sparkline(points: Sequence[PricePoint], since: datetime, now: datetime, width: int = WIDTH) -> str:
    """The price in force in each of `width` equal stretches up to `now`; a space before the first price."""
    if not points:
        return " " * width
    low = min(point.usd_per_hour for point in points)
    high = max(point.usd_per_hour for point in points)
    bars = []
    for at in range(width):
        instant = since + (now - since) * (at + 1) / width
        known = [point.usd_per_hour for point in points if point.at <= instant]
        if not known:
            bars.append(" ")
            continue
        height = float((known[-1] - low) / (high - low)) if high > low else 0.0
        bars.append(BARS[round(height * (len(BARS) - 1))])
    return "".join(bars)


def table(moved: Sequence[Moved], lives: Lives, since: datetime, now: datetime) -> list[str]:
    """One line per offer that moved, those that moved most first; then how many did not.

    `lives` says how long a price of each one lives.
    """
    known = sorted((one for one in moved if one[1]), key=_swing, reverse=True)
    rows = [
        _row(offer, points, lives.get(offer.id), since, now) for offer, points in known if len(points) > 1
    ]
    still = len(known) - len(rows)
    told = [f"{count(still, 'price')} did not move"] if still else []
    return [*(columns([_HEAD, *rows], right=frozenset({2, 3, 4, 5, 6, 7, 8})) if rows else []), *told]


def document(moved: Sequence[Moved], lives: Lives) -> list[dict[str, Any]]:
    """The same for JSON; money is decimal strings."""
    return [
        {
            "id": offer.id,
            "lives_s": life.total_seconds() if life is not None else None,
            "points": [{"at": p.at.isoformat(), "usd_per_hour": str(p.usd_per_hour)} for p in points],
        }
        for offer, points in moved
        for life in (lives.get(offer.id),)
    ]


def _row(
    offer: Offer, points: Sequence[PricePoint], life: timedelta | None, since: datetime, now: datetime
) -> tuple[str, ...]:
    prices = [point.usd_per_hour for point in points]
    return (
        offer.id,
        f"{offer.gpu_count}x {offer.gpu}",
        usd(prices[0]),
        usd(prices[-1]),
        usd(min(prices)),
        usd(max(prices)),
        str(len(points) - 1),
        age((now - points[-1].at).total_seconds()),
        age(life.total_seconds()) if life is not None else "-",
        sparkline(points, since, now),
    )


def _swing(moved: Moved) -> float:
    prices = [point.usd_per_hour for point in moved[1]]
    return float(max(prices) / min(prices)) if prices else 0.0
