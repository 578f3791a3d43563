"""`make bench-prices`: the price rules on recorded feeds, a cold refresh, a store of a million prices."""

import os
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
from catalog_replay import feed_of, judged, lambda_looks, looks_until_believed, scores
from price_refresh import refresh
from prices_store import store_rows
from pyarrow import csv

from bouted.market.offers import Market
from bouted.testing.bench import Bench

DATA = Path(__file__).parents[3] / "shared" / "data"
CATALOGUE = DATA / "skypilot_schema_catalog" / "gpu_catalog_snapshots_2026-04.parquet"
GCP = DATA / "gcp_gpu_price_history" / "gcp_gpu_prices_2022-02_2025-12.parquet"
P5 = DATA / "aws_ondemand_2025-11" / "aws_p5_48xlarge_us-east-1_daily.csv"
NO_DATA = "the recorded feeds are not here"
MOST_LOOKS = 3


def main() -> int:
    """Every row of the bench, in order."""
    bench = Bench("prices")
    _rules(bench)
    _steps(bench)
    seconds, mib, quotes = refresh()
    bench.row("cold refresh of 5,000 quotes from four stand-in sources", seconds, "s", 5.0, "lower")
    bench.row("memory of that refresh over idle", mib, "MiB", 150.0, "lower")
    bench.note(f"refresh: {quotes} quotes believed or set aside")
    bench.rows += store_rows(quick=bool(os.environ.get("QUICK")))
    return bench.finish()


def _rules(bench: Bench) -> None:
    if not CATALOGUE.exists():
        bench.note(NO_DATA)
        for name in ("flips", "spot above on-demand", "far under", "in vain"):
            bench.row(name, None, "share", None, "higher")
        return
    found = judged(CATALOGUE)
    got = scores(CATALOGUE, GCP, found)
    bench.row("recall (a) Azure rows of another meter", got.flips, "share", 0.99, "higher")
    bench.row("recall (b) spot above on-demand", got.spot_above, "share", 0.95, "higher")
    bench.row("recall (c) GCP totals far under the newest price", got.far_under, "share", 0.90, "higher")
    bench.row("other rows set aside in vain, all clouds", got.in_vain, "share", 0.005, "lower")
    bench.note(
        f"{got.rows} rows, {found.replayed.looks} looks, judged in {found.seconds:.1f} s; {got.counts}"
    )
    for what, count in got.in_vain_by.most_common(8):
        bench.note(f"in vain: {count} x {what}")
    vast = [quote for quote in found.heard if quote.provider == "vast"]
    spot = sum(quote.market is Market.SPOT for quote in vast)
    bench.row("Vast spot quotes made of 0.00", spot, "quotes", 0, "lower")
    bench.row("Vast on-demand quotes kept", len(vast) - spot, "quotes", 64, "higher")


def _steps(bench: Bench) -> None:
    if not P5.exists():
        for name in ("p5.48xlarge", "Lambda", "GCP H100 spot"):
            bench.row(f"looks until {name} is believed", None, "looks", MOST_LOOKS, "lower")
        return
    figures = {
        "looks until p5.48xlarge 98.32 -> 55.04 is believed": looks_until_believed(_p5(), Market.ON_DEMAND),
        "looks until Lambda's rise of 2026-04-06 is believed": lambda_looks(feed_of(CATALOGUE)),
        "most looks until a GCP H100 spot step of 2024-25 is believed": _h100_looks(),
    }
    for name, looks in figures.items():
        bench.row(name, looks, "looks", MOST_LOOKS, "lower")


def _p5() -> list[tuple[datetime, str]]:
    rows = csv.read_csv(P5).select(["timestamp", "price_usd"]).to_pylist()
    return sorted((row["timestamp"].replace(tzinfo=UTC), f"{row['price_usd']:g}") for row in rows)


def _h100_looks() -> int:
    """Over every region, and every step of its spot price in two years."""
    names = ["date", "instance_type", "region", "spot_usd_per_hour", "offered_2026_05"]
    series: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for row in sorted(pq.read_table(GCP, columns=names).to_pylist(), key=lambda row: str(row["date"])):
        day, usd = str(row["date"])[:10], row["spot_usd_per_hour"]
        wanted = row["instance_type"] == "a3-highgpu-8g" and row["offered_2026_05"] and usd is not None
        if wanted and "2024" <= day[:4] <= "2025":
            series[row["region"]].append((datetime.fromisoformat(day).replace(tzinfo=UTC), f"{usd:g}"))
    return max(
        looks_until_believed([*prices[: at + 1], prices[at], prices[at]], Market.SPOT)
        for prices in series.values()
        for at in range(1, len(prices))
        if prices[at][1] != prices[at - 1][1]
    )


if __name__ == "__main__":
    sys.exit(main())
