"""What a window of service says about a profile: how much slower the steps are, and what is left of TTFT.

The tempo is the factor `f` at which the stretched profile shows the measured time per token at the measured
rate (`bouted.perf.rescale`): it is found on the modelled profile, so load is accounted for. What is then left
of TTFT is counted in idle TTFTs.
"""

from math import log, sqrt

from bouted.perf.belief import Reading
from bouted.perf.profile import QUANTILES, Metric, Profile
from bouted.perf.service import Service, middle
from bouted.workload.profile import RequestLength

ENOUGH_REQUESTS = 30
MOST_FAILED = 0.05  # share of requests
MOST_LOAD = 0.85  # of the highest rate: above it waits depend on luck more than on speed
MOST_OTHER_LENGTHS = 1.25  # by which mean lengths may differ from those of the profile
SLOWEST, LEAST_TTFT = 5.0, 0.2
TOGETHER = 4.0  # requests of one batch share their luck: so many tell as much as one alone
TOKEN_NOISE, TTFT_NOISE = 0.02, 0.05  # what no number of requests averages out of one window

_LOW, _HIGH = QUANTILES.index(0.10), QUANTILES.index(0.90)
_WIDTH = 2 * 1.2816  # between them, in standard deviations


def tells(seen: Service, lengths: tuple[RequestLength, ...], enough: int = ENOUGH_REQUESTS) -> bool:
    """Whether the window can be held against a profile for `lengths`: enough requests, alike, and served."""
    if seen.requests < enough or seen.failed > MOST_FAILED * (seen.requests + seen.failed):
        return False
    prompt = sum(n.prompt_tokens for n in lengths) / len(lengths)
    output = sum(n.output_tokens for n in lengths) / len(lengths)
    return alike(seen.prompt_tokens, prompt) and alike(seen.output_tokens, output)


def tempo_reading(modelled: Profile, seen: Service) -> Reading | None:
    """How many times as long steps take as modelled; None where the window is saturated or says nothing."""
    if seen.tpot_s is None or seen.tpot_s <= 0:
        return None
    tempo = _tempo(modelled, seen, seen.tpot_s)
    if seen.rate_per_s * tempo > MOST_LOAD * modelled.max_rate_per_s:
        return None
    quantiles = modelled.quantiles_at(Metric.TPOT, seen.rate_per_s * tempo)
    each = log(max(quantiles[_HIGH], 1e-9) / max(quantiles[_LOW], 1e-9)) / _WIDTH
    return Reading(log=log(tempo), variance=each**2 * TOGETHER / seen.requests + TOKEN_NOISE**2)


def first_reading(modelled: Profile, seen: Service, tempo: float) -> Reading | None:
    """What TTFT is beyond `tempo`, in idle TTFTs; None where the window is saturated or says nothing."""
    rate = seen.rate_per_s * tempo
    if seen.ttft_s is None or rate > MOST_LOAD * modelled.max_rate_per_s:
        return None
    quantiles = _stretched_ttft(modelled, rate, tempo)
    idle = idle_ttft_s(modelled, tempo)
    left = max(1 + (seen.ttft_s - middle(quantiles, seen.statistic)) / idle, LEAST_TTFT)
    each = (quantiles[_HIGH] - quantiles[_LOW]) / _WIDTH / idle
    noise = each / left * sqrt(TOGETHER / seen.requests)
    return Reading(log=log(left), variance=noise**2 + TTFT_NOISE**2)


def idle_ttft_s(modelled: Profile, tempo: float) -> float:
    """Median TTFT at the lowest load, at this tempo."""
    return _stretched_ttft(modelled, 0.0, tempo)[QUANTILES.index(0.5)]


def _stretched_ttft(modelled: Profile, rate_per_s: float, tempo: float) -> tuple[float, ...]:
    front = modelled.costs.front_end_s
    return tuple(front + tempo * (s - front) for s in modelled.quantiles_at(Metric.TTFT, rate_per_s))


def _tempo(modelled: Profile, seen: Service, tpot_s: float) -> float:
    """By bisection: a slower engine is also a fuller one, so the time per token grows with the tempo."""
    low, high = 1 / SLOWEST, SLOWEST
    for _ in range(40):
        tempo = sqrt(low * high)
        quantiles = modelled.quantiles_at(Metric.TPOT, seen.rate_per_s * tempo)
        if tempo * middle(quantiles, seen.statistic) < tpot_s:
            low = tempo
        else:
            high = tempo
    return sqrt(low * high)


def alike(seen: float, planned: float) -> bool:
    """Whether a mean length is near enough to the planned one."""
    return planned / MOST_OTHER_LENGTHS <= seen <= planned * MOST_OTHER_LENGTHS
