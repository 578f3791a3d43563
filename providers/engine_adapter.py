"""What the engine adapters share: set up the engine, fetch the weights, start with the engine's own flags."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bouted.catalog.precision import Precision
from bouted.codec import dump
from bouted.errors import Misconfigured
from bouted.perf.costs import StepCosts
from bouted.reconcile.launcher import ReplicaOrder

from .engine_options import EngineOptions
from .engine_set_up import in_venv, quantised_at_load, set_up_steps
from .engine_start import EngineStart
from .engine_weights import weights_for

TOKEN = "HF_TOKEN"
PACE = "BOUTED_PACE"
"""Where a paced engine finds the step costs it is to keep, as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one engine is spoken to: its command, its environment, and its flags by order, options and model.

    `rank` has the flags of one instance of a group by order, number and the head's address. `after_drain_s`
    is what the engine takes to end after its last stream.
    """

    command: tuple[str, ...]
    flags: Callable[[ReplicaOrder, EngineOptions, str], tuple[str, ...]]
    rank: Callable[[ReplicaOrder, int, str], tuple[str, ...]]
    env: Mapping[str, str]
    after_drain_s: float


def start(
    dialect: Dialect, order: ReplicaOrder, options: EngineOptions, secrets: Mapping[str, str]
) -> EngineStart:
    """The start of one replica; Misconfigured for one that lies over several instances.

    Of `secrets` the engine gets the hub's token alone, and that only for weights from there.
    """
    if order.shape.instances > 1:
        _require_experimental(order, options)
        said = f"{order.shape.id} lies over {order.shape.instances} instances: its commands are only shown"
        raise Misconfigured("planner.groups", said, hint="set planner.groups to 1")
    weights = weights_for(order.weights, options, token=TOKEN in secrets)
    pace = {PACE: dump(StepCosts, order.costs).decode()} if options.program else {}
    return EngineStart(
        name=order.name,
        argv=_argv(dialect, order, options, weights.model),
        served_model=order.served_model,
        gpus=order.shape.gpu_count,
        steps=(*set_up_steps(options), *weights.steps),
        env={**dialect.env, **pace},
        secrets={TOKEN: secrets[TOKEN]} if weights.from_hub and TOKEN in secrets else {},
        grace_s=options.shutdown_s + dialect.after_drain_s,
        version=options.label,
    )


def ranks(
    dialect: Dialect, order: ReplicaOrder, options: EngineOptions, head: str
) -> tuple[tuple[str, ...], ...]:
    """The command of each instance of a replica over several, the head's first: to be looked at, not run.

    `head` is the first instance's address among them. Misconfigured without `experimental_groups`.
    """
    _require_experimental(order, options)
    model = weights_for(order.weights, options, token=True).model
    return tuple(
        _argv(dialect, order, options, model, dialect.rank(order, number, head))
        for number in range(order.shape.instances)
    )


def _require_experimental(order: ReplicaOrder, options: EngineOptions) -> None:
    if not options.experimental_groups:
        said = f"{order.shape.id} lies over {order.shape.instances} instances, which is experimental"
        hint = f"set planner.groups to 1, or experimental_groups of {options.engine} to see the commands"
        raise Misconfigured("planner.groups", said, hint=hint)


def _argv(
    dialect: Dialect, order: ReplicaOrder, options: EngineOptions, model: str, rank: tuple[str, ...] = ()
) -> tuple[str, ...]:
    command = options.program or dialect.command
    argv = (*command, *dialect.flags(order, options, model), *rank, *options.extra_args)
    if order.shape.precision is Precision.FP8 and "--quantization" not in options.extra_args:
        return quantised_at_load(options, model, argv)
    return in_venv(options, argv)
