"""One scenario on real SkyPilot whose engine is a real vLLM on the machine's CPU (BOUTED_E2E_VLLM=1)."""

import json
import sys
from pathlib import Path
from time import monotonic

import httpx
from sky_stage import ROOT, SPOT_EAST, SkyStage, stage

from bouted.testing.bench import Bench
from bouted.testing.ec2.cloud import StandInCloud

sys.path.append(str(ROOT / "tests" / "engine"))
from engine_server import OFFLINE, ONE_THREAD
from tiny_llama import LlamaSize, write_llama

VENV, WEIGHTS = ROOT / "build" / "engine-venv", ROOT / "build" / "engine" / "tiny-llama"
THERE_VENV, THERE_WEIGHTS = Path("/opt/engine-venv"), Path("/opt/tiny-llama")


def shared() -> list[tuple[Path, Path]]:
    """What machines need for it, and where they have it."""
    if not (VENV / "bin" / "python").exists():
        sys.exit("bench-sky: no engine is installed; `make engine-test` installs one")
    write_llama(WEIGHTS, LlamaSize())
    return [(VENV, THERE_VENV), (WEIGHTS, THERE_WEIGHTS)]


def engine_rows(bench: Bench, cloud: StandInCloud) -> None:
    """A launch, a real token through the gateway, the engine's own metrics, and an end."""
    model = {
        "name": "tiny",
        "spec": str(WEIGHTS),
        "weights": str(THERE_WEIGHTS),
        "context_tokens": 1024,
        "quality": 0.9,
    }
    with stage(cloud, "engine") as it:
        it.furnish([SPOT_EAST], models=json.dumps(model), engine=_engine())
        it.begin()
        bench.row("real vLLM: from `bouted run` to its first token", it.serving_in(900), "s", None, "lower")
        bench.row("real vLLM: tokens answered through the gateway", _tokens(it), "of 8", 8, "higher")
        (replica,) = it.until(lambda board: True, "a board").replicas
        metrics = httpx.get(f"{replica.endpoint}/metrics", trust_env=False, timeout=30).text
        bench.row(
            "real vLLM: its own metrics come through the SSH connection",
            metrics.count("# TYPE vllm:"), "names", 1, "higher",
        )  # fmt: skip
        began = monotonic()
        it.cli("down", "--yes")
        bench.row("real vLLM: `bouted down`", monotonic() - began, "s", None, "lower")
        bench.row("real vLLM: instances left", len(it.running()), "", 0, "lower")


def _engine() -> dict[str, object]:
    """This build lacks the `vllm` command, and the module in its place wants the model by a flag. The last
    value of a flag counts: a CPU has to do what was planned for a GPU."""
    env = {**OFFLINE, **ONE_THREAD, "VLLM_CACHE_ROOT": "/tmp/vllm"}
    return {
        "program": [
            "/usr/bin/env", *(f"{key}={value}" for key, value in env.items()),
            str(THERE_VENV / "bin" / "python"), "-m", "vllm.entrypoints.openai.api_server",
        ],
        "extra_args": [
            "--model", str(THERE_WEIGHTS), "--load-format", "dummy", "--enforce-eager",
            "--max-num-seqs", "8", "--max-num-batched-tokens", "512",
        ],
    }  # fmt: skip


def _tokens(it: SkyStage) -> int:
    asked = {"model": "tiny", "prompt": "w3 w4 w5", "max_tokens": 8, "ignore_eos": True}
    answer = httpx.post(f"{it.url}/v1/completions", json=asked, timeout=120, trust_env=False)
    return int(answer.json()["usage"]["completion_tokens"]) if answer.status_code == httpx.codes.OK else 0
