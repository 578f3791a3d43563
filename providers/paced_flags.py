"""The command lines that a paced engine understands: vLLM's and SGLang's, as far as bouted writes them."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from bouted.perf.shapes import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class PacedFlags:
    """What a command line says of a paced engine. `shutdown_s` None: it waits for its last request."""

    dialect: Engine
    model: str
    served_model: str
    host: str
    port: int
    max_model_len: int | None
    max_num_seqs: int | None
    max_step_tokens: int | None
    metrics: bool
    shutdown_s: float | None


def read_flags(argv: Sequence[str]) -> PacedFlags:
    """The flags in `argv`; like the engine itself, it exits with 2 for what the engine does not know."""
    if any(word.partition("=")[0] in ("--model-path", "--model-type") for word in argv):
        return _sglang(sglang_parser().parse_args(argv))
    return _vllm(vllm_parser().parse_args(argv))


def vllm_parser() -> argparse.ArgumentParser:
    """Those of `vllm serve`."""
    parser = argparse.ArgumentParser(prog="vllm serve", allow_abbrev=False)
    add = parser.add_argument
    add("model_tag", nargs="?")
    add("--model")
    _shared(parser)
    add("--kv-cache-dtype", default="auto", choices=("auto", "fp8"))
    add("--max-model-len", type=int)
    add("--gpu-memory-utilization", type=float, default=0.92)
    add("--max-num-seqs", type=int)
    add("--max-num-batched-tokens", type=int)
    add("--tensor-parallel-size", "-tp", type=int, default=1)
    add("--pipeline-parallel-size", "-pp", type=int, default=1)
    add("--shutdown-timeout", type=int, default=0)
    add("--master-addr", default="127.0.0.1")
    add("--master-port", type=int, default=29501)
    add("--headless", action="store_true")
    for name in ("enable-prefix-caching", "enable-chunked-prefill", "async-scheduling"):
        add(f"--{name}", action=argparse.BooleanOptionalAction)
    for name in ("enforce-eager", "enable-log-requests", "disable-uvicorn-access-log"):
        add(f"--{name}", action=argparse.BooleanOptionalAction, default=False)
    return parser


def sglang_parser() -> argparse.ArgumentParser:
    """Those of `sglang serve`."""
    parser = argparse.ArgumentParser(prog="sglang serve", allow_abbrev=False)
    add = parser.add_argument
    add("--model-type", default="auto", choices=("auto", "llm"))
    add("--model-path", "--model", required=True)
    _shared(parser)
    add("--kv-cache-dtype", default="auto", choices=("auto", "fp8_e4m3", "fp8_e5m2"))
    add("--context-length", type=int)
    add("--mem-fraction-static", type=float)
    add("--max-running-requests", type=int)
    add("--chunked-prefill-size", type=int)
    add("--tp-size", "--tensor-parallel-size", type=int, default=1)
    add("--pp-size", "--pipeline-parallel-size", type=int, default=1)
    add("--dist-init-addr")
    add("--log-level-http")
    for phase in ("decode", "prefill"):
        add(f"--cuda-graph-backend-{phase}", choices=("full", "breakable", "disabled"))
    add("--enable-metrics", action="store_true")
    add("--disable-overlap-schedule", action="store_true")
    return parser


def _shared(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--served-model-name")
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8000)
    add("--dtype", default="auto", choices=("auto", "half", "float16", "bfloat16", "float", "float32"))
    add("--quantization")
    add("--nnodes", type=int, default=1)
    add("--node-rank", type=int, default=0)


def _vllm(args: argparse.Namespace) -> PacedFlags:
    model = args.model_tag or args.model or "Qwen/Qwen3-0.6B"
    return PacedFlags(
        dialect=Engine.VLLM,
        model=model,
        served_model=args.served_model_name or model,
        host=args.host,
        port=args.port,
        max_model_len=args.max_model_len,
        max_num_seqs=args.max_num_seqs,
        max_step_tokens=args.max_num_batched_tokens,
        metrics=True,
        shutdown_s=args.shutdown_timeout,
    )


def _sglang(args: argparse.Namespace) -> PacedFlags:
    return PacedFlags(
        dialect=Engine.SGLANG,
        model=args.model_path,
        served_model=args.served_model_name or args.model_path,
        host=args.host,
        port=args.port,
        max_model_len=args.context_length,
        max_num_seqs=args.max_running_requests,
        max_step_tokens=args.chunked_prefill_size,
        metrics=args.enable_metrics,
        shutdown_s=None,
    )
