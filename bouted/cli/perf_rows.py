"""One replica's estimate as a person reads it. Pure."""

from bouted.cli.columns import columns, paragraph
from bouted.cli.perf_words import SOURCES, layout_words, load_words, slo_words
from bouted.cli.perf_workload import Workload
from bouted.cli.units import seconds, share
from bouted.perf.estimate import CURVE, Estimate, Latency, Observed, rate_text
from bouted.perf.offered import Alone
from bouted.perf.replica import Replica
from bouted.perf.slo import Slo

LABEL = 9
_HEAD = ("OF HIGHEST", "REQ/S", "TTFT P50", "P95", "TPOT P50", "P95", "E2E P50", "P95", "OUTPUT TOKENS/S")


def screen(replica: Replica, workload: Workload, found: Estimate, slo: Slo | None) -> list[str]:
    """The whole text, at most 100 columns wide."""
    parts = [_head(replica, workload), _latency(found), _most(found, workload, slo)]
    if isinstance(workload.load, Alone):
        parts.append(_curve(found))
    return "\n\n".join("\n".join(part) for part in parts).splitlines()


def _head(replica: Replica, workload: Workload) -> list[str]:
    shape, fit = replica.shape, replica.fit
    longest = fit.kv_capacity_tokens // replica.flags.max_model_len
    per_gpu = (
        f"{fit.weights_gib:.1f} GiB weights, {fit.reserve_gib:.1f} engine, {fit.kv_gib:.1f} KV cache per GPU"
    )
    room = f"{fit.kv_capacity_tokens:,} KV tokens, {longest:,} requests of {replica.flags.max_model_len:,}"
    return _lines(
        ("replica", f"{shape.model} {shape.precision} on {layout_words(shape)}, {shape.engine}"),
        ("memory", f"{per_gpu}; {room}"),
        ("requests", workload.requests),
        ("load", load_words(workload.load)),
    )


def _latency(found: Estimate) -> list[str]:
    seen = found.observed
    rows: list[tuple[str, ...]] = [("", "P50", "P95", "P50 LOW", "HIGH")]
    rows += [_percentiles("TTFT", seen.ttft), _percentiles("TPOT", seen.tpot), _percentiles("E2E", seen.e2e)]
    return columns(rows, right=frozenset({1, 2, 3, 4}))


def _percentiles(name: str, latency: Latency) -> tuple[str, ...]:
    figures = (latency.p50_s, latency.p95_s, latency.low_s, latency.high_s)
    return (name, *(_short(value) for value in figures))


def _most(found: Estimate, workload: Workload, slo: Slo | None) -> list[str]:
    seen = found.observed
    lines = [
        ("output", f"{rate_text(seen.output_tokens_per_s)} tokens/s, {rate_text(seen.requests_per_s)} req/s")
    ]
    most = found.max_rate_per_s
    tokens = most * float(workload.mix.output_tokens.mean())
    lines.append(
        (
            "highest",
            f"{rate_text(most)} req/s ({rate_text(tokens)} output tokens/s); above, the queue only grows",
        )
    )
    if slo is not None and found.good_rate_per_s is not None:
        lines.append(("within", f"{_good(found.good_rate_per_s)} with {slo_words(slo)}"))
    width = (
        "the truth is between low and high four times in five"
        f" (+-{share(found.spread)}; TTFT +-{share(found.ttft_spread)})"
    )
    lines.append(("source", f"{found.evidence}: {SOURCES[found.evidence]}; {width}"))
    return _lines(*lines, *(("note", note) for note in found.notes))


def _good(rate_per_s: float) -> str:
    return f"up to {rate_text(rate_per_s)} req/s" if rate_per_s else "at no rate"


def _curve(found: Estimate) -> list[str]:
    rows = [_row(part, seen) for part, seen in zip(CURVE, found.curve, strict=True)]
    return columns([_HEAD, *rows], right=frozenset(range(len(_HEAD))))


def _row(part: float, seen: Observed) -> tuple[str, ...]:
    latencies = [value for one in (seen.ttft, seen.tpot, seen.e2e) for value in (one.p50_s, one.p95_s)]
    rate, tokens = rate_text(seen.requests_per_s), rate_text(seen.output_tokens_per_s)
    return (share(part), rate, *(_short(value) for value in latencies), tokens)


def _short(value: float) -> str:
    """A latency; those below 100 ms keep a digit behind the point, and gaps of one-token answers are none."""
    if value == 0:
        return "-"
    return f"{value * 1000:.1f} ms" if value < 0.1 else seconds(value)


def _lines(*rows: tuple[str, str]) -> list[str]:
    return [line for label, text in rows for line in paragraph(label.ljust(LABEL), text)]
