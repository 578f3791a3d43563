"""An engine without a GPU: `python -m bouted.providers.paced_engine`, then vLLM's or SGLang's own flags.

Tokens come at the pace that step costs tell, which are in BOUTED_PACE as JSON. It ends as the engine ends.
After SIGTERM vLLM answers new requests with 500 while running ones have `--shutdown-timeout` to finish;
SGLang says 503 on /health alone, and ends with its last request.
"""

import asyncio
import math
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import FrameType

import uvicorn
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from bouted.catalog.gpus import Evidence
from bouted.codec import parse
from bouted.perf.batch import Batch
from bouted.perf.costs import StepCosts, roofline
from bouted.perf.shapes import Engine

from .engine_adapter import PACE
from .local_http import EngineApp
from .local_metrics import EngineMetrics
from .local_pace import Pacer
from .paced_app import PacedApp
from .paced_flags import PacedFlags, read_flags
from .paced_sglang import SglangMetrics

EASY = roofline(
    overhead_s=0.001,
    weights_s=0.009,
    compute_s_per_token=1e-5,
    kv_capacity_tokens=100_000,
    max_batch=256,
    max_step_tokens=8192,
    evidence=Evidence.ROOFLINE,
    spread=0.0,
)
"""A token every 10 ms for one sequence alone."""
_KEEP_ALIVE_S = 75
_LOOK_S = 0.02


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM."""
    flags = read_flags(sys.argv[1:] if argv is None else argv)
    try:
        costs = costs_of(flags, os.environ)
    except ValidationError as error:
        print(f"{PACE} holds no step costs: {error}", file=sys.stderr)
        return 2
    asyncio.run(_serve(flags, costs))
    return 0


def costs_of(flags: PacedFlags, environ: Mapping[str, str]) -> StepCosts:
    """The step costs to keep, with no larger batches and steps than the flags allow."""
    costs = parse(StepCosts, environ[PACE]) if PACE in environ else EASY
    return replace(
        costs,
        max_batch=min(costs.max_batch, flags.max_num_seqs or costs.max_batch),
        max_step_tokens=min(costs.max_step_tokens, flags.max_step_tokens or costs.max_step_tokens),
    )


class _Server(uvicorn.Server):
    """Asks for a drain where uvicorn would stop at once."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain = drain
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._drain)


async def _serve(flags: PacedFlags, costs: StepCosts) -> None:
    batch = Batch(costs)
    metrics = EngineMetrics(flags.served_model, batch)
    pacer = Pacer(batch, metrics, 1.0)
    engine = EngineApp(flags.served_model, costs.kv_capacity_tokens, pacer, metrics)
    app = PacedApp(engine, flags.dialect, _registry(flags, metrics))
    ending = asyncio.Event()
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config, ending.set)
    async with asyncio.TaskGroup() as group:
        tasks = (
            group.create_task(pacer.run()),
            group.create_task(_drain(ending, app, pacer, server, flags.shutdown_s)),
        )
        await server.serve(sockets=[_listen(flags)])
        for task in tasks:
            task.cancel()


def _registry(flags: PacedFlags, metrics: EngineMetrics) -> CollectorRegistry | None:
    if not flags.metrics:
        return None
    registry = CollectorRegistry()
    vllm = flags.dialect is Engine.VLLM
    registry.register(metrics if vllm else SglangMetrics(metrics, flags.served_model))
    return registry


def _listen(flags: PacedFlags) -> socket.socket:
    # asyncio turns Nagle's delay off only where the protocol is named, and 40 ms would hide every pace.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((flags.host, flags.port))
    listener.listen(2048)
    print(f"{flags.served_model} listens at http://{flags.host}:{flags.port}", flush=True)
    return listener


async def _drain(
    ending: asyncio.Event, app: PacedApp, pacer: Pacer, server: uvicorn.Server, timeout_s: float | None
) -> None:
    await ending.wait()
    app.draining = True
    loop = asyncio.get_running_loop()
    deadline = loop.time() + (math.inf if timeout_s is None else timeout_s)
    while pacer.load and loop.time() < deadline:
        await asyncio.sleep(_LOOK_S)
    pacer.abort_all()
    server.should_exit = True


if __name__ == "__main__":
    sys.exit(main())
