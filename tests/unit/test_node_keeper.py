"""The keeper of a node, as a real process with engines that stand in for real ones."""

import ast
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from bouted.providers import node_keeper
from bouted.providers.engine_start import EngineStart, Step
from bouted.providers.kept_seen import seen_replicas
from bouted.providers.node_client import NodeClient
from bouted.providers.node_look import KeptReplica

from bouted.errors import Gone, Misconfigured, NotYet
from bouted.testing.keeper import KeeperProcess
from bouted.testing.processes import until

SECRET = "hf_never_to_be_seen"


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[KeeperProcess]:
    process = KeeperProcess(root=tmp_path)
    yield process
    process.clean_up()


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeeperProcess]:
    """One keeper for all that leaves it as it was."""
    process = KeeperProcess(root=tmp_path_factory.mktemp("idle"))
    process.start()
    yield process
    process.clean_up()


@pytest.fixture
def node(keeper: KeeperProcess) -> Iterator["Node"]:
    keeper.start()
    with NodeClient(keeper.url, keeper.token, keeper.node) as client:
        yield Node(keeper, client)


class Node:
    """A running keeper and a client of it, with words for what tests do."""

    def __init__(self, keeper: KeeperProcess, client: NodeClient) -> None:
        self.keeper, self.client = keeper, client

    def engine(
        self, *options: str, name: str = "r1", steps: tuple[Step, ...] = (), gpus: int = 0
    ) -> EngineStart:
        return EngineStart(
            name=name,
            argv=self.keeper.engine(*options),
            served_model="m",
            gpus=gpus,
            steps=steps,
            grace_s=0.4,
        )

    def runs(self, code: str, *, name: str = "r1", gpus: int = 0) -> EngineStart:
        """An engine that is some Python."""
        return replace(self.engine(name=name, gpus=gpus), argv=(sys.executable, "-S", "-c", code))

    def start(self, engine: EngineStart, phase: str = "ready") -> KeptReplica:
        self.client.start(engine)
        return self.reaches(phase, engine.name)

    def replica(self, name: str = "r1") -> KeptReplica | None:
        return next((kept for kept in self.client.look().replicas if kept.name == name), None)

    def reaches(self, phase: str, name: str = "r1") -> KeptReplica:
        """The replica once it is in that phase, with its process."""
        seen: list[KeptReplica | None] = []

        def there() -> bool:
            seen.append(self.replica(name))
            kept = seen[-1]
            return kept is not None and (kept.phase == "failed" or (kept.phase == phase and bool(kept.pid)))

        until(there)
        kept = seen[-1]
        assert kept is not None
        assert kept.phase == phase, f"{kept} {self.log(name)}"
        return kept

    def stops(self, name: str = "r1") -> None:
        until(lambda: _done(lambda: self.client.stop(name)))

    def log(self, name: str = "r1") -> str:
        return self.client.log(name, 0)[0]

    def pid_in_log(self, kind: str) -> int:
        until(lambda: f"{kind} " in self.log() and "listens" in self.log())
        return int(self.log().split(f"{kind} ")[1].split()[0])

    def restarts(self) -> None:
        self.keeper.signal(signal.SIGKILL)
        self.keeper.start()


def _done(call: Callable[[], None]) -> bool:
    try:
        call()
    except NotYet:
        return False
    return True


def _alive(pid: int) -> bool:
    process = node_keeper.process_of(pid)
    return process is not None and not process.dead


