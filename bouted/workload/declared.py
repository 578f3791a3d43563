"""The load a config declares, as a workload profile: what planning uses until queries have been seen."""

from math import exp, log
from random import Random
from statistics import NormalDist

from bouted.workload.profile import RequestLength, WorkloadProfile, WorkloadSource

SAMPLES = 256
SIGMA = 0.6  # of the logarithm: prompt lengths of chat traces spread about so


def declared_profile(
    *,
    rate_per_s: float,
    prompt_tokens: int,
    output_tokens: int,
    arrival_cv: float,
    most_tokens: int,
    seed: int,
) -> WorkloadProfile:
    """`SAMPLES` lognormal request lengths with these means; none takes more than `most_tokens` in all.

    The draw is stratified, so the sample's means are close to the declared ones. The rate is taken at its
    word: the interval is the rate itself.
    """
    random = Random(seed)
    prompts = _lengths(prompt_tokens, random)
    outputs = _lengths(output_tokens, random)
    lengths = tuple(
        _capped(prompt, output, most_tokens) for prompt, output in zip(prompts, outputs, strict=True)
    )
    return WorkloadProfile(
        rate_per_s=rate_per_s,
        rate_low_per_s=rate_per_s,
        rate_high_per_s=rate_per_s,
        arrival_cv=arrival_cv,
        lengths=lengths,
        source=WorkloadSource.DECLARED,
        samples=0,
    )


def _lengths(mean: int, random: Random) -> list[int]:
    curve = NormalDist(log(mean) - SIGMA**2 / 2, SIGMA)
    strata = [(at + random.uniform(0.001, 0.999)) / SAMPLES for at in range(SAMPLES)]
    lengths = [max(1, round(exp(curve.inv_cdf(level)))) for level in strata]
    random.shuffle(lengths)
    return lengths


def _capped(prompt: int, output: int, most: int) -> RequestLength:
    output = min(output, most // 2 if prompt >= most // 2 else most - prompt)
    return RequestLength(prompt_tokens=min(prompt, most - output), output_tokens=output)
