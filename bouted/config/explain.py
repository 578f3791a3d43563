"""pydantic's findings as problems in the user's words."""

from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bouted.config.fields import shown, unit_of
from bouted.config.problems import Problem, did_you_mean
from bouted.config.schema import Config
from bouted.config.section import Section
from bouted.config.tree import Path, Tree, dotted

_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_SHAPES = {
    "bool_type": "true or false",
    "tuple_type": "a list, like [a, b]",
    "model_type": "a section of keys",
    "dict_type": "a section of keys",
    "string_type": "text",
}


def problems_of(error: ValidationError, tree: Tree) -> tuple[Problem, ...]:
    """One problem per finding, in the schema's order."""
    findings = [item for item in error.errors() if item["type"] != "default_factory_not_called"]
    stand_ins = {_stand_in(item) for item in findings if item["type"] == "extra_forbidden"}
    return tuple(
        _problem(item, tree)
        for item in findings
        if not (item["type"] == "missing" and item["loc"] in stand_ins)
    )


def _stand_in(item: ErrorDetails) -> Path:
    """The key that an unknown key was probably meant to be: its absence is not a second problem."""
    hint = _unknown_key(item["loc"])
    return (*item["loc"][:-1], hint.removeprefix("did you mean ").removesuffix("?"))


def _problem(item: ErrorDetails, tree: Tree) -> Problem:
    context: dict[str, Any] = item.get("ctx") or {}
    path: Path = (*item["loc"], context["key"]) if context.get("key") else item["loc"]
    message, hint = _words(item, context)
    line = None if item["type"] == "missing" and len(path) == 1 else tree.line_of(path)
    return Problem(path=dotted(path), message=message, hint=hint, line=line)


def _words(item: ErrorDetails, context: dict[str, Any]) -> tuple[str, str]:
    kind, key = item["type"], str(item["loc"][-1]) if item["loc"] else ""
    got = shown(item["input"], key)
    if kind == "refused":
        return str(context["message"]), str(context["hint"])
    if kind == "missing":
        unit = unit_of(key)
        return "is required", f"a number of {unit}" if unit else ""
    if kind == "extra_forbidden":
        return "unknown key", _unknown_key(item["loc"])
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"must be {words} {context[name]}, got {got}", ""
    if kind in _SHAPES:
        hint = "remove the key or fill it in" if item["input"] is None else ""
        return f"must be {_SHAPES[kind]}, got {got}", hint
    if kind == "too_short":
        return "must list at least one", ""
    return f"{item['msg'][:1].lower()}{item['msg'][1:]}, got {got}", ""


def _unknown_key(path: Path) -> str:
    """What the key at `path` may have been meant to be: a near key here, or the same key elsewhere."""
    key = str(path[-1])
    fields = _fields_at(path[:-1])
    near = did_you_mean(key, tuple(fields))
    if near:
        return near
    homes = [dotted(home) for home in _homes(key, Config.model_fields, ())]
    if homes:
        return f"it belongs under {homes[0]}" if homes[0] else "it belongs at the top"
    return f"known here: {', '.join(fields)}"


def _fields_at(path: Path) -> dict[str, FieldInfo]:
    fields: dict[str, FieldInfo] = Config.model_fields
    for part in path:
        if isinstance(part, str):
            section = _section_in(fields[part].annotation) if part in fields else None
            fields = _as_written(section) if section else {}
    return fields


def _as_written(section: type[Section]) -> dict[str, FieldInfo]:
    """A section's fields by the keys that a file has for them."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def _homes(key: str, fields: dict[str, FieldInfo], path: Path) -> list[Path]:
    found = [path] if key in fields else []
    for name, field in fields.items():
        section = _section_in(field.annotation)
        if section is not None:
            found.extend(_homes(key, _as_written(section), (*path, name)))
    return found


def _section_in(annotation: Any) -> type[Section] | None:
    """The section that a field holds, on its own, in a list or optionally."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    inner = (_section_in(argument) for argument in get_args(annotation))
    return next((section for section in inner if section is not None), None)
