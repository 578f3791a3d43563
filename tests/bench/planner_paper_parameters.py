"""The paper's scenario as we run it. Every number here was fixed before any planner had run on it.

From the paper (2602.10729, section 7.1 and table 1): models, GPUs, 100 requests/s, $30/h, 8 GPUs of each
type, floors. Prices are the middle of the ranges that it states.

Not in the paper, so chosen here: token lengths, the length of the run, and how fast GPUs are.
- Lengths: means of a GSM8K question answered step by step, and of MT-Bench's two turns, log-normal.
- GPUs: our own step costs, with H100 slowed per model until the paper's one equal-money test holds: 24 RTX
  5090 against 8 H100 serve the 8B model about 1.5 times, and the 70B model half, as fast. The bench checks.
- RouteLLM's "uniform GPU split": half of the money and half of the GPUs of each type for either model, each
  half used as well as it can be.
- The run: the paper's table 3 has latency fall as money rises, so its fleets carry less than they are
  offered. `TEMPO` slows every step alike, and `REQUESTS` is as many, so that 70B on 16 and 24 H100 is
  2 and 3 times as fast as on 8. Seconds are therefore not the paper's: only ratios compare.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

SMALL, LARGE = "llama-3.1-8b", "llama-3.1-70b"
RATE_PER_S = 100.0
BUDGET_USD_PER_HOUR = Decimal(30)
AVAILABLE = 8
UNLIMITED = 64
USD_PER_HOUR = {
    "H100-80GB": Decimal("2.855"),
    "RTXPRO6000": Decimal("1.965"),
    "RTX5090": Decimal("0.89"),
    "RTX4090": Decimal("0.59"),
}
HOMOGENEOUS = "H100-80GB"

SEED = 7
REQUESTS = 4000
ARRIVAL_CV = 1.0
CONTEXT_TOKENS = 4096
TEMPO = 2.5
SLOWER = {("H100-80GB", SMALL): 1.75, ("H100-80GB", LARGE): 1.35}

PROFILE_RATES = tuple(0.25 * 1.3**n for n in range(24))
"""Requests/s that replicas are profiled at, up to more than the whole load."""
PROFILE_REQUESTS = 600
"""A rate at which fewer requests come within the run is run again until so many were seen."""

EVALUATIONS = 24
"""Fleets that each method may have judged for one cell of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Mean tokens, and how much requests vary: the standard deviation of the logarithm."""

    prompt_tokens: float
    output_tokens: float
    prompt_sigma: float = 0.3
    output_sigma: float = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One of the paper's two data sets: its floors, and its quality by the share on 70B.

    `curve` is points (share, score), straight in between; `full_score` is what counts as 1. A run is so many
    `requests`, and every step takes `tempo` times as long as our step costs say.
    """

    name: str
    lengths: Lengths
    floors: tuple[float, ...]
    curve: tuple[tuple[float, float], ...]
    full_score: float
    requests: int = REQUESTS
    tempo: float = TEMPO


GSM8K = Workload(
    name="GSM8K",
    lengths=Lengths(prompt_tokens=120, output_tokens=200),
    floors=(87.0, 89.0, 91.0),
    curve=((0.0, 84.5), (0.2655, 87.0), (0.5605, 89.0), (0.7006, 91.0), (1.0, 95.1)),
    full_score=100.0,
)
MT_BENCH = Workload(
    name="MT-Bench",
    lengths=Lengths(prompt_tokens=200, output_tokens=500),
    floors=(8.1, 8.3, 8.5),
    curve=((0.0, 7.90), (1.0, 8.93)),
    full_score=10.0,
)
WORKLOADS = (GSM8K, MT_BENCH)

SHORT_RUN = tuple(replace(one, requests=1000, tempo=1.0) for one in WORKLOADS)
"""Another reading, tried only after the table was seen, so it proves nothing: a short run at full speed."""