def _ask(keeper: KeeperProcess, method: str, path: str, **more: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {keeper.token}"} | dict(more.pop("headers", {}))  # type: ignore[call-overload]
    with httpx.Client(trust_env=False) as client:
        return client.request(method, keeper.url + path, headers=headers, **more)  # type: ignore[arg-type]


# The file itself


def test_it_needs_nothing_but_python_3_8() -> None:
    tree = ast.parse(Path(node_keeper.__file__).read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


# What it answers


def test_a_new_node_tells_who_it_is(node: Node) -> None:
    look = node.client.look()
    assert (look.node, look.gpus, look.replicas) == ("node-1", 2, ())
    assert 43_000 < look.lease_left_s <= 43_200
    assert abs(look.started_at.timestamp() - time.time()) < 60


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("GET", "/v1/node", {"Authorization": ""}, b"", 401),
        ("GET", "/v1/node", {"Authorization": "Bearer the-toke"}, b"", 401),
        ("GET", "/v1/node", {"Authorization": "Bearer th\u00e9-token".encode()}, b"", 401),
        ("GET", "/nowhere", {"Authorization": "Basic the-token"}, b"", 401),
        ("GET", "/v1/node", {"Host": "evil.example"}, b"", 421),
        ("GET", "/v1/node", {"Host": "127.0.0.1.evil.example"}, b"", 421),
        ("PUT", "/v1/lease", {}, b" " * (2**20 + 1), 413),
        ("PUT", "/v1/lease", {"Transfer-Encoding": "chunked"}, b"0\r\n\r\n", 411),
        ("PUT", "/v1/lease", {}, b"{", 400),
        ("PUT", "/v1/lease", {}, b"[1]", 400),
        ("PUT", "/v1/lease", {}, b"[" * 100_000, 400),
        ("PUT", "/v1/lease", {}, b"{}", 400),
        ("PUT", "/v1/lease", {}, b'{"for_s": -1}', 400),
        ("PUT", "/v1/lease", {}, b'{"for_s": true}', 400),
        ("PUT", "/v1/lease", {}, b'{"for_s": NaN}', 400),
        ("PUT", "/v1/replicas/-r", {}, b"{}", 400),
        ("PUT", "/v1/replicas/.lease", {}, b"{}", 400),
        ("PUT", "/v1/replicas/" + "r" * 201, {}, b"{}", 400),
        ("PUT", "/v1/replicas/%2e%2e", {}, b"{}", 400),
        ("PUT", "/v1/replicas/", {}, b"{}", 400),
        ("DELETE", "/v1/node", {}, b"", 400),
        ("GET", "/v1/replicas/r1/log", {}, b"", 404),
        ("GET", "/v1/replicas/r1/log?from=x", {}, b"", 400),
        ("POST", "/v1/node", {}, b"", 400),
        ("BREW", "/v1/node", {}, b"", 501),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    idle: KeeperProcess, method: str, path: str, headers: dict[str, str | bytes], body: bytes, status: int
) -> None:
    answer = _ask(idle, method, path, headers=headers, content=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error
    assert "\n" not in error
    assert _ask(idle, "GET", "/v1/node").json()["replicas"] == []


GOOD = {
    "argv": ["x"],
    "steps": [],
    "env": {},
    "secrets": {},
    "gpus": 0,
    "served_model": "m",
    "health": "/h",
    "grace_s": 1,
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"argv": []},
        {"argv": None},
        {"steps": [{"phase": "ready", "argv": ["x"]}]},
        {"steps": [{"phase": "fetching", "argv": []}]},
        {"steps": [{"phase": "fetching"}]},
        {"env": ["A=1"]},
        {"gpus": -1},
        {"gpus": "many"},
        {"grace_s": float("nan")},
        {"grace_s": -1},
        {"health": "health"},
    ],
)
def test_an_order_that_makes_no_sense_starts_nothing(wrong: dict[str, object]) -> None:
    node_keeper.order_in(GOOD)
    with pytest.raises(node_keeper.Refusal) as refused:
        node_keeper.order_in(GOOD | wrong)
    assert refused.value.status == 400
    for field in GOOD:
        with pytest.raises(node_keeper.Refusal):
            node_keeper.order_in({key: value for key, value in GOOD.items() if key != field})


def test_it_hears_the_loopback_only(idle: KeeperProcess) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.2", idle.port))  # free, so the keeper has not taken every address
        assert other.getsockname()[0] == "127.0.0.2"


def test_it_does_not_start_without_a_token(keeper: KeeperProcess) -> None:
    keeper.token = ""
    with pytest.raises(AssertionError, match="BOUTED_NODE_TOKEN is not set"):
        keeper.start()
    assert not keeper.folder.exists()


