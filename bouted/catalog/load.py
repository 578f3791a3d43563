"""The catalog: every GPU and model that bouted knows, read from the shipped (or another) folder."""

from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from bouted.catalog.egress import EgressFact
from bouted.catalog.gpus import GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.errors import Misconfigured

Spec = TypeVar("Spec", GpuSpec, ModelSpec, EgressFact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """GPUs and models, sorted by name; names are unique."""

    gpus: tuple[GpuSpec, ...]
    models: tuple[ModelSpec, ...]

    def gpu(self, name: str) -> GpuSpec:
        """The GPU called `name`; Misconfigured with the nearest names when there is none."""
        return _find("GPU", name, self.gpus)

    def model(self, name: str) -> ModelSpec:
        """The model called `name`; Misconfigured with the nearest names when there is none."""
        return _find("model", name, self.models)


def load_catalog(folder: Traversable | None = None) -> Catalog:
    """The catalog in `folder` (`gpus.yaml` and `models.yaml`); the shipped one without it.

    Misconfigured names the file, the line and the field of the first thing that is wrong.
    """
    root = files("bouted.catalog") / "data" if folder is None else folder
    return Catalog(gpus=_load(root / "gpus.yaml", GpuSpec), models=_load(root / "models.yaml", ModelSpec))


def load_egress(folder: Traversable | None = None) -> tuple[EgressFact, ...]:
    """The list prices of moving data in `folder` (`egress.yaml`), sorted by name; the shipped without it.

    Misconfigured names the file, the line and the field of the first thing that is wrong.
    """
    root = files("bouted.catalog") / "data" if folder is None else folder
    return _load(root / "egress.yaml", EgressFact)


def _find(what: str, name: str, specs: tuple[Spec, ...]) -> Spec:
    for spec in specs:
        if spec.name == name:
            return spec
    hint = _nearest(name, [spec.name for spec in specs])
    raise Misconfigured("", f"the catalog has no {what} {name!r}", hint=hint)


def _nearest(name: str, known: Iterable[str]) -> str:
    by_fold = {other.casefold(): other for other in known}
    parts = [fold for fold in by_fold if name.casefold() in fold]
    close = parts or get_close_matches(name.casefold(), by_fold, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(by_fold[match] for match in close)}?"
    return f"known: {', '.join(sorted(by_fold.values()))}"


def _load(file: Traversable, kind: type[Spec]) -> tuple[Spec, ...]:
    try:
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(str(file), f"cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise Misconfigured(str(file), f"{line}not YAML: {problem}") from error
    if not isinstance(root, yaml.MappingNode) or not root.value:
        raise Misconfigured(str(file), "must map names to their facts, and has none")
    specs: dict[str, Spec] = {}
    for key, body in root.value:
        spec = _parse(file, key, body, kind)
        if spec.name in specs:
            raise Misconfigured(f"{file}: line {key.start_mark.line + 1}", f"{spec.name} appears twice")
        specs[spec.name] = spec
    return tuple(specs[name] for name in sorted(specs))


def _parse(file: Traversable, key: yaml.Node, body: yaml.Node, kind: type[Spec]) -> Spec:
    """One entry: every field of `kind` but its name, no others, and numbers above zero."""
    name = str(key.value)
    lines = {"": key.start_mark.line + 1}
    if isinstance(body, yaml.MappingNode):
        lines |= {field.value: field.start_mark.line + 1 for field, _ in body.value}
    facts = yaml.SafeLoader("").construct_document(body)

    def wrong(field: str, message: str, hint: str = "") -> Misconfigured:
        path = f"{name}.{field}" if field else name
        return Misconfigured(f"{file}: line {lines.get(field, lines[''])}", f"{path}: {message}", hint=hint)

    if not isinstance(facts, dict):
        raise wrong("", "must be a mapping of facts")
    wanted = {field.name: field for field in fields(kind) if field.name != "name"}
    for extra in facts.keys() - wanted.keys():
        raise wrong(str(extra), "unknown field", _nearest(str(extra), wanted))
    for field in wanted.values():
        if field.name not in facts and field.default is MISSING:
            raise wrong(field.name, "is missing")
    return _checked(facts | {"name": name}, kind, wrong)


def _checked(facts: dict[str, Any], kind: type[Spec], wrong: Callable[[str, str], Misconfigured]) -> Spec:
    for field, value in facts.items():
        if isinstance(value, bool) or (isinstance(value, int | float) and not 0 < value < float("inf")):
            raise wrong(field, f"must be a number above 0, got {value}")
    try:
        spec: Spec = TypeAdapter(kind).validate_python(facts)
    except ValidationError as error:
        first = error.errors()[0]
        raise wrong(str(first["loc"][0]), f"{first['msg'].lower()}, got {first['input']!r}") from error
    return spec
