"""Adds up what a machine costs from Google's price list: cores, memory, GPUs, bundled disks. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Quote, Row, Unread

from .gcp_machines import Machine
from .gcp_skus import ListPrice, Part

HOURS_A_MONTH = 730  # Google's own, for prices by the month
PARTITION_GIB = 375
_NANO = Decimal("1e-9")
_Key = tuple[Part, str, str, Market]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a family is billed: by `family` in the list, with this many bundled disk partitions per GPU."""

    prefix: str
    family: str
    partitions_per_gpu: int = 0


# Families whose parts are known; the others are quoted only where Google gives a whole price.
_RECIPES = (
    Recipe(prefix="a2-ultragpu-", family="a2", partitions_per_gpu=1),
    Recipe(prefix="a2-", family="a2"),
    Recipe(prefix="a3-megagpu-", family="a3plus", partitions_per_gpu=2),
    Recipe(prefix="a3-highgpu-", family="a3", partitions_per_gpu=2),
    Recipe(prefix="g2-", family="g2"),
    Recipe(prefix="g4-", family="g4"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """So much of one part."""

    part: Part
    of: str
    amount: Decimal


def sold_on_demand(machine: Machine) -> bool:
    """Whether Google rents it without a reservation; some types are in the price list all the same."""
    if machine.name.startswith("a3-highgpu-"):
        return machine.gpus >= 8
    return any(machine.name.startswith(recipe.prefix) for recipe in _RECIPES)


def items_of(machine: Machine) -> tuple[Item, ...]:
    """What is billed for it; nothing where its parts are not known."""
    if machine.name.startswith("a4-"):
        return (Item(part=Part.SLICE, of=machine.accelerator, amount=Decimal(machine.gpus)),)
    recipe = next((one for one in _RECIPES if machine.name.startswith(one.prefix)), None)
    if recipe is None:
        return ()
    partitions = machine.ssd_partitions or recipe.partitions_per_gpu * machine.gpus
    items = (
        Item(part=Part.CORE, of=recipe.family, amount=Decimal(machine.vcpus)),
        Item(part=Part.RAM, of=recipe.family, amount=machine.memory_gib),
        Item(part=Part.GPU, of=machine.accelerator, amount=Decimal(machine.gpus)),
    )
    disk = Decimal(partitions * PARTITION_GIB) / HOURS_A_MONTH
    return (*items, Item(part=Part.SSD, of="", amount=disk)) if partitions else items


class PriceTable:
    """The list by part, region and market. `unclear` has the lines that give one thing two prices."""

    def __init__(self, lines: Iterable[ListPrice]) -> None:
        self._lines: dict[_Key, ListPrice] = {}
        self._unclear: set[_Key] = set()
        self.unclear: tuple[Unread, ...] = ()
        for line in sorted(lines, key=lambda line: line.sku):
            for region in line.regions:
                self._add((line.part, line.of, region, line.market), line)

    def _add(self, key: _Key, line: ListPrice) -> None:
        other = self._lines.setdefault(key, line)
        if (other.price, other.currency) == (line.price, line.currency):
            return
        self._unclear.add(key)
        prices = f"{other.price} {other.currency} (SKU {other.sku}) and {line.price} {line.currency}"
        reason = f"{line.part} of {line.of or 'all'} in {key[2]} has two {line.market} prices: {prices}"
        row = (("skuId", line.sku), ("description", line.description), ("region", key[2]))
        self.unclear = (*self.unclear, Unread(source="gcp", row=row, reason=reason))

    def line(self, item: Item, region: str, market: Market) -> ListPrice | None:
        """The one line for it; None where there is none, or more than one price."""
        key = (item.part, item.of, region, market)
        return None if key in self._unclear else self._lines.get(key)

    def quote(self, machine: Machine, market: Market, at: datetime) -> Quote | None:
        """The machine's price added up; None unless every part of it is in the list, in one currency.

        On-demand prices hold in a whole region, so such a quote has no zone.
        """
        items = items_of(machine)
        lines = [(item, self.line(item, machine.region, market)) for item in items]
        found = [(item, line) for item, line in lines if line is not None]
        currencies = {line.currency for _, line in found}
        if not items or len(found) < len(items) or len(currencies) != 1:
            return None
        since = [line.effective_at for _, line in found if line.effective_at is not None]
        return Quote(
            provider="gcp",
            region=machine.region,
            zone=machine.zone if market is Market.SPOT else "",
            instance_type=machine.name,
            gpu=machine.gpu,
            gpu_count=machine.gpus,
            market=market,
            price=sum((item.amount * line.price for item, line in found), Decimal()).quantize(_NANO),
            currency=currencies.pop(),
            source="gcp: price list",
            observed_at=at,
            effective_at=min(max(since), at) if since else None,
            confidence=Confidence.LOW if market is Market.SPOT else Confidence.MEDIUM,
            obtainable=None,
            hazard_per_hour=None,
            row=(*machine.row, *_sum(found)),
        )


def _sum(found: list[tuple[Item, ListPrice]]) -> Row:
    return tuple(
        (
            str(item.part),
            f"{item.amount:.10g} x {line.price} {line.currency}, SKU {line.sku}: {line.description}",
        )
        for item, line in found
    )
