"""The keeper of one node: it starts and ends engines, says how far each is, and ends the node when its lease
runs out.

It stands alone: this file is copied to the node, where only Python 3.8 and its own library are certain.
Engines outlive it. A keeper that starts again on the same folder takes them up from there.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import glob
import hmac
import http.client
import http.server
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

LOADING, WARMING, READY, FAILED, ENDING = "loading", "warming", "ready", "failed", "ending"
OWN_PHASES = (LOADING, WARMING, READY, FAILED, ENDING)
TOKEN, MARK, BROUGHT = "BOUTED_NODE_TOKEN", "BOUTED_RUN", "BOUTED_BROUGHT"
EXIT_TAKEN = 3
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
HOST = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]+)?")
TROUBLE = (re.compile(r"out of memory", re.I), re.compile(r"(Error|Exception)\b"))
ELSEWHERE = re.compile(r"root cause above")  # an engine's line that points to a better one
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
MOST_BODY = MOST_PIECE = KEPT_LOG = 2**20
MOST_LOG = 50 * 10**6
PORTS_TRIED = 2000
HEALTH_S, TOKEN_S, END_S, SAVE_S, UNKILLABLE_S = 5.0, 120.0, 120.0, 60.0, 10.0


def say(line: str) -> None:
    """One line for the job's log, if anybody still reads it."""
    with contextlib.suppress(OSError):
        print(f"node keeper: {line}", flush=True)


