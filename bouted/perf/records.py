"""Replicas and requests as the compiled simulator holds them: one record each, facts first, then state."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from bouted.perf.costs import MOST_KNOTS, StepCosts
from bouted.perf.kernel import NEVER, Floats, Ints

Records: TypeAlias = np.ndarray[tuple[int], np.dtype[Any]]

_INTS = ("model", "stages", "kv_capacity", "max_batch", "max_step_tokens")
_STATE = ("running", "reading", "outstanding", "kv_tokens", "first_waiting", "last_waiting")
REPLICA = np.dtype(
    [("knots", np.int64), ("tokens", np.float64, MOST_KNOTS), ("tokens_s", np.float64, MOST_KNOTS)]
    + [(name, np.float64) for name in ("prompt_s", "pair_s", "seq_s", "kv_s", "front_end_s")]
    + [(name, np.float64) for name in ("weight", "ready_s", "lost_s", "look_s", "free_s")]
    + [(name, np.int64) for name in (*_INTS, *_STATE)]
    + [(name, np.int64) for name in ("step", "under_way", "oldest", "next_request")]
)
"""`look_s` is when the next step may begin, `free_s` when the first stage is free, `reading` how many running
requests do not decode yet. Steps are numbered, and end in that order: `under_way` of them are begun, and
the oldest is at `oldest` of its ring."""

_TOKENS = ("prompt", "cached", "output", "goal", "read", "made", "chunk")
REQUEST = np.dtype(
    [(name, np.float64) for name in ("arrived_s", "reached_s", "admitted_s", "first_s", "end_s")]
    + [(name, np.int64) for name in (*_TOKENS, "model", "step", "following")]
    + [(name, np.int64) for name in ("replica", "sent", "preemptions")]
)
"""Token counts as in `bouted.perf.sequence`; `following` is the next in the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReplica:
    """One replica of model number `model_index`; `weight` is its relative speed, above 0.

    It takes requests from `ready_s` on and is gone at `lost_s`.
    """

    costs: StepCosts
    model_index: int
    weight: float
    ready_s: float = 0.0
    lost_s: float = float("inf")


def replica_records(replicas: tuple[FleetReplica, ...]) -> Records:
    """Idle replicas. ValueError when a weight is not above 0."""
    records = np.zeros(len(replicas), REPLICA)
    for record, replica in zip(records, replicas, strict=True):
        if not replica.weight > 0:
            raise ValueError(f"a replica's weight is {replica.weight}")
        costs = replica.costs
        knots = len(costs.tokens)
        record["knots"] = knots
        record["tokens"][:knots], record["tokens_s"][:knots] = costs.tokens, costs.tokens_s
        for name in ("prompt_s", "pair_s", "seq_s", "kv_s", "front_end_s"):
            record[name] = getattr(costs, name)
        record["stages"], record["kv_capacity"] = costs.stages, costs.kv_capacity_tokens
        record["max_batch"], record["max_step_tokens"] = costs.max_batch, costs.max_step_tokens
        record["model"], record["weight"] = replica.model_index, replica.weight
        record["ready_s"], record["lost_s"] = replica.ready_s, replica.lost_s
    for name in ("first_waiting", "last_waiting"):
        records[name] = -1
    records["next_request"] = NEVER
    records["look_s"], records["free_s"] = np.inf, -np.inf
    return records


def request_records(
    arrived_s: Floats, model: Ints, prompt: Ints, output: Ints, cached: Ints | None
) -> Records:
    """Requests nobody has seen yet. ValueError when arrivals do not ascend or token counts are impossible."""
    cached = np.zeros_like(prompt) if cached is None else cached
    shapes = [np.shape(column) for column in (arrived_s, model, prompt, output, cached)]
    if len(set(shapes)) > 1:
        raise ValueError(f"lengths differ: {shapes}")
    if np.any(np.diff(arrived_s) < 0) or np.any(prompt < 1) or np.any(output < 1):
        raise ValueError("arrivals must ascend and requests have at least one token each way")
    if np.any(cached < 0) or np.any(cached >= prompt):
        raise ValueError("cached tokens must be fewer than the prompt's")
    records = np.zeros(len(arrived_s), REQUEST)
    records["arrived_s"], records["model"] = arrived_s, model
    records["prompt"], records["output"], records["cached"] = prompt, output, cached
    records["goal"] = prompt
    for name in ("reached_s", "admitted_s", "first_s", "end_s"):
        records[name] = np.inf
    for name in ("step", "following", "replica"):
        records[name] = -1
    return records
