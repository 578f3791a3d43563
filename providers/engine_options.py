"""What a config may say of one engine: which version, how it comes onto a machine, and how it is run."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bouted.config.problems import ConfigErrors, Problem
from bouted.perf.shapes import Engine

from .engine_checks import OptionChecks

VERSIONS = {Engine.VLLM: "0.32.0", Engine.SGLANG: "0.5.23"}
"""Those whose flags, metrics and drain were checked; another one is the config's own risk."""


class SetUp(StrEnum):
    """How an engine comes onto a machine."""

    PIP = "pip"
    """Into a venv of its own, named by the version, so that an upgrade leaves what runs alone."""
    IMAGE = "image"
    """The machine's image has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How one engine is set up and run.

    `program` takes the place of the command up to its flags, e.g. a stand-in's; nothing is then set up, and
    weights are fetched only where `fetch` says so. `extra_args` follow bouted's own flags, so they win.
    `shutdown_s` is what running streams get after SIGTERM. `cache` is a folder on the machine, or a bucket
    near it that is filled at the first download; "" keeps weights in the home folder.
    `experimental_groups` shows the commands of an engine that lies over several instances.
    """

    engine: Engine
    version: str
    set_up: SetUp = SetUp.PIP
    program: tuple[str, ...] = ()
    extra_args: tuple[str, ...] = ()
    shutdown_s: int = 30
    cache: str = ""
    fetch: bool = True
    experimental_groups: bool = False

    @classmethod
    def from_config(
        cls, options: Mapping[str, object], path: str, *, engine: Engine = Engine.VLLM
    ) -> "EngineOptions":
        """The options under `path` in the config; ConfigErrors with every problem found."""
        read, problems = read_engine(engine, options, path)
        if problems:
            raise ConfigErrors("config", problems)
        return read

    @property
    def label(self) -> str:
        """For people, e.g. `vllm 0.32.0`."""
        return f"{self.engine} {self.version}" if self.version_chosen else f"{self.engine} of the image"

    @property
    def version_chosen(self) -> bool:
        """Whether a start brings `version`: what an image has is the image's own."""
        return self.set_up is SetUp.PIP or bool(self.program)

    @property
    def venv(self) -> str:
        """The engine's own venv on the machine; "" where it has none."""
        own = self.set_up is SetUp.PIP and not self.program
        return f"{{home}}/.bouted/engines/{self.engine}-{self.version}" if own else ""


def read_engine(engine: Engine, options: object, path: str) -> tuple[EngineOptions, tuple[Problem, ...]]:
    """The options as far as they make sense, and all that does not."""
    asked = OptionChecks(options, path)
    program = asked.texts("program")
    read = EngineOptions(
        engine=engine,
        version=asked.version("version", VERSIONS[engine]),
        set_up=SetUp(asked.one_of("set_up", tuple(SetUp))),
        program=program,
        extra_args=asked.texts("extra_args"),
        shutdown_s=asked.whole("shutdown_s", 30, most=3600),
        cache=asked.place("cache"),
        fetch=asked.flag("fetch", default=not program),
        experimental_groups=asked.flag("experimental_groups", default=False),
    )
    return read, asked.problems()
