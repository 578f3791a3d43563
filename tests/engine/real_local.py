"""A whole deployment on this machine whose engine is a real vLLM: daemon, gateway, keeper, adapter, tokens.

`make test` does not collect this file: `make engine-test` does, after it has installed the engine.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

import httpx
import pytest
from engine_server import OFFLINE, ONE_THREAD
from tiny_llama import LlamaSize, write_llama

from bouted.testing.deployment import Deployment
from bouted.testing.processes import end_kept, kept, until

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(os.environ.get("BOUTED_E2E_VLLM") != "1", reason="BOUTED_E2E_VLLM=1 runs it"),
]

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build" / "engine-venv" / "bin" / "python"
CACHE = ROOT / "build" / "engine"
PATIENCE_S = 900.0
BOTH = "  - {name: small, spec: llama-3.1-8b}\n  - {name: large, spec: llama-3.1-70b}\n"


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    if not PYTHON.exists():
        pytest.skip("no engine is installed; `make engine-test` installs one")
    made = Deployment(tmp_path)
    weights = CACHE / "tiny-llama"
    write_llama(weights, LlamaSize())
    made.write_config(gpus="[L4]")
    text = made.config_path.read_text(encoding="utf-8")
    model = {"name": "tiny", "spec": str(weights), "context_tokens": 1024, "quality": 0.9}
    text = text.replace(BOTH, f"  - {json.dumps(model)}\n").replace("routing: {synthetic: true}\n", "")
    text = text.replace("{name: local, options: {boot_s: 0.2}}", json.dumps(launcher(weights)))
    made.config_path.write_text(text, encoding="utf-8")
    yield made
    made.close()
    end_kept(made.state_dir)


def launcher(weights: Path) -> dict[str, object]:
    """This build lacks the `vllm` command, and the module in its place wants the model by a flag. The last
    value of a flag counts: a CPU has to do what was planned for a GPU."""
    env = {**OFFLINE, **ONE_THREAD, "VLLM_CACHE_ROOT": str(CACHE / "vllm")}
    engine = {
        "program": [
            "/usr/bin/env", *(f"{key}={value}" for key, value in env.items()),
            str(PYTHON), "-m", "vllm.entrypoints.openai.api_server",
        ],
        "extra_args": [
            "--model", str(weights), "--load-format", "dummy", "--enforce-eager",
            "--max-num-seqs", "8", "--max-num-batched-tokens", "512",
        ],
    }  # fmt: skip
    return {"name": "local", "options": {"boot_s": 0, "engines": {"vllm": engine}}}


def test_a_real_vllm_serves_behind_the_gateway_and_down_ends_all_its_processes(
    deployment: Deployment,
) -> None:
    began = monotonic()
    deployment.start("gateway")
    deployment.start("run")
    (replica,) = deployment.until_serving(PATIENCE_S).replicas
    served_s = monotonic() - began
    until(lambda: ask(deployment).status_code == 200)
    answer = ask(deployment).json()
    assert answer["usage"]["completion_tokens"] == 8
    assert answer["choices"][0]["text"].split()[0].startswith("w")
    assert "vllm:generation_tokens_total" in httpx.get(f"{replica.endpoint}/metrics", trust_env=False).text
    assert replica.pid is not None
    assert len(session(replica.pid)) > 1, "the server and the process that computes"
    assert deployment.cli("logs", replica.name).stdout

    began = monotonic()
    down = deployment.cli("down", "--yes")
    assert down.returncode == 0, down.stderr
    assert session(replica.pid) == []
    until(lambda: not kept(deployment.state_dir))
    print(f"\nvLLM served {served_s:.0f} s after the daemon's start; down took {monotonic() - began:.0f} s")


def ask(deployment: Deployment) -> httpx.Response:
    body = {"model": "tiny", "prompt": "w3 w4 w5", "max_tokens": 8, "ignore_eos": True}
    return httpx.post(f"{deployment.url}/v1/completions", json=body, timeout=120, trust_env=False)


def session(leader: int) -> list[int]:
    """The processes of a session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):  # it ended while we looked
            if os.getsid(int(entry.name)) == leader:
                found.append(int(entry.name))
    return found
