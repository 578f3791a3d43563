"""The evals file: read strictly, and shipped as it was generated."""

import json
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from bouted.errors import Misconfigured
from bouted.quality.curve import QualityCurve
from bouted.quality.fit import fit_scorer
from bouted.quality.load import SHOWN, load_evals, shipped_evals
from bouted.quality.synthetic import DEMO_COUNT, DEMO_SEED, synthetic_jsonl, synthetic_records

GOOD = '{"prompt": "a", "scores": {"small": 0.5, "large": 1}}'


def evals(folder: Path, *lines: str) -> Path:
    path = folder / "evals.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_file_comes_back_as_it_was_generated(tmp_path: Path) -> None:
    path = evals(tmp_path, synthetic_jsonl(5, 20))
    assert [(r.prompt, dict(r.scores), r.synthetic) for r in load_evals(path)] == [
        (r.prompt, dict(r.scores), True) for r in synthetic_records(5, 20)
    ]


def test_blank_lines_do_not_count(tmp_path: Path) -> None:
    (record,) = load_evals(evals(tmp_path, "", GOOD, "  ", ""))
    assert (record.scores, record.synthetic) == ((("large", 1.0), ("small", 0.5)), False)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("[1]", "not an object"),
        ('{"prompt": "a", "scores": {"small": 1}, "weight": 2}', "unknown key 'weight'"),
        ('{"scores": {"small": 1}}', "`prompt` must be text"),
        ('{"prompt": " ", "scores": {"small": 1}}', "`prompt` must be text"),
        ('{"prompt": "a", "scores": {}}', "`scores` must give each model's score"),
        ('{"prompt": "a", "scores": {"small": 1.2}}', "must be between 0 and 1, got 1.2"),
        ('{"prompt": "a", "scores": {"small": NaN}}', "must be a number, got NaN"),
        ('{"prompt": "a", "scores": {"small": true}}', "must be a number, got true"),
        ('{"prompt": "a", "scores": {"small": "1"}}', 'must be a number, got "1"'),
        ('{"prompt": "a", "scores": {"small": 1}, "synthetic": 1}', "`synthetic` must be true or false"),
        ('{"prompt": "a", "scores": {"small": 1}}', "scores small, but earlier lines score large, small"),
    ],
)
def test_a_bad_line_is_refused_by_its_number(tmp_path: Path, line: str, said: str) -> None:
    path = evals(tmp_path, GOOD, line)
    with pytest.raises(Misconfigured) as caught:
        load_evals(path)
    assert caught.value.path == str(path)
    assert f"line 2: {said}" in caught.value.message.replace("score of 'small' ", "")
    assert caught.value.hint


def test_bad_lines_are_told_all_at_once_and_the_rest_counted(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        load_evals(evals(tmp_path, GOOD, *["{"] * (SHOWN + 3)))
    assert all(f"line {number}:" in caught.value.message for number in range(2, SHOWN + 2))
    assert caught.value.message.endswith("and 3 more")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"\n\n", b"\xff\xfe"])
def test_a_file_without_evals_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "evals.jsonl"
    path.write_bytes(body)
    with pytest.raises(Misconfigured, match=r"evals\.jsonl"):
        load_evals(path)
    with pytest.raises(Misconfigured, match="no such file"):
        load_evals(tmp_path / "absent.jsonl")


def test_the_shipped_evals_are_the_generated_ones_and_say_that_they_are_made_up() -> None:
    records = shipped_evals()
    assert "".join(_line(r.prompt, dict(r.scores)) for r in records) == "".join(
        _line(r.prompt, dict(r.scores)) for r in synthetic_records(DEMO_SEED, DEMO_COUNT)
    )
    assert all(record.synthetic for record in records)
    means = {model: fmean(dict(r.scores)[model] for r in records) for model in ("small", "medium", "large")}
    assert means == pytest.approx({"small": 0.70, "medium": 0.80, "large": 0.88}, abs=0.01)
    _, quality = fit_scorer(records, ("large", "small", "medium"), 1)
    assert quality.models == ("small", "medium", "large")
    assert quality.synthetic


def _line(prompt: str, scores: dict[str, float]) -> str:
    return json.dumps([prompt, scores], sort_keys=True)


def test_many_splits_are_judged_as_each_one_is() -> None:
    _, quality = fit_scorer(synthetic_records(1, 200), ("small", "medium", "large"), 1)
    curve = QualityCurve.from_model(quality, 1)
    splits = np.random.default_rng(1).dirichlet([1, 1, 1], 50)
    both = curve.mean_low(splits)
    assert both[:, 0] == pytest.approx([curve.mean(split) for split in splits])
    assert both[:, 1] == pytest.approx([curve.low(split) for split in splits])
    again = QualityCurve.from_model(quality, 1)
    assert np.array_equal(again.mean_low(splits), both)
