"""A made-up evals set for the demo and the tests: prompts that read like users', and scores for them.

Three models, `small`, `medium` and `large`, score about 0.70, 0.80 and 0.88. How hard a prompt is shows
partly in its words, so a text scorer can learn some of it and not all. Nothing here measures a real model.
"""

import json
from math import exp
from random import Random
from re import Match
from re import compile as regex

from bouted.quality.evals import EvalRecord
from bouted.quality.phrases import DEMANDS, EASING, KINDS, SLOTS

# Difficulty at which each model scores one half.
ABILITIES = (("small", 0.66), ("medium", 0.81), ("large", 0.98))
STEEPNESS = 6.0
HARD_PHRASE = 0.07
HIDDEN_SPREAD = 0.13
GRADER_SPREAD = 0.05
EASIEST_WITH_DEMANDS = 0.4

# What `bouted/catalog/data/demo-evals.jsonl` was made with; a test makes it again.
DEMO_SEED = 2
DEMO_COUNT = 600

_SLOT = regex(r"\{(\w+)\}")
_NUMBERS = {
    "h": (6, 11),
    "m": (10, 55),
    "a": (60, 95),
    "b": (11, 49),
    "c": (3, 9),
    "n": (2, 12),
    "p": (5, 30),
    "q": (2, 19),
}


def synthetic_records(seed: int, count: int) -> tuple[EvalRecord, ...]:
    """`count` distinct prompts with scores, the same for the same seed; tagged synthetic."""
    rng = Random(seed)
    found: dict[str, EvalRecord] = {}
    while len(found) < count:
        prompt, difficulty = _prompt(rng)
        record = EvalRecord(prompt=prompt, scores=_scores(rng, difficulty), synthetic=True)
        found.setdefault(prompt, record)
    return tuple(found.values())


def synthetic_jsonl(seed: int, count: int) -> str:
    """`synthetic_records` as the text of an evals file."""
    lines = (
        json.dumps({"prompt": r.prompt, "scores": dict(r.scores), "synthetic": True})
        for r in synthetic_records(seed, count)
    )
    return "".join(f"{line}\n" for line in lines)


def _prompt(rng: Random) -> tuple[str, float]:
    """A prompt and how hard it is, 0..1 or a little outside."""
    (kind,) = rng.choices(KINDS, weights=[1.5 - k.difficulty for k in KINDS])
    prompt, hard = _filled(rng, rng.choice(kind.templates))
    extra = 0.0
    if kind.difficulty > EASIEST_WITH_DEMANDS and rng.random() < 0.5:
        demand, extra = rng.choice(DEMANDS)
        prompt = f"{prompt} {demand}"
    elif kind.name != "chat" and rng.random() < 0.3:
        demand, extra = rng.choice(EASING)
        prompt = f"{prompt} {demand}"
    return prompt, kind.difficulty + HARD_PHRASE * hard + extra


def _filled(rng: Random, template: str) -> tuple[str, int]:
    """`template` with its slots filled, no phrase twice, and how many hard phrases went in."""
    used: list[str] = []

    def fill(slot: Match[str]) -> str:
        name = slot.group(1)
        if name in _NUMBERS:
            return str(rng.randint(*_NUMBERS[name]))
        used.append(rng.choice([phrase for phrase in SLOTS[name] if phrase not in used]))
        return used[-1].removeprefix("+")

    prompt = _SLOT.sub(fill, template)
    return prompt, sum(phrase.startswith("+") for phrase in used)


def _scores(rng: Random, difficulty: float) -> tuple[tuple[str, float], ...]:
    """Each model's graded score: a logistic curve in what the prompt shows plus what it hides."""
    hidden = difficulty + rng.gauss(0.0, HIDDEN_SPREAD)
    return tuple((model, _graded(rng, ability - hidden)) for model, ability in ABILITIES)


def _graded(rng: Random, ease: float) -> float:
    mean = 1.0 / (1.0 + exp(-STEEPNESS * ease))
    return round(min(1.0, max(0.0, mean + rng.gauss(0.0, GRADER_SPREAD))), 2)
