"""Whether the config's launcher could start the config's models, so that nobody rents first and then hears.

It is asked of the file as it is, model by model, so that no other mistake hides the answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import ValidationError

from bouted.config.fields import Surroundings
from bouted.config.goals import ModelSettings
from bouted.config.problems import ConfigErrors, Problem
from bouted.config.running import LauncherSettings
from bouted.config.section import Section
from bouted.config.tree import Tree, dotted

Foresees = Callable[[LauncherSettings, Mapping[str, ModelSettings]], None]
"""ConfigErrors where the launcher could not start models, which are given by their paths in the file."""
S = TypeVar("S", bound=Section)


def engine_problems(tree: Tree, around: Surroundings, foresees: Foresees) -> tuple[Problem, ...]:
    """What is foreseen of the sections that make sense by themselves; the others are told of elsewhere."""
    listed = tree.value.get("models")
    items = enumerate(listed) if isinstance(listed, tuple) else ()
    read = ((f"models[{at}]", _sound(ModelSettings, item, around)) for at, item in items)
    models = {path: model for path, model in read if model is not None}
    launcher = _sound(LauncherSettings, tree.value.get("launcher", {}), around)
    if launcher is None:
        return ()
    try:
        foresees(launcher, models)
    except ConfigErrors as wrong:
        return tuple(replace(problem, line=_line_of(tree, problem.path)) for problem in wrong.problems)
    return ()


def _sound(kind: type[S], value: Any, around: Surroundings) -> S | None:
    try:
        return kind.model_validate(value, context=around)
    except ValidationError:
        return None


def _line_of(tree: Tree, path: str) -> int | None:
    """The line of a dotted path, or of the nearest thing around it."""
    lines = {dotted(at): line for at, line in tree.lines.items()}
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path) if path else None
