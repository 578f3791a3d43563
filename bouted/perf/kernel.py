"""The rule of `bouted.perf.batch` and `bouted.perf.pipeline` over many replicas at once, compiled.

`replicas` and `requests` are the records of `bouted.perf.records`. Row r of `order` holds the requests
that run on replica r in order of admission, row r of `ends` when its steps under way end, in a ring.
Requests that wait are chained by `following`. All of it is in one file because numba looks for changes
only in the file of the function that is called.
"""

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

NEVER = np.iinfo(np.int64).max
ATTEMPTS = 3
"""Times that the gateway sends one query."""


@njit(cache=True, nogil=True, error_model="numpy")
def run_open(replicas: Any, requests: Any, order: Ints, ends: Floats, losses: Ints) -> None:
    """Send each request at its time to the least loaded replica of its model, and run all to the end.

    `losses` are the replicas that are lost, in the order of that.
    """
    lost = 0
    for i in range(requests.size):
        now_s = requests[i].arrived_s
        while lost < losses.size and replicas[losses[lost]].lost_s <= now_s:
            _lose(losses[lost], replicas, requests, order, ends)
            lost += 1
        _send(i, now_s, replicas, requests, order, ends)
    for k in range(lost, losses.size):
        _lose(losses[k], replicas, requests, order, ends)
    for r in range(replicas.size):
        _advance(replicas[r], np.inf, requests, order[r], ends[r])


@njit(cache=True, nogil=True, error_model="numpy")
def run_closed(replicas: Any, requests: Any, order: Ints, ends: Floats, clients: int) -> None:
    """`clients` start at once on the one replica; each sends the next request when its last one ended."""
    replica = replicas[0]
    replica.next_request = 0
    for _ in range(clients):
        _send_next(replica, 0.0, requests)
    _advance(replica, np.inf, requests, order[0], ends[0])


@njit(error_model="numpy")
def _send(i: int, now_s: float, replicas: Any, requests: Any, order: Ints, ends: Floats) -> None:
    """The gateway's policy: the least (outstanding + 1) / weight of those up, the first of equals."""
    best = -1
    lowest = np.inf
    for r in range(replicas.size):
        rep = replicas[r]
        if rep.model != requests[i].model or now_s < rep.ready_s or now_s >= rep.lost_s:
            continue
        _advance(rep, now_s, requests, order[r], ends[r])
        load = (rep.outstanding + 1) / rep.weight
        if load < lowest:
            best, lowest = r, load
    if best >= 0 and requests[i].prompt + requests[i].output <= replicas[best].kv_capacity:
        requests[i].sent += 1
        requests[i].replica = best
        _queue(replicas[best], i, now_s, requests)


@njit(error_model="numpy")
def _lose(r: int, replicas: Any, requests: Any, order: Ints, ends: Floats) -> None:
    """Replica r is gone: what has no token yet is sent again, what has some has failed."""
    rep = replicas[r]
    _advance(rep, rep.lost_s, requests, order[r], ends[r])
    held = np.empty(rep.outstanding, np.int64)
    held[: rep.running] = order[r, : rep.running]
    waiting = rep.first_waiting
    for k in range(rep.running, rep.outstanding):
        held[k] = waiting
        waiting = requests[waiting].following
    rep.running = rep.reading = rep.outstanding = rep.kv_tokens = rep.under_way = 0
    rep.first_waiting = -1
    rep.look_s = np.inf
    for i in held:
        if requests[i].made == 0:
            requests[i].replica = -1
            requests[i].read = requests[i].chunk = 0
            requests[i].step = -1
            requests[i].admitted_s = np.inf
            if requests[i].sent < ATTEMPTS:
                _send(i, rep.lost_s, replicas, requests, order, ends)


@njit(error_model="numpy")
def _send_next(rep: Any, now_s: float, requests: Any) -> None:
    """A client of the closed loop sends the next request; one that can never fit is answered at once."""
    while rep.next_request < requests.size:
        i = rep.next_request
        rep.next_request += 1
        requests[i].arrived_s = now_s
        if requests[i].prompt + requests[i].output <= rep.kv_capacity:
            requests[i].replica = 0
            _queue(rep, i, now_s, requests)
            return


