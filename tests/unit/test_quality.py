"""How hard a prompt is, what a split is worth, and whether served shares are the planned ones."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.errors import Misconfigured
from bouted.quality.curve import QualityCurve
from bouted.quality.evals import EvalRecord, QualityModel
from bouted.quality.fit import fit_scorer
from bouted.quality.scorer import Scorer
from bouted.quality.synthetic import synthetic_records

MODELS = ("small", "medium", "large")
SHARES = (0.5, 0.3, 0.2)


@cache
def fitted() -> tuple[Scorer, QualityModel]:
    return fit_scorer(synthetic_records(1, 600), MODELS, 1)


@cache
def curve() -> QualityCurve:
    return QualityCurve.from_model(fitted()[1], 1)


def by_hand(*rows: tuple[float, float]) -> QualityCurve:
    """A curve over these (small, large) scores, easiest first."""
    quality = QualityModel(
        models=("small", "large"),
        router_scores=tuple((k + 0.5) / len(rows) for k in range(len(rows))),
        scores=rows,
        scorer_hash="x",
    )
    return QualityCurve.from_model(quality, 1)


def thresholds(curve: QualityCurve, shares: Sequence[float]) -> tuple[float, ...]:
    (rule,) = curve.route_split(shares).rules
    return rule.thresholds


def test_a_score_lies_in_0_to_1_whatever_the_prompt() -> None:
    scorer, _ = fitted()
    for prompt in ("", "hi", "?" * 100_000, "\ud800", "prove " * 5000, "日本語"):
        assert 0 <= scorer.judge(prompt).score < 1


def test_the_same_evals_give_the_same_scorer() -> None:
    again, _ = fit_scorer(synthetic_records(1, 600), MODELS, 1)
    assert again.dump() == fitted()[0].dump()
    assert again.hash == fitted()[0].hash


def test_a_scorer_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    scorer, _ = fitted()
    scorer.save(tmp_path / scorer.file_name)
    loaded = Scorer.load(tmp_path / scorer.file_name)
    assert loaded.hash == scorer.hash
    for record in synthetic_records(3, 20):
        assert loaded.judge(record.prompt) == scorer.judge(record.prompt)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"format": 1, "weights_f32": "AAAA"}'])
def test_a_file_that_is_no_scorer_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "scorer.json"
    path.write_bytes(body)
    with pytest.raises(Misconfigured, match=r"scorer\.json"):
        Scorer.load(path)


def test_served_shares_are_the_planned_ones_on_new_prompts() -> None:
    """One set of 600 evals may be off by some points; several sets are not off to one side."""
    served = np.array([_served(seed) for seed in range(1, 5)])
    assert np.abs(served.mean(axis=0) - SHARES).max() < 0.04
    assert np.abs(served - SHARES).max() < 0.1


def _served(seed: int) -> list[float]:
    """The share of new prompts that each model gets with the scorer and thresholds from one evals set."""
    scorer, quality = fit_scorer(synthetic_records(seed, 600), MODELS, seed)
    split = QualityCurve.from_model(quality, seed).route_split(SHARES)
    chosen = [split.model_for(scorer.judge(record.prompt)) for record in synthetic_records(seed + 100, 500)]
    return [chosen.count(model) / len(chosen) for model in MODELS]


def test_promised_quality_holds_on_new_prompts() -> None:
    scorer, _ = fitted()
    split = curve().route_split(SHARES)
    held_out = synthetic_records(98, 1000)
    scores = [dict(r.scores)[split.model_for(scorer.judge(r.prompt))] for r in held_out]
    assert float(np.mean(scores)) == pytest.approx(curve().mean(SHARES), abs=0.03)


def test_routing_by_difficulty_beats_routing_by_lot() -> None:
    alone = [curve().mean([float(k == at) for k in range(3)]) for at in range(3)]
    assert alone == sorted(alone)
    by_lot = sum(share * mean for share, mean in zip(SHARES, alone, strict=True))
    assert curve().mean(SHARES) > by_lot + 0.01
    assert curve().best.name == "large"


def test_quality_is_the_mean_over_prompts_by_hand() -> None:
    small = by_hand((1.0, 1.0), (0.8, 1.0), (0.4, 0.9), (0.0, 0.9))
    assert small.mean((0.5, 0.5)) == pytest.approx((1.0 + 0.8 + 0.9 + 0.9) / 4)
    assert small.mean((1.0, 0.0)) == pytest.approx(0.55)
    assert small.mean((0.0, 1.0)) == pytest.approx(0.95)
    assert thresholds(small, (0.5, 0.5)) == pytest.approx((0.5,))
    assert thresholds(small, (0.0, 1.0)) == (0.0,)
    assert thresholds(small, (1.0, 0.0)) == (1.0,)


@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3).filter(lambda parts: sum(parts) > 0.01))
def test_the_low_end_is_no_higher_than_the_mean(parts: list[float]) -> None:
    shares = [part / sum(parts) for part in parts]
    assert 0 <= curve().low(shares) <= curve().mean(shares) + 1e-6 <= 1 + 1e-6
    cuts = thresholds(curve(), shares)
    assert list(cuts) == sorted(cuts)


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.5, -0.5), (0.3, 0.3, 0.4)])
def test_what_is_no_split_is_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="shares"):
        by_hand((1.0, 1.0), (0.0, 1.0)).mean(shares)


def test_a_model_without_scores_is_named() -> None:
    records = (EvalRecord(prompt="a", scores=(("small", 1.0),)),)
    with pytest.raises(Misconfigured, match="huge"):
        fit_scorer(records, ("small", "huge"), 1)
    with pytest.raises(Misconfigured, match="no evaluated prompts"):
        fit_scorer((), ("small",), 1)
