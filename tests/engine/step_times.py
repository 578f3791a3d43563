"""How long the steps of a running engine take: prompts alone, decoding alone, and both in one step."""

import httpx
import numpy as np
from engine_client import Answer, Ask, answers

from bouted.perf.flags import EngineFlags
from bouted.testing.engine_costs import Step, Timed, prefill

PROMPTS = (2, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 700)
CONTEXTS = (16, 512)
BATCHES = (1, 2, 4, 7, 11, 16)
MIXES = ((2, 240), (4, 64), (5, 240), (8, 120), (12, 64), (12, 400))
"""Decoding sequences, and the tokens of the prompt that joins them."""
_DECODED = 88
_SPAN = 2
"""Events of eight tokens within which a joining prompt is read: the one under way and the next."""


async def warm_up(http: httpx.AsyncClient, flags: EngineFlags) -> None:
    """The first requests of a fresh engine are slower than any after them."""
    await answers(http, [Ask(at_s=0.0, prompt_tokens=64, output_tokens=32)] * flags.max_num_seqs, 0)


async def step_times(http: httpx.AsyncClient, flags: EngineFlags, seed: int) -> tuple[Timed, ...]:
    """Each kind of step once, in about 20 s. No two seeds have the same prompt lengths.

    An engine on a CPU prepares its kernels for each number of tokens when it first meets it, and traffic
    keeps it meeting new ones: lengths that return would look cheaper than they are.
    """
    rng = np.random.default_rng(seed)
    most = flags.max_num_seqs
    alone = [await _alone(http, _near(p, rng), flags.max_num_batched_tokens, seed) for p in PROMPTS]
    decoding = [
        await _decoding(http, min(_near(batch, rng), most), prompt, seed)
        for batch in BATCHES
        for prompt in CONTEXTS
    ]
    mixed = [await _mixed(http, min(batch, most - 1), _near(prompt, rng), seed) for batch, prompt in MIXES]
    return (*alone, *decoding, *mixed)


def _near(tokens: int, rng: np.random.Generator) -> int:
    """A count within a fifth of `tokens`."""
    return round(tokens * rng.uniform(0.8, 1.2))


async def _alone(http: httpx.AsyncClient, prompt_tokens: int, budget: int, seed: int) -> Timed:
    """One prompt on an idle engine, from arrival to its first token."""
    (answer,) = await answers(http, [Ask(at_s=0.0, prompt_tokens=prompt_tokens, output_tokens=1)], seed)
    return Timed(steps=prefill(prompt_tokens, budget), seconds=answer.ttft_s, from_arrival=True)


async def _decoding(http: httpx.AsyncClient, batch: int, prompt_tokens: int, seed: int) -> Timed:
    """The mean step while all of `batch` sequences decode."""
    ask = Ask(at_s=0.0, prompt_tokens=prompt_tokens, output_tokens=_DECODED)
    told = await answers(http, [ask] * batch, seed)
    last = max(told, key=lambda answer: answer.times_s[0])
    seconds, steps, tokens = _between(last, last.times_s[0], min(answer.times_s[-1] for answer in told))
    step = Step(prefill_tokens=0, decode_seqs=batch, context_tokens=batch * (prompt_tokens + tokens))
    return Timed(steps=(step,), seconds=seconds / steps, from_arrival=False)


async def _mixed(http: httpx.AsyncClient, batch: int, prompt_tokens: int, seed: int) -> Timed:
    """Some steps of `batch` decoding sequences, one of which also reads a prompt."""
    decoding = Ask(at_s=0.0, prompt_tokens=CONTEXTS[0], output_tokens=_DECODED)
    joining = Ask(at_s=0.2 + 0.02 * batch, prompt_tokens=prompt_tokens, output_tokens=1)
    *told, joined = await answers(http, [*[decoding] * batch, joining], seed)
    one = told[0]
    begin = max((n for n, t in enumerate(one.times_s) if t < joining.at_s), default=0)
    end = begin + _SPAN
    if begin == 0 or end >= len(one.times_s) or one.times_s[end] < joined.times_s[0]:
        raise RuntimeError(f"{prompt_tokens} tokens did not join while {batch} sequences decoded: {one}")
    seconds, steps, tokens = _between(one, one.times_s[begin], one.times_s[end])
    context = batch * (CONTEXTS[0] + tokens)
    plain = Step(prefill_tokens=0, decode_seqs=batch, context_tokens=context)
    joint = Step(
        prefill_tokens=prompt_tokens, decode_seqs=batch, context_tokens=context, pairs=prompt_tokens**2 / 2
    )
    return Timed(steps=(*[plain] * (steps - 1), joint), seconds=seconds, from_arrival=False)


def _between(answer: Answer, begin_s: float, end_s: float) -> tuple[float, int, float]:
    """Seconds, steps and mean tokens held between the first and the last event of the span."""
    inside = [(t, n) for t, n in zip(answer.times_s, answer.tokens, strict=True) if begin_s <= t <= end_s]
    (first_s, first), (last_s, last) = inside[0], inside[-1]
    return last_s - first_s, last - first, (first + last) / 2