@njit(error_model="numpy")
def _queue(rep: Any, i: int, now_s: float, requests: Any) -> None:
    """The request will reach the engine after its front end's time; an idle engine looks then."""
    requests[i].reached_s = now_s + rep.front_end_s
    requests[i].admitted_s = np.inf
    requests[i].following = -1
    if rep.first_waiting < 0:
        rep.first_waiting = i
    else:
        requests[rep.last_waiting].following = i
    rep.last_waiting = i
    if rep.outstanding == 0:
        rep.look_s = requests[i].reached_s
    rep.outstanding += 1


@njit(error_model="numpy")
def _advance(rep: Any, until_s: float, requests: Any, order: Ints, ends: Floats) -> None:
    """Run to `until_s`: steps that end by then are ended, none is begun at that very instant."""
    while True:
        if rep.under_way > 0 and ends[rep.oldest] <= rep.look_s:
            if ends[rep.oldest] > until_s:
                return
            now_s = ends[rep.oldest]
            _end(rep, now_s, requests, order)
            rep.look_s = max(now_s, rep.free_s)
            continue
        if rep.look_s >= until_s:
            return
        if rep.stages == 1 and rep.running > 0 and rep.reading == 0:
            _decode(rep, until_s, requests, order)
        began = _begin(rep, rep.look_s, requests, order, ends)
        if began and rep.under_way < rep.stages:
            rep.look_s = rep.free_s
        elif not began and rep.under_way == 0 and rep.first_waiting >= 0:
            rep.look_s = requests[rep.first_waiting].reached_s
        else:
            rep.look_s = np.inf


@njit(error_model="numpy")
def _decode(rep: Any, until_s: float, requests: Any, order: Ints) -> None:
    """The short way through steps that only decode: to the last one before something else may happen."""
    now_s, kv_tokens, batch = rep.look_s, rep.kv_tokens, rep.running
    if rep.first_waiting >= 0:
        waits = requests[rep.first_waiting]
        if waits.reached_s > now_s:
            until_s = min(until_s, waits.reached_s)
        elif batch < min(rep.max_batch, rep.max_step_tokens) and kv_tokens + waits.goal <= rep.kv_capacity:
            return
    work_s = _tokens_time_s(rep, batch)
    seqs_s = batch * rep.seq_s
    if now_s + (work_s + (seqs_s + kv_tokens * rep.kv_s)) >= until_s:
        return
    most = (rep.kv_capacity - kv_tokens) // batch
    for i in order[:batch]:
        most = min(most, requests[i].output - requests[i].made - 1)
    steps = 0
    while steps < most:
        end_s = now_s + (work_s + (seqs_s + kv_tokens * rep.kv_s))
        if end_s >= until_s:
            break
        now_s = end_s
        kv_tokens += batch
        steps += 1
    for i in order[:batch]:
        requests[i].made += steps
        requests[i].read += steps
    rep.look_s, rep.kv_tokens = now_s, kv_tokens


@njit(error_model="numpy")
def _tokens_time_s(rep: Any, tokens: int) -> float:
    """`StepCosts.tokens_time_s`."""
    right = 1
    while right < rep.knots - 1 and rep.tokens[right] < tokens:
        right += 1
    x0, y0 = rep.tokens[right - 1], rep.tokens_s[right - 1]
    x1, y1 = rep.tokens[right], rep.tokens_s[right]
    return float(y0 + (tokens - x0) * (y1 - y0) / (x1 - x0))


