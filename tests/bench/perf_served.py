"""What we say of the runs of `inferencex_e2e`: the same closed loop, on a simulated replica.

Upstream does not say whether its TTFT and TPOT are means or medians, and its scripts write both. TTFT
grows with concurrency as a mean does that counts the first wave, but that was seen in the judged rows
themselves: so both readings are rows of the bench.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from perf_closed import Seen, alike, served, spread
from perf_inferencex import Row, model_name, setup, unsupported
from perf_points import Kind, Point

from bouted.perf.curveset import Curves
from bouted.perf.shapes import Refusal
from bouted.perf.steptime import Part, step_parts

ROUNDS = 10
"""Prompts per open request, in InferenceX's script and in aiconfigurator's `genai_perf_runner.py`."""
LEAST_LENGTH = 0.8
"""InferenceX's `--random-range-ratio`; NVIDIA's sweeps are of one length."""
SLOW_TTFT_S = 10.0
SEED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A measured row, what our client saw, and what went into it."""

    row: Row
    seen: Seen
    spread: float
    parts: tuple[Part, ...]
    refusal: str

    def tpot(self, *, median: bool = False) -> Point:
        """TPOT in seconds."""
        mine = self.seen.tpot_median_s if median else self.seen.tpot_mean_s
        return self._point(self.row.tpot_s, mine)

    def ttft(self, *, median: bool = False) -> Point:
        """TTFT in seconds."""
        mine = self.seen.ttft_median_s if median else self.seen.ttft_mean_s
        return self._point(self.row.ttft_s, mine)

    def _point(self, measured: float, estimated: float) -> Point:
        return Point(
            name=self.row.id,
            measured=measured,
            estimated=estimated,
            kinds=_kinds(self.row),
            spread=self.spread,
            parts=self.parts,
        )


def runs(
    rows: Sequence[Row],
    curves_of: Callable[[Row], Curves | None] = lambda row: None,
    step_tokens: int | None = None,
) -> tuple[Run, ...]:
    """Every row again, on simulated replicas; `curves_of` replaces the shipped curves, `step_tokens`
    the budget of a step.
    """
    return tuple(_run(row, curves_of(row), step_tokens) for row in rows)


def picked(rows: Sequence[Row], backend: str, names: Sequence[str]) -> tuple[Row, ...]:
    """The supported rows of an engine that serve one of these models."""
    return tuple(
        row for row in rows if row.backend == backend and model_name(row) in names and not unsupported(row)
    )


def sample(rows: Sequence[Row], most: int, seed: int = SEED) -> tuple[Row, ...]:
    """At most so many rows, drawn evenly, in their order."""
    if len(rows) <= most:
        return tuple(rows)
    kept = np.random.default_rng(seed).choice(len(rows), most, replace=False)
    return tuple(rows[i] for i in sorted(kept))


def left_out(rows: Sequence[Row]) -> Iterator[str]:
    """Rows that we say nothing about, by reason."""
    for reason, count in Counter(unsupported(row) for row in rows).most_common():
        if reason:
            yield f"unsupported: {count} rows, {reason}"


def refused(found: Sequence[Run]) -> Iterator[str]:
    """Rows that ran although our gate refuses them."""
    for refusal, count in Counter(run.refusal for run in found if run.refusal).most_common():
        yield f"ran although the gate refuses it: {count} rows, {refusal}"


def _run(row: Row, curves: Curves | None, step_tokens: int | None) -> Run:
    ran = setup(row, step_tokens)
    context = row.isl + row.osl
    gate = ran.gate(context)
    costs = ran.costs(context, row.concurrency, curves)
    count = ROUNDS * row.concurrency
    if row.sweep:
        requests = alike(count, row.isl, row.osl)
    else:
        requests = spread(count, row.isl, row.osl, least=LEAST_LENGTH, seed=SEED)
    return Run(
        row=row,
        seen=served(costs, row.concurrency, requests),
        spread=costs.spread,
        parts=_typical(row, curves),
        refusal=gate.reason if isinstance(gate, Refusal) else "",
    )


def _typical(row: Row, curves: Curves | None) -> tuple[Part, ...]:
    """The step in the middle of the run: every place taken, prompts mixed in as they come."""
    prompt_tokens = round(row.concurrency * row.isl / row.osl)
    return step_parts(
        setup(row).layout(curves),
        prefill_tokens=prompt_tokens,
        decode_seqs=row.concurrency,
        context_tokens=row.concurrency * (row.isl + row.osl // 2),
        pairs=prompt_tokens * row.isl / 2,
    )


def _kinds(row: Row) -> tuple[Kind, ...]:
    values = {
        "model": model_name(row),
        "GPU": row.system,
        "precision": row.precision.value,
        "tp": str(row.tp),
        "concurrency": str(row.concurrency),
        "ISL/OSL": f"{row.isl}/{row.osl}",
    }
    return tuple(Kind(by=by, value=value) for by, value in values.items())
