"""On-demand prices that are far under the same type's other regions.

A list price differs a little between regions, by about the same factor for every type. A commitment or a
queued-start discount that is listed as on-demand does not: it splits a type's regions in two, with a gap that
the region's other types do not show and that its spot prices do not follow. The low part is wrong even
where most regions are in it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from bouted.market.doubt import Doubt
from bouted.market.offers import Market
from bouted.market.quotes import Quote

LEAST_GAP = 1.2  # neighbours in the sorted prices this far apart split the regions
FAR = 0.75  # of the high part's middle, the region's own price level taken out
LEAST_HIGH = 2  # one dear region proves nothing about the others,
LEAST_HIGH_SHARE = 0.25  # nor do a few among many
SIBLING = 0.15  # types with the same GPU ask about the same per GPU
SPOT_KEPT = 1.2  # spot over on-demand is this many times higher in the low part: spot did not fall with it

ByRegion = Mapping[str, float]
Type = tuple[str, str]  # provider, instance type


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A type's regions in two parts by price, and the middle of the high one, $/h."""

    low: frozenset[str]
    high: frozenset[str]
    high_usd_per_hour: float


class PriceMap:
    """Middle prices by type and region from one source's quotes (price in USD beside each)."""

    def __init__(self, quotes: Iterable[tuple[Quote, float]]) -> None:
        found: dict[Market, dict[Type, dict[str, list[float]]]] = {
            market: defaultdict(lambda: defaultdict(list)) for market in Market
        }
        self._gpus: dict[Type, str] = {}
        self._counts: dict[Type, int] = {}
        for quote, usd in quotes:
            kind = (quote.provider, quote.instance_type)
            found[quote.market][kind][quote.region].append(usd)
            self._gpus[kind] = quote.gpu
            self._counts[kind] = quote.gpu_count
        self.on_demand = _middles(found[Market.ON_DEMAND])
        self._spot = _middles(found[Market.SPOT])
        self._by_gpu: dict[tuple[str, str], list[ByRegion]] = defaultdict(list)
        for kind, regions in self.on_demand.items():
            self._by_gpu[kind[0], self._gpus[kind]].append(regions)

    def far_under(self) -> dict[tuple[Type, str], tuple[Doubt, str]]:
        """The verdict on each (type, region) whose on-demand price is far under the type's other regions."""
        found = {
            (kind, region): (Doubt.FAR_UNDER_REGIONS, _told(regions[region], split))
            for kind, regions in self.on_demand.items()
            if (split := _split(regions)) is not None
            for region in sorted(split.low)
            if self._is_far(kind, region, split)
        }
        return {**self._siblings(found), **found}

    def _siblings(self, found: Iterable[tuple[Type, str]]) -> dict[tuple[Type, str], tuple[Doubt, str]]:
        """Types with the same GPU at the price per GPU of one found: they are priced by the same part."""
        per_gpu: dict[tuple[str, str, str], tuple[float, str]] = {}
        for kind, region in found:
            per_gpu[kind[0], self._gpus[kind], region] = (self._per_gpu(kind, region), kind[1])
        verdicts = {}
        for kind, regions in self.on_demand.items():
            for region in regions:
                usd, sibling = per_gpu.get((kind[0], self._gpus[kind], region), (0.0, ""))
                mine = self._per_gpu(kind, region)
                if usd and abs(mine / usd - 1) <= SIBLING:
                    detail = (
                        f"${mine:.2f} per GPU and hour, like {sibling}, which is far under its other regions"
                    )
                    verdicts[kind, region] = (Doubt.FAR_UNDER_REGIONS, detail)
        return verdicts

    def _per_gpu(self, kind: Type, region: str) -> float:
        return self.on_demand[kind][region] / self._counts[kind]

    def _is_far(self, kind: Type, region: str, split: Split) -> bool:
        regions = self.on_demand[kind]
        level = self._level(kind, region, split.high)
        share = median(regions[region] / (regions[other] * level[other]) for other in split.high)
        if share > FAR:
            return False
        return self._spot_kept(kind, split)

    def _level(self, kind: Type, region: str, others: Iterable[str]) -> dict[str, float]:
        """How dear `region` is compared with each other one, by the middle of the provider's other GPUs."""
        provider, own = kind[0], self._gpus[kind]
        found: dict[str, float] = {}
        for other in others:
            ratios = [
                median(shared)
                for (cloud, gpu), types in self._by_gpu.items()
                if cloud == provider and gpu != own
                and (shared := [t[region] / t[other] for t in types if region in t and other in t])
            ]  # fmt: skip
            found[other] = median(ratios) if ratios else 1.0
        return found

    def _spot_kept(self, kind: Type, split: Split) -> bool:
        on_demand, spot = self.on_demand[kind], self._spot.get(kind, {})
        low = [spot[region] / on_demand[region] for region in split.low if region in spot]
        high = [spot[region] / on_demand[region] for region in split.high if region in spot]
        return bool(low) and bool(high) and median(low) >= SPOT_KEPT * median(high)


def _middles(found: Mapping[Type, Mapping[str, list[float]]]) -> dict[Type, dict[str, float]]:
    return {
        kind: {region: median(prices) for region, prices in regions.items()}
        for kind, regions in found.items()
    }


def _split(regions: ByRegion) -> Split | None:
    """The regions on both sides of the widest gap; None when no gap is wide enough."""
    ordered = sorted(regions.items(), key=lambda item: item[1])
    gaps = [(after[1] / before[1], at) for at, (before, after) in enumerate(pairwise(ordered))]
    if not gaps or max(gaps)[0] < LEAST_GAP:
        return None
    at = max(gaps)[1] + 1
    if len(ordered) - at < max(LEAST_HIGH, LEAST_HIGH_SHARE * len(ordered)):
        return None
    return Split(
        low=frozenset(region for region, _ in ordered[:at]),
        high=frozenset(region for region, _ in ordered[at:]),
        high_usd_per_hour=median(price for _, price in ordered[at:]),
    )


def _told(usd: float, split: Split) -> str:
    share = usd / split.high_usd_per_hour
    return f"${usd:.2f} is {share:.0%} of ${split.high_usd_per_hour:.2f} in {len(split.high)} other regions"
