"""Names for what marketplaces sell without one: so many GPUs of a kind in a machine."""

import re

from bouted.catalog.names import catalog_gpu

_MAKER = re.compile(r"^(nvidia|amd|tesla|geforce) +", re.IGNORECASE)


def rented_name(gpu: str, count: int, memory_gib: float) -> str:
    """A type name like 1x_A100_80GB_PCIe from the marketplace's own GPU name.

    The memory is in it where a GPU of that name comes in several sizes, so that each is an offer of its own.
    """
    words = _MAKER.sub("", gpu.strip()).replace("PCIE", "PCIe").split()
    if catalog_gpu(gpu, 1.0) != catalog_gpu(gpu, 1000.0):
        words.insert(1, f"{round(memory_gib)}GB")
    return f"{count}x_{'_'.join(words)}"
