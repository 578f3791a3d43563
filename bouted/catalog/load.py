"""The catalog: every GPU and model that bouted knows, read from the shipped (or another) folder."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TypeVar

from bouted.catalog.egress import EgressFact
from bouted.catalog.facts import load_facts
from bouted.catalog.gpus import GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.catalog.nearest import nearest
from bouted.errors import Misconfigured

Spec = TypeVar("Spec", GpuSpec, ModelSpec)


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

    def extended(self, gpus: tuple[GpuSpec, ...], models: tuple[ModelSpec, ...]) -> "Catalog":
        """This catalog with these added; they take the place of what has the same name."""
        return Catalog(gpus=_over(self.gpus, gpus), models=_over(self.models, models))


def load_catalog(folder: Traversable | None = None) -> Catalog:
    """The catalog in `folder` (`gpus.yaml` and `models.yaml`); the shipped one without it.

    Misconfigured names the file, the line and the field of the first thing that is wrong.
    """
    return _shipped() if folder is None else _read(folder)


@cache
def _shipped() -> Catalog:
    """Read once: it takes a quarter of a second, and every reading of a config asks for it."""
    return _read(files("bouted.catalog") / "data")


def _read(folder: Traversable) -> Catalog:
    return Catalog(
        gpus=load_facts(folder / "gpus.yaml", GpuSpec), models=load_facts(folder / "models.yaml", ModelSpec)
    )


def load_egress(folder: Traversable | None = None) -> tuple[EgressFact, ...]:
    """The list prices of moving data in `folder` (`egress.yaml`), sorted by name; the shipped without it.

    Misconfigured names the file, the line and the field of the first thing that is wrong.
    """
    root = files("bouted.catalog") / "data" if folder is None else folder
    return load_facts(root / "egress.yaml", EgressFact)


def _find(what: str, name: str, specs: tuple[Spec, ...]) -> Spec:
    for spec in specs:
        if spec.name == name:
            return spec
    hint = nearest(name, [spec.name for spec in specs])
    raise Misconfigured("", f"the catalog has no {what} {name!r}", hint=hint)


def _over(known: tuple[Spec, ...], added: tuple[Spec, ...]) -> tuple[Spec, ...]:
    by_name: dict[str, Spec] = {spec.name: spec for spec in known}
    by_name.update((spec.name, spec) for spec in added)
    return tuple(by_name[name] for name in sorted(by_name))
