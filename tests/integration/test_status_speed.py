"""`bouted status` answers at once: what it imports is small, and from a cold start it takes under 300 ms."""

import json
import resource
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from re import sub

import pytest

from bouted.board import BoardEvent, BoardNode, BoardReplica
from bouted.store.board import publish_board
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.testing.store import a_board, fresh_store

HEAVY = frozenset(
    {
        *("alembic", "anyio", "apscheduler", "asyncio", "boto3", "botorch", "httpx", "numba", "numpy"),
        *("pydantic", "rich", "scipy", "sky", "sklearn", "slack_sdk", "sqlalchemy", "starlette", "torch"),
        "uvicorn",
    }
)
BUDGET_S = 0.3
RUNS = 7

EXAMPLE = Path(__file__).resolve().parents[2] / "systemd" / "bouted.yaml.example"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a board of 40 nodes in its store, and the example config that points to it."""
    folder, now = tmp_path_factory.mktemp("state"), datetime.now(UTC)
    at = now.isoformat()
    nodes = [
        BoardNode(
            name=f"n{i}", where="aws/us-east-1a", instance_type="g6.12xlarge", gpu="L4", gpu_count=4,
            market="spot", usd_per_hour="1.16", status="up", reason="observed", since=at, note="",
        )
        for i in range(40)
    ]  # fmt: skip
    replicas = [
        BoardReplica(
            name=f"{node.name}-r{i}", node=node.name, model="small", shape="1xL4 tp1", status="ready",
            reason="observed", since=at, endpoint="http://127.0.0.1:1", pid=None,
        )
        for node in nodes
        for i in range(4)
    ]  # fmt: skip
    event = BoardEvent(at=at, severity="info", kind="replan", message="planning again: price")
    board = replace(a_board(now), nodes=tuple(nodes), replicas=tuple(replicas), events=(event,) * 8)
    with closing(fresh_store(folder)) as store:
        publish_board(store, board, now)
        take_lease(store, DAEMON_LEASE, "me", now, 3600)
    config = sub(r"(?m)^state_dir:.*", f"state_dir: {folder}", EXAMPLE.read_text())
    (folder / "bouted.yaml").write_text(config)
    return folder


def test_status_imports_nothing_heavy(state: Path) -> None:
    code = (
        "import sys, json; from bouted.cli.main import run; code = run(sys.argv[1:])\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "--config", str(state / "bouted.yaml"), "status"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.startswith("bouted: OK")
    assert HEAVY.isdisjoint(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("named", ["--state", "--config"])
def test_status_answers_within_300_ms_from_a_cold_start(named: str, state: Path) -> None:
    value = state if named == "--state" else state / "bouted.yaml"
    command = [sys.executable, "-m", "bouted.cli", "status", named, str(value)]
    times = []
    for _ in range(RUNS):
        before = _cpu_s()
        subprocess.run(command, stdout=subprocess.DEVNULL, timeout=30, check=True)
        times.append(_cpu_s() - before)
    # Processor time, and the best of several: the command's own figure, whatever else this machine does.
    # It waits for nothing but one row of a local file, so on a machine with a free core it is the wall time.
    assert min(times) < BUDGET_S, f"took {min(times) * 1000:.0f} ms at best"


def _cpu_s() -> float:
    """Processor seconds of the children waited for so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
