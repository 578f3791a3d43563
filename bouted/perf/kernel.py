"""The rule of `bouted.perf.batch` over many replicas at once, compiled.

One record per replica holds its costs and its state. A step costs a few additions, whatever the batch:
a sequence's last step is known when its first token comes out, so nobody counts tokens. At most one
prefill is ever unfinished, because only the last one admitted in a step can be cut short.

Request arrays are indexed by request, in order of arrival. `following` chains the waiting requests of
each replica; `decoders[r, :decoding]` are its decoding requests and `last_step[r, :decoding]` the steps
that end them; `fresh[r, :fresh]` are those whose first token comes at the end of the step under way.
"""

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bouted.perf.costs import MOST_KNOTS

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

NEVER = np.iinfo(np.int64).max
REPLICA = np.dtype(
    [("knots", np.int64), ("tokens", np.float64, MOST_KNOTS), ("tokens_s", np.float64, MOST_KNOTS)]
    + [(name, np.float64) for name in ("pair_s", "seq_s", "kv_s", "weight")]
    + [(name, np.int64) for name in ("model", "kv_capacity", "max_batch", "max_step_tokens")]
    + [("now_s", np.float64), ("step_end_s", np.float64), ("in_step", np.int64), ("step", np.int64)]
    + [(name, np.int64) for name in ("first_waiting", "last_waiting", "outstanding", "kv_tokens")]
    + [(name, np.int64) for name in ("decoding", "context", "next_finish", "fresh", "partial", "read")]
)
"""Costs, then state. `context` is the KV entries of decoding requests, `partial` the request whose prefill
is unfinished (-1: none) and `read` its prompt tokens read so far."""


@njit(cache=True, error_model="numpy")
def run(
    replicas: Any,
    arrivals_s: Floats,
    model: Ints,
    prompt: Ints,
    output: Ints,
    first_s: Floats,
    end_s: Floats,
) -> None:
    """Send each request to its model's least loaded replica and run all to the end.

    Writes when its first and its last token came out; requests that nobody can hold keep what is there.
    """
    following = np.full(arrivals_s.size, -1, np.int64)
    decoders = np.empty((replicas.size, replicas["max_batch"].max()), np.int64)
    last_step = np.empty_like(decoders)
    fresh = np.empty_like(decoders)
    for request in range(arrivals_s.size):
        best = -1
        lowest = np.inf
        for r in range(replicas.size):
            if replicas[r].model != model[request]:
                continue
            _advance(
                replicas[r], arrivals_s[request], decoders[r], last_step[r], fresh[r],
                following, prompt, output, first_s, end_s,
            )  # fmt: skip
            load = (replicas[r].outstanding + 1) / replicas[r].weight
            if load < lowest:
                best, lowest = r, load
        if best >= 0 and prompt[request] + output[request] <= replicas[best].kv_capacity:
            _enqueue(replicas[best], request, arrivals_s[request], following)
    for r in range(replicas.size):
        _advance(
            replicas[r], np.inf, decoders[r], last_step[r], fresh[r],
            following, prompt, output, first_s, end_s,
        )  # fmt: skip


@njit(error_model="numpy")
def _advance(
    rep: Any, until_s: float, decoders: Ints, last_step: Ints, fresh: Ints,
    following: Ints, prompt: Ints, output: Ints, first_s: Floats, end_s: Floats,
) -> None:  # fmt: skip
    """Run to `until_s`: steps that end by then are finished, none is started at that very instant."""
    while True:
        if rep.in_step == 0 and rep.now_s < until_s:
            if rep.first_waiting < 0 and rep.partial < 0:
                _decode(rep, until_s)
            _begin(rep, fresh, following, prompt, output)
        if rep.in_step == 0 or rep.step_end_s > until_s:
            return
        _end(rep, decoders, last_step, fresh, prompt, output, first_s, end_s)


@njit(error_model="numpy")
def _decode(rep: Any, until_s: float) -> None:
    """The short way through steps that only decode, up to the last before a request ends or `until_s`."""
    now_s, context = rep.now_s, rep.context
    work_s = _tokens_time_s(rep, rep.decoding) + rep.decoding * rep.seq_s
    for step in range(rep.step, rep.next_finish - 1 if rep.decoding else rep.step):
        end_s = now_s + (work_s + context * rep.kv_s)
        if end_s >= until_s:
            break
        rep.step = step + 1
        now_s = end_s
        context += rep.decoding
    rep.now_s, rep.context = now_s, context


