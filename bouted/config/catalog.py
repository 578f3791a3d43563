"""The catalog that a config works with: the shipped one, and what the config adds to it."""

from pathlib import Path

from bouted.catalog.hf import read_hf
from bouted.catalog.load import Catalog
from bouted.config.schema import Config


def catalog_of(config: Config, shipped: Catalog) -> Catalog:
    """`shipped` with the config's GPU types, and the models whose `spec` is a folder under that spec.

    What the config says wins. Misconfigured when a model's folder can no longer be read.
    """
    folders = [model.spec for model in config.models if Path(model.spec).is_absolute()]
    return shipped.extended(
        gpus=tuple(gpu.spec() for gpu in config.gpus),
        models=tuple(read_hf(Path(folder), folder).spec for folder in folders),
    )
