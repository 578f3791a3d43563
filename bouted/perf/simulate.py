"""What requests wait and take on one replica or on a fleet, by simulating every engine step.

The rule is that of `bouted.perf.batch`, step for step; `bouted.perf.kernel` is its compiled form.
"""

from dataclasses import dataclass

import numpy as np

from bouted.perf.costs import StepCosts
from bouted.perf.kernel import Floats, Ints, run_closed, run_open
from bouted.perf.records import FleetReplica, Records, replica_records, request_records

__all__ = [
    "ClosedRun",
    "FleetReplica",
    "RequestTimes",
    "simulate_closed",
    "simulate_fleet",
    "simulate_replica",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestTimes:
    """What became of each request, in order of arrival; times in seconds.

    `ttft_s` and `e2e_s` count from arrival to the first and to the last token, `queue_s` from reaching the
    engine that answered to being admitted there; `tpot_s` is the mean gap between tokens, 0 for one
    token. What never happened is infinite: all of it where no replica could ever hold the request, `e2e_s`
    and `tpot_s` where its replica was lost in the middle. `replica` is who answered, -1 for nobody;
    `preemptions` counts how often the request lost its KV; `ok` is whether it got its last token.
    """

    arrived_s: Floats
    ttft_s: Floats
    tpot_s: Floats
    e2e_s: Floats
    queue_s: Floats
    preemptions: Ints
    replica: Ints
    ok: np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClosedRun:
    """A closed loop: `times` in order of issue, and when each request was issued, in seconds."""

    times: RequestTimes
    issued_s: Floats


def simulate_replica(
    costs: StepCosts,
    arrivals_s: Floats,
    prompt_tokens: Ints,
    output_tokens: Ints,
    *,
    cached_tokens: Ints | None = None,
) -> RequestTimes:
    """One replica alone. Arrays are one entry per request; arrivals ascend, tokens are at least 1."""
    models = np.zeros(len(arrivals_s), np.int64)
    return simulate_fleet(
        (_alone(costs),), arrivals_s, models, prompt_tokens, output_tokens, cached_tokens=cached_tokens
    )


def simulate_fleet(
    replicas: tuple[FleetReplica, ...],
    arrivals_s: Floats,
    model_index: Ints,
    prompt_tokens: Ints,
    output_tokens: Ints,
    *,
    cached_tokens: Ints | None = None,
) -> RequestTimes:
    """A fleet that shares requests as the gateway does.

    Each goes to the replica of its model with the least (outstanding + 1) / weight at its arrival, the
    first of equals; where none is up it fails at once, as the gateway answers 503. When a replica is lost,
    its requests without a token are sent again at that instant, in the order it held them, each three
    times at most; those with one have failed, for every answer is taken to be a stream. The gateway is
    taken to know at once who is gone.

    `cached_tokens` of each prompt are found in the prefix cache. ValueError when arrivals do not ascend,
    token counts are impossible or a weight is not above 0.
    """
    requests = request_records(
        np.asarray(arrivals_s, np.float64), np.asarray(model_index), *_tokens(prompt_tokens, output_tokens),
        cached_tokens,
    )  # fmt: skip
    if replicas:
        records = replica_records(replicas)
        lost_s = records["lost_s"]
        losses = np.argsort(lost_s, kind="stable")
        run_open(records, requests, *_rows(records), losses[np.isfinite(lost_s[losses])])
    return _times(requests)


def simulate_closed(
    costs: StepCosts,
    concurrency: int,
    prompt_tokens: Ints,
    output_tokens: Ints,
    *,
    cached_tokens: Ints | None = None,
) -> ClosedRun:
    """One replica and `concurrency` clients that start at once; each sends the next request of the list the
    instant its last one ended, until the list is used up. A request that can never fit is answered at once.

    ValueError when token counts are impossible or `concurrency` is below 1.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency is {concurrency}")
    nothing = np.zeros(len(prompt_tokens))
    requests = request_records(
        nothing, nothing.astype(np.int64), *_tokens(prompt_tokens, output_tokens), cached_tokens
    )
    records = replica_records((_alone(costs),))
    run_closed(records, requests, *_rows(records), concurrency)
    times = _times(requests)
    return ClosedRun(times=times, issued_s=times.arrived_s)


def _alone(costs: StepCosts) -> FleetReplica:
    return FleetReplica(costs=costs, model_index=0, weight=1.0)


def _tokens(prompt: Ints, output: Ints) -> tuple[Ints, Ints]:
    return np.asarray(prompt, np.int64), np.asarray(output, np.int64)


def _rows(replicas: Records) -> tuple[Ints, Floats]:
    """Room for what runs on each replica, and for its steps under way."""
    n = len(replicas)
    return np.empty((n, replicas["max_batch"].max()), np.int64), np.empty((n, replicas["stages"].max()))


def _times(requests: Records) -> RequestTimes:
    arrived, first, end = requests["arrived_s"].copy(), requests["first_s"], requests["end_s"]
    ok = np.isfinite(end)
    decode = np.subtract(end, first, out=np.full(len(requests), np.inf), where=ok)
    waited = np.isfinite(requests["admitted_s"])
    queue = np.full(len(requests), np.inf)
    np.subtract(requests["admitted_s"], requests["reached_s"], out=queue, where=waited)
    return RequestTimes(
        arrived_s=arrived,
        ttft_s=first - arrived,
        tpot_s=decode / np.maximum(requests["output"] - 1, 1),
        e2e_s=end - arrived,
        queue_s=queue,
        preemptions=requests["preemptions"].copy(),
        replica=requests["replica"].copy(),
        ok=ok,
    )
