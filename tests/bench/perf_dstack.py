"""`dstack_h100_mi300x`: Llama-3.1-405B in fp8 on whole nodes, 1,000 requests at three rates."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from perf_closed import Requests
from perf_points import Kind, Point
from perf_setups import Setup, gpu, model
from perf_tables import DATA

from bouted.catalog.precision import KvPrecision, Precision
from bouted.perf.arrivals import arrivals
from bouted.perf.flags import EngineFlags
from bouted.perf.kernel import Ints
from bouted.perf.simulate import FleetReplica, simulate_fleet

FILE = DATA / "dstack_h100_mi300x" / "qps_llama405b.csv"
LENGTHS = DATA / "prompt_lengths" / "sharegpt_alpaca_lengths.parquet"
SEED = 4
CONTEXT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What served: equal replicas of `tp` GPUs, from whose checkpoint."""

    model: str
    gpu: str
    tp: int
    replicas: int
    kv: KvPrecision


META, AMD = "llama-3.1-405b-fp8", "llama-3.1-405b"
PLACES = {
    "8xH100 1FP8-meta": Place(model=META, gpu="H100-80GB", tp=8, replicas=1, kv=KvPrecision.AUTO),
    "8xMi300x 1FP8-meta": Place(model=META, gpu="MI300X", tp=8, replicas=1, kv=KvPrecision.AUTO),
    "8xMi300x 1FP8-amd": Place(model=AMD, gpu="MI300X", tp=8, replicas=1, kv=KvPrecision.FP8),
    "4xMi300x 1FP8-amd": Place(model=AMD, gpu="MI300X", tp=4, replicas=1, kv=KvPrecision.FP8),
    "8xMi300x  2FP8-amd": Place(model=AMD, gpu="MI300X", tp=4, replicas=2, kv=KvPrecision.FP8),
}
"""Meta's checkpoint leaves attention in 16 bits, AMD's has fp8 KV. The last place is two replicas of four."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run; lengths are means per request."""

    place: str
    rate_per_s: float
    prompts: int
    prompt_tokens: float
    output_tokens: float
    max_seqs: int
    step_tokens: int | None
    output_tokens_per_s: float
    tpot_mean_s: float
    tpot_median_s: float


def read(file: Path = FILE) -> tuple[Row, ...]:
    """Every run."""
    table = pd.read_csv(file).rename(columns=lambda name: name.replace("-", "_"))
    return tuple(_row(values) for values in table.itertuples())


def _row(values: Any) -> Row:
    step = values.max_num_batched_tokens
    return Row(
        place=values.gpu,
        rate_per_s=float(values.request_rate),
        prompts=int(values.num_prompts),
        prompt_tokens=values.total_input_tokens / values.num_prompts,
        output_tokens=values.total_output_tokens / values.num_prompts,
        max_seqs=int(values.max_num_seqs),
        step_tokens=int(step) if str(step).isdigit() else None,
        output_tokens_per_s=float(values.output_throughput),
        tpot_mean_s=values.mean_tpot_ms * 1e-3,
        tpot_median_s=values.median_tpot_ms * 1e-3,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Output tokens/s, and mean and median TPOT in seconds."""

    speed: tuple[Point, ...]
    tpot_mean: tuple[Point, ...]
    tpot_median: tuple[Point, ...]


def curve(rows: tuple[Row, ...]) -> Curve:
    """Each run again, as Poisson arrivals of requests with ShareGPT's spread of lengths."""
    found = [_again(row) for row in rows]
    return Curve(
        speed=tuple(one[0] for one in found),
        tpot_mean=tuple(one[1] for one in found),
        tpot_median=tuple(one[2] for one in found),
    )


def _again(row: Row) -> tuple[Point, Point, Point]:
    place = PLACES[row.place]
    ran = Setup(
        model=model(place.model), gpu=gpu(place.gpu), precision=Precision.FP8, tp=place.tp,
        flags=EngineFlags(
            max_model_len=CONTEXT, max_num_seqs=row.max_seqs,
            max_num_batched_tokens=row.step_tokens or CONTEXT, kv_cache_dtype=place.kv,
            async_scheduling=False,
        ),
    )  # fmt: skip
    costs = ran.costs(CONTEXT, row.max_seqs)
    replicas = tuple(FleetReplica(costs=costs, model_index=0, weight=1.0) for _ in range(place.replicas))
    requests = like_sharegpt(row.prompts, row.prompt_tokens, row.output_tokens)
    times_s = arrivals(row.rate_per_s, 1.0, row.prompts, SEED)
    seen = simulate_fleet(
        replicas, times_s, np.zeros(row.prompts, np.int64), requests.prompt, requests.output
    )
    lasted_s = float(np.max(times_s + seen.e2e_s) - times_s[0])
    several = seen.tpot_s[requests.output > 1]
    return (
        _point(row, row.output_tokens_per_s, float(requests.output.sum()) / lasted_s, "tokens/s"),
        _point(row, row.tpot_mean_s, float(np.mean(several)), "s TPOT mean"),
        _point(row, row.tpot_median_s, float(np.median(several)), "s TPOT median"),
    )


def like_sharegpt(count: int, prompt_tokens: float, output_tokens: float) -> Requests:
    """`count` pairs of ShareGPT's lengths, stretched to these means."""
    prompt, output = _sharegpt()
    picks = np.random.default_rng(SEED).choice(len(prompt), count, replace=False)
    return Requests(
        prompt=stretched(prompt[picks], prompt_tokens), output=stretched(output[picks], output_tokens)
    )


def stretched(lengths: Ints, mean: float) -> Ints:
    """The same lengths in proportion, with this mean; at least one token each."""
    whole: Ints = np.rint(lengths * (mean / lengths.mean())).astype(np.int64)
    return np.maximum(1, whole)


@cache
def _sharegpt() -> tuple[Ints, Ints]:
    table = pd.read_parquet(LENGTHS)
    table = table[table["dataset"] == "shared_gpt"]
    sides = [table[table["side"] == side]["tokens"].to_numpy(np.int64) for side in ("input", "output")]
    return sides[0], sides[1]


def _point(row: Row, measured: float, estimated: float, unit: str) -> Point:
    values = {"place": row.place, "rate": f"{row.rate_per_s:g}"}
    return Point(
        name=f"{row.place} at {row.rate_per_s:g}/s: {measured:.4g} {unit}, we say {estimated:.4g}",
        measured=measured,
        estimated=estimated,
        kinds=tuple(Kind(by=by, value=value) for by, value in values.items()),
    )
