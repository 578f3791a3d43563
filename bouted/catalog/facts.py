"""Reads a YAML file of facts: names, each with the fields of one dataclass. Wrong ones are named by line."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from importlib.resources.abc import Traversable
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import TypeAdapter, ValidationError

from bouted.catalog.nearest import nearest
from bouted.errors import Misconfigured

Fact = TypeVar("Fact")
Wrong = Callable[..., Misconfigured]


def load_facts(file: Traversable, kind: type[Fact]) -> tuple[Fact, ...]:
    """Every entry of `file` as a `kind`, sorted by name.

    Misconfigured names the file, the line and the field of the first thing that is wrong.
    """
    root = _compose(file)
    if not isinstance(root, yaml.MappingNode) or not root.value:
        raise Misconfigured(str(file), "must map names to their facts, and has none")
    found: dict[str, Fact] = {}
    for key, body in root.value:
        name = str(key.value)
        if name in found:
            raise Misconfigured(f"{file}: line {key.start_mark.line + 1}", f"{name} appears twice")
        found[name] = _parse(file, key, body, kind)
    return tuple(found[name] for name in sorted(found))


def _compose(file: Traversable) -> yaml.Node | None:
    try:
        return yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(str(file), f"cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise Misconfigured(str(file), f"{line}not YAML: {problem}") from error


def _parse(file: Traversable, key: yaml.Node, body: yaml.Node, kind: type[Fact]) -> Fact:
    name = str(key.value)
    lines = {"": key.start_mark.line + 1, **_lines(body, "")}

    def wrong(field: str, message: str, hint: str = "") -> Misconfigured:
        path = f"{name}.{field}" if field else name
        line = lines.get(field) or lines.get(field.rpartition(".")[0]) or lines[""]
        return Misconfigured(f"{file}: line {line}", f"{path}: {message}", hint=hint)

    facts = yaml.SafeLoader("").construct_document(body)
    if not isinstance(facts, dict):
        raise wrong("", "must be a mapping of facts")
    if "name" in facts:
        raise wrong("name", "unknown field", "the name is the key")
    checked = {"name": name, **facts}
    _check(checked, kind, "", wrong)
    try:
        return TypeAdapter(kind).validate_python(checked)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise wrong(field, f"{first['msg'].lower()}, got {first['input']!r}") from error


def _lines(node: yaml.Node, under: str) -> dict[str, int]:
    """The line of every field, by dotted path."""
    found: dict[str, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = f"{under}{key.value}"
            found |= {path: key.start_mark.line + 1, **_lines(value, f"{path}.")}
    return found


def _check(facts: Mapping[str, Any], kind: Any, under: str, wrong: Wrong) -> None:
    """Every field of `kind`, no others, and numbers above zero where zero is not the default."""
    wanted = {field.name: field for field in fields(kind)}
    for extra in facts.keys() - wanted.keys():
        known = [name for name in wanted if name != "name"]
        raise wrong(f"{under}{extra}", "unknown field", nearest(str(extra), known))
    for field in wanted.values():
        path = f"{under}{field.name}"
        if field.name in facts:
            _check_value(facts[field.name], field, path, wrong)
        elif field.default is MISSING:
            raise wrong(path, "is missing")


def _check_value(value: Any, field: Field[Any], path: str, wrong: Wrong) -> None:
    inner = _dataclass_in(field.type)
    if inner is not None and isinstance(value, dict):
        _check(value, inner, f"{path}.", wrong)
    elif isinstance(value, bool):
        if field.type is not bool:
            raise wrong(path, f"must be a number above 0, got {value}")
    elif isinstance(value, int | float):
        zero = value == 0 and field.default == 0
        if not zero and not 0 < value < float("inf"):
            raise wrong(path, f"must be a number above 0, got {value}")


def _dataclass_in(annotation: Any) -> Any:
    options = get_args(annotation) if get_origin(annotation) is UnionType else (annotation,)
    return next((option for option in options if is_dataclass(option)), None)