# How an engine starts


def test_an_engine_goes_through_its_steps_to_its_first_token(node: Node) -> None:
    def waits(phase: str) -> Step:
        script = f"echo port $0; until test -e {node.keeper.root}/{phase}; do sleep 0.01; done"
        return Step(phase=phase, argv=("/bin/sh", "-c", script, "{port}"))

    phases = ("fetching", "installing")
    node.client.start(node.engine("unloaded", "mute", steps=tuple(map(waits, phases))))
    for phase in phases:
        assert node.reaches(phase).exit_code is None
        (node.keeper.root / phase).touch()
    node.reaches("loading")
    (node.keeper.root / "load").touch()
    kept = node.reaches("warming")
    until(lambda: (found := node.replica()) is not None and "HTTP 404" in found.last_word)
    assert kept.pid is not None
    (node.keeper.root / "speak").touch()
    ready = node.reaches("ready")
    assert (ready.pid, ready.exit_code, ready.last_word) == (kept.pid, None, "")
    assert ready.started_at < kept.phase_since < ready.phase_since
    assert node.log().count(f"port {ready.port}\n") == 2


def test_an_engine_finds_its_port_its_home_and_its_gpus_and_no_token(node: Node) -> None:
    told = "sys.argv[1:], dict(os.environ), os.getcwd(), os.getsid(0), os.getpid()"
    code = f"import json, os, sys; print(json.dumps([{told}]))"
    engine = node.runs(code, gpus=2)
    engine = replace(engine, argv=(*engine.argv, '{"a": {port}, "b": "{home}/{x}"}'), env={"A": "{port}"})
    kept = node.start(replace(engine, secrets={"HF_TOKEN": SECRET}), "failed")
    argv, env, folder, session, pid = json.loads(node.log())
    assert argv == [f'{{"a": {kept.port}, "b": "{Path.home()}/{{x}}"}}']
    assert (env["A"], env["HF_TOKEN"], env["CUDA_VISIBLE_DEVICES"]) == ("{port}", SECRET, "0,1")
    assert "BOUTED_NODE_TOKEN" not in env
    assert node.keeper.token not in env.values()
    assert folder == str(node.keeper.folder)
    assert session == pid == kept.pid


def test_an_engine_without_gpus_is_told_of_none(node: Node) -> None:
    node.start(node.runs("import os; print(sorted(os.environ))"), "failed")
    assert "CUDA_VISIBLE_DEVICES" not in node.log()


def test_secrets_are_nowhere_but_in_the_environment_of_the_engine(node: Node) -> None:
    node.start(replace(node.engine("child"), secrets={"HF_TOKEN": SECRET}, env={"PLAIN": "1"}))
    pid = node.pid_in_log("child")
    assert SECRET in Path(f"/proc/{pid}/environ").read_text()
    answers = (_ask(node.keeper, "GET", path).text for path in ("/v1/node", "/v1/replicas/r1/log"))
    on_disk = (path.read_text() for path in node.keeper.root.rglob("*") if path.is_file())
    commands = []
    for entry in Path("/proc").glob("[0-9]*"):
        if node_keeper.process_of(int(entry.name)):
            commands.append((entry / "cmdline").read_bytes().decode("utf-8", "replace"))
    assert not [text for text in (*answers, *on_disk, *commands) if SECRET in text]
    assert SECRET not in repr(node_keeper.order_in(GOOD | {"secrets": {"HF_TOKEN": SECRET}}))


def test_engines_get_gpus_and_ports_of_their_own(node: Node) -> None:
    first = node.start(node.engine(name="r1", gpus=1))
    second = node.start(node.engine(name="r2", gpus=1))
    assert {first.gpu_ids, second.gpu_ids} == {(0,), (1,)}
    assert len({first.port, second.port, node.keeper.port}) == 3
    with pytest.raises(NotYet, match="0 are free"):
        node.client.start(node.engine(name="r3", gpus=1))
    with pytest.raises(Misconfigured, match="the node has 2"):
        node.client.start(node.engine(name="r3", gpus=3))
    assert node.replica("r3") is None
    node.stops("r1")
    assert node.start(node.engine(name="r3", gpus=1)).gpu_ids == first.gpu_ids


