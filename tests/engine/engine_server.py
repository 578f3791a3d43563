"""A real vLLM server as a child of this process, on loopback, gone with everything it started."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from bouted.perf.flags import EngineFlags

MODEL = "tiny"
_SERVER = "vllm.entrypoints.openai.api_server"
PATIENCE_S = 240.0
"""Longest wait for the first token; a first start compiles the model."""

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
}
"""Nothing is fetched or reported; one GiB of KV cache."""

ONE_THREAD = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}
"""Scheduler and model in one process with one thread. As two processes they spin while they wait for each
other, and take the core from whoever serves HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineServer:
    """A server that has answered with a token. `pid` leads a process group of its own, `engine_pid` is the
    process in it that schedules and computes."""

    url: str
    pid: int
    engine_pid: int
    log: Path
    flags: EngineFlags

    def metrics(self) -> str:
        """What `/metrics` says now."""
        return httpx.get(f"{self.url}/metrics", timeout=10.0).raise_for_status().text

    def waited_s(self) -> float:
        """Seconds since its start that the engine could run, but somebody else had its core."""
        waited_ns = Path(f"/proc/{self.engine_pid}/schedstat").read_text().split()[1]
        return int(waited_ns) / 1e9


@contextmanager
def served(
    python: Path, folder: Path, cache: Path, flags: EngineFlags, extra: tuple[str, ...] = ()
) -> Iterator[EngineServer]:
    """Serve the model in `folder` with the vLLM of `python`; `cache` keeps compiled code and the log.

    Where there are two cores, the engine computes on the last one; the HTTP server and this process
    keep to the others. RuntimeError with the end of the log when no token comes in time.
    """
    port = _free_port()
    cores = sorted(os.sched_getaffinity(0))
    env = {**os.environ, **OFFLINE, **ONE_THREAD, "VLLM_CACHE_ROOT": str(cache / "vllm")}
    log = cache / "server.log"
    with log.open("wb") as out:
        child = subprocess.Popen(
            (str(python), "-m", _SERVER, *_arguments(folder, port, flags, extra)),
            env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        _await_token(url, child, log)
        engine_pid = _engine_pid(child.pid)
        if len(cores) > 1:
            _keep_apart(child.pid, engine_pid, cores)
        yield EngineServer(url=url, pid=child.pid, engine_pid=engine_pid, log=log, flags=flags)
    finally:
        os.sched_setaffinity(0, cores)
        _end(child)


def _arguments(folder: Path, port: int, flags: EngineFlags, extra: tuple[str, ...]) -> tuple[str, ...]:
    return (
        "--model", str(folder), "--served-model-name", MODEL, "--load-format", "dummy",
        "--host", "127.0.0.1", "--port", str(port), "--dtype", "bfloat16",
        "--max-model-len", str(flags.max_model_len),
        "--max-num-seqs", str(flags.max_num_seqs),
        "--max-num-batched-tokens", str(flags.max_num_batched_tokens),
        "--no-enable-prefix-caching",
        *(("--enforce-eager",) if flags.enforce_eager else ()),
        *extra,
    )  # fmt: skip


def _await_token(url: str, child: subprocess.Popen[bytes], log: Path) -> None:
    """/health says 200 before the engine is warm, so a token is asked for."""
    deadline = time.monotonic() + PATIENCE_S
    ask = {"model": MODEL, "prompt": "w3 w4", "max_tokens": 2, "ignore_eos": True}
    while time.monotonic() < deadline and child.poll() is None:
        try:
            httpx.post(f"{url}/v1/completions", json=ask, timeout=60.0).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.5)
    tail = log.read_text(errors="replace")[-3000:]
    raise RuntimeError(f"no token from {url} (exit code {child.poll()}); its log ends:\n{tail}")


def _keep_apart(pid: int, engine_pid: int, cores: list[int]) -> None:
    """The engine has a core to itself: the HTTP server's threads and our own leave it."""
    others = set(cores[:-1])
    os.sched_setaffinity(0, others)
    for process in _group(pid):
        engine = process.name == str(engine_pid)
        for thread in (process / "task").iterdir():
            os.sched_setaffinity(int(thread.name), {cores[-1]} if engine else others)


def _engine_pid(pid: int) -> int:
    (engine,) = (p for p in _group(pid) if (p / "comm").read_text().startswith("VLLM::EngineCor"))
    return int(engine.name)


def _group(pid: int) -> list[Path]:
    """The /proc entries of a process group."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):  # it ended while we looked
            if os.getpgid(int(entry.name)) == pid:
                found.append(entry)
    return found


def _end(child: subprocess.Popen[bytes]) -> None:
    """Every process of the group dies with the server: an engine core outlives its parent otherwise."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
