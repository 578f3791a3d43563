"""The daemon as a process: killed with -9, edited under, started twice; the fleet stands."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bouted.board import Board
from bouted.testing.deployment import Deployment, is_serving
from bouted.testing.processes import engines, until


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path)
    made.write_config()
    yield made
    made.close()
    assert not engines(made.state_dir), "replicas outlived the test"


def pids(board: Board) -> dict[str, int | None]:
    return {replica.name: replica.pid for replica in board.replicas}


def ask(deployment: Deployment, text: str = "hi") -> httpx.Response:
    body = {"model": "auto", "messages": [{"role": "user", "content": text}], "max_tokens": 4}
    return httpx.post(f"{deployment.url}/v1/chat/completions", json=body, timeout=30, trust_env=False)


def refused_under_another_name(deployment: Deployment) -> None:
    """A fleet is nobody's but the deployment's that launched it, however its config is edited."""
    text = deployment.config_path.read_text()
    deployment.config_path.write_text(text.replace("deployment: test", "deployment: other"))
    for command in (("run",), ("down", "--yes")):
        refused = deployment.cli(*command)
        assert refused.returncode == 1
        assert "this database holds 2 nodes of deployment test, not of other" in refused.stderr
    deployment.config_path.write_text(text)


@pytest.mark.timeout(400)
def test_kill_9_and_restart_keep_the_same_replicas_with_no_double_and_no_orphan(
    deployment: Deployment,
) -> None:
    deployment.start("gateway")
    first = deployment.start("run")
    before = deployment.until_serving()
    until(lambda: ask(deployment).status_code == 200)  # the gateway follows a new route table in a moment
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert ask(deployment).status_code == 200, "queries go on while the daemon is dead"
    status = deployment.cli("status")
    assert status.returncode == 0
    assert "NOT RUNNING" in status.stdout.splitlines()[0]
    refused_under_another_name(deployment)
    deployment.start("run")
    after = deployment.until(lambda b: b.pid != before.pid and is_serving(b), "the new daemon serves")
    assert pids(after) == pids(before)
    assert after.plan is not None
    assert before.plan is not None
    assert after.plan.id == before.plan.id
    assert sorted(engines(deployment.state_dir)) == sorted(p for p in pids(before).values() if p)


@pytest.mark.timeout(400)
def test_kill_9_while_replicas_start_ends_in_the_planned_fleet_and_nothing_else(
    deployment: Deployment,
) -> None:
    first = deployment.start("run")
    deployment.until(lambda b: bool(b.nodes), "a node is launching")
    first.send_signal(signal.SIGKILL)
    first.wait()
    deployment.start("run")
    board = deployment.until_serving()
    assert sorted(engines(deployment.state_dir)) == sorted(p for p in pids(board).values() if p)


@pytest.mark.timeout(400)
def test_a_killed_replica_is_replaced_and_a_second_daemon_refused(deployment: Deployment) -> None:
    deployment.start("run")
    before = deployment.until_serving()
    victim = before.replicas[0]
    assert victim.pid is not None
    os.killpg(os.getpgid(victim.pid), signal.SIGKILL)
    after = deployment.until(
        lambda b: is_serving(b) and victim.name not in pids(b), "the killed replica is replaced"
    )
    assert len(after.nodes) == len(before.nodes)
    second = deployment.cli("run")
    assert second.returncode == 1
    assert "another bouted" in second.stderr
    assert second.stderr.count("error:") == 1
    assert is_serving(deployment.until_serving())


@pytest.mark.timeout(400)
def test_a_broken_edit_keeps_the_last_good_config_and_a_good_one_replans(deployment: Deployment) -> None:
    deployment.start("run")
    before = deployment.until_serving()
    good = deployment.config_path.read_text()
    deployment.config_path.write_text(good.replace("e2e_p95_s", "e2e_p95_sec"))
    broken = deployment.until(lambda b: bool(b.config_error), "the broken edit shows")
    assert "did you mean" in broken.config_error
    assert pids(broken) == pids(before)
    deployment.config_path.write_text(good.replace("quality_min: 0.72", "quality_min: 0.74"))
    after = deployment.until(
        lambda b: not b.config_error and any(e.kind in ("plan_applied", "plan_held") for e in b.events[:6])
        and any(e.kind == "config_changed" for e in b.events),
        "the good edit was planned for",
    )  # fmt: skip
    assert after.plan is not None


@pytest.mark.timeout(400)
def test_advise_starts_nothing_until_the_plan_is_accepted(deployment: Deployment) -> None:
    deployment.write_config(mode="advise")
    deployment.start("run")
    board = deployment.until(lambda b: b.proposed is not None, "a plan is proposed")
    assert board.nodes == ()
    assert engines(deployment.state_dir) == []
    assert deployment.cli("apply").returncode == 0
    deployment.until_serving()


@pytest.mark.timeout(400)
def test_pause_holds_the_fleet_and_down_works_with_the_daemon_dead(deployment: Deployment) -> None:
    daemon = deployment.start("run")
    before = deployment.until_serving()
    assert deployment.cli("pause").returncode == 0
    deployment.until(lambda b: b.paused, "paused")
    victim = before.replicas[0]
    assert victim.pid is not None
    os.killpg(os.getpgid(victim.pid), signal.SIGKILL)
    held = deployment.until(lambda b: victim.name not in pids(b), "the loss is seen")
    assert len(held.replicas) == len(before.replicas) - 1, "nothing is started while paused"
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    down = deployment.cli("down", "--yes")
    assert down.returncode == 0, down.stderr
    assert engines(deployment.state_dir) == []


BAD = [
    ("budget", {"budget": "0.10"}, "the cheapest fleet that meets the targets costs $"),
    ("floor", {"quality_min": "0.99"}, "large"),
    ("gpu", {"gpus": "[T4]"}, "GiB"),
]


@pytest.mark.parametrize(("name", "changes", "says"), BAD, ids=[name for name, _, _ in BAD])
@pytest.mark.timeout(400)
def test_an_impossible_wish_is_one_clear_line_and_nothing_is_started(
    deployment: Deployment, name: str, changes: dict[str, str], says: str
) -> None:
    deployment.write_config(**changes)
    for command in ("plan", "run"):
        answer = deployment.cli(command)
        assert answer.returncode == 1, answer.stdout + answer.stderr
        errors = [line for line in answer.stderr.splitlines() if line.startswith("error:")]
        assert len(errors) == 1, answer.stderr
        assert says in answer.stderr
        assert "Traceback" not in answer.stderr
    assert engines(deployment.state_dir) == []


def test_a_corrupt_price_file_stops_the_start_with_its_line(deployment: Deployment) -> None:
    (deployment.folder / "prices.csv").write_text("provider;price\naws;1\n")
    answer = deployment.cli("run")
    assert answer.returncode == 1
    assert "prices.csv:1" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_port_in_use_stops_the_gateway_with_one_line(deployment: Deployment) -> None:
    other = Deployment(deployment.folder / "other", port=deployment.port)
    other.folder.mkdir()
    other.write_config()
    other.state_dir.mkdir()
    deployment.state_dir.mkdir()
    deployment.start("gateway")
    for _ in range(200):
        try:
            httpx.get(f"{deployment.url}/health", trust_env=False)
            break
        except httpx.ConnectError:
            continue
    answer = other.cli("gateway")
    assert answer.returncode == 1
    assert str(deployment.port) in answer.stderr
    assert "Traceback" not in answer.stderr