def test_an_engine_that_runs_is_not_started_again(node: Node) -> None:
    before = node.start(node.engine())
    node.client.start(node.engine("stubborn"))
    assert node.replica() == before
    assert len(node.keeper.running("engine.py")) == 1


def test_many_start_at_once(node: Node) -> None:
    def put(number: int) -> None:
        with NodeClient(node.keeper.url, node.keeper.token, node.keeper.node) as client:
            client.start(node.engine(name=f"r{number % 6}"))

    node.keeper.engine()
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(put, range(12)))
    kept = [node.reaches("ready", f"r{number}") for number in range(6)]
    assert len({each.port for each in kept}) == 6
    assert len(node.keeper.running("engine.py")) == 6


# How an engine fails


@pytest.mark.parametrize(
    ("code", "exit_code", "word"),
    [
        ("print('well'); raise RuntimeError('no such model')", 1, "RuntimeError: no such model"),
        ("import os; print('bye', flush=True); os.kill(os.getpid(), 9)", -9, "bye"),
        ("print('all is done')", 0, "all is done"),
    ],
)
def test_an_engine_that_ends_by_itself_has_failed(node: Node, code: str, exit_code: int, word: str) -> None:
    kept = node.start(node.runs(code, gpus=2), "failed")
    assert (kept.exit_code, kept.last_word) == (exit_code, word)
    node.start(node.engine(name="r2", gpus=2))  # its GPUs are free
    assert node.reaches("failed") == kept  # and it stays on record
    node.stops("r2")
    node.start(node.engine())
    node.stops()
    assert node.client.look().replicas == ()


def test_steps_that_tell_what_they_brought_are_counted_as_fetches(node: Node) -> None:
    def shell(text: str) -> Step:
        return Step(phase="fetching", argv=("/bin/sh", "-c", text))

    brings = shell('sleep 0.3; echo 1000 >"$BOUTED_BROUGHT"')
    kept = node.start(node.engine(steps=(brings, shell("sleep 0.3"), shell('echo 24 >"$BOUTED_BROUGHT"'))))
    assert kept.fetched_bytes == 1024
    assert kept.fetch_s >= 0.3
    node.restarts()
    again = node.reaches("ready")
    assert (again.fetched_bytes, again.fetch_s) == (1024, kept.fetch_s)
    silent = node.start(node.engine(name="r2", steps=(shell('echo much >"$BOUTED_BROUGHT"'),)))
    assert (silent.fetched_bytes, silent.fetch_s) == (None, 0.0)


def test_a_step_that_fails_fails_the_start(node: Node) -> None:
    fails = Step(phase="fetching", argv=("/bin/sh", "-c", "echo gated; exit 3"))
    never = Step(phase="installing", argv=("touch", str(node.keeper.root / "installed")))
    kept = node.start(node.engine(steps=(fails, never)), "failed")
    assert (kept.exit_code, kept.last_word, kept.failed_in) == (3, "gated", "fetching")
    (seen,) = seen_replicas(node.client.look(), lambda port: "")
    assert (seen.last_word, seen.unprepared) == ("fetching: gated", True)
    assert not (node.keeper.root / "installed").exists()
    node.client.stop("r1")
    assert node.replica() is None


def test_a_command_that_is_not_there_fails_the_start(node: Node) -> None:
    kept = node.start(replace(node.engine(), argv=("no-such-engine",)), "failed")
    assert kept.exit_code is None
    assert "cannot run no-such-engine" in kept.last_word


def test_an_engine_that_crashes_takes_its_children_along(node: Node) -> None:
    kept = node.start(node.engine("child", "escaped", gpus=2))
    children = (node.pid_in_log("child"), node.pid_in_log("escaped"))
    assert all(map(_alive, children))
    assert kept.pid is not None
    os.kill(kept.pid, signal.SIGKILL)
    assert node.reaches("failed").exit_code == -9
    until(lambda: not any(map(_alive, children)))


