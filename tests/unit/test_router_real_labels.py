"""On the per-prompt labels that RouteLLM publishes, the router is held to what docs/router.md says of it."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bouted.quality.curve import QualityCurve
from bouted.quality.evals import EvalRecord
from bouted.quality.fit import fit_scorer
from bouted.quality.report import report

LABELS = Path(__file__).parents[3] / "shared" / "data" / "routellm_quality" / "mmlu_gsm8k.parquet"
EVENLY = 4  # the place of half and half among the splits that are shown

pytestmark = pytest.mark.skipif(not LABELS.exists(), reason="the RouteLLM labels are not here")


def test_the_router_beats_lots_and_a_plain_tf_idf_score_on_gsm8k() -> None:
    rows = pq.read_table(LABELS, filters=[("benchmark", "==", "gsm8k")]).to_pylist()
    records = tuple(
        EvalRecord(
            prompt=row["prompt"],
            scores=(("strong", float(row["strong_correct"])), ("weak", float(row["weak_correct"]))),
        )
        for row in rows
    )
    assert len(records) == 1319
    _, quality = fit_scorer(records, ("weak", "strong"), 1)
    found = report(quality, 1)
    half = found.at[EVENLY]
    assert [alone.value for alone in found.alone] == pytest.approx([0.638, 0.857], abs=1e-3)
    assert half.lot == pytest.approx(0.748, abs=1e-3)
    assert half.router.value == pytest.approx(0.802, abs=0.005)
    assert half.router.value > _by_baseline(rows) + 0.02
    assert half.gain.low > 0.03
    assert QualityCurve.from_model(quality, 1).mean((0.5, 0.5)) == pytest.approx(half.router.value, abs=0.005)


def _by_baseline(rows: list[dict[str, float]]) -> float:
    """Quality at half and half by the score that comes with the labels: P(weak wrong), out of fold."""
    scores = np.array([(row["weak_correct"], row["strong_correct"]) for row in rows], dtype=float)
    order = np.argsort([row["baseline_score"] for row in rows], kind="stable")
    easier, harder = np.array_split(order, 2)
    return float((scores[easier, 0].sum() + scores[harder, 1].sum()) / len(rows))