@njit(error_model="numpy")
def _begin(rep: Any, now_s: float, requests: Any, order: Ints, ends: Floats) -> bool:
    """`Batch.begin_step` and `Pipeline.begin_step`; False when there is nothing to begin."""
    budget = rep.max_step_tokens
    seats = -(-rep.running // rep.stages)
    decodes = context = prefill = place = 0
    pairs = 0.0
    preempted = False
    while place < rep.running and budget > 0:
        seq = requests[order[place]]
        place += 1
        decoding = seq.read >= seq.goal
        if seq.step >= 0 or (decoding and decodes == seats):
            continue
        tokens = 1 if decoding else min(seq.goal - seq.read, budget)
        while rep.kv_tokens + tokens > rep.kv_capacity:
            preempted = True
            if _preempt_last(rep, requests, order) < place:
                tokens = 0
                break
        if tokens == 0:
            break
        if decoding:
            decodes += 1
            context += seq.read
        else:
            prefill += tokens
            pairs += tokens * (seq.read + tokens / 2)
        seq.step, seq.chunk = rep.step, tokens
        rep.kv_tokens += tokens
        budget -= tokens
    while not preempted and rep.first_waiting >= 0 and rep.running < rep.max_batch and budget > 0:
        seq = requests[rep.first_waiting]
        if seq.reached_s > now_s or rep.kv_tokens + seq.goal > rep.kv_capacity:
            break
        _admit(rep, now_s, requests, order)
        tokens = min(seq.goal - seq.read, budget)
        prefill += tokens
        pairs += tokens * (seq.read + tokens / 2)
        seq.step, seq.chunk = rep.step, tokens
        rep.kv_tokens += tokens
        budget -= tokens
    if decodes + prefill == 0:
        return False
    prompts_s = prefill * rep.prompt_s + pairs * rep.pair_s
    decode_s = decodes * rep.seq_s + context * rep.kv_s
    _enter(rep, now_s, _tokens_time_s(rep, prefill + decodes) + prompts_s + decode_s, ends)
    return True


@njit(error_model="numpy")
def _admit(rep: Any, now_s: float, requests: Any, order: Ints) -> None:
    """The first of the queue takes a seat, with what the prefix cache has of it."""
    i = rep.first_waiting
    seq = requests[i]
    rep.first_waiting = seq.following
    order[rep.running] = i
    rep.running += 1
    rep.reading += 1
    seq.read = seq.cached
    rep.kv_tokens += seq.cached
    seq.admitted_s = min(seq.admitted_s, now_s)


@njit(error_model="numpy")
def _preempt_last(rep: Any, requests: Any, order: Ints) -> int:
    """The one admitted last that no step works on gives its KV back and goes to the front; its place."""
    place = rep.running - 1
    while requests[order[place]].step >= 0:
        place -= 1
    i = order[place]
    seq = requests[i]
    if seq.read < seq.goal:
        rep.reading -= 1
    rep.kv_tokens -= seq.read
    seq.read = 0
    seq.goal = seq.prompt + seq.made
    seq.preemptions += 1
    seq.following = rep.first_waiting
    if rep.first_waiting < 0:
        rep.last_waiting = i
    rep.first_waiting = i
    rep.running -= 1
    for k in range(place, rep.running):
        order[k] = order[k + 1]
    return int(place)


@njit(error_model="numpy")
def _enter(rep: Any, now_s: float, step_s: float, ends: Floats) -> None:
    """A step enters the pipeline: when it ends, and when the first stage is free again."""
    stage_s = step_s / rep.stages
    end_s = now_s + step_s
    if rep.under_way > 0:
        end_s = max(end_s, ends[(rep.oldest + rep.under_way - 1) % rep.stages] + stage_s)
    ends[(rep.oldest + rep.under_way) % rep.stages] = end_s
    rep.free_s = now_s + stage_s
    rep.under_way += 1
    rep.step += 1


@njit(error_model="numpy")
def _end(rep: Any, now_s: float, requests: Any, order: Ints) -> None:
    """`Batch.end_step` at `now_s`: note first and last tokens, free what is done."""
    step = rep.step - rep.under_way
    rep.oldest = (rep.oldest + 1) % rep.stages
    rep.under_way -= 1
    kept = ended = 0
    for place in range(rep.running):
        i = order[place]
        seq = requests[i]
        if seq.step == step:
            if seq.read < seq.goal and seq.read + seq.chunk >= seq.goal:
                rep.reading -= 1
            seq.read += seq.chunk
            seq.step, seq.chunk = -1, 0
            if seq.read >= seq.goal:
                seq.made += 1
                if seq.made == 1:
                    seq.first_s = now_s
                if seq.made == seq.output:
                    seq.end_s = now_s
                    rep.kv_tokens -= seq.read
                    ended += 1
                    continue
        order[kept] = i
        kept += 1
    rep.running = kept
    rep.outstanding -= ended
    for _ in range(ended):
        _send_next(rep, now_s, requests)
