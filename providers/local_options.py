"""The options of the local launcher, as the config has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bouted.config.problems import ConfigErrors, Problem

from .engine_checks import OptionChecks
from .engine_choice import Engines

PATH = "launcher.options"
ENGINES = "engines"
LONGEST_BOOT_S, MOST_SCALE, LEAST_SCALE = 86_400.0, 1e6, 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptions:
    """How the launcher is set up.

    A node is up `boot_s` after its launch at the earliest. Nodes are in `folder`, the state folder's own
    unless given; daemons that share a store share it. With `engines`, replicas are what the engine adapters
    start; without, they are paced, and `time_scale` times as fast as their step costs say.
    """

    boot_s: float
    time_scale: float
    folder: Path | None
    engines: Engines | None

    @classmethod
    def from_config(cls, options: Mapping[str, object]) -> "LocalOptions":
        """The options as the config has them; ConfigErrors with every problem found."""
        asked = OptionChecks(options, PATH)
        boot_s = asked.number("boot_s", 1.0, least=0.0, most=LONGEST_BOOT_S)
        time_scale = asked.number("time_scale", 1.0, least=LEAST_SCALE, most=MOST_SCALE)
        folder = asked.folder("folder")
        engines, wrong = _engines(asked.section(ENGINES)) if ENGINES in options else (None, ())
        problems = (*asked.problems(), *wrong, *_at_odds(options))
        if problems:
            raise ConfigErrors("config", problems)
        return cls(
            boot_s=boot_s, time_scale=time_scale, folder=Path(folder) if folder else None, engines=engines
        )


def _engines(section: object) -> tuple[Engines | None, tuple[Problem, ...]]:
    path = f"{PATH}.{ENGINES}"
    if not isinstance(section, Mapping):
        said = f"must be a section, got {section!r}"
        return None, (Problem(path=path, message=said, hint="like {vllm: {}, sglang: {}}"),)
    try:
        return Engines.from_config(section, path), ()
    except ConfigErrors as wrong:
        return None, wrong.problems


def _at_odds(options: Mapping[str, object]) -> tuple[Problem, ...]:
    if ENGINES not in options or "time_scale" not in options:
        return ()
    said = "is for paced engines without adapters: leave it out where there are engines"
    return (Problem(path=f"{PATH}.time_scale", message=said),)
