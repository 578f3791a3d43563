"""The demo's trace: Poisson arrivals, made-up prompts, lengths from the declared mix. Pure."""

from random import Random

from bouted.demo.driver import TraceItem
from bouted.quality.synthetic import synthetic_records
from bouted.workload.profile import RequestLength

PROMPTS_SEED = 77  # not the seed of the shipped evals: the demo asks what the router has not seen
STREAMED_SHARE = 0.2


def demo_trace(
    *, rate_per_s: float, start_s: float, length_s: float, lengths: tuple[RequestLength, ...], seed: int
) -> tuple[TraceItem, ...]:
    """Requests from `start_s` for `length_s` seconds at `rate_per_s`; the same for the same seed.

    Lengths are dealt like cards, not drawn like dice: a short trace then has the declared mix too.
    """
    rng = Random(seed)
    prompts = synthetic_records(PROMPTS_SEED, 500)
    deck: list[RequestLength] = []
    items: list[TraceItem] = []
    at_s = start_s + rng.expovariate(rate_per_s)
    while at_s < start_s + length_s:
        deck = deck or rng.sample(lengths, len(lengths))
        length = deck.pop()
        items.append(
            TraceItem(
                at_s=at_s,
                prompt=rng.choice(prompts).prompt,
                prompt_tokens=length.prompt_tokens,
                output_tokens=length.output_tokens,
                stream=rng.random() < STREAMED_SHARE,
            )
        )
        at_s += rng.expovariate(rate_per_s)
    return tuple(items)