class Refusal(Exception):
    """What was asked for is not done: an HTTP status and a line for whoever asked."""

    def __init__(self, status: int, error: str, hint: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.hint = status, error, hint


@dataclass(frozen=True)
class Order:
    """What to run, as the daemon's EngineStart says it. Never stored: it holds the secrets."""

    argv: tuple[str, ...]
    steps: tuple[tuple[str, tuple[str, ...]], ...]
    env: dict[str, str] = field(repr=False)
    gpus: int
    served_model: str
    health: str
    grace_s: float
    version: str


def order_in(asked: dict[str, Any]) -> Order:
    """The order in a request's body."""
    try:
        order = Order(
            argv=tuple(map(str, asked["argv"])),
            steps=tuple((str(step["phase"]), tuple(map(str, step["argv"]))) for step in asked["steps"]),
            env={str(key): str(text) for part in ("env", "secrets") for key, text in asked[part].items()},
            gpus=int(asked["gpus"]),
            served_model=str(asked["served_model"]),
            health=str(asked["health"]),
            grace_s=float(asked["grace_s"]),
            version=str(asked.get("version", "")),
        )
    except (LookupError, TypeError, ValueError, AttributeError) as wrong:
        raise Refusal(400, f"the order makes no sense: {type(wrong).__name__} {wrong}") from wrong
    commands = (order.argv, *(argv for _, argv in order.steps))
    if not (all(commands) and order.gpus >= 0 and 0 <= order.grace_s < math.inf and order.health[:1] == "/"):
        raise Refusal(400, "the order has an empty command, a negative number or a health path without /")
    if any(phase in OWN_PHASES for phase, _ in order.steps):
        raise Refusal(400, f"no step may be called {', '.join(OWN_PHASES)}")
    return order


@dataclass(frozen=True)
class Record:
    """One replica as it is kept on disk. `run` marks the environment of its processes, `pid` leads them.

    Steps that told how many bytes they brought took `fetch_s` together; None when no step told. `failed_in`
    is the step that failed, "" when the engine itself did.
    """

    name: str
    run: str
    machine: str
    port: int
    gpu_ids: tuple[int, ...]
    served_model: str
    health: str
    grace_s: float
    started_at: float
    phase: str
    phase_since: float
    pid: int | None = None
    ticks: int | None = None
    exit_code: int | None = None
    last_word: str = ""
    version: str = ""
    fetched_bytes: int | None = None
    fetch_s: float = 0.0
    failed_in: str = ""

    def told(self) -> dict[str, Any]:
        """What the daemon is told of it."""
        inner = ("run", "machine", "served_model", "health", "grace_s", "ticks")
        return {key: value for key, value in asdict(self).items() if key not in inner}


@dataclass(frozen=True)
class Process:
    """A process as the kernel lists it. A pid comes again, but not with the same `ticks` of its start."""

    pid: int
    group: int
    session: int
    ticks: int
    dead: bool


def process_of(pid: int) -> Process | None:
    """The process with this pid; None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            rest = stat.read().rpartition(")")[2].split()  # the name before it may hold anything
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return Process(pid, int(rest[2]), int(rest[3]), int(rest[19]), rest[0] in "ZX")


def machine_id() -> str:
    """Another one after each boot of the machine."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
        return boot.read().strip()


def leads(record: Record) -> bool:
    """Does the process that leads this run still live?"""
    leader = process_of(record.pid) if record.pid else None
    return leader is not None and not leader.dead and leader.ticks == record.ticks


def processes_of(record: Record) -> list[Process]:
    """Every live process of this run: those of its session, and those that left it but bear its mark."""
    leader = process_of(record.pid) if record.pid else None
    ours = record.machine == machine_id() and (leader is None or leader.ticks == record.ticks)
    mark = f"{MARK}={record.run}".encode()
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        process = process_of(pid)
        if process is None or process.dead:
            continue
        if (ours and process.session == record.pid) or _bears(pid, mark):
            found.append(process)
    return found


def _bears(pid: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as environ:
            return mark in environ.read().split(b"\0")
    except OSError:
        return False


def kill_groups(processes: list[Process]) -> None:
    """End these by force, with all that is in their process groups."""
    for group in {process.group for process in processes if process.group > 1}:  # 0 would be ours
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


class Folder:
    """The keeper's files, for its user's eyes only. Names of replicas never begin with a dot, its own do."""

    def __init__(self, path: str) -> None:
        self.path = os.path.expanduser(path)
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        self._lock = self._open(".lock", os.O_RDWR | os.O_CREAT)

    def take(self) -> bool:
        """Hold the folder as long as this process lives; False when another keeper does."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def write(self, file: str, value: dict[str, Any]) -> None:
        """Put JSON there, whole or not at all."""
        draft = f".{file}.{threading.get_ident()}"
        with open(self._open(draft, os.O_WRONLY | os.O_TRUNC | os.O_CREAT), "w", encoding="utf-8") as out:
            json.dump(value, out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(os.path.join(self.path, draft), os.path.join(self.path, file))

    def read(self, file: str) -> dict[str, Any]:
        """The JSON there; empty when there is none."""
        try:
            with open(os.path.join(self.path, file), encoding="utf-8") as text:
                value = json.load(text)
        except (FileNotFoundError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def records(self) -> Iterator[Record]:
        """The replicas on record, also as an older or a newer keeper wrote them down."""
        needed = {each.name for each in fields(Record) if each.default is MISSING}
        known = {each.name for each in fields(Record)}
        for path in sorted(glob.glob(os.path.join(glob.escape(self.path), "*.json"))):
            kept = self.read(os.path.basename(path))
            if not needed <= set(kept):
                say(f"{path} is no record of a replica")
                continue
            kept = {key: value for key, value in kept.items() if key in known}
            yield Record(**{**kept, "gpu_ids": tuple(kept["gpu_ids"])})

    def forget(self, name: str) -> None:
        """Remove a replica's files, the record last."""
        for file in (f".{name}.brought", f"{name}.log", f"{name}.json"):
            with contextlib.suppress(OSError):
                os.remove(os.path.join(self.path, file))

    def brought(self, name: str) -> str:
        """The file in which a replica's step may tell how many bytes it brought."""
        return os.path.join(self.path, f".{name}.brought")

    def take_brought(self, name: str) -> int | None:
        """What it told, once; None when it told nothing."""
        with contextlib.suppress(OSError, ValueError):
            with open(self.brought(name), encoding="ascii") as told:
                count = int(told.read(40))
            os.remove(self.brought(name))
            return max(count, 0)
        return None

    def log(self, name: str, flags: int = 0) -> int:
        """A descriptor that reads a replica's log and appends to it."""
        return self._open(f"{name}.log", os.O_RDWR | os.O_APPEND | flags)

    def log_from(self, name: str, start: int) -> tuple[bytes, int]:
        """The log from byte `start`, counted from its end if negative, and where to go on."""
        with open(self.log(name), "rb") as log:
            size = log.seek(0, os.SEEK_END)
            at = log.seek(max(size + start, 0) if start < 0 else start if start <= size else 0)
            piece = log.read(MOST_PIECE)
        return piece, at + len(piece)

    def trim_log(self, name: str) -> None:
        """Keep the end of a log that has grown too long. Its writer appends, so it just goes on."""
        with open(self.log(name), "r+b", buffering=0) as log:
            if os.fstat(log.fileno()).st_size > MOST_LOG:
                log.seek(-KEPT_LOG, os.SEEK_END)
                kept = log.read(KEPT_LOG)
                log.truncate(0)
                log.write(kept)

    def _open(self, file: str, flags: int) -> int:
        return os.open(os.path.join(self.path, file), flags | os.O_CLOEXEC, 0o600)


def last_word(log: bytes) -> str:
    """The line of a log that tells best why its writer ended."""
    lines = [COLOUR.sub("", line).strip() for line in log.decode("utf-8", "replace").splitlines()]
    lines = [line for line in lines if line]
    for pattern in TROUBLE:
        told = [line for line in lines if pattern.search(line) and not ELSEWHERE.search(line)]
        if told:
            return told[-1][:400]
    return lines[-1][:400] if lines else ""


class Lease:
    """How long the node may live without being renewed, by the clock that nobody sets."""

    def __init__(self, folder: Folder, first_s: float) -> None:
        self._folder, self._lock = folder, threading.Lock()
        kept = folder.read(".lease.json")
        self._ends = time.monotonic() + first_s
        if kept and kept["left_s"] is None:
            self._ends = math.inf
        elif kept:
            same = kept["machine"] == machine_id()
            self._ends = kept["ends"] if same else time.monotonic() + kept["left_s"]
        self.save()

    def left_s(self) -> float:
        """Infinite when it is for ever, 0 when it is over."""
        return max(self._ends - time.monotonic(), 0.0)

    def told(self) -> float | None:
        """`left_s` as JSON has it: null for ever."""
        left_s = self.left_s()
        return None if math.isinf(left_s) else left_s

    def renew(self, for_s: float) -> None:
        """Hold the node for so long from now, unless it is over: what has begun to end stays so."""
        with self._lock:
            self.require()
            self._ends = time.monotonic() + for_s
        self.save()

    def require(self) -> None:
        """Refuses when it is over."""
        if not self.left_s():
            raise Refusal(410, "the node's lease ran out and it is ending")

    def over(self) -> bool:
        """Did it run out? Once this was said, it stays so."""
        with self._lock:
            if not self.left_s():
                self._ends = 0.0
            return not self._ends

    def save(self) -> None:
        """Keep it on disk. After a reboot the monotonic clock starts anew, and what was left then counts."""
        with self._lock:
            ends = None if math.isinf(self._ends) else self._ends
            kept = {"machine": machine_id(), "ends": ends, "left_s": self.told()}
            self._folder.write(".lease.json", kept)


class Replica:
    """One engine: one thread takes it through its phases, another ends it."""

    def __init__(self, record: Record, folder: Folder, poll_s: float) -> None:
        self.record = record
        self._folder, self._poll_s, self._lock = folder, poll_s, threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._ender: threading.Thread | None = None

    def start(self, order: Order) -> None:
        """Run the steps, then the engine, in a thread."""
        os.close(self._folder.log(self.record.name, os.O_CREAT | os.O_TRUNC))
        self._folder.write(f"{self.record.name}.json", asdict(self.record))
        threading.Thread(target=self._live, args=(order,), daemon=True).start()

    def take_up(self) -> None:
        """Go on with what an earlier keeper started; a start whose steps were cut short has failed."""
        if self.record.phase in (LOADING, WARMING, READY):
            threading.Thread(target=self._watch, daemon=True).start()
        elif self.record.phase != FAILED:
            self._fail(f"the node's keeper ended during: {self.record.phase}")

    def end(self, gone: Callable[[str], None]) -> None:
        """Begin to end it, once; `gone` is called with its name after its last process went."""
        with self._lock:
            if self._ender is None:
                self._set(phase=ENDING)
                self._ender = threading.Thread(target=self._end, args=(gone,), daemon=True)
                self._ender.start()

    def busy(self) -> bool:
        """May it still hold its port and its GPUs? What a failed one left behind is killed on the way."""
        left = processes_of(self.record) if self.record.phase == FAILED else []
        kill_groups(left)
        return self.record.phase != FAILED or bool(left)

    def _live(self, order: Order) -> None:
        for phase, argv in order.steps:
            self._folder.take_brought(self.record.name)
            began = time.monotonic()
            if not self._spawn(phase, argv, order) or not self._finishes():
                return
            self._count_brought(time.monotonic() - began)
        if self._spawn(LOADING, order.argv, order):
            self._watch()

    def _spawn(self, phase: str, argv: tuple[str, ...], order: Order) -> bool:
        known = {"{port}": str(self.record.port), "{home}": os.path.expanduser("~")}
        words = [re.sub(r"\{(port|home)\}", lambda found: known[found[0]], word) for word in argv]
        env = {**os.environ, **order.env, MARK: self.record.run}
        env[BROUGHT] = self._folder.brought(self.record.name)
        if order.gpus:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, self.record.gpu_ids))
        log = self._folder.log(self.record.name)
        try:
            with self._lock:
                if self.record.phase == ENDING:
                    return False
                # In the keeper's folder nothing lies that `python -m` could take for a module.
                self._child = subprocess.Popen(
                    words,
                    env=env,
                    cwd=self._folder.path,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                leader = process_of(self._child.pid)
                self._set(phase=phase, pid=self._child.pid, ticks=leader.ticks if leader else None)
                return True
        except (OSError, ValueError) as error:
            return self._fail(f"cannot run {words[0]}: {error}")
        finally:
            os.close(log)

    def _lives(self) -> bool:
        return self._child.poll() is None if self._child else leads(self.record)

    def _finishes(self) -> bool:
        """Wait for a step to end; False when the start failed with it."""
        while self._lives():
            self._pause()
        return (self._child is not None and self._child.returncode == 0) or self._fail(step=self.record.phase)

    def _count_brought(self, took_s: float) -> None:
        count = self._folder.take_brought(self.record.name)
        if count is None:
            return
        with self._lock:
            fetched = (self.record.fetched_bytes or 0) + count
            self._set(fetched_bytes=fetched, fetch_s=self.record.fetch_s + took_s)

    def _watch(self) -> None:
        """Take an engine that runs to its first token, and notice its end."""
        while self._lives():
            if self.record.phase == LOADING and self._is_healthy():
                self._move(WARMING)
            elif self.record.phase == WARMING and self._makes_a_token():
                self._move(READY, last_word="")
            else:
                self._pause()
        self._fail()

    def _is_healthy(self) -> bool:
        return self._ask("GET", self.record.health, None, HEALTH_S)[0] == 200

    def _makes_a_token(self) -> bool:
        wanted = {"model": self.record.served_model, "prompt": "Hello", "max_tokens": 1}
        status, body = self._ask("POST", "/v1/completions", json.dumps(wanted), TOKEN_S)
        with contextlib.suppress(ValueError, LookupError, TypeError):
            answer = json.loads(body)
            if status == 200 and (answer["choices"][0]["text"] or answer["usage"]["completion_tokens"] > 0):
                return True
        if status:
            self._move(WARMING, last_word=f"HTTP {status} to the first token: {last_word(body)}")
        return False

    def _ask(self, method: str, path: str, body: str | None, timeout_s: float) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.record.port, timeout=timeout_s)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read(MOST_BODY)
        except (OSError, ValueError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def _fail(self, word: str = "", step: str = "") -> bool:
        """Always False. What the leader of a run left behind goes with it."""
        kill_groups(processes_of(self.record))
        if word:
            self._move(FAILED, last_word=word, failed_in=step)
            return False
        with contextlib.suppress(OSError):
            word = last_word(self._folder.log_from(self.record.name, -(2**16))[0])
        code = self._child.poll() if self._child else None
        self._move(FAILED, exit_code=code, last_word=word, failed_in=step)
        return False

    def _end(self, gone: Callable[[str], None]) -> None:
        """SIGTERM to the leader alone, whose workers it needs to finish what runs; all are killed when the
        time is up, or once it is gone."""
        if leads(self.record) and self.record.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.record.pid, signal.SIGTERM)
        deadline = time.monotonic() + self.record.grace_s
        while True:
            left = processes_of(self.record)
            if not left:
                break
            if time.monotonic() > deadline or not self._lives():
                kill_groups(left)
            time.sleep(self._poll_s / 5)
        if self._child:
            self._child.wait()
        gone(self.record.name)

    def _move(self, phase: str, **news: Any) -> None:
        with self._lock:
            if self.record.phase != ENDING:
                self._set(phase=phase, **news)

    def _set(self, **news: Any) -> None:
        """Change the record, under the lock, on disk first. A disk that is full must not end an engine."""
        before, after = self.record, replace(self.record, **news)
        if after.phase != before.phase:
            after = replace(after, phase_since=time.time())
            say(f"{after.name}: {after.phase} {after.last_word}".rstrip())
        try:
            if after != before:
                self._folder.write(f"{after.name}.json", asdict(after))
        except OSError as error:
            say(f"cannot keep the record of {after.name}: {error}")
        self.record = after

    def _pause(self) -> None:
        time.sleep(self._poll_s)
        with contextlib.suppress(OSError):
            self._folder.trim_log(self.record.name)


