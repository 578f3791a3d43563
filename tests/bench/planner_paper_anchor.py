"""The paper's equal-money test: 24 RTX 5090 against 8 H100, each model alone on each (section 3).

The one thing that GPU speeds were fitted to. It is checked: a change of step costs shall not pass unseen.
"""

from itertools import product

from planner_paper_judge import FleetJudge, fleet
from planner_paper_parameters import LARGE, SMALL

FLEETS = {"RTX5090": 24, "H100-80GB": 8}
PAPER = {SMALL: 1.5, LARGE: 0.5}
"""How many times as fast the 5090 are."""


def anchors(judge: FleetJudge) -> dict[str, float]:
    """How many times as fast as the H100 the 5090 serve each model, with the best layout on either."""
    best = {key: _best_s(judge, *key) for key in product(PAPER, FLEETS)}
    return {model: best[model, "H100-80GB"] / best[model, "RTX5090"] for model in PAPER}


def _best_s(judge: FleetJudge, model: str, gpu: str) -> float:
    share = float(model == LARGE)
    return min(
        judge.p95_s(fleet((shape,) * (FLEETS[gpu] // shape.gpu_count), share))
        for shape in judge.rates.shapes
        if (shape.model, shape.gpu) == (model, gpu)
    )
