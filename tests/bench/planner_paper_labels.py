"""The table again with a router trained on real labels per query (RouteLLM's: Mixtral as 8B, GPT-4 as 70B).

Requests and fleets are those of the GSM8K table: only quality is another. Floors lie as far up from all-8B to
all-70B as the paper's do, and are met by the low end of the interval, for every method alike.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from planner_paper_allocate import Means
from planner_paper_baselines import baseline
from planner_paper_cells import judge_of
from planner_paper_ours import ours
from planner_paper_parameters import GSM8K, LARGE, SEED, SMALL
from planner_paper_problem import Question
from planner_paper_published import BASELINES, Method

from bouted.quality.curve import QualityCurve
from bouted.quality.evals import EvalRecord, QualityModel
from bouted.quality.fit import fit_scorer

FILE = Path(__file__).parents[3] / "shared" / "data" / "routellm_quality" / "mmlu_gsm8k.parquet"
SETS = ("gsm8k", "mmlu")
MOST_PROMPTS = 2000
STEPS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One floor of one set: the share on 70B that the router needs, what a coin would need, and each
    method's P95."""

    name: str
    floor: float
    large_share: float
    coin_share: float
    p95_s: dict[Method, float]


def labelled(name: str, available: int, thorough: int) -> tuple[Labelled, ...]:
    """The table of one set; floors that no split surely meets are left out."""
    quality = _trained(name)
    curve = QualityCurve.from_model(quality, SEED)
    all_small, all_large = curve.mean([1.0, 0.0]), curve.mean([0.0, 1.0])
    found: list[Labelled] = []
    for part in _parts():
        floor = all_small + part * (all_large - all_small)
        share = _least_share(curve, floor)
        if share is not None:
            question = Question(
                quality=quality,
                floor=floor,
                least_large=share,
                means=Means.of(gpus=available),
                thorough=thorough,
            )
            found.append(_cell(name, question, curve, part, share))
    return tuple(found)


def _cell(name: str, question: Question, curve: QualityCurve, part: float, share: float) -> Labelled:
    judge, floor = judge_of(GSM8K), question.floor
    p95_s: dict[Method, float] = {}
    for method in (*BASELINES, Method.FIXED):
        best = baseline(method, judge, share, question.means)
        if best is not None:
            p95_s[method] = judge.p95_s(best)
    fleets = [
        one
        for one in ours(judge, question)
        if curve.low([1 - one.large_share, one.large_share]) >= floor - 1e-6
    ]
    if fleets:
        p95_s[Method.OURS] = min(map(judge.p95_s, fleets))
    return Labelled(name=name, floor=floor, large_share=share, coin_share=part, p95_s=p95_s)


def _trained(name: str) -> QualityModel:
    """The quality of our router on the set's prompts, out of fold."""
    table = pd.read_parquet(FILE)
    rows = table[(table["benchmark"] == name) & ~table["contaminated"]]
    if len(rows) > MOST_PROMPTS:
        rows = rows.sample(MOST_PROMPTS, random_state=SEED)
    records = tuple(
        EvalRecord(
            prompt=row.prompt, scores=((LARGE, float(row.strong_correct)), (SMALL, float(row.weak_correct)))
        )
        for row in rows.itertuples()
    )
    return fit_scorer(records, (SMALL, LARGE), SEED)[1]


def _parts() -> tuple[float, ...]:
    """Where the paper's GSM8K floors lie between all-8B and all-70B."""
    low, high = GSM8K.curve[0][1], GSM8K.curve[-1][1]
    return tuple((floor - low) / (high - low) for floor in GSM8K.floors)


def _least_share(curve: QualityCurve, floor: float) -> float | None:
    """The least share on 70B whose low quality meets the floor."""
    shares = np.linspace(0.0, 1.0, STEPS + 1)
    low = curve.mean_low(np.column_stack([1 - shares, shares]))[:, 1]
    met = np.flatnonzero(low >= floor)
    return float(shares[met[0]]) if len(met) else None
