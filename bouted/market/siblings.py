"""On-demand prices that are above what their siblings in the same region imply.

A cloud prices the types with one GPU in fixed proportions: where one is a tenth dearer than elsewhere, so
are the others. A type that alone is dearer in one region is more often quoted from another meter, one that
includes a licence. With a history that shows as a step; this shows it at first sight too.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from math import exp, log
from statistics import median
from typing import TypeVar

from bouted.market.alone import Verdict
from bouted.market.doubt import Doubt
from bouted.market.offers import Market
from bouted.market.quotes import Quote

ABOVE = 0.05  # honest types keep their proportions within 3 %
LEAST = 3  # types of a GPU in the region, and regions of the type, that it takes to know
ROUNDS = 3

K = TypeVar("K")
Type = tuple[str, str]  # provider, instance type
Group = tuple[str, str, str]  # provider, GPU, region


class Proportions:
    """How each type's price stands to its GPU's other types, from one source's on-demand quotes."""

    def __init__(self, quotes: Iterable[tuple[Quote, float]]) -> None:
        """Each quote with its price in USD."""
        self._prices: dict[tuple[Type, str], float] = {}
        self._gpu: dict[Type, str] = {}
        for quote, usd in quotes:
            if quote.market is Market.ON_DEMAND:
                kind = (quote.provider, quote.instance_type)
                self._prices[kind, quote.region] = log(usd)
                self._gpu[kind] = quote.gpu.partition("-0.")[0]  # a slice of a GPU is priced with the whole
        self._types = _middles((kind, price) for (kind, _), price in self._prices.items())
        self._groups: dict[Group, float] = {}
        for _ in range(ROUNDS):  # a median polish: what a type asks, times what a region asks for its GPU
            self._groups = _middles(
                (self._group(kind, region), price - self._types[kind])
                for (kind, region), price in self._prices.items()
            )
            self._types = _middles(
                (kind, price - self._groups[self._group(kind, region)])
                for (kind, region), price in self._prices.items()
            )
        self._group_sizes = Counter(self._group(kind, region) for kind, region in self._prices)
        self._type_sizes = Counter(kind for kind, _ in self._prices)

    def doubt(self, quote: Quote, usd: float) -> Verdict | None:
        """The doubt about an on-demand quote that is above its siblings; None where too few are known."""
        kind = (quote.provider, quote.instance_type)
        if quote.market is not Market.ON_DEMAND or (kind, quote.region) not in self._prices:
            return None
        group = self._group(kind, quote.region)
        if self._group_sizes[group] < LEAST or self._type_sizes[kind] < LEAST:
            return None
        implied = exp(self._types[kind] + self._groups[group])
        if usd <= implied * (1 + ABOVE):
            return None
        others = f"{self._group_sizes[group] - 1} other {self._gpu[kind]} types"
        return Doubt.ABOVE_SIBLINGS, f"${usd:g} is {usd / implied - 1:.0%} above what {others} here imply"

    def _group(self, kind: Type, region: str) -> Group:
        return kind[0], self._gpu[kind], region


def _middles(pairs: Iterable[tuple[K, float]]) -> dict[K, float]:
    found: dict[K, list[float]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return {key: median(values) for key, values in found.items()}
