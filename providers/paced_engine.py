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
from collections.abc import Mapping
from dataclasses import replace

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
from .paced_server import PacedServer, drain, listen
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


async def _serve(flags: PacedFlags, costs: StepCosts) -> None:
    batch = Batch(costs)
    metrics = EngineMetrics(flags.served_model, batch)
    pacer = Pacer(batch, metrics, 1.0)
    engine = EngineApp(flags.served_model, costs.kv_capacity_tokens, pacer, metrics)
    app = PacedApp(engine, flags.dialect, _registry(flags, metrics))
    ending = asyncio.Event()
    timeout_s = math.inf if flags.shutdown_s is None else flags.shutdown_s
    server = PacedServer(app, ending.set)
    async with asyncio.TaskGroup() as group:
        tasks = (
            group.create_task(pacer.run()),
            group.create_task(drain(ending, app, pacer, server, timeout_s)),
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
    listener = listen(flags.host, flags.port, reuse=True)
    print(f"{flags.served_model} listens at http://{flags.host}:{flags.port}", flush=True)
    return listener


if __name__ == "__main__":
    sys.exit(main())
