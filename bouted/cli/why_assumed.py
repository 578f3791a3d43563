"""What a plan took for granted, as lines of text. Pure."""

from bouted.cli.columns import columns, paragraph
from bouted.cli.units import age, share, usd
from bouted.planner.assumed import Assumed, LoadAssumed, MovingAssumed, QualityAssumed
from bouted.workload.profile import WorkloadSource

LABEL = 9
WIDEST = 46


def assumed_lines(assumed: Assumed) -> list[str]:
    """The prices and step times as tables, the rest a line each."""
    lines = [*_prices(assumed), "", *_steps(assumed), ""]
    for label, text in (
        ("load", _load(assumed.load)),
        ("quality", _quality(assumed.quality)),
        ("moving", _moving(assumed.moving)),
        ("judged", _judged(assumed)),
    ):
        lines += paragraph(label.ljust(LABEL), text)
    return lines


def _prices(assumed: Assumed) -> list[str]:
    rows = [("ASSUMED PRICE OF", "NODES", "$/H EACH", "AGE", "TRUST", "LOST/H", "HOLDS")]
    for item in assumed.prices:
        lost, each = f"{100 * item.hazard_per_hour:.2g} %", usd(item.usd_per_hour)
        holds, offer = _holds(item.holds_h), shorten_offer(item.offer)
        rows.append((offer, str(item.count), each, age(item.age_s), item.confidence, lost, holds))
    sources = dict.fromkeys(item.source for item in assumed.prices)
    told = paragraph("sources".ljust(LABEL), "; ".join(sources)) if sources else []
    if billed := _billed(assumed):
        told += paragraph("billed".ljust(LABEL), f"by the clouds' own bills, for a dollar quoted: {billed}")
    return [*columns(rows, right=frozenset({1, 2, 3, 5, 6})), *told]


def _billed(assumed: Assumed) -> str:
    """What each cloud bills for what it quotes, where that is known to differ."""
    factors = {
        item.offer.partition("/")[0]: item.usd_per_hour / item.quoted_usd_per_hour
        for item in assumed.prices
        if item.quoted_usd_per_hour
    }
    return ", ".join(f"{cloud} ${factor:.3f}" for cloud, factor in sorted(factors.items()))


def _holds(hours: float | None) -> str:
    if hours is None:
        return "always"
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.3g} h"


def shorten_offer(offer: str) -> str:
    """The id of an offer, its middle left out where it is long."""
    return offer if len(offer) <= WIDEST else f"{offer[: WIDEST - 20]}...{offer[-17:]}"


def _steps(assumed: Assumed) -> list[str]:
    rows = [("ASSUMED STEP TIMES OF", "FROM", "GOOD TO", "LEARNED")]
    for item in assumed.steps:
        learned = "nothing yet" if item.tempo is None else f"{item.tempo:.2f} times as long"
        rows.append((item.shape, item.evidence, f"+-{share(item.spread)}", learned))
    return columns(rows, right=frozenset({2}))


def _load(load: LoadAssumed) -> str:
    if load.source is WorkloadSource.DECLARED:
        source = "declared in the config"
    else:
        source = f"observed over {load.samples:,} requests"
    interval = f"{load.rate_low_per_s:.3g} to {load.rate_high_per_s:.3g}"
    return (
        f"{load.rate_per_s:.3g} queries/s ({interval}), {source}; mean {load.prompt_tokens:.0f} prompt and"
        f" {load.output_tokens:.0f} output tokens, CV of arrivals {load.arrival_cv:.2g}"
    )


def _quality(quality: QualityAssumed) -> str:
    low = f"{quality.mean:.3f} mean, {quality.low:.3f} at the low end of its 90 % interval"
    if quality.declared:
        return f"{quality.mean:.3f}, from the scores declared in the config: nothing was evaluated"
    whose = "synthetic evals, no real model was measured" if quality.synthetic else "your evals"
    return f"{low}, from {quality.prompts:,} prompts of {whose}"


def _moving(moving: MovingAssumed) -> str:
    costs = (
        f"a started node costs {moving.start_h:.2g} h of its price, a dropped one {moving.overlap_h:.2g} h"
    )
    if moving.starts:
        costs += f" (starts took that long here, the median of {moving.starts})"
    if moving.fetch_h_per_gib:
        costs += f", each GiB of weights {moving.fetch_h_per_gib * 3600:.3g} s"
    if moving.fetches:
        costs += f" (the median of {moving.fetches})"
    gib = ", ".join(
        f"{model} {_gib(size)}{' as fetched here' if model in moving.measured else ''}"
        for model, size in moving.weights_gib
    )
    return f"{costs}; weights: {gib}" if gib else costs


def _gib(size: float) -> str:
    return f"{size:.0f} GiB" if size >= 1 or not size else f"{size:.2g} GiB"


def _judged(assumed: Assumed) -> str:
    if not assumed.scenarios:
        return "by profile look-ups only"
    cases = "scenario" if assumed.scenarios == 1 else "scenarios"
    return (
        f"by the event simulator over {assumed.scenarios} {cases}; latency good to"
        f" +-{share(assumed.latency_spread)}"
    )
