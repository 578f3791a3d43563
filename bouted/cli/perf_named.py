"""The model and the GPU that `bouted perf` was given by name: of the catalog, or of a folder."""

from pathlib import Path

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.hf import read_hf
from bouted.catalog.load import Catalog
from bouted.catalog.models import ModelSpec
from bouted.catalog.names import catalog_gpu
from bouted.config.hardware import described_by
from bouted.errors import Misconfigured


def named_model(catalog: Catalog, name: str) -> ModelSpec:
    """The model of that name, or the one that a folder or its config.json describes.

    Misconfigured names the nearest models, and the file that would describe another.
    """
    path = Path(name)
    if path.exists():
        return read_hf(path).spec
    try:
        return catalog.model(name)
    except Misconfigured as error:
        hint = f"{error.hint} Or give the folder with its config.json"
        raise Misconfigured(error.path, error.message, hint=hint) from error


def named_gpu(catalog: Catalog, name: str) -> GpuSpec:
    """The GPU that clouds and people call so; Misconfigured names the nearest, and what describes another."""
    known = any(gpu.name == name for gpu in catalog.gpus)
    try:
        return catalog.gpu(name if known else catalog_gpu(name))
    except Misconfigured as error:
        hint = f"{error.hint} Or {described_by()} in the config"
        raise Misconfigured(error.path, error.message, hint=hint) from error
