"""A whole deployment on this machine, with keepers, and engines of both kinds started by their adapters."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from bouted.board import Board
from bouted.testing.deployment import Deployment, is_serving
from bouted.testing.processes import end_kept, kept, until

PACED = {"program": [sys.executable, "-P", "-m", "bouted.providers.paced_engine"]}
LAUNCHER = {"name": "local", "options": {"boot_s": 0.2, "engines": {"vllm": PACED, "sglang": PACED}}}


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path)
    made.write_config()
    text = made.config_path.read_text(encoding="utf-8")
    text = text.replace("{name: local, options: {boot_s: 0.2}}", json.dumps(LAUNCHER))
    text = text.replace("spec: llama-3.1-70b", "spec: llama-3.1-70b, engine: sglang")
    made.config_path.write_text(text, encoding="utf-8")
    yield made
    made.close()
    left = kept(made.state_dir)
    end_kept(made.state_dir)
    assert not left, "keepers or engines outlived the test"


def pids(board: Board) -> dict[str, int | None]:
    return {replica.name: replica.pid for replica in board.replicas}


def ask(deployment: Deployment, model: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
    return httpx.post(f"{deployment.url}/v1/chat/completions", json=body, timeout=30, trust_env=False)


def answers(deployment: Deployment, model: str) -> bool:
    return ask(deployment, model).status_code == 200


@pytest.mark.timeout(600)
def test_engines_of_both_kinds_serve_outlive_the_daemon_are_replaced_when_killed_and_end_with_down(
    deployment: Deployment,
) -> None:
    deployment.start("gateway")
    daemon = deployment.start("run")
    before = deployment.until_serving()
    for model in ("small", "large", "auto"):
        until(partial(answers, deployment, model))
    assert dialects(before) == {"small": "vllm", "large": "sglang"}
    log = deployment.cli("logs", before.replicas[0].name)
    assert "listens at http://127.0.0.1:" in log.stdout, log.stderr

    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    assert ask(deployment, "auto").status_code == 200, "queries go on while the daemon is dead"
    deployment.start("run")
    again = deployment.until(lambda b: b.pid != before.pid and is_serving(b), "the new daemon serves")
    assert pids(again) == pids(before)

    victim = again.replicas[0]
    assert victim.pid is not None
    os.killpg(victim.pid, signal.SIGKILL)
    after = deployment.until(
        lambda b: is_serving(b) and victim.name not in pids(b), "the killed engine is replaced"
    )
    assert len(after.nodes) == len(before.nodes)
    until(partial(answers, deployment, victim.model))

    down = deployment.cli("down", "--yes")
    assert down.returncode == 0, down.stderr
    until(lambda: not kept(deployment.state_dir))


def dialects(board: Board) -> dict[str, str]:
    """Which engine each model's metrics are those of."""
    found = {}
    for replica in board.replicas:
        said = httpx.get(f"{replica.endpoint}/metrics", timeout=30, trust_env=False).text
        (found[replica.model],) = (name for name in ("vllm", "sglang") if f"\n{name}:" in said)
    return found
