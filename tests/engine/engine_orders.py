"""Replica orders of every sort, and the commands that the adapters make of them."""

from dataclasses import dataclass, replace

from bouted.providers import sglang, vllm
from bouted.providers.engine_options import VERSIONS, EngineOptions, SetUp

from bouted.catalog.precision import KvPrecision, Precision
from bouted.perf.flags import EngineFlags
from bouted.perf.shapes import Engine
from bouted.reconcile.launcher import ReplicaOrder
from bouted.testing.orders import a_replica_order

HEAD = "10.0.0.1"
SHAPES = ((1, 1, 1), (2, 1, 1), (1, 2, 1), (4, 2, 1), (8, 4, 1), (8, 2, 2), (4, 4, 4))
"""tp, pp and instances."""
FLAGS = (
    EngineFlags(max_model_len=4096),
    EngineFlags(
        max_model_len=131_072,
        gpu_memory_utilization=0.874,
        max_num_seqs=1024,
        max_num_batched_tokens=16_384,
        kv_cache_dtype=KvPrecision.FP8,
        enforce_eager=True,
        async_scheduling=False,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What an adapter writes after the name of the program; `rank` is of a group's instance."""

    order: ReplicaOrder
    words: tuple[str, ...]
    rank: int


def commands(engine: Engine) -> tuple[Command, ...]:
    """One for every shape, precision and set of flags, and for every instance of groups."""
    adapter = {Engine.VLLM: vllm, Engine.SGLANG: sglang}[engine]
    options = EngineOptions(
        engine=engine, version=VERSIONS[engine], set_up=SetUp.IMAGE, program=("serve",),
        experimental_groups=True, shutdown_s=45,
    )  # fmt: skip
    return tuple(
        Command(order=order, words=_words(argv), rank=rank)
        for order in _orders(engine)
        for rank, argv in enumerate(
            adapter.rank_commands(order, options, head=HEAD)
            if order.shape.instances > 1
            else (adapter.start_of(order, options, secrets={"HF_TOKEN": "t"}).argv,)
        )
    )


def _orders(engine: Engine) -> list[ReplicaOrder]:
    plain = a_replica_order()
    shapes = [
        replace(plain.shape, engine=engine, tp=tp, pp=pp, instances=instances, precision=precision)
        for tp, pp, instances in SHAPES
        for precision in Precision
    ]
    return [
        replace(plain, shape=shape, flags=flags, weights="/weights/small")
        for shape in shapes
        for flags in FLAGS
    ]


def _words(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The flags, with those that the shell around them may add."""
    words = tuple(word.replace("{port}", "8000") for word in argv[argv.index("serve") + 1 :])
    return (*words, "--quantization", "fp8") if argv[0] == "/bin/sh" else words