@njit(error_model="numpy")
def _tokens_time_s(rep: Any, tokens: int) -> float:
    """`StepCosts.tokens_time_s`."""
    right = 1
    while right < rep.knots - 1 and rep.tokens[right] < tokens:
        right += 1
    x0, y0 = rep.tokens[right - 1], rep.tokens_s[right - 1]
    slope = (rep.tokens_s[right] - y0) / (rep.tokens[right] - x0)
    return float(y0 + (tokens - x0) * slope)


@njit(error_model="numpy")
def _enqueue(rep: Any, request: int, now_s: float, following: Ints) -> None:
    if rep.outstanding == 0:
        rep.now_s = now_s
    if rep.first_waiting < 0:
        rep.first_waiting = request
    else:
        following[rep.last_waiting] = request
    rep.last_waiting = request
    rep.outstanding += 1


@njit(error_model="numpy")
def _begin(rep: Any, fresh: Ints, following: Ints, prompt: Ints, output: Ints) -> None:
    """Start a step at `now_s`, if there is work."""
    budget = max(0, rep.max_step_tokens - rep.decoding)
    prefill = 0
    pairs = 0.0
    if rep.partial >= 0 and budget > 0:
        prefill = min(prompt[rep.partial] - rep.read, budget)
        pairs = prefill * (rep.read + prefill / 2)
        rep.read += prefill
        if rep.read == prompt[rep.partial]:
            fresh[rep.fresh] = rep.partial
            rep.fresh += 1
            rep.partial = -1
    running = rep.decoding + rep.fresh + (1 if rep.partial >= 0 else 0)
    while rep.first_waiting >= 0 and running < rep.max_batch and prefill < budget:
        request = rep.first_waiting
        kv_tokens = prompt[request] + output[request]
        if rep.kv_tokens + kv_tokens > rep.kv_capacity:
            break
        rep.first_waiting = following[request]
        rep.kv_tokens += kv_tokens
        running += 1
        chunk = min(prompt[request], budget - prefill)
        prefill += chunk
        pairs += chunk * (chunk / 2)
        if chunk == prompt[request]:
            fresh[rep.fresh] = request
            rep.fresh += 1
        else:
            rep.partial = request
            rep.read = chunk
    if running > 0:
        decode_s = rep.decoding * rep.seq_s + rep.context * rep.kv_s
        work_s = _tokens_time_s(rep, prefill + rep.decoding) + pairs * rep.pair_s
        rep.step_end_s = rep.now_s + (work_s + decode_s)
        rep.in_step = 1


@njit(error_model="numpy")
def _end(
    rep: Any, decoders: Ints, last_step: Ints, fresh: Ints,
    prompt: Ints, output: Ints, first_s: Floats, end_s: Floats,
) -> None:  # fmt: skip
    """Finish the step under way: note first and last tokens, free what is done."""
    rep.now_s = rep.step_end_s
    rep.in_step = 0
    rep.step += 1
    rep.context += rep.decoding
    if rep.step == rep.next_finish:
        _finish_decoders(rep, decoders, last_step, prompt, output, end_s)
    for k in range(rep.fresh):
        request = fresh[k]
        first_s[request] = rep.now_s
        if output[request] == 1:
            _leave(rep, request, prompt, output, end_s)
            continue
        decoders[rep.decoding] = request
        last_step[rep.decoding] = rep.step + output[request] - 1
        rep.next_finish = min(rep.next_finish, last_step[rep.decoding])
        rep.decoding += 1
        rep.context += prompt[request]
    rep.fresh = 0


@njit(error_model="numpy")
def _finish_decoders(
    rep: Any, decoders: Ints, last_step: Ints, prompt: Ints, output: Ints, end_s: Floats
) -> None:
    kept = 0
    rep.next_finish = NEVER
    for k in range(rep.decoding):
        request = decoders[k]
        if last_step[k] == rep.step:
            _leave(rep, request, prompt, output, end_s)
            rep.context -= prompt[request] + output[request] - 1
            continue
        decoders[kept] = request
        last_step[kept] = last_step[k]
        rep.next_finish = min(rep.next_finish, last_step[k])
        kept += 1
    rep.decoding = kept


@njit(error_model="numpy")
def _leave(rep: Any, request: int, prompt: Ints, output: Ints, end_s: Floats) -> None:
    end_s[request] = rep.now_s
    rep.outstanding -= 1
    rep.kv_tokens -= prompt[request] + output[request]
