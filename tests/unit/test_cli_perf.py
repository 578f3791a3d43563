"""`bouted perf` as people type it: forgiving names, one clear line for what cannot be, figures that agree."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bouted.catalog.precision import Precision
from bouted.cli.main import run
from bouted.market.offers import Market
from bouted.perf.belief import Belief
from bouted.perf.learn import Correction
from bouted.perf.refused import RefusedStart, StartFailure
from bouted.perf.shapes import Engine
from bouted.store.corrections import save_corrections
from bouted.store.open import Store
from bouted.store.prices import record_offers
from bouted.store.refused_starts import add_refused_starts
from bouted.testing.deployment import environ
from bouted.testing.prices import an_offer
from bouted.testing.store import fresh_store

NOW = datetime.now(UTC)
SMALL = ("--model", "llama-3.1-8b", "--gpu", "h100")
SHORT = ("--isl", "200", "--osl", "20")
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_attention_heads": 32,
    "num_hidden_layers": 16,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": True,
}


@pytest.fixture
def perf(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in an empty folder, beside a state folder that may have no store."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        code = run(["perf", *words, "--state", str(tmp_path / "state")])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


Perf = Callable[..., tuple[int, str, str]]


def told(perf: Perf, *words: str) -> Any:
    code, out, err = perf(*words, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def refused(perf: Perf, *words: str) -> tuple[str, str]:
    """The line and the hint of an error."""
    code, out, err = perf(*words)
    assert (code, out) == (1, "")
    line, _, hint = err.partition("\n")
    return line.removeprefix("error: "), hint.removeprefix("hint: ").strip()


def test_the_document_has_the_promised_keys(perf: Perf) -> None:
    found = told(perf, *SMALL, *SHORT, "--rate", "5")
    assert found["model"] == "llama-3.1-8b"
    assert found["gpu"] == "H100-80GB"
    assert found["shape"] == {"tp": 1, "pp": 1, "gpus": 1}
    assert (found["precision"], found["engine"], found["load"]) == ("bf16", "vllm", "open")
    for metric in ("ttft_s", "tpot_s", "e2e_s"):
        latency = found[metric]
        assert 0 < latency["low"] < latency["p50"] <= latency["p95"]
        spread = found["ttft_spread" if metric == "ttft_s" else "spread"]
        assert latency["high"] == pytest.approx(latency["p50"] * (1 + spread))
    assert found["output_tokens_per_s"] == pytest.approx(5 * 20)
    assert found["max_rate"] > 5
    assert found["source"] in ("measured", "interpolated", "roofline", "learned")
    assert found["fits"]["kv_tokens"] > 220


@pytest.mark.parametrize("name", ["h100", "H100-80GB", "nvidia H100 80GB", "H100_SXM5"])
def test_a_gpu_is_known_by_whatever_people_call_it(perf: Perf, name: str) -> None:
    found = told(perf, "--model", "llama-3.1-8b", "--gpu", name, *SHORT)
    assert found["gpu"] == "H100-80GB"


def test_more_load_is_never_quicker(perf: Perf) -> None:
    alone = told(perf, *SMALL, *SHORT)
    few = told(perf, *SMALL, *SHORT, "--concurrency", "4")
    many = told(perf, *SMALL, *SHORT, "--concurrency", "64")
    assert alone["load"] == "alone"
    assert few["load"] == "closed"
    assert alone["e2e_s"]["p50"] < few["e2e_s"]["p50"] < many["e2e_s"]["p50"]
    assert alone["output_tokens_per_s"] < few["output_tokens_per_s"] < many["output_tokens_per_s"]


def test_a_smaller_kv_cache_type_leaves_room_for_more_tokens(perf: Perf) -> None:
    wide = told(perf, *SMALL, *SHORT)["fits"]["kv_tokens"]
    narrow = told(perf, *SMALL, *SHORT, "--kv-cache-dtype", "fp8")["fits"]["kv_tokens"]
    assert narrow == pytest.approx(2 * wide, rel=0.01)


def test_the_same_question_has_the_same_answer(perf: Perf) -> None:
    ask = (*SMALL, *SHORT, "--rate", "20", "--cv", "2")
    assert perf(*ask) == perf(*ask)
    assert perf(*ask) != perf(*ask, "--seed", "2")


def test_a_rate_above_capacity_is_refused_with_both_figures(perf: Perf) -> None:
    line, hint = refused(perf, *SMALL, *SHORT, "--rate", "5000")
    assert line.startswith("unstable: 5,000 req/s offered, ")
    assert line.endswith(" possible")
    assert "replicas" in hint


def test_an_unknown_model_is_told_what_would_describe_it(perf: Perf) -> None:
    line, hint = refused(perf, "--model", "llama3.1-70b", "--gpu", "h100", *SHORT)
    assert line == "the catalog has no model 'llama3.1-70b'"
    assert "llama-3.1-70b" in hint
    assert "config.json" in hint


def test_an_unknown_gpu_is_told_what_would_describe_it(perf: Perf) -> None:
    line, hint = refused(perf, "--model", "llama-3.1-8b", "--gpu", "h1000", *SHORT)
    assert line == "the catalog has no GPU 'h1000'"
    assert "H100-80GB" in hint
    assert "gpus:" in hint
    assert "memory_gib" in hint


def test_a_layout_that_does_not_fit_is_refused_by_its_arithmetic(perf: Perf) -> None:
    line, hint = refused(perf, "--model", "llama-3.1-70b", "--gpu", "t4", *SHORT)
    assert line.startswith("llama-3.1-70b in bf16 on 1x T4 (tp 1, pp 1): needs ")
    assert "GiB" in line
    assert "--all" in hint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (SMALL, "--isl and --osl, or --trace"),
        ((*SMALL, "--isl", "200"), "--isl and --osl, or --trace"),
        (("--model", "llama-3.1-8b", *SHORT), "say which GPU"),
        ((*SMALL, *SHORT, "--rate", "1", "--concurrency", "1"), "give one of them"),
        ((*SMALL, *SHORT, "--trace", "x.csv"), "--trace brings its own"),
        ((*SMALL, *SHORT, "--all", "--rate", "1"), "leave out the load"),
        ((*SMALL, "--trace", "x.csv"), "cannot be read"),
        ((*SMALL, *SHORT, "--rate", "0"), "--rate"),
        ((*SMALL, *SHORT, "--precision", "fp9"), "fp9"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(perf: Perf, words: tuple[str, ...], said: str) -> None:
    line, _ = refused(perf, *words)
    assert said in line


def test_a_folder_with_a_config_is_a_model(perf: Perf, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    found = told(perf, "--model", str(folder), "--gpu", "l4", *SHORT)
    assert found["model"] == "mine"
    assert found["fits"]["weights_gib"] < 3


def test_a_gpu_of_the_config_can_be_asked_about(perf: Perf, tmp_path: Path) -> None:
    (tmp_path / "bouted.yaml").write_text(
        "version: 1\ndeployment: test\nstate_dir: state\nbudget: {usd_per_hour: 1}\n"
        "targets: {e2e_p95_s: 9, quality_min: 0.5}\n"
        "workload: {rate_per_s: 1, prompt_tokens: 9, output_tokens: 9}\n"
        "models: [{name: small, spec: llama-3.1-8b}]\nrouting: {synthetic: true}\n"
        "gpus: [{name: My_GPU, memory_gib: 48, bandwidth_gb_per_s: 900, bf16_tflops: 200,\n"
        "        watts: 300, link: pcie, link_gb_per_s: 25, max_fast_group: 2}]\n",
        encoding="utf-8",
    )
    found = told(perf, "--model", "llama-3.1-8b", "--gpu", "My_GPU", *SHORT, "--config", "bouted.yaml")
    assert (found["gpu"], found["source"]) == ("My_GPU", "roofline")


def a_trace(path: Path, *, gap_s: float, requests: int = 300) -> str:
    rows = [f"{at * gap_s},{100 + at % 7},{10 + at % 5}" for at in range(requests)]
    path.write_text("\n".join(("arrived_s,prompt_tokens,output_tokens", *rows)), encoding="utf-8")
    return str(path)


def test_a_trace_brings_its_own_arrivals_and_lengths(perf: Perf, tmp_path: Path) -> None:
    found = told(perf, *SMALL, "--trace", a_trace(tmp_path / "t.csv", gap_s=0.25))
    assert found["load"] == "trace"
    assert found["requests_per_s"] == pytest.approx(4, rel=0.02)
    assert found["fits"]["context_tokens"] == 106 + 14


def test_a_rate_stretches_a_trace_and_may_be_too_much_for_it(perf: Perf, tmp_path: Path) -> None:
    trace = a_trace(tmp_path / "t.csv", gap_s=0.25)
    assert told(perf, *SMALL, "--trace", trace, "--rate", "40")["requests_per_s"] == pytest.approx(
        40, rel=0.1
    )
    assert refused(perf, *SMALL, "--trace", trace, "--rate", "9000")[0].startswith("unstable: 9,000 req/s")


def test_a_trace_of_one_instant_is_no_load(perf: Perf, tmp_path: Path) -> None:
    line, _ = refused(perf, *SMALL, "--trace", a_trace(tmp_path / "t.csv", gap_s=0))
    assert "at one time" in line


def test_layouts_are_ranked_by_tokens_per_dollar_of_the_shipped_prices(perf: Perf) -> None:
    found = told(perf, *SMALL, *SHORT, "--all", "--pp", "1")
    assert found["prices"] == "the dated snapshot that ships"
    best = [max(price["output_tokens_per_usd"] for price in one["prices"]) for one in found["ranked"]]
    assert len(best) > 1
    assert best == sorted(best, reverse=True)
    assert {one["gpu"] for one in found["ranked"]} == {"H100-80GB"}


def test_a_layout_that_does_not_start_is_in_the_ranking_with_its_reason(perf: Perf) -> None:
    words = ("--model", "llama-3.1-70b", "--gpu", "h100", *SHORT, "--all", "--pp", "1")
    found = told(perf, *words)
    assert [(one["tp"], one["rule"]) for one in found["refused"]] == [(1, "memory")]
    assert "GiB" in found["refused"][0]["reason"]
    assert "1 layout would not start" in perf(*words)[1]


def test_a_ranking_of_nothing_that_starts_says_why(perf: Perf) -> None:
    line, _ = refused(perf, "--model", "llama-3.1-405b", "--gpu", "t4", *SHORT, "--all")
    assert line.startswith("none of ")
    assert "T4" in line


def deployment(folder: Path) -> "closing[Store]":
    """The new store of a deployment there."""
    (folder / "state").mkdir()
    return closing(fresh_store(folder / "state"))


def test_a_deployment_ranks_by_the_prices_it_believes(perf: Perf, tmp_path: Path) -> None:
    offers = (
        an_offer(Decimal(2), gpu="H100-80GB", market=Market.ON_DEMAND, observed_at=NOW),
        an_offer(Decimal(99), gpu="H100-80GB", market=Market.SPOT, observed_at=NOW),
    )
    with deployment(tmp_path) as store:
        record_offers(store, offers, NOW)
    found = told(perf, *SMALL, *SHORT, "--all", "--pp", "1")
    assert found["prices"] == "the deployment here"
    (only,) = found["ranked"]
    assert [price["usd_per_hour"] for price in only["prices"]] == ["2", "99"]
    assert {one["shape"]["tp"] for one in found["unpriced"]} == {2, 4, 8}


def test_what_replicas_taught_corrects_the_estimate(perf: Perf, tmp_path: Path) -> None:
    """A shape that was seen to be half as fast is told so, and more surely."""
    before = told(perf, *SMALL, *SHORT)
    sure = Belief(log=0.693, variance=0.0004, at=NOW)
    plain = Belief(log=0.0, variance=0.0004, at=NOW)
    taught = Correction(tempo=sure, first=plain, windows=9, applied_tempo=2.0, applied_first=1.0)
    with deployment(tmp_path) as store:
        save_corrections(store, {"llama-3.1-8b@H100-80GB:tp1pp1:bf16:vllm": taught}, NOW)
    after = told(perf, *SMALL, *SHORT)
    assert after["source"] == "learned"
    assert after["tpot_s"]["p50"] == pytest.approx(2 * before["tpot_s"]["p50"], rel=0.05)
    assert after["max_rate"] == pytest.approx(before["max_rate"] / 2, rel=0.05)
    assert after["spread"] < before["spread"]


def test_a_layout_that_lately_failed_to_start_is_refused(perf: Perf, tmp_path: Path) -> None:

    def failed(tp: int, days_ago: int) -> RefusedStart:
        return RefusedStart(
            model="llama-3.1-8b",
            gpu="H100-80GB",
            tp=tp,
            pp=1,
            precision=Precision.BF16,
            engine=Engine.VLLM,
            kind=StartFailure.REFUSED,
            at=NOW - timedelta(days=days_ago),
            detail="no such kernel",
        )

    with deployment(tmp_path) as store:
        add_refused_starts(store, {"r1": failed(1, 1), "r2": failed(2, 90)})
    assert "no such kernel" in refused(perf, *SMALL, *SHORT)[0]
    assert told(perf, *SMALL, *SHORT, "--tp", "2")["shape"]["tp"] == 2


@pytest.mark.parametrize("words", [("--help",), ("perf", "--help"), ("status", "--help")])
def test_help_does_not_pay_for_the_simulator(words: tuple[str, ...]) -> None:
    code = (
        "import sys; from bouted.cli.main import run\n"
        f"run({list(words)!r})\n"
        "print([name for name in ('numba', 'numpy', 'scipy', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ(), check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
