"""The model and the GPU that `bouted perf` was given by name: of the catalog, or of a folder."""

from dataclasses import MISSING, fields
from pathlib import Path

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.hf import PublishedModel, read_hf
from bouted.catalog.load import Catalog
from bouted.catalog.names import catalog_gpu
from bouted.catalog.precision import Precision
from bouted.errors import Misconfigured


def named_model(catalog: Catalog, name: str) -> PublishedModel:
    """The model of that name, taken for 16-bit, or the one that a folder or its config.json describes.

    Misconfigured names the nearest models, and the file that would describe another.
    """
    path = Path(name)
    if path.exists():
        return read_hf(path)
    try:
        return PublishedModel(spec=catalog.model(name), precision=Precision.BF16)
    except Misconfigured as error:
        hint = f"{error.hint} Of another, give the folder with its config.json"
        raise Misconfigured(error.path, error.message, hint=hint) from error


def named_gpu(catalog: Catalog, name: str) -> GpuSpec:
    """The GPU that clouds and people call so; Misconfigured names the nearest, and what describes another."""
    try:
        return catalog.gpu(catalog_gpu(name))
    except Misconfigured as error:
        needed = ", ".join(
            field.name for field in fields(GpuSpec) if field.name != "name" and field.default is MISSING
        )
        hint = f"{error.hint} Another is described under gpus: in the config, by {needed}"
        raise Misconfigured(error.path, error.message, hint=hint) from error
