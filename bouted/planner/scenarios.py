"""What may come, as a few traces that every design of a problem is judged on: common random numbers.

Number 0 is the expected case. The others draw a load, a mix of lengths and a level of spot prices, each
from strata of equal odds (a Latin hypercube), so that few scenarios already cover what is likely.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from bouted.market.offers import Market
from bouted.perf.arrivals import arrivals
from bouted.planner.planned import PlannedNode
from bouted.planner.problem import PlanningProblem
from bouted.workload.profile import WorkloadProfile

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Requests of a trace: 90 s of them within limits; fewer in each where there are more than three traces.
LEAST_REQUESTS, MOST_REQUESTS, FEWEST_REQUESTS = 3000, 9000, 1500
TRACE_S = 90.0
TRACES = 3
# Standard deviation of the logarithm of a ten-minute mean prompt over the mean of the hour: conversations
# of the Azure LLM inference trace of 2023 (0.11; its code completions hardly move).
PROMPT_SD = 0.11
# The same of a spot price a week ahead: AWS p2 and p3 spot price history of early 2020 (0.06).
PRICE_SD = 0.06
# Powers of the prompt length that requests are weighted by: enough to move any usual mean by a third.
STEEPEST = 4.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scenario:
    """One trace and what else is so. `draws` (uniform, one per request) decide each request's model.

    `rate_per_s` is the load, `prompt_factor` how much longer the mean prompt is meant to be than expected,
    `spot_price_factor` what spot prices are times those of now.
    """

    number: int
    rate_per_s: float
    prompt_factor: float
    spot_price_factor: float
    arrivals_s: Floats
    prompt_tokens: Ints
    output_tokens: Ints
    draws: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Where a scenario lies, as a quantile of each thing that is unsure; 0.5 is the expected case."""

    load: float
    prompts: float
    prices: float


def scenarios(problem: PlanningProblem) -> tuple[Scenario, ...]:
    """As many as `problem.robustness` asks for, the expected one first.

    The load lies between the ends of its interval, half of the odds on either side of the expected rate;
    number 1 has the high end. Lengths are drawn anew from the sample (a bootstrap: the sample is small),
    weighted toward longer or shorter prompts. Each scenario has arrivals of its own.
    """
    levels = _levels(problem.robustness.scenarios, problem.seed)
    shorter = min(1.0, TRACES / len(levels))
    count = int(np.clip(problem.workload.rate_per_s * TRACE_S, LEAST_REQUESTS, MOST_REQUESTS))
    requests = max(FEWEST_REQUESTS, int(count * shorter))
    return tuple(_scenario(problem, number, level, requests) for number, level in enumerate(levels))


def usd_spread(nodes: Sequence[PlannedNode], drawn: Sequence[Scenario]) -> float:
    """How far the fleet's cost lies from today's over the scenarios, as a share of it (root mean square).

    Spot prices are taken to move together, which is the worst that can be for a fleet on several.
    """
    usd = sum(float(node.usd_per_hour) for node in nodes)
    spot = sum(float(node.usd_per_hour) for node in nodes if node.offer.market is Market.SPOT)
    if usd <= 0 or len(drawn) < 2:
        return 0.0
    moves = np.array([item.spot_price_factor - 1 for item in drawn[1:]])
    return float(spot / usd * np.sqrt(np.mean(moves**2)))


def _levels(count: int, seed: int) -> tuple[Levels, ...]:
    """One level of each thing per scenario, each in a stratum of its own; the highest load is the end."""
    rng, drawn = np.random.default_rng((seed, count)), count - 1
    strata = [(rng.permutation(drawn) + rng.random(drawn)) / max(drawn, 1) for _ in range(3)]
    loads = sorted(strata[0], reverse=True)
    loads[:1] = [1.0] * min(drawn, 1)
    return (
        Levels(load=0.5, prompts=0.5, prices=0.5),
        *(
            Levels(load=float(load), prompts=float(prompts), prices=float(prices))
            for load, prompts, prices in zip(loads, strata[1], strata[2], strict=True)
        ),
    )


def _scenario(problem: PlanningProblem, number: int, level: Levels, requests: int) -> Scenario:
    workload = problem.workload
    rng = np.random.default_rng((problem.seed, number))
    factor = _lognormal(level.prompts, PROMPT_SD)
    if number == 0:
        picks = rng.integers(0, len(workload.lengths), requests)
    else:
        picks = rng.choice(_resampled(workload, factor, rng), requests)
    rate = _rate(workload, level.load)
    return Scenario(
        number=number,
        rate_per_s=rate,
        prompt_factor=factor,
        spot_price_factor=_lognormal(level.prices, PRICE_SD),
        arrivals_s=arrivals(rate, workload.arrival_cv, requests, int(rng.integers(2**31))),
        prompt_tokens=np.array([item.prompt_tokens for item in workload.lengths])[picks],
        output_tokens=np.array([item.output_tokens for item in workload.lengths])[picks],
        draws=rng.random(requests),
    )


def _rate(workload: WorkloadProfile, level: float) -> float:
    ends = (workload.rate_low_per_s, workload.rate_per_s, workload.rate_high_per_s)
    return float(np.interp(level, (0.0, 0.5, 1.0), ends))


def _lognormal(level: float, sd: float) -> float:
    return float(np.exp(sd * NormalDist().inv_cdf(min(max(level, 1e-3), 1 - 1e-3))))


def _resampled(workload: WorkloadProfile, prompt_factor: float, rng: np.random.Generator) -> Ints:
    """Indices of a bootstrap sample in which the mean prompt is about `prompt_factor` times as long."""
    prompts = np.array([item.prompt_tokens for item in workload.lengths], dtype=np.float64)
    return rng.choice(len(prompts), len(prompts), p=tilted(prompts, prompt_factor))


def tilted(prompts: Floats, factor: float) -> Floats:
    """Odds proportional to a power of the prompt length, so that the mean is `factor` times as long.

    The power is found by bisection; within its limits, so that no sample is asked for what it cannot give.
    """
    logs = np.log(prompts / prompts.max())
    low, high = -STEEPEST, STEEPEST
    wanted = factor * prompts.mean()
    for _ in range(40):
        power = (low + high) / 2
        odds = np.exp(power * logs - (power * logs).max())
        odds /= odds.sum()
        if odds @ prompts < wanted:
            low = power
        else:
            high = power
    return np.asarray(odds)
