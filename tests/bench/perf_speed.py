"""How fast the fleet simulator is, on one core: tokens a second at batch 32, and a whole trace.

Times leave out compilation, which happens once per installation; `compile_s` says what is left of it.
"""

import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from bouted.catalog.gpus import Evidence
from bouted.perf.arrivals import arrivals, read_trace
from bouted.perf.costs import StepCosts
from bouted.perf.simulate import FleetReplica, RequestTimes, simulate_fleet

BATCH, REPLICAS, REQUESTS, RUNS = 32, 4, 40_000, 5
OVERLOAD = 1.05  # a queue that is never empty keeps every batch full
COSTS = StepCosts(
    tokens=(0.0, 256.0, 8192.0),
    tokens_s=(0.018, 0.02, 0.5),
    pair_s=1e-10,
    seq_s=1e-5,
    kv_s=2e-8,
    kv_capacity_tokens=400_000,
    max_batch=BATCH,
    max_step_tokens=8192,
    evidence=Evidence.ROOFLINE,
    spread=0.0,
)
"""Of the size of a 70B model on four H100; only the number of steps matters here."""


def compile_s() -> float:
    """Seconds of the first call in this process: compiling, or loading what an earlier one compiled."""
    one = np.ones(1, np.int64)
    start = perf_counter()
    simulate_fleet(_fleet(1), np.zeros(1), one - 1, one, one)
    return perf_counter() - start


def tokens_per_s() -> float:
    """Generated tokens simulated per second of one core: four replicas that batch 32 all the time."""
    rng = np.random.default_rng(0)
    prompt, output = rng.integers(100, 1500, REQUESTS), rng.integers(20, 480, REQUESTS)
    models = np.zeros(REQUESTS, np.int64)
    flood = simulate_fleet(_fleet(REPLICAS), np.zeros(REQUESTS), models, prompt, output)
    when = arrivals(OVERLOAD * REQUESTS / flood.e2e_s.max(), 1.0, REQUESTS, 1)
    fleet = _fleet(REPLICAS)
    took = []
    for _ in range(RUNS):
        start = perf_counter()
        times = simulate_fleet(fleet, when, models, prompt, output)
        took.append(perf_counter() - start)
    assert times.ok.all()
    assert _mean_batch(times) > 0.9 * BATCH, "the batches were not full"
    return float(output.sum() / median(took))


def azure_conversation_s(path: Path) -> float:
    """Seconds to simulate the Azure 2023 conversation trace (19,366 requests) on four replicas."""
    trace = read_trace(path)
    models = np.zeros(len(trace.arrivals_s), np.int64)
    took = []
    for _ in range(RUNS):
        start = perf_counter()
        times = simulate_fleet(
            _fleet(REPLICAS), trace.arrivals_s, models, trace.prompt_tokens, trace.output_tokens
        )
        took.append(perf_counter() - start)
    assert times.ok.all()
    return median(took)


def _fleet(replicas: int) -> tuple[FleetReplica, ...]:
    return (FleetReplica(costs=COSTS, model_index=0, weight=1.0),) * replicas


def _mean_batch(times: RequestTimes) -> float:
    """By Little's law: time spent admitted over time, per replica."""
    in_batch = times.e2e_s - times.queue_s
    return float(in_batch.sum() / (times.arrived_s + times.e2e_s).max() / REPLICAS)


def main(path: Path) -> None:
    """Print the figures."""
    print(f"first call: {compile_s():.2f} s")
    print(f"batch {BATCH}: {tokens_per_s() / 1e6:.0f} million generated tokens a second")
    if path.is_file():
        print(f"Azure 2023 conversation trace: {azure_conversation_s(path):.3f} s")
    else:
        print(f"no {path}: the trace is left out")


if __name__ == "__main__":
    data = Path(__file__).resolve().parents[3] / "shared" / "data" / "azure_llm_2023"
    main(Path(sys.argv[1]) if sys.argv[1:] else data / "azure_llm_2023_conv.csv.gz")