class Keeper:
    """All replicas of the node, under one lock for whatever starts and ends them."""

    def __init__(self, node: str, gpus: int, folder: Folder, lease: Lease, poll_s: float) -> None:
        self.node, self.lease, self._gpus, self._folder, self._poll_s = node, lease, gpus, folder, poll_s
        self._boot, self._started_at, self._lock = uuid.uuid4().hex, time.time(), threading.RLock()
        self._replicas = {record.name: Replica(record, folder, poll_s) for record in folder.records()}
        for replica in list(self._replicas.values()):
            replica.take_up()
            if replica.record.phase == ENDING:
                replica.end(self._gone)

    def look(self) -> dict[str, Any]:
        """The node as it is now."""
        with self._lock:
            records = [replica.record for _, replica in sorted(self._replicas.items())]
        return {
            "node": self.node,
            "boot": self._boot,
            "started_at": self._started_at,
            "lease_left_s": self.lease.told(),
            "gpus": self._gpus,
            "replicas": [record.told() for record in records],
        }

    def start(self, name: str, order: Order, first_port: int) -> int:
        """201 when it was started, 200 when it runs already."""
        with self._lock:
            self.lease.require()
            old = self._replicas.get(name)
            if old and old.record.phase not in (FAILED, ENDING):
                return 200
            if old and old.busy():
                raise Refusal(409, f"an older {name} is still ending", "ask again in a moment")
            now, phase = time.time(), order.steps[0][0] if order.steps else LOADING
            record = Record(
                name=name,
                run=uuid.uuid4().hex,
                machine=machine_id(),
                port=self._free_port(first_port),
                gpu_ids=self._free_gpus(order.gpus),
                served_model=order.served_model,
                health=order.health,
                grace_s=order.grace_s,
                version=order.version,
                started_at=now,
                phase=phase,
                phase_since=now,
            )
            replica = Replica(record, self._folder, self._poll_s)
            replica.start(order)
            self._replicas[name] = replica
            return 201

    def stop(self, name: str) -> int:
        """202 while it is ending, 204 when there is none."""
        with self._lock:
            replica = self._replicas.get(name)
            if replica is None:
                return 204
            if not replica.busy():
                self._gone(name)
                return 204
            replica.end(self._gone)
            return 202

    def log(self, name: str, start: int) -> tuple[bytes, int]:
        """A piece of a replica's log, and where the next one begins."""
        if name not in self._replicas:
            raise Refusal(404, f"there is no replica {name}")
        return self._folder.log_from(name, start)

    def end_all(self) -> None:
        """End every engine, and wait; but not for ever for one that even the kernel cannot end."""
        with self._lock:
            grace_s = [replica.record.grace_s for replica in self._replicas.values()]
            for name in list(self._replicas):
                self.stop(name)
        deadline = time.monotonic() + max(grace_s, default=0.0) + UNKILLABLE_S
        while self._replicas and time.monotonic() < deadline:
            time.sleep(self._poll_s / 5)

    def _gone(self, name: str) -> None:
        with self._lock:
            self._folder.forget(name)
            del self._replicas[name]

    def _free_gpus(self, wanted: int) -> tuple[int, ...]:
        if wanted > self._gpus:
            raise Refusal(422, f"{wanted} GPUs are asked for and the node has {self._gpus}")
        taken = {gpu for replica in self._holders() for gpu in replica.record.gpu_ids}
        free = [gpu for gpu in range(self._gpus) if gpu not in taken]
        if len(free) < wanted:
            raise Refusal(409, f"{wanted} GPUs are asked for and {len(free)} are free")
        return tuple(free[:wanted])

    def _free_port(self, first: int) -> int:
        """Not one that the kernel hands out by itself: it would be gone before the engine listens."""
        taken = {replica.record.port for replica in self._holders()}
        for port in range(first, min(first + PORTS_TRIED, 65536)):
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                if port not in taken:
                    return port
        raise Refusal(409, f"no port from {first} on is free")

    def _holders(self) -> list[Replica]:
        return [replica for replica in self._replicas.values() if replica.busy()]


