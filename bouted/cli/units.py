"""Numbers as people read them: dollars, ages, seconds, shares. Every figure carries its unit."""

from datetime import datetime
from decimal import Decimal


def usd(amount: Decimal | str | float) -> str:
    """Dollars and cents, e.g. `$8,240.05`; amounts below a cent keep two digits that tell."""
    value = Decimal(str(amount))
    sign, size = ("-" if value < 0 else ""), abs(value)
    if 0 < size < Decimal("0.01"):
        return f"{sign}${float(size):.2g}"
    return f"{sign}${size:,.2f}"


def usd_round(amount: Decimal | str | float) -> str:
    """Dollars for sums that are read at a glance: no cents from $100 on."""
    value = Decimal(str(amount))
    return f"${value:,.0f}" if value >= 100 else usd(value)


def usd_change(amount: Decimal) -> str:
    """A difference in dollars, with its sign: `+$1.20`, `-$0.40`, `$0.00`."""
    return f"+{usd(amount)}" if amount > 0 else usd(amount)


def age(seconds: float) -> str:
    """A stretch of time in its two largest units: `41s`, `4m12s`, `2h11m`, `3d04h`; never negative."""
    left = max(0, int(seconds))
    if left < 60:
        return f"{left}s"
    if left < 3600:
        return f"{left // 60}m{left % 60:02d}s"
    if left < 86400:
        return f"{left // 3600}h{left % 3600 // 60:02d}m"
    return f"{left // 86400}d{left % 86400 // 3600:02d}h"


def seconds(value: float, *, like: float | None = None) -> str:
    """A latency: `640 ms` below a second, else `1.84 s`. `like` picks the unit, so that figures compare."""
    if abs(value if like is None else like) < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.3g} s" if abs(value) < 100 else f"{value:.0f} s"


def share(value: float) -> str:
    """A share of 0..1 as a percentage: `74 %`, and `0.4 %` where a whole number would hide it."""
    percent = value * 100
    if abs(percent) >= 10 or abs(percent - round(percent)) < 0.05:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %"


def figure(value: float, unit: str, *, like: float | None = None) -> str:
    """`value` in `unit` ("" for plain numbers such as quality)."""
    if unit == "s":
        return seconds(value, like=like)
    return f"{value:.3f}" if not unit else f"{value:.3g} {unit}"


def clock(at: datetime, now: datetime) -> str:
    """When something was, in UTC: the time today, and the date as well on other days."""
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M}"


def count(number: int, noun: str) -> str:
    """`1 model`, `3 models`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
