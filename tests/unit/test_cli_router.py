"""`bouted router`: trained on a file, judged out of fold, with one clear line for what cannot be."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from bouted.cli.main import run
from bouted.quality.fit import fit_scorer
from bouted.quality.load import load_evals
from bouted.quality.scorer import Scorer
from bouted.quality.synthetic import synthetic_jsonl

Router = Callable[..., tuple[int, str, str]]

# What stands in for the package that is not installed: a "model" that counts what a text says.
STAND_IN = """
import numpy as np

class SentenceTransformer:
    def __init__(self, name):
        if name != "counts":
            raise OSError(f"{name} is not a local folder\\nand more")
    def encode(self, texts, normalize_embeddings, show_progress_bar):
        rows = [[len(t) / 1000, t.count(" ") / 100, t.count("prove")] for t in texts]
        return np.array(rows, dtype=np.float32)
"""


@pytest.fixture
def router(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Router:
    """Runs the command in a folder with an evals file of 150 prompts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evals.jsonl").write_text(synthetic_jsonl(3, 150), encoding="utf-8")

    def call(*words: str) -> tuple[int, str, str]:
        code = run(["router", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "sentence_transformers.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "sentence_transformers", raising=False)


def test_a_router_is_trained_into_a_file_that_routes_as_the_fit_does(router: Router, tmp_path: Path) -> None:
    code, out, _ = router("train", "evals.jsonl")
    assert code == 0
    assert out.startswith("router.json: routes small, medium, large by ")
    fresh, _ = fit_scorer(load_evals(tmp_path / "evals.jsonl"), ("large", "medium", "small"), 1)
    assert Scorer.load(tmp_path / "router.json").hash == fresh.hash


def test_the_report_compares_with_lots_and_an_oracle_at_equal_shares(router: Router) -> None:
    code, out, _ = router("eval", "evals.jsonl", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["models"] == ["small", "medium", "large"]
    assert (found["prompts"], found["synthetic"]) == (150, True)
    for at in found["at"]:
        assert sum(at["shares"]) == pytest.approx(1.0)
        assert at["lot"] - 0.01 < at["router"]["value"] <= at["oracle"] + 1e-9
        assert at["router"]["low"] <= at["router"]["value"] <= at["router"]["high"]
        assert at["gain"]["value"] == pytest.approx(at["router"]["value"] - at["lot"])
    assert 0.5 < found["auc"]["low"] < found["auc"]["value"] < found["auc"]["high"] <= 1
    assert found["router_gain"]["low"] > 0


def test_people_read_the_same_figures_and_a_verdict(router: Router) -> None:
    _, text, _ = router("eval", "evals.jsonl")
    _, out, _ = router("eval", "evals.jsonl", "--json")
    found = json.loads(out)
    assert "150 prompts that nobody measured, judged out of fold" in text
    assert f"{found['auc']['value']:.3f} (" in text
    assert f"{found['at'][4]['router']['value']:.3f}" in text
    assert "the router beats lots" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_router_made_before_is_judged_on_evals_it_has_not_seen(router: Router, tmp_path: Path) -> None:
    router("train", "evals.jsonl", "--out", "mine.json")
    (tmp_path / "new.jsonl").write_text(synthetic_jsonl(77, 150), encoding="utf-8")
    code, out, _ = router("eval", "new.jsonl", "--router", "mine.json")
    assert code == 0
    assert "by mine.json, which should not have seen them" in out


def test_a_coin_is_told_from_a_router(router: Router, tmp_path: Path) -> None:
    rng = Random(1)
    lines = [
        json.dumps({"prompt": f"{rng.random()}", "scores": {"a": rng.random(), "b": rng.random()}})
        for _ in range(150)
    ]
    (tmp_path / "coin.jsonl").write_text("\n".join(lines))
    code, out, _ = router("eval", "coin.jsonl")
    assert code == 0
    assert "nothing shows that the router beats lots" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "none.jsonl"), "none.jsonl: no such file"),
        (("train", "few.jsonl"), "few.jsonl: 2 evaluated prompts are too few"),
        (("train", "evals.jsonl", "--out", "no/such/folder.json"), "cannot be written there"),
        (("train", "evals.jsonl", "--out", "."), "cannot be written there"),
        (("eval", "evals.jsonl", "--router", "none.json"), "none.json: no such file"),
        (("eval", "evals.jsonl", "--router", "evals.jsonl"), "evals.jsonl: cannot read the router"),
        (("train", "evals.jsonl", "--embeddings", "any"), "sentence-transformers is not installed"),
        (("eval", "evals.jsonl", "--router", "x", "--embeddings", "y"), "leave out --embeddings"),
    ],
)
def test_what_will_not_do_is_one_clear_line(
    words: tuple[str, ...], said: str, router: Router, tmp_path: Path
) -> None:
    (tmp_path / "few.jsonl").write_text(synthetic_jsonl(1, 2))
    code, out, err = router(*words)
    assert code != 0
    assert said in err
    assert "Traceback" not in err
    assert out == ""


@pytest.mark.usefixtures("stand_in")
def test_embeddings_are_judged_with_and_loaded_with_the_router(router: Router, tmp_path: Path) -> None:
    code, _, err = router("train", "evals.jsonl", "--embeddings", "counts")
    assert (code, err) == (0, "")
    loaded = Scorer.load(tmp_path / "router.json")
    assert loaded.encoder is not None
    plain, _ = fit_scorer(load_evals(tmp_path / "evals.jsonl"), ("large", "medium", "small"), 1)
    assert len(loaded.weights) == len(plain.weights) + 3
    assert loaded.judge("prove it, prove it, prove it") != plain.judge("prove it, prove it, prove it")
    assert 0 <= loaded.judge("prove it").score < 1


@pytest.mark.usefixtures("stand_in")
def test_an_embeddings_model_that_cannot_be_had_is_named(router: Router) -> None:
    code, _, err = router("train", "evals.jsonl", "--embeddings", "huge")
    assert code == 1
    assert "cannot load huge: huge is not a local folder" in err
