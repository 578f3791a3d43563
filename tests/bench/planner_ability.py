"""Evals for any number of models from a latent ability: synthetic, seeded, and as hard to route as real ones.

Two-parameter logistic item response: a model of ability a answers a prompt of difficulty b and
discrimination d with odds 1 / (1 + exp(-d (a - b))). Difficulties are normal, discriminations lognormal
with median 1.4; each score is one draw, 0 or 1. The router does not see b but b with normal noise, mapped
to 0..1. Birnbaum's model, as the item response literature has it; no real model was measured.
"""

from collections.abc import Mapping

import numpy as np

from bouted.quality.evals import QualityModel

PROMPTS = 2000
DIFFICULTY_MEAN, DIFFICULTY_SPREAD = -0.8, 1.0
DISCRIMINATION_LOG_MEAN, DISCRIMINATION_LOG_SPREAD = float(np.log(1.4)), 0.25
ROUTER_NOISE = 0.7
# Larger models of the catalog rank higher; the distances are ours.
ABILITIES: Mapping[str, float] = {
    "llama-3.1-8b": 0.0,
    "qwen2.5-14b": 0.45,
    "qwen2.5-32b": 0.85,
    "llama-3.1-70b": 1.2,
}


def latent_quality(abilities: Mapping[str, float], seed: int, *, prompts: int = PROMPTS) -> QualityModel:
    """The evals of these models, in their order of ability; the same for the same seed."""
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(DIFFICULTY_MEAN, DIFFICULTY_SPREAD, prompts)
    steepness = rng.lognormal(DISCRIMINATION_LOG_MEAN, DISCRIMINATION_LOG_SPREAD, prompts)
    luck = rng.random(prompts)
    believed = difficulty + rng.normal(0.0, ROUTER_NOISE, prompts)
    router = 1.0 / (1.0 + np.exp(-(believed - DIFFICULTY_MEAN) / DIFFICULTY_SPREAD))
    names = sorted(abilities, key=lambda name: abilities[name])
    odds = [1.0 / (1.0 + np.exp(-steepness * (abilities[name] - difficulty))) for name in names]
    # One draw of luck a prompt: an abler model is never wrong where a lesser one is right.
    scores = np.column_stack([luck < one for one in odds]).astype(np.float64)
    order = np.argsort(router, kind="stable")
    return QualityModel(
        models=tuple(names),
        router_scores=tuple(float(x) for x in router[order]),
        scores=tuple(tuple(float(x) for x in row) for row in scores[order]),
        scorer_hash=f"latent-ability-{seed}",
        synthetic=True,
    )