@pytest.mark.parametrize(
    ("log", "word"),
    [
        ("", ""),
        ("one\n\n  two  \n\n", "two"),
        ("ValueError: a\nbye\n", "ValueError: a"),
        ("ValueError: a\ntorch.OutOfMemoryError: CUDA out of memory.\nRuntimeError: b\n", None),
        ("KeyError: 'x'\nRuntimeError: Engine core failed. See root cause above.\n", "KeyError: 'x'"),
        ("10%\r50%\r100%", "100%"),
        ("\x1b[31mOSError: disk\x1b[0m\n", "OSError: disk"),
        ("x" * 1000, "x" * 400),
    ],
)
def test_the_last_word_is_the_line_that_tells_why(log: str, word: str | None) -> None:
    wanted = "torch.OutOfMemoryError: CUDA out of memory." if word is None else word
    assert node_keeper.last_word(log.encode()) == wanted


# How an engine ends


def test_an_engine_that_is_stopped_finishes_what_runs_and_is_forgotten(node: Node) -> None:
    kept = node.start(replace(node.engine("busy", "child", "escaped"), grace_s=30.0))
    children = (node.pid_in_log("child"), node.pid_in_log("escaped"))
    with pytest.raises(NotYet, match="r1 is ending on node-1"):
        node.client.stop("r1")
    assert node.reaches("ending").pid == kept.pid
    with pytest.raises(NotYet, match="still ending"):
        node.client.start(node.engine())
    assert all(map(_alive, children))
    (node.keeper.root / "finish").touch()
    node.stops()
    assert kept.pid is not None
    assert not any(map(_alive, (kept.pid, *children)))
    assert {path.name for path in node.keeper.folder.iterdir()} == {".lock", ".lease.json"}
    assert node.start(node.engine()).pid != kept.pid


def test_an_engine_that_will_not_end_is_killed_with_its_children(node: Node) -> None:
    kept = node.start(node.engine("stubborn", "child"))
    child = node.pid_in_log("child")
    assert kept.pid is not None
    began = time.monotonic()
    node.stops()
    assert time.monotonic() - began > 0.4
    assert not _alive(kept.pid)
    assert not _alive(child)


def test_a_step_can_be_stopped_and_no_engine_follows(node: Node) -> None:
    slow = Step(phase="fetching", argv=("/bin/sh", "-c", "sleep 600; exit 0"))
    kept = node.start(node.engine(steps=(slow,)), "fetching")
    node.stops()
    assert kept.pid is not None
    assert not _alive(kept.pid)
    time.sleep(0.1)
    assert node.keeper.running("engine.py") == []


def test_what_does_not_exist_is_stopped(idle: KeeperProcess) -> None:
    assert _ask(idle, "DELETE", "/v1/replicas/nobody").status_code == 204


# Its log


