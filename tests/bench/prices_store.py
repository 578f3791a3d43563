"""The store with a million observations, on SQLite and on PostgreSQL: how long questions take."""

import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from bouted.market.offers import Confidence, Market, Offer
from bouted.store.open import Store, open_store, sqlite_url
from bouted.store.prices import price_at, price_histories, record_offers
from bouted.testing.bench import Bench
from bouted.testing.postgres import NoPostgres, postgres

OFFERS = 5000
STEPS = 200  # observations of each: a million in all
EVERY = timedelta(minutes=45)
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
ENDED = BEGAN + STEPS * EVERY
SEED = 20261101
COLUMNS = (
    "offer_id, usd_per_hour, obtainable, hazard_per_hour, source, confidence, observed_at, recorded_at, "
    "effective_at"
)
GPUS = ("L4", "L40S", "A100-80GB", "H100", "H200")


def store_rows(*, quick: bool = False) -> list[dict[str, Any]]:
    """The rows of the bench's store half; those of PostgreSQL without a value where it does not start."""
    bench = Bench("prices-store")
    bench.note(f"{OFFERS} offers x {STEPS} observations, seed {SEED}")
    with tempfile.TemporaryDirectory(prefix="bouted-bench") as folder:
        state = Path(folder)
        with closing(open_store(sqlite_url(state))) as store:
            _measure(bench, "SQLite", store, _fill_sqlite, ("--state", folder), quick=quick)
    try:
        with postgres() as server, tempfile.TemporaryDirectory(prefix="bouted-bench") as folder:
            url = server.make("bouted")
            config = Path(folder) / "bouted.yaml"
            config.write_text(f"state_dir: {folder}\ndatabase:\n  url: {url}\n", encoding="utf-8")
            with closing(open_store(url)) as store:
                _measure(bench, "PostgreSQL", store, _fill_postgres, ("--config", str(config)), quick=quick)
    except NoPostgres as why:
        bench.note(str(why))
        for name, target in (("price at time t, p95", 20.0), ("bouted prices, cold", 500.0)):
            bench.row(f"{name}, 1,000,000 observations, PostgreSQL", None, "ms", target, "lower")
    return bench.rows


def _measure(
    bench: Bench,
    what: str,
    store: Store,
    fill: Callable[[Store], None],
    place: tuple[str, str],
    *,
    quick: bool,
) -> None:
    offers = _offers()
    record_offers(store, offers, BEGAN)
    began = perf_counter()
    fill(store)
    bench.note(f"{what}: filled in {perf_counter() - began:.1f} s")
    chance = random.Random(SEED)
    asked = [
        (chance.choice(offers).id, BEGAN + chance.random() * (ENDED - BEGAN))
        for _ in range(300 if quick else 2000)
    ]
    spent = [_ms(lambda: price_at(store, id, at)) for id, at in asked]  # noqa: B023
    name = f"1,000,000 observations, {what}"
    bench.row(f"price at time t, p95, {name}", quantiles(spent, n=20)[-1], "ms", 20.0, "lower")
    bench.note(
        f"{what}: price at time t takes {median(spent):.2f} ms in the middle, {max(spent):.1f} at most"
    )
    cold = [_ms(lambda: _prices(place)) for _ in range(3 if quick else 9)]
    bench.row(f"bouted prices, cold, {name}", median(cold), "ms", 500.0, "lower")
    bench.note(f"{what}: bouted prices took {min(cold):.0f} to {max(cold):.0f} ms in {len(cold)} runs")
    _note_writes(bench, what, store, offers)


def _note_writes(bench: Bench, what: str, store: Store, offers: tuple[Offer, ...]) -> None:
    """What a refresh costs beside so many observations."""
    later = ENDED + EVERY
    same = tuple(replace(offer, observed_at=ENDED) for offer in offers)
    moved = tuple(replace(o, observed_at=later, usd_per_hour=o.usd_per_hour * 2) for o in offers)
    confirmed, changed = (
        _ms(lambda: record_offers(store, some, later))  # noqa: B023
        for some in (same, moved)
    )
    ids = [offer.id for offer in offers]
    day = _ms(lambda: price_histories(store, ids, ENDED - timedelta(days=1)))
    bench.note(
        f"{what}: {OFFERS} offers confirmed in {confirmed:.0f} ms, changed in {changed:.0f} ms; "
        f"a day's history of all in {day:.0f} ms"
    )


def _ms(call: Callable[[], object]) -> float:
    began = perf_counter()
    call()
    return (perf_counter() - began) * 1000


def _prices(place: tuple[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bouted.cli", "prices", *place],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = done.stdout.count("\n")
    if lines < OFFERS:
        raise RuntimeError(f"bouted prices printed {lines} lines of {OFFERS}")


def _offers() -> tuple[Offer, ...]:
    return tuple(
        Offer(
            provider="aws",
            region=f"region-{number % 20}",
            zone=f"region-{number % 20}-az{number % 100 // 20}",
            instance_type=f"type{number // 100}.xlarge",
            gpu=GPUS[number % len(GPUS)],
            gpu_count=1 + number % 8,
            market=Market.SPOT,
            usd_per_hour=Decimal(100 + number % 900) / 100,
            obtainable=4,
            hazard_per_hour=0.02,
            source="bench",
            observed_at=BEGAN,
            confidence=Confidence.HIGH,
        )
        for number in range(OFFERS)
    )


def _observations() -> Iterator[tuple[object, ...]]:
    """All but each offer's first, in order of time as a daemon writes them."""
    ids = [offer.id for offer in _offers()]
    for step in range(1, STEPS):
        at = BEGAN + step * EVERY
        for number, id in enumerate(ids):
            cents = 100 + (number + step * 7) % 900
            yield id, f"{cents // 100}.{cents % 100:02}", 4, 0.02, "bench", "high", at, at, None


def _fill_sqlite(store: Store) -> None:
    marks = ", ".join("?" * len(COLUMNS.split(", ")))
    rows = (
        tuple(f"{part:%Y-%m-%d %H:%M:%S.%f}" if isinstance(part, datetime) else part for part in row)
        for row in _observations()
    )
    with closing(store.engine.raw_connection()) as connection:
        driver: Any = connection.driver_connection  # its own executemany takes rows one by one
        driver.execute("BEGIN")
        driver.executemany(f"INSERT INTO price_observations ({COLUMNS}) VALUES ({marks})", rows)
        driver.commit()
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # as a daemon's small transactions leave it


def _fill_postgres(store: Store) -> None:
    with closing(store.engine.raw_connection()) as connection:
        cursor = connection.cursor()
        with cursor.copy(f"COPY price_observations ({COLUMNS}) FROM STDIN") as copy:
            for row in _observations():
                copy.write_row(row)
        connection.commit()
        cursor.execute("ANALYZE")
        connection.commit()


if __name__ == "__main__":
    store_rows(quick=True)
