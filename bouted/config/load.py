"""Reads a config file in stages and reports everything that is wrong with it at once."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bouted import plugins
from bouted.codec import content_hash
from bouted.config.engines import Foresees, engine_problems
from bouted.config.explain import problems_of
from bouted.config.fields import Surroundings, shown
from bouted.config.locate import default_state_dir
from bouted.config.problems import ConfigErrors, Problem
from bouted.config.schema import Config
from bouted.config.tree import Path as KeyPath
from bouted.config.tree import Tree, dotted, read_tree


def load_config(
    path: Path | str,
    *,
    known_models: tuple[str, ...] | None = None,
    known_gpus: tuple[str, ...] | None = None,
    foresees: Foresees | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """The config in the file at `path`; ConfigErrors with every problem found, each with its line.

    `known_models` and `known_gpus` are the catalog's names, `foresees` says whether engines could be started;
    None leaves those checks out. Relative paths are taken from the file's folder. Plug-ins that the file
    names must be installed, they are not loaded.
    """
    path = Path(path).absolute()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise _unreadable(
            path, f"cannot be read: {error.strerror}", "check the path and who may read it"
        ) from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"is not UTF-8 text (byte {error.start})", "save it as UTF-8") from error
    around = Surroundings(
        folder=path.parent,
        models=known_models,
        gpus=known_gpus,
        sources=plugins.names("bouted.prices"),
        launchers=plugins.names("bouted.launchers"),
    )
    state_dir = default_state_dir(path, environ)
    return parse_config(text, around=around, file=path, state_dir=state_dir, foresees=foresees)


def parse_config(
    text: str, *, around: Surroundings, file: Path, state_dir: Path, foresees: Foresees | None = None
) -> Config:
    """The config in `text`, as if read from `file`; `state_dir` holds where the text names none.

    Looks at the disk only to see that the files it names exist. ConfigErrors with every problem found.
    """
    tree = read_tree(text)
    if not isinstance(tree.value, dict):
        raise ConfigErrors(file.name, tree.problems)
    values = {"state_dir": state_dir, **tree.value}
    if around.gpus is not None:
        around = replace(around, gpus=(*_own_gpus(tree), *around.gpus))
    problems = (*tree.problems, *_same_names(tree))
    if foresees is not None:
        problems = (*problems, *engine_problems(tree, around, foresees))
    try:
        config = Config.model_validate(values, context=around)
    except ValidationError as error:
        raise ConfigErrors(file.name, _in_order((*problems, *problems_of(error, tree)))) from error
    if problems:
        raise ConfigErrors(file.name, _in_order(problems))
    return config


def _own_gpus(tree: Tree) -> tuple[str, ...]:
    """The names of the GPU types that the file itself describes."""
    items = tree.value.get("gpus")
    names = [item.get("name") for item in items if isinstance(item, dict)] if isinstance(items, tuple) else []
    return tuple(name for name in names if isinstance(name, str))


def _same_names(tree: Tree) -> tuple[Problem, ...]:
    """Repeated names in lists; looked for here, so that no other mistake hides them."""
    supply, targets = tree.value.get("supply"), tree.value.get("targets")
    lists: dict[KeyPath, Any] = {
        ("models",): tree.value.get("models"),
        ("gpus",): tree.value.get("gpus"),
        ("supply", "owned"): supply.get("owned") if isinstance(supply, dict) else None,
        ("targets", "classes"): targets.get("classes") if isinstance(targets, dict) else None,
    }
    found: list[Problem] = []
    for path, items in lists.items():
        items = items if isinstance(items, tuple) else ()
        names = [item.get("name") if isinstance(item, dict) else None for item in items]
        for at, name in enumerate(names):
            if isinstance(name, str) and name in names[:at]:
                place = (*path, at, "name")
                found.append(
                    Problem(
                        path=dotted(place),
                        message=f"{shown(name)} is taken by an earlier one",
                        hint="names must differ",
                        line=tree.line_of(place),
                    )
                )
    return tuple(found)


def _in_order(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """As the file has them, without exact repeats."""
    return tuple(sorted(set(problems), key=lambda problem: (problem.line or 0, problem.path)))


def config_hash(config: Config) -> str:
    """32 hex digits that name this config's content, whatever its layout and comments."""
    return content_hash(config.model_dump_json().encode())


def _unreadable(path: Path, message: str, hint: str) -> ConfigErrors:
    return ConfigErrors(str(path), (Problem(path="", message=message, hint=hint),))
