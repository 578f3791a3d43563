"""The process of one local replica: `python -m bouted.providers.local_engine --spec FILE`.

It holds its replica's lock for life, says who it is, listens on loopback, and ends by itself when its
node's lease runs out or its files are gone. After SIGTERM new requests get 503 and running ones may
finish for `--shutdown-timeout` seconds.
"""

import argparse
import asyncio
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

from bouted.perf.batch import Batch

from .local_files import EngineSpec, ReplicaFiles, read_lease, write_json
from .local_http import EngineApp
from .local_metrics import EngineMetrics
from .local_pace import Pacer
from .local_process import take_lock
from .paced_server import PacedServer, drain, listen

EXIT_TAKEN = 3
_WATCH_S = 1.0
_MISSES = 3  # looks in a row that must find the engine unwanted


def main(argv: list[str] | None = None) -> int:
    """Run one engine until it is told to end."""
    parser = argparse.ArgumentParser(prog="local_engine", description="A paced stand-in for a vLLM server.")
    parser.add_argument("--spec", type=Path, required=True, help="what to serve, as the launcher wrote it")
    parser.add_argument("--lock-fd", type=int, help="the replica's lock, already held")
    parser.add_argument("--shutdown-timeout", type=float, help="seconds that running requests get to finish")
    args = parser.parse_args(argv)
    files = ReplicaFiles.of_spec(args.spec)
    if args.lock_fd is None and take_lock(files.lock) is None:
        print(f"replica {files.name} runs already", file=sys.stderr)
        return EXIT_TAKEN
    if args.lock_fd is not None:
        os.closerange(args.lock_fd + 1, os.sysconf("SC_OPEN_MAX"))  # what the daemon itself inherited
    files.write_pid(os.getpid())
    spec = EngineSpec.read(files.spec)
    if spec is None:
        print(f"replica {files.name} is not wanted any more: {files.spec} is gone", file=sys.stderr)
        return 0
    timeout_s = spec.shutdown_timeout_s if args.shutdown_timeout is None else args.shutdown_timeout
    asyncio.run(_serve(spec, files, timeout_s))
    return 0


async def _serve(spec: EngineSpec, files: ReplicaFiles, shutdown_timeout_s: float) -> None:
    batch = Batch(spec.costs)
    metrics = EngineMetrics(spec.served_model, batch)
    pacer = Pacer(batch, metrics, spec.time_scale)
    app = EngineApp(spec.served_model, spec.costs.kv_capacity_tokens, pacer, metrics)
    ending = asyncio.Event()
    server = PacedServer(app, ending.set)
    async with asyncio.TaskGroup() as group:
        tasks = (
            group.create_task(pacer.run()),
            group.create_task(_end_when_unwanted(files, ending)),
            group.create_task(drain(ending, app, pacer, server, shutdown_timeout_s)),
        )
        await server.serve(sockets=[_listen(files)])
        for task in tasks:
            task.cancel()


def _listen(files: ReplicaFiles) -> socket.socket:
    """Bind a free loopback port and publish it."""
    listener = listen("127.0.0.1", 0, reuse=False)
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(f"{files.name} listens at {endpoint}", flush=True)
    write_json(files.endpoint, {"endpoint": endpoint, "pid": os.getpid()})
    return listener


async def _end_when_unwanted(files: ReplicaFiles, ending: asyncio.Event) -> None:
    """The dead-man switch: nobody may be left to stop this process."""
    misses = 0
    while misses < _MISSES:
        await asyncio.sleep(_WATCH_S)
        try:
            lease = read_lease(files.folder) if files.spec.exists() else None
        except OSError:
            lease = None
        if lease is not None and lease < datetime.now(UTC):
            break
        misses = misses + 1 if lease is None else 0
    ending.set()


if __name__ == "__main__":
    sys.exit(main())
