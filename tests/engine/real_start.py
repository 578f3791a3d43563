"""A real vLLM started by the very command that the adapter writes, and a real `hf` that fetches as it says.

`make test` does not collect this file: `make engine-test` does, after it has installed the engine.
"""

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from bouted.providers.engine_options import VERSIONS, EngineOptions, SetUp
from bouted.providers.engine_start import EngineStart
from bouted.providers.engine_weights import weights_for
from bouted.providers.vllm import start_of
from engine_server import OFFLINE, ONE_THREAD, PATIENCE_S
from hub_stand_in import TOKEN, hub_with
from tiny_llama import LlamaSize, write_llama

from bouted.perf.flags import EngineFlags
from bouted.perf.scrape import parse_scrape
from bouted.perf.shapes import Engine
from bouted.testing.orders import a_replica_order

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build" / "engine-venv" / "bin"
CACHE = ROOT / "build" / "engine"
REPOSITORY = "Someone/tiny"
FILES = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "original/consolidated.00.pth": b"the same again",
    "consolidated.safetensors": b"and again",
    "tiny.gguf": b"and again",
}


@pytest.fixture(autouse=True)
def installed() -> None:
    if not (TOOLS / "python").exists():
        pytest.skip("no engine is installed; `make engine-test` installs one")


def tiny_start(folder: Path) -> EngineStart:
    """This build lacks the `vllm` command, and the module in its place wants the model by a flag."""
    options = EngineOptions(
        engine=Engine.VLLM,
        version=VERSIONS[Engine.VLLM],
        program=(str(TOOLS / "python"), "-m", "vllm.entrypoints.openai.api_server"),
        extra_args=("--model", str(folder), "--load-format", "dummy"),
        shutdown_s=30,
    )
    flags = EngineFlags(max_model_len=1024, max_num_seqs=8, max_num_batched_tokens=512, enforce_eager=True)
    order = replace(a_replica_order(model="tiny"), weights=str(folder), flags=flags)
    return start_of(order, options, secrets={})


def test_vllm_serves_with_the_adapters_command_and_ends_within_its_grace() -> None:
    folder = CACHE / "tiny-llama"
    write_llama(folder, LlamaSize())
    start = tiny_start(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    env = {**os.environ, **OFFLINE, **ONE_THREAD, **start.env, "VLLM_CACHE_ROOT": str(CACHE / "vllm")}
    words = [word.replace("{port}", str(port)) for word in start.argv]
    with (CACHE / "start.log").open("wb") as log:
        child = subprocess.Popen(words, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        _await_token(url, child, start)
        seen = parse_scrape(httpx.get(f"{url}/metrics").text, datetime.now(UTC))
        assert seen is not None
        assert seen.output_tokens >= 1
        child.send_signal(signal.SIGTERM)
        assert child.wait(start.grace_s) in (0, -signal.SIGTERM)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _await_token(url: str, child: subprocess.Popen[bytes], start: EngineStart) -> None:
    deadline = time.monotonic() + PATIENCE_S
    ask = {"model": start.served_model, "prompt": "w3 w4", "max_tokens": 1}
    while time.monotonic() < deadline and child.poll() is None:
        with suppress(httpx.HTTPError):
            httpx.get(f"{url}{start.health}", timeout=10.0).raise_for_status()
            httpx.post(f"{url}/v1/completions", json=ask, timeout=60.0).raise_for_status()
            return
        time.sleep(0.5)
    raise AssertionError((CACHE / "start.log").read_text(errors="replace")[-3000:])


@pytest.mark.parametrize("token", [TOKEN, ""])
def test_the_real_hf_fetches_the_weights_alone_and_says_what_it_lacks(tmp_path: Path, token: str) -> None:
    options = EngineOptions(engine=Engine.VLLM, version="0", set_up=SetUp.IMAGE, cache=str(tmp_path / "kept"))
    found = weights_for(REPOSITORY, options, token=bool(token))
    (step,) = found.steps
    with hub_with(REPOSITORY, FILES) as url:
        env = {"PATH": f"{TOOLS}:/usr/bin:/bin", "HOME": str(tmp_path), "HF_ENDPOINT": url}
        env |= {"HF_TOKEN": token} if token else {}
        done = subprocess.run(step.argv, env=env, capture_output=True, text=True, check=False)
    if token:
        assert done.returncode == 0, done.stderr
        names = {path.name for path in Path(found.model).iterdir()}
        assert names == {".cache", ".complete", "config.json", "model.safetensors"}
    else:
        assert done.returncode == 1
        assert "hf_token_file names a token" in done.stderr
