"""What it takes to start one engine on one machine: said by engine adapters, done by whatever runs them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something to run to its end before the engine starts, such as fetching the weights.

    `phase` says in a word or two what it does; a step that exits with anything but 0 fails the start.
    """

    phase: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStart:
    """One engine's command, and what comes before it. `version` is told of it while it runs.

    In `argv` and `steps`, `{port}` and `{home}` stand for the loopback port that the machine gives the
    engine and for the home folder there. The engine is ready when GET `health` answers 200 and `served_model`
    has made one real token. It takes `gpus` whole GPUs (0: none). After SIGTERM it gets `grace_s` to finish
    what runs. `secrets` are put in its environment and written down nowhere.
    """

    name: str
    argv: tuple[str, ...]
    served_model: str
    gpus: int
    steps: tuple[Step, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    health: str = "/health"
    grace_s: float = 30.0
    version: str = ""
