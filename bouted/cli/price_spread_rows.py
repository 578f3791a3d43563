"""What a type costs from place to place, as rows for text and for JSON. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from bouted.cli.columns import columns
from bouted.cli.price_rows import Wanted
from bouted.cli.units import usd
from bouted.store.spread import Spread

_HEAD = (
    "GPU",
    "N",
    "MARKET",
    "PROVIDER",
    "INSTANCE",
    "PLACES",
    "LOW",
    "MIDDLE",
    "HIGH",
    "HIGH/LOW",
    "CHEAPEST",
)


def matching(spreads: Iterable[Spread], wanted: Wanted) -> list[Spread]:
    """The wanted ones, the widest first. A region does not narrow it: the spread is over regions."""
    kept = [one for one in spreads if wanted.fits_kind(one)]
    return sorted(kept, key=lambda one: (-_factor(one), one.provider, one.instance_type))


def table(spreads: Sequence[Spread]) -> list[str]:
    """One line per type and market."""
    rows = [
        (
            one.gpu,
            str(one.gpu_count),
            one.market.replace("_", "-"),
            one.provider,
            one.instance_type,
            str(one.places),
            usd(one.low_usd_per_hour),
            usd(one.median_usd_per_hour),
            usd(one.high_usd_per_hour),
            f"{_factor(one):.1f}x",
            one.cheapest,
        )
        for one in spreads
    ]
    return columns([_HEAD, *rows], right=frozenset({1, 5, 6, 7, 8, 9}))


def document(spreads: Sequence[Spread]) -> list[dict[str, Any]]:
    """The same for JSON; money is decimal strings."""
    return [
        {
            "provider": one.provider,
            "instance_type": one.instance_type,
            "gpu": one.gpu,
            "gpu_count": one.gpu_count,
            "market": one.market.value,
            "places": one.places,
            "low_usd_per_hour": str(one.low_usd_per_hour),
            "median_usd_per_hour": str(one.median_usd_per_hour),
            "high_usd_per_hour": str(one.high_usd_per_hour),
            "cheapest": one.cheapest,
        }
        for one in spreads
    ]


def _factor(one: Spread) -> float:
    return float(one.high_usd_per_hour / one.low_usd_per_hour)
