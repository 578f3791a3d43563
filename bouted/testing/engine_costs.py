"""Step costs of a running engine, fitted to how long its steps were seen to take."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from bouted.catalog.gpus import Evidence
from bouted.perf.costs import StepCosts

_PLAUSIBLE = 0.05
"""Relative errors up to here are ordinary scatter; larger ones count by their size, not its square."""
_ROUNDS = 20
KNOTS = (1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
"""Token counts between which the fitted curve is straight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The work of one step, in the terms of `StepCosts`; `context_tokens` may be a mean over like steps."""

    prefill_tokens: int
    decode_seqs: int
    context_tokens: float
    pairs: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """`steps` one after the other took `seconds`, from arrival at the front end where `from_arrival`."""

    steps: tuple[Step, ...]
    seconds: float
    from_arrival: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What the engine was started with: the sizes of its KV cache in tokens, its batch and its steps."""

    kv_capacity_tokens: int
    max_batch: int
    max_step_tokens: int


def prefill(prompt_tokens: int, max_step_tokens: int) -> tuple[Step, ...]:
    """The steps that read a prompt on an idle engine, in chunks of `max_step_tokens`."""
    steps = []
    for read in range(0, prompt_tokens, max_step_tokens):
        chunk = min(max_step_tokens, prompt_tokens - read)
        steps.append(
            Step(prefill_tokens=chunk, decode_seqs=0, context_tokens=0, pairs=chunk * (read + chunk / 2))
        )
    return tuple(steps)


def fitted(timed: Sequence[Timed], room: Room) -> StepCosts:
    """The step costs that lie nearest to `timed`: least relative errors in Huber's sense, nothing below zero.

    Every cost of `StepCosts` is linear in its coefficients. The curve may fall: kernels for one token are
    not those for a few. `spread` is the relative error that 80 % of `timed` stay within. ValueError without
    a time from arrival, one of decoding, and one of more tokens than the batch holds.
    """
    _enough(timed, room)
    seconds = np.array([t.seconds for t in timed])
    rows = np.array([_row(t) for t in timed]) / seconds[:, None]
    found = _nearest(rows)
    errors = np.abs(rows @ found - 1)
    pair_s, seq_s, kv_s, front_end_s = (float(x) for x in found[len(KNOTS) :])
    return StepCosts(
        tokens=KNOTS,
        tokens_s=tuple(float(s) for s in found[: len(KNOTS)]),
        pair_s=pair_s,
        seq_s=seq_s,
        kv_s=kv_s,
        kv_capacity_tokens=room.kv_capacity_tokens,
        max_batch=room.max_batch,
        max_step_tokens=room.max_step_tokens,
        evidence=Evidence.MEASURED,
        spread=float(np.quantile(errors, 0.8)),
        front_end_s=front_end_s,
    )


def predicted_s(costs: StepCosts, timed: Timed) -> float:
    """What `costs` say that the steps take."""
    front_end_s = costs.front_end_s if timed.from_arrival else 0.0
    return front_end_s + sum(
        costs.tokens_time_s(step.prefill_tokens + step.decode_seqs)
        + step.prefill_tokens * costs.prompt_s
        + step.pairs * costs.pair_s
        + step.decode_seqs * costs.seq_s
        + step.context_tokens * costs.kv_s
        for step in timed.steps
    )


def _nearest(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients that bring every row near 1: least squares, in which far rows weigh less."""
    weights = np.ones(len(rows))
    for _ in range(_ROUNDS):
        found, _ = nnls(rows * weights[:, None], weights)
        weights = np.sqrt(_PLAUSIBLE / np.maximum(np.abs(rows @ found - 1), _PLAUSIBLE))
    return np.asarray(found, np.float64)


def _row(timed: Timed) -> NDArray[np.float64]:
    """What `timed` has of each coefficient: seconds at each knot, then pair_s, seq_s, kv_s, front_end_s."""
    row = np.zeros(len(KNOTS) + 4)
    for step in timed.steps:
        tokens = step.prefill_tokens + step.decode_seqs
        right = min(max(bisect_left(KNOTS, tokens), 1), len(KNOTS) - 1)
        share = (tokens - KNOTS[right - 1]) / (KNOTS[right] - KNOTS[right - 1])
        row[right - 1 : right + 1] += (1 - share, share)
        row[len(KNOTS) : len(KNOTS) + 3] += (step.pairs, step.decode_seqs, step.context_tokens)
    row[-1] = timed.from_arrival
    return row


def _enough(timed: Sequence[Timed], room: Room) -> None:
    steps = [step for t in timed for step in t.steps]
    if not any(t.from_arrival for t in timed) or not any(step.decode_seqs for step in steps):
        raise ValueError("needs a time from arrival and one of decoding")
    if not any(step.prefill_tokens > room.max_batch for step in steps):
        raise ValueError(f"needs a step of more than {room.max_batch} prompt tokens")
