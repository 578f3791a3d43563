"""The small JSON files that the local launcher and its engines share, each written whole or not at all."""

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bouted.catalog.gpus import Evidence
from bouted.perf.costs import StepCosts

from .local_process import ProcessId, identify


def write_whole(path: Path, body: bytes) -> None:
    """Put `body` at `path` so that a reader, or a crash, sees all of it or none; it survives a power cut."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    with draft.open("wb") as out:
        out.write(body)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_once(path: Path, body: bytes) -> bytes:
    """What the file holds: `body`, for this user's eyes alone, unless it is there already. Of two that try at
    the same time one wins and both read the same."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as out:
        out.write(body)
        out.flush()
        os.fsync(fd)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_bytes()


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """`value` as a JSON file, whole or not at all."""
    write_whole(path, json.dumps(value).encode())


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty when the file is missing or is not one.

    Any other trouble is raised: a disk that fails must not look like a fleet that is gone.
    """
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """What a paced engine is told. `time_scale` 2 runs it twice as fast as `costs` say, metrics included."""

    replica: str
    node: str
    shape: str
    served_model: str
    costs: StepCosts
    time_scale: float
    shutdown_timeout_s: float

    def write(self, path: Path) -> None:
        """Store it at `path`."""
        write_json(path, asdict(self))

    @staticmethod
    def read(path: Path) -> "EngineSpec | None":
        """What `path` holds; None when there is no such file."""
        fields = read_json(path)
        if not fields:
            return None
        costs = fields.pop("costs")
        costs |= {"tokens": tuple(costs["tokens"]), "tokens_s": tuple(costs["tokens_s"])}
        return EngineSpec(**fields, costs=StepCosts(**{**costs, "evidence": Evidence(costs["evidence"])}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaFiles:
    """Where one replica's files are. `lock` is held by the engine as long as it lives."""

    folder: Path
    name: str

    @property
    def lock(self) -> Path:
        return self.folder / f"{self.name}.lock"

    @property
    def spec(self) -> Path:
        return self.folder / f"{self.name}.spec.json"

    @property
    def pid(self) -> Path:
        return self.folder / f"{self.name}.pid.json"

    @property
    def endpoint(self) -> Path:
        return self.folder / f"{self.name}.endpoint.json"

    @property
    def stop(self) -> Path:
        return self.folder / f"{self.name}.stop.json"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @staticmethod
    def of_spec(path: Path) -> "ReplicaFiles":
        """The files that belong to this spec file."""
        return ReplicaFiles(folder=path.parent, name=path.name.removesuffix(".spec.json"))

    def write_pid(self, pid: int) -> None:
        """Publish who runs this replica."""
        process = identify(pid)
        if process is not None:
            write_json(self.pid, {"pid": process.pid, "start_ticks": process.start_ticks})

    def read_process(self) -> ProcessId | None:
        """The process that said it runs this replica, if it is that same process that has the pid now."""
        fields = read_json(self.pid)
        process = identify(fields["pid"]) if "pid" in fields else None
        return process if process and process.start_ticks == fields.get("start_ticks") else None


FOREVER = datetime.max.replace(tzinfo=UTC)


def write_lease(folder: Path, until: datetime) -> None:
    """Let the engines of this node live until then, or FOREVER."""
    write_json(folder / "lease.json", {"until": until.isoformat()})


def read_lease(folder: Path) -> datetime | None:
    """When the node's lease ends; None when nothing usable is written, which ends it too."""
    until = read_json(folder / "lease.json").get("until")
    try:
        return datetime.fromisoformat(until) if isinstance(until, str) else None
    except ValueError:
        return None