def test_a_log_is_read_from_where_one_left_off(node: Node) -> None:
    node.start(node.runs("print('h\u00e9llo'); print('world')"), "failed")
    assert node.client.log("r1", 0) == ("h\u00e9llo\nworld\n", 13)
    assert node.client.log("r1", 7) == ("world\n", 13)
    assert node.client.log("r1", -6) == ("world\n", 13)
    assert node.client.log("r1", -1000) == ("h\u00e9llo\nworld\n", 13)
    assert node.client.log("r1", 13) == ("", 13)
    assert node.client.log("r1", 14) == ("h\u00e9llo\nworld\n", 13)  # it was cut meanwhile
    assert stat.S_IMODE((node.keeper.folder / "r1.log").stat().st_mode) == 0o600
    assert stat.S_IMODE((node.keeper.folder / "r1.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(node.keeper.folder.stat().st_mode) == 0o700
    with pytest.raises(Gone):
        node.client.log("nobody", 0)


def test_a_log_that_grows_too_long_keeps_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_keeper, "MOST_LOG", 100)
    monkeypatch.setattr(node_keeper, "KEPT_LOG", 10)
    folder = node_keeper.Folder(str(tmp_path))
    writer = folder.log("r1", os.O_CREAT)
    os.write(writer, b"x" * 95)
    folder.trim_log("r1")
    assert folder.log_from("r1", 0) == (b"x" * 95, 95)
    os.write(writer, b"0123456789")
    folder.trim_log("r1")
    os.write(writer, b"!")
    os.close(writer)
    assert folder.log_from("r1", 0) == (b"0123456789!", 11)
    os.close(folder._lock)


# When the keeper ends


def test_engines_outlive_their_keeper_and_the_next_one_takes_them_up(node: Node) -> None:
    before, boot = node.start(node.engine("child", gpus=1)), node.client.look().boot
    child = node.pid_in_log("child")
    node.restarts()
    assert node.replica() == before
    assert node.client.look().boot != boot
    with pytest.raises(NotYet, match="1 are free"):
        node.client.start(node.engine(name="r2", gpus=2))
    node.stops()
    assert not _alive(child)


def test_an_engine_that_was_loading_gets_ready_under_the_next_keeper(node: Node) -> None:
    before = node.start(node.engine("unloaded"), "loading")
    node.restarts()
    assert node.reaches("loading") == before
    (node.keeper.root / "load").touch()
    assert node.reaches("ready").pid == before.pid


def test_an_engine_that_was_ending_goes_on_ending_under_the_next_keeper(node: Node) -> None:
    kept = node.start(replace(node.engine("stubborn"), grace_s=60.0))
    with pytest.raises(NotYet):
        node.client.stop("r1")
    node.keeper.signal(signal.SIGKILL)
    record = node.keeper.folder / "r1.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"grace_s": 0.1}))
    node.keeper.start()
    until(lambda: node.replica() is None)
    assert kept.pid is not None
    assert not _alive(kept.pid)


def test_a_start_whose_step_was_cut_short_has_failed(node: Node) -> None:
    slow = Step(phase="fetching", argv=("sleep", "600"))
    kept = node.start(node.engine(steps=(slow,)), "fetching")
    node.restarts()
    assert "ended during: fetching" in node.reaches("failed").last_word
    assert kept.pid is not None
    until(lambda: not _alive(kept.pid or 0))


def test_an_engine_that_ended_meanwhile_has_failed(node: Node) -> None:
    kept = node.start(node.engine("child"))
    child = node.pid_in_log("child")
    node.keeper.signal(signal.SIGKILL)
    os.kill(kept.pid or 0, signal.SIGKILL)
    until(lambda: not _alive(kept.pid or 0))
    assert _alive(child)
    node.keeper.start()
    assert node.reaches("failed").exit_code is None
    until(lambda: not _alive(child))


def test_a_pid_that_was_handed_out_again_is_no_engine(node: Node) -> None:
    node.start(node.engine())
    node.keeper.signal(signal.SIGKILL)
    stranger = subprocess.Popen(("sleep", "600"), start_new_session=True)
    try:
        record = node.keeper.folder / "r1.json"
        record.write_text(json.dumps(json.loads(record.read_text()) | {"pid": stranger.pid}))
        node.keeper.start()
        node.reaches("failed")
        node.stops()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
    assert node.keeper.running("engine.py") == []  # known by its mark


def test_a_keeper_that_is_told_to_end_leaves_its_engines_alone(node: Node) -> None:
    kept = node.start(node.engine())
    assert node.keeper.process is not None
    node.keeper.process.send_signal(signal.SIGHUP)  # a terminal that goes away is no order to end
    assert node.keeper.signal(signal.SIGTERM) == 0
    assert _alive(kept.pid or 0)
    node.keeper.start()
    assert node.replica() == kept


def test_there_is_one_keeper_per_folder(node: Node) -> None:
    env = os.environ | {"BOUTED_NODE_TOKEN": "other"}
    second = subprocess.run(
        node.keeper.command(), env=env, capture_output=True, text=True, timeout=20, check=False
    )
    assert second.returncode == 3
    assert second.stdout == f"node keeper: another keeper works in {node.keeper.folder}\n"


def test_a_keeper_takes_up_what_an_older_or_a_newer_one_wrote_down(node: Node) -> None:
    kept = node.start(node.engine())
    node.keeper.signal(signal.SIGKILL)
    record = node.keeper.folder / "r1.json"
    written = json.loads(record.read_text())
    assert written.pop("fetched_bytes", "") is None
    record.write_text(json.dumps({**written, "of_tomorrow": 1}))
    node.keeper.start()
    again = node.reaches("ready")
    assert (again.pid, again.started_at) == (kept.pid, kept.started_at)


def test_a_file_that_is_no_record_is_left_alone(keeper: KeeperProcess) -> None:
    keeper.folder.mkdir()
    for name, text in (("a.json", "{"), ("b.json", '{"name": "b"}'), ("c.json", "[]")):
        (keeper.folder / name).write_text(text)
    keeper.start()
    assert _ask(keeper, "GET", "/v1/node").json()["replicas"] == []
    assert (keeper.folder / "a.json").read_text() == "{"


# The dead man's switch


def _ends(keeper: KeeperProcess) -> int:
    path = keeper.root / "ends"
    return path.read_text().count("end") if path.exists() else 0


def test_a_node_whose_lease_runs_out_ends_its_engines_then_itself_until_it_is_gone(
    keeper: KeeperProcess,
) -> None:
    script = f"echo end >> {keeper.root}/ends; test $(wc -l < {keeper.root}/ends) -gt 1"
    keeper.end = ("/bin/sh", "-c", script)
    keeper.start()
    with NodeClient(keeper.url, keeper.token, keeper.node) as client:
        node = Node(keeper, client)
        node.start(node.engine("stubborn", "child"))
        child = node.pid_in_log("child")
        assert _ends(keeper) == 0
        client.renew(0.2)
        until(lambda: client.look().lease_left_s == 0)
        with pytest.raises(Gone, match="lease ran out"):
            client.renew(60.0)
        with pytest.raises(Gone, match="lease ran out"):
            client.start(node.engine(name="r2"))
        until(lambda: _ends(keeper) > 3)
        assert not _alive(child)
        assert keeper.running("engine.py") == []
    assert "exited with 1" in keeper.output()
    assert "exited with 0" in keeper.output()


def test_a_command_that_is_not_there_is_tried_again(keeper: KeeperProcess) -> None:
    keeper.end, keeper.flags = ("no-such-command",), ("--lease-s", "0.01")
    keeper.start()
    until(lambda: keeper.output().count("failed") > 1)


def test_a_lease_that_is_renewed_holds_and_may_be_for_ever(node: Node) -> None:
    node.client.renew(1e6)
    assert 0.99e6 < node.client.look().lease_left_s <= 1e6
    node.client.renew(float("inf"))
    assert node.client.look().lease_left_s == float("inf")
    node.restarts()
    assert node.client.look().lease_left_s == float("inf")


def test_a_keeper_that_starts_again_does_not_extend_the_lease(node: Node) -> None:
    node.client.renew(100.0)
    node.restarts()
    assert 80 < node.client.look().lease_left_s < 100


def test_a_lease_that_ran_out_while_no_keeper_ran_ends_the_node(keeper: KeeperProcess) -> None:
    keeper.end = ("/bin/sh", "-c", f"echo end >> {keeper.root}/ends")
    keeper.start()
    with NodeClient(keeper.url, keeper.token, keeper.node) as client:
        client.renew(0.3)
        keeper.signal(signal.SIGKILL)
        time.sleep(0.3)
        keeper.start()
        until(lambda: _ends(keeper) > 0)
        assert client.look().lease_left_s == 0


def test_after_a_reboot_what_was_left_of_the_lease_counts(node: Node) -> None:
    node.keeper.signal(signal.SIGKILL)
    lease = node.keeper.folder / ".lease.json"
    lease.write_text(json.dumps({"machine": "before", "ends": 1e12, "left_s": 50.0}))
    node.keeper.start()
    assert 30 < node.client.look().lease_left_s <= 50
