"""What requests wait and take on one replica or on a fleet, by simulating every engine step.

The rule is that of `bouted.perf.batch`, step for step; `bouted.perf.kernel` is its compiled form.
"""

from dataclasses import dataclass

import numpy as np

from bouted.perf.costs import StepCosts
from bouted.perf.kernel import NEVER, REPLICA, Floats, Ints, run


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestTimes:
    """Seconds per request, in order of arrival; infinite where no replica could ever hold it.

    `ttft_s` and `e2e_s` count from arrival to the first and to the last token; `tpot_s` is the mean
    gap between tokens, 0 for one token.
    """

    ttft_s: Floats
    tpot_s: Floats
    e2e_s: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReplica:
    """One replica of model number `model_index`; `weight` is its relative speed, above 0."""

    costs: StepCosts
    model_index: int
    weight: float


def arrivals(rate_per_s: float, cv: float, n: int, seed: int) -> Floats:
    """`n` arrival times in seconds with Gamma gaps of mean `1 / rate_per_s` and variation `cv`.

    One seed gives one pattern: another rate only stretches it. `cv` 1 is Poisson, 0 is a clock.
    """
    if cv == 0:
        return np.arange(1, n + 1) / rate_per_s
    gaps = np.random.default_rng(seed).gamma(1 / cv**2, cv**2, n)
    return np.cumsum(gaps) / rate_per_s


def simulate_replica(
    costs: StepCosts, arrivals_s: Floats, prompt_tokens: Ints, output_tokens: Ints
) -> RequestTimes:
    """One replica alone. Arrays are one entry per request; arrivals ascend, tokens are at least 1."""
    alone = FleetReplica(costs=costs, model_index=0, weight=1.0)
    models = np.zeros(len(arrivals_s), np.int64)
    return simulate_fleet((alone,), arrivals_s, models, prompt_tokens, output_tokens)


def simulate_fleet(
    replicas: tuple[FleetReplica, ...],
    arrivals_s: Floats,
    model_index: Ints,
    prompt_tokens: Ints,
    output_tokens: Ints,
) -> RequestTimes:
    """A fleet that shares requests as the gateway does.

    Each goes to the replica of its model with the least (outstanding + 1) / weight at its arrival, the
    first of equals. ValueError when arrivals do not ascend, a request has no tokens or a weight is not
    above 0.
    """
    times = np.ascontiguousarray(arrivals_s, np.float64)
    models, prompt, output = (
        np.ascontiguousarray(a, np.int64) for a in (model_index, prompt_tokens, output_tokens)
    )
    if not times.shape == models.shape == prompt.shape == output.shape:
        raise ValueError(f"lengths differ: {times.shape} {models.shape} {prompt.shape} {output.shape}")
    if np.any(np.diff(times) < 0) or np.any(prompt < 1) or np.any(output < 1):
        raise ValueError("arrivals must ascend and requests have at least one token each way")
    first = np.full(times.size, np.inf)
    end = np.full(times.size, np.inf)
    if replicas:
        run(_records(replicas), times, models, prompt, output, first, end)
    held = np.isfinite(end)
    decode = np.subtract(end, first, out=np.full(times.size, np.inf), where=held)
    return RequestTimes(ttft_s=first - times, tpot_s=decode / np.maximum(output - 1, 1), e2e_s=end - times)


def _records(replicas: tuple[FleetReplica, ...]) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Idle replicas as the kernel wants them."""
    records = np.zeros(len(replicas), REPLICA)
    for record, replica in zip(records, replicas, strict=True):
        if not replica.weight > 0:
            raise ValueError(f"a replica's weight is {replica.weight}")
        costs = replica.costs
        knots = len(costs.tokens)
        record["knots"] = knots
        record["tokens"][:knots], record["tokens_s"][:knots] = costs.tokens, costs.tokens_s
        record["pair_s"], record["seq_s"], record["kv_s"] = costs.pair_s, costs.seq_s, costs.kv_s
        record["kv_capacity"] = costs.kv_capacity_tokens
        record["max_batch"], record["max_step_tokens"] = costs.max_batch, costs.max_step_tokens
        record["model"], record["weight"] = replica.model_index, replica.weight
    for name in ("first_waiting", "last_waiting", "partial"):
        records[name] = -1
    records["next_finish"] = NEVER
    return records
