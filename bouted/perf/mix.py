"""A sample of requests and their arrivals, the same for every shape and load: common random numbers."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bouted.perf.arrivals import arrivals
from bouted.perf.costs import StepCosts
from bouted.perf.kernel import Floats, Ints
from bouted.perf.simulate import RequestTimes, simulate_replica
from bouted.workload.profile import RequestLength

CYCLE = 256  # requests, or a little more: every length comes equally often in a cycle
MOST_CYCLES = 16

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestMix:
    """`MOST_CYCLES` cycles of requests; `gaps_s` are their arrival times at one request a second."""

    prompt_tokens: Ints
    output_tokens: Ints
    gaps_s: Floats
    cycle: int

    @property
    def longest_tokens(self) -> int:
        """Prompt and output of the longest request."""
        return int((self.prompt_tokens + self.output_tokens).max())

    def arrivals_s(self, rate_per_s: float, cycles: int) -> Floats:
        """When the requests of the first `cycles` cycles arrive at this rate: another only stretches it."""
        return self.gaps_s[: cycles * self.cycle] / rate_per_s

    def run(self, costs: StepCosts, rate_per_s: float, cycles: int) -> RequestTimes:
        """What becomes of the first `cycles` cycles on one replica at this rate."""
        count = cycles * self.cycle
        times = self.arrivals_s(rate_per_s, cycles)
        return simulate_replica(costs, times, self.prompt_tokens[:count], self.output_tokens[:count])

    def settled(self, values: NDArray[Scalar], cycles: int) -> NDArray[Scalar]:
        """Of one value per request, those that met an engine neither filling up nor running empty."""
        first = max(1, cycles // 6)
        return values[first * self.cycle : (cycles - 1) * self.cycle]


def request_mix(lengths: tuple[RequestLength, ...], arrival_cv: float, seed: int) -> RequestMix:
    """Requests drawn from `lengths` without favour, arriving with Gamma gaps of variation `arrival_cv`."""
    rng = np.random.default_rng(seed)
    cycle = -(-CYCLE // len(lengths)) * len(lengths)
    rounds = MOST_CYCLES * cycle // len(lengths)
    picks = np.concatenate([rng.permutation(len(lengths)) for _ in range(rounds)])
    return RequestMix(
        prompt_tokens=np.array([n.prompt_tokens for n in lengths], np.int64)[picks],
        output_tokens=np.array([n.output_tokens for n in lengths], np.int64)[picks],
        gaps_s=arrivals(1.0, arrival_cv, MOST_CYCLES * cycle, seed),
        cycle=cycle,
    )