class Server(http.server.ThreadingHTTPServer):
    """Hears the loopback only, and whoever knows the token."""

    daemon_threads, request_queue_size = True, 128

    def __init__(self, port: int, keeper: Keeper, token: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.keeper, self.token = keeper, token

    def handle_error(self, request: Any, client_address: Any) -> None:
        say(f"a connection broke: {sys.exc_info()[1]}")


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version, server_version, sys_version, timeout = "HTTP/1.1", "node-keeper", "", 300

    def do_GET(self) -> None:
        """Every method comes this way; what each may ask for, `_answer` knows."""
        try:
            asked = self._body()
            self._require_friend()
            self._answer(asked)
        except Refusal as refusal:
            self._send(refusal.status, {"error": refusal.error, "hint": refusal.hint})
        except ConnectionError:
            self.close_connection = True
        except Exception as error:  # the loop's edge: whoever asks is told, and the keeper goes on
            traceback.print_exc()
            self.close_connection = True
            self._send(500, {"error": f"{type(error).__name__}: {error}", "hint": ""})

    do_PUT = do_DELETE = do_POST = do_GET

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library refuses by itself is told like the rest."""
        self.close_connection = True
        self._send(int(code), {"error": message or "that is no request", "hint": ""})

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the daemon asks every second or so."""

    def _body(self) -> bytes:
        """The whole body, read before anything is refused: the connection stays in step."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not re.fullmatch("[0-9]{1,18}", length):
            self.close_connection = True
            raise Refusal(411, "a body needs a Content-Length")
        if int(length) > MOST_BODY:
            self.close_connection = True
            raise Refusal(413, f"a body may have {MOST_BODY} bytes")
        return self.rfile.read(int(length))

    def _require_friend(self) -> None:
        if not HOST.fullmatch(self.headers.get("Host", "")):
            raise Refusal(421, "the keeper answers to 127.0.0.1 and localhost only")
        given = self.headers.get("Authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, f"Bearer {self.server.token}".encode()):
            raise Refusal(401, "the token is wrong")

    def _answer(self, body: bytes) -> None:
        url, keeper = urlsplit(self.path), self.server.keeper
        place = url.path.split("/")[1:]
        name = place[2] if len(place) > 2 and place[:2] == ["v1", "replicas"] else ""
        if name and not NAME.fullmatch(name):
            raise Refusal(400, "a name is letters, digits and ._- and at most 200 of them")
        what = (self.command, *place[:2], *place[3:])
        if what == ("GET", "v1", "node"):
            self._send(200, keeper.look())
        elif what == ("PUT", "v1", "lease"):
            keeper.lease.renew(_for_s(_object(body)))
            self._send(200, {"lease_left_s": keeper.lease.told()})
        elif name and what == ("PUT", "v1", "replicas"):
            self._send(keeper.start(name, order_in(_object(body)), self.server.server_port + 1), {})
        elif name and what == ("DELETE", "v1", "replicas"):
            self._send(keeper.stop(name), {})
        elif name and what == ("GET", "v1", "replicas", "log"):
            self._send_log(*keeper.log(name, _start(url.query)))
        else:
            raise Refusal(400, f"there is no {self.command} {url.path[:300]}")

    def _send(self, status: int, value: dict[str, Any]) -> None:
        self._write(status, "application/json", b"" if status == 204 else json.dumps(value).encode(), {})

    def _send_log(self, piece: bytes, then: int) -> None:
        self._write(200, "text/plain; charset=utf-8", piece, {"X-Next": str(then)})

    def _write(self, status: int, kind: str, body: bytes, more: dict[str, str]) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "X-Node": self.server.keeper.node}
        for key, value in {**headers, **more}.items():
            self.send_header(key, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _object(body: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(body)
        if isinstance(value, dict):
            return value
    raise Refusal(400, "the body is no JSON object")


def _for_s(asked: dict[str, Any]) -> float:
    for_s = asked.get("for_s", 0)
    if for_s is None:
        return math.inf
    if isinstance(for_s, bool) or not isinstance(for_s, (int, float)) or not 0 < for_s < math.inf:
        raise Refusal(400, "for_s must be a number above 0, or null for ever")
    return float(for_s)


def _start(query: str) -> int:
    start = parse_qs(query).get("from", ["0"])[-1]
    if not re.fullmatch("-?[0-9]{1,18}", start):
        raise Refusal(400, "from must be a whole number")
    return int(start)


def guard(keeper: Keeper, end: list[str], poll_s: float, retry_s: float) -> None:
    """The dead man's switch: wait for the lease to run out, then end the engines and the node. It never
    returns: as long as this process lives, the node is not gone, and the end is tried again."""
    saved_at = time.monotonic()
    while not keeper.lease.over():
        time.sleep(min(poll_s, keeper.lease.left_s()))
        if time.monotonic() > saved_at + SAVE_S:
            saved_at = time.monotonic()
            with contextlib.suppress(OSError):
                keeper.lease.save()
    say("the lease ran out: the engines end, then the node")
    keeper.end_all()
    while True:
        try:
            code = subprocess.run(end, stdin=subprocess.DEVNULL, timeout=END_S, check=False).returncode
            say(f"the command that ends the node exited with {code}")
        except (OSError, subprocess.TimeoutExpired) as error:
            say(f"the command that ends the node failed: {error}")
        time.sleep(retry_s)


def main() -> int:
    """Keep the node until it ends."""
    parser = argparse.ArgumentParser(prog="node_keeper", description="Keeps the engines of one node.")
    parser.add_argument("--node", required=True, help="the node's name")
    parser.add_argument("--port", type=int, default=18900, help="where to listen on the loopback")
    parser.add_argument("--lease-s", type=float, default=43200.0, help="how long to live unless renewed")
    parser.add_argument("--folder", default="~/.bouted", help="where records and logs are kept")
    parser.add_argument("--gpus", type=int, help="how many the node has, where /dev does not tell")
    parser.add_argument("--poll-s", type=float, default=1.0, help=argparse.SUPPRESS)
    parser.add_argument("--retry-s", type=float, default=30.0, help=argparse.SUPPRESS)
    parser.add_argument(
        "--end", nargs=argparse.REMAINDER, required=True, help="what ends the node; comes last"
    )
    args = parser.parse_args()
    token = os.environ.pop(TOKEN, "")
    if not token:
        parser.error(f"{TOKEN} is not set")
    folder = Folder(args.folder)
    if not folder.take():
        say(f"another keeper works in {folder.path}")
        return EXIT_TAKEN
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # all there is to keep is on disk
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    gpus = len(glob.glob("/dev/nvidia[0-9]*")) if args.gpus is None else args.gpus
    keeper = Keeper(args.node, gpus, folder, Lease(folder, args.lease_s), args.poll_s)
    try:
        server = Server(args.port, keeper, token)
    except OSError as error:
        say(f"cannot listen on 127.0.0.1:{args.port}: {error}")
        return 1
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say(f"{args.node} listens on 127.0.0.1:{server.server_port}")
    guard(keeper, args.end, args.poll_s, args.retry_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
