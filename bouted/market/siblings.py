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
        sizes = Counter(self._group(kind, region) for kind, region in self._prices)
        # Where a type stands alone it is its own measure, which would teach nothing.
        self._known = {key: usd for key, usd in self._prices.items() if sizes[self._group(*key)] >= LEAST}
        self._regions = Counter(kind for kind, _ in self._known)
        self._sizes = sizes
        self._types = _middles((kind, price) for (kind, _), price in self._known.items())
        self._groups: dict[Group, float] = {}
        for _ in range(ROUNDS):  # a median polish: what a type asks, times what a region asks for its GPU
            self._groups = _middles(
                (self._group(*key), price - self._types[key[0]]) for key, price in self._known.items()
            )
            self._types = _middles(
                (key[0], price - self._groups[self._group(*key)]) for key, price in self._known.items()
            )

    def doubt(self, quote: Quote, usd: float) -> Verdict | None:
        """The doubt about an on-demand quote that is above its siblings; None where too few are known."""
        kind = (quote.provider, quote.instance_type)
        known = quote.market is Market.ON_DEMAND and (kind, quote.region) in self._known
        if not known or self._regions[kind] < LEAST:
            return None
        group = self._group(kind, quote.region)
        implied = exp(self._types[kind] + self._groups[group])
        if usd <= implied * (1 + ABOVE):
            return None
        others = f"{self._sizes[group] - 1} other {self._gpu[kind]} types"
        return Doubt.ABOVE_SIBLINGS, f"${usd:g} is {usd / implied - 1:.0%} above what {others} here imply"

    def _group(self, kind: Type, region: str) -> Group:
        return kind[0], self._gpu[kind], region


def _middles(pairs: Iterable[tuple[K, float]]) -> dict[K, float]:
    found: dict[K, list[float]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return {key: median(values) for key, values in found.items()}
