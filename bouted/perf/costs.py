"""What one engine step costs: the one thing that simulators and paced engines know of a replica."""

from bisect import bisect_left
from dataclasses import dataclass

from bouted.catalog.gpus import Evidence

MOST_KNOTS = 24
"""Points that a step-cost curve may have."""
FIRST_TOKEN_SPREADS = 4.0
"""How much wider the interval of TTFT is than that of a step: three of four served runs lie within."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCosts:
    """What one engine step costs.

    A step that prefills `p` prompt tokens and decodes `d` sequences holding `c` tokens of context takes

        tokens_s(p + d) + p * prompt_s + pairs * pair_s + d * seq_s + c * kv_s

    where `tokens_s` is linear between `tokens` and goes on as its last piece beyond them, and `pairs`
    counts (prompt token, earlier token) pairs that prefill attention visits. All of it is the time through
    every pipeline stage; with `stages` above 1 as many steps are under way at a time, a new one every
    `step / stages`.
    A request reaches the engine `front_end_s` after it arrives. `spread` is the relative half-width of
    the 10-90 % interval of the truth around the estimate.
    """

    tokens: tuple[float, ...]
    tokens_s: tuple[float, ...]
    pair_s: float
    seq_s: float
    kv_s: float
    kv_capacity_tokens: int
    max_batch: int
    max_step_tokens: int
    evidence: Evidence
    spread: float
    stages: int = 1
    front_end_s: float = 0.0
    prompt_s: float = 0.0

    @property
    def first_token_spread(self) -> float:
        """`spread` for the time to the first token, which also hangs on how prompts meet each other."""
        return FIRST_TOKEN_SPREADS * self.spread

    def __post_init__(self) -> None:
        if not 2 <= len(self.tokens) == len(self.tokens_s) <= MOST_KNOTS:
            raise ValueError(f"{len(self.tokens)} token counts and {len(self.tokens_s)} times")

    def step_s(self, prefill_tokens: int, decode_seqs: int, context_tokens: int, pairs: float = 0.0) -> float:
        """Seconds of one step."""
        decode = decode_seqs * self.seq_s + context_tokens * self.kv_s
        prompts = prefill_tokens * self.prompt_s + pairs * self.pair_s
        return self.tokens_time_s(prefill_tokens + decode_seqs) + prompts + decode

    def tokens_time_s(self, tokens: float) -> float:
        """Seconds that depend on the number of tokens in a step alone."""
        right = min(max(bisect_left(self.tokens, tokens), 1), len(self.tokens) - 1)
        x0, x1 = self.tokens[right - 1], self.tokens[right]
        y0, y1 = self.tokens_s[right - 1], self.tokens_s[right]
        return y0 + (tokens - x0) * (y1 - y0) / (x1 - x0)


def roofline(
    *,
    overhead_s: float,
    weights_s: float,
    compute_s_per_token: float,
    kv_s_per_token: float = 0.0,
    kv_capacity_tokens: int,
    max_batch: int,
    max_step_tokens: int,
    evidence: Evidence,
    spread: float,
) -> StepCosts:
    """Step costs of the plainest kind: `overhead_s + max(weights_s, tokens * compute_s_per_token)`."""
    knee = weights_s / compute_s_per_token if compute_s_per_token else 0.0
    knots = (0.0, knee, knee + 1.0) if knee > 0 else (0.0, 1.0)
    return StepCosts(
        tokens=knots,
        tokens_s=tuple(overhead_s + max(weights_s, n * compute_s_per_token) for n in knots),
        pair_s=0.0,
        seq_s=0.0,
        kv_s=kv_s_per_token,
        kv_capacity_tokens=kv_capacity_tokens,
        max_batch=max_batch,
        max_step_tokens=max_step_tokens,
        evidence=evidence,
        spread=spread,
    )
