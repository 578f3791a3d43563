"""Reads what Google's advice says of Spot VMs: the price in force, and earlier ones. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from google.cloud import compute_v1

from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Quote, Row, Unread

from .gcp_machines import Machine, last_part
from .gcp_preemption import hazard, instant, rate_problem, rate_row
from .gcp_sku_price import exact

LONGEST_PAST = timedelta(days=2)  # an open end is not always told: a price that ended this long ago is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """A price, and when it held. `end` is None while it lasts."""

    start: datetime
    end: datetime | None
    price: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotHistory:
    """What was said of one machine type in one zone at `at`, earliest spell first."""

    at: datetime
    machine: Machine
    spells: tuple[Spell, ...] = ()
    hazard_per_hour: float | None = None
    unread: tuple[Unread, ...] = ()

    def in_force(self, now: datetime) -> Spell | None:
        """The spell that began last before `now`, unless it is over.

        A first one may begin a little later: clocks differ.
        """
        begun = [spell for spell in self.spells if spell.start <= now] or list(self.spells[:1])
        last = begun[-1] if begun else None
        over = last is not None and last.end is not None and last.end < now - LONGEST_PAST
        return None if over else last

    def quote(self, spell: Spell, *, observed_at: datetime) -> Quote:
        """The spell's price as a claim of `observed_at`."""
        machine = self.machine
        return Quote(
            provider="gcp",
            region=machine.region,
            zone=machine.zone,
            instance_type=machine.name,
            gpu=machine.gpu,
            gpu_count=machine.gpus,
            market=Market.SPOT,
            price=spell.price,
            currency=spell.currency,
            source="gcp: capacity history",
            observed_at=observed_at,
            effective_at=spell.start,
            confidence=Confidence.HIGH,
            obtainable=None,
            hazard_per_hour=self.hazard_per_hour,
            row=(*machine.row, *_spell_row(spell)),
        )


def read_history(
    said: compute_v1.CapacityHistoryResponse, machine: Machine, at: datetime, spot_run_h: float
) -> SpotHistory:
    """The answer for one machine; records that make no sense are `unread`."""
    other = last_part(said.machine_type) not in ("", machine.name)
    if other or last_part(said.location) not in ("", machine.zone, machine.region):
        reason = f"is for {last_part(said.machine_type)} in {last_part(said.location)}"
        return SpotHistory(at=at, machine=machine, unread=(_unread(machine, (), " ".join(reason.split())),))
    spells: list[Spell] = []
    unread: list[Unread] = []
    for record in said.price_history:
        try:
            spells.append(_spell(record))
        except ValueError as error:
            unread.append(_unread(machine, _record_row(record), str(error)))
    rates = [(record, rate_problem(record)) for record in said.preemption_history]
    unread += [_unread(machine, rate_row(record), why) for record, why in rates if why]
    return SpotHistory(
        at=at,
        machine=machine,
        spells=tuple(sorted(spells, key=lambda spell: spell.start)),
        hazard_per_hour=hazard(tuple(record for record, why in rates if not why), spot_run_h),
        unread=tuple(unread),
    )


def nothing_readable(machine: Machine, at: datetime, reason: str) -> SpotHistory:
    """The history where the answer was none."""
    return SpotHistory(at=at, machine=machine, unread=(_unread(machine, (), reason),))


def _spell(record: compute_v1.CapacityHistoryResponsePriceRecord) -> Spell:
    money = record.list_price
    if "list_price" not in record or not money.currency_code:
        raise ValueError("listPrice has no price and currency")
    start, end = record.interval.start_time, record.interval.end_time
    spell = Spell(
        start=instant(start),
        end=instant(end) if end else None,
        price=exact(money.units, money.nanos),
        currency=money.currency_code,
    )
    if spell.end is not None and spell.end < spell.start:
        raise ValueError(f"ends at {end} before it starts at {start}")
    return spell


def _spell_row(spell: Spell) -> Row:
    return (
        ("startTime", spell.start.isoformat()),
        ("endTime", spell.end.isoformat() if spell.end else ""),
        ("listPrice", f"{spell.price} {spell.currency}"),
    )


def _record_row(record: compute_v1.CapacityHistoryResponsePriceRecord) -> Row:
    money = record.list_price
    return (
        ("startTime", record.interval.start_time),
        ("endTime", record.interval.end_time),
        ("listPrice", f"{exact(money.units, money.nanos)} {money.currency_code}"),
    )


def _unread(machine: Machine, said: Row, reason: str) -> Unread:
    return Unread(source="gcp", row=(*machine.row, *said), reason=reason)
