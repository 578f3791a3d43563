"""What a config edit changes, and how far that reaches."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from bouted.codec import content_hash
from bouted.config.schema import Config


class Scope(IntEnum):
    """How far an edit reaches; the larger includes the smaller."""

    NONE = 0
    LIVE = 1  # holds from the next tick
    REPLAN = 2  # the plan in force was made for something else
    RESTART = 3  # read once, when the process starts


# The longest prefix wins. Every key of the schema is under one of these (a test compares them).
SCOPES: tuple[tuple[str, Scope], ...] = (
    ("version", Scope.NONE),
    ("deployment", Scope.RESTART),
    ("mode", Scope.LIVE),
    ("state_dir", Scope.RESTART),
    ("database", Scope.RESTART),
    ("database.keep_days", Scope.LIVE),
    ("database.journal_days", Scope.LIVE),
    ("database.daily_backup", Scope.LIVE),
    ("budget", Scope.REPLAN),
    ("budget.usd_per_month", Scope.LIVE),
    ("budget.on_breach", Scope.LIVE),
    ("targets", Scope.REPLAN),
    ("models", Scope.REPLAN),
    ("workload", Scope.REPLAN),
    ("workload.window_s", Scope.LIVE),
    ("routing", Scope.REPLAN),
    ("gpus", Scope.REPLAN),
    ("supply", Scope.REPLAN),
    ("prices", Scope.LIVE),
    ("billing", Scope.LIVE),
    ("changes", Scope.LIVE),
    ("changes.start_hours", Scope.REPLAN),
    ("changes.fetch_gib_per_s", Scope.REPLAN),
    ("changes.price_life_hours", Scope.REPLAN),
    ("planner", Scope.REPLAN),
    ("planner.seed", Scope.LIVE),
    ("planner.deadline_s", Scope.LIVE),
    ("planner.sweep", Scope.LIVE),
    ("planner.evaluations", Scope.LIVE),
    ("launcher", Scope.RESTART),
    ("safety", Scope.LIVE),
    ("alerts", Scope.LIVE),
    ("listen", Scope.RESTART),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange:
    """Dotted paths that differ, sorted, and the widest scope among them."""

    paths: tuple[str, ...]
    scope: Scope


def scope_of(path: str) -> Scope:
    """The scope of a dotted path; KeyError for one that the table does not cover."""
    parts = path.replace("[", ".[").split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        for key, scope in SCOPES:
            if key == prefix:
                return scope
    raise KeyError(path)


def config_change(old: Config, new: Config) -> ConfigChange:
    """What differs between two configs. Lists of named items are compared by name, others as a whole."""
    paths = tuple(sorted(_differences(old.model_dump(), new.model_dump(), "")))
    return ConfigChange(paths=paths, scope=max(map(scope_of, paths), default=Scope.NONE))


def planning_hash(config: Config) -> str:
    """32 hex digits that name the part of the config that planning reads (scope REPLAN)."""
    flat = sorted(_leaves(config.model_dump(mode="json"), ""))
    read = [(path, value) for path, value in flat if scope_of(path) is Scope.REPLAN]
    return content_hash(repr(read).encode())


def _named(value: tuple[Any, ...]) -> bool:
    return all(isinstance(item, dict) and "name" in item for item in value)


def _differences(old: Any, new: Any, path: str) -> list[str]:
    if old == new:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        inner = (_differences(old.get(key), new.get(key), f"{path}.{key}" if path else key) for key in keys)
        return [found for part in inner for found in part]
    if isinstance(old, tuple) and isinstance(new, tuple) and _named(old + new):
        before, after = ({item["name"]: item for item in items} for items in (old, new))
        if len(before) == len(old) and len(after) == len(new) and before != after:
            names = sorted({*before, *after})
            inner = (_differences(before.get(name), after.get(name), f"{path}[{name}]") for name in names)
            return [found for part in inner for found in part]
    return [path]


def _leaves(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        inner = (_leaves(item, f"{path}.{key}" if path else key) for key, item in value.items())
        return [leaf for part in inner for leaf in part]
    return [(path, value)]
