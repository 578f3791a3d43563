"""The catalog's name for a GPU that somebody else calls something else."""

import re

_MAKERS = re.compile(r"\b(nvidia|amd|tesla|geforce|instinct|quadro)\b[ -]*", re.IGNORECASE)
_GIB = re.compile(r"(\d+) ?gi?b", re.IGNORECASE)

# What is left of a name without maker, memory, spaces and dashes, in small letters.
_PLAIN = {
    "t4": "T4", "a10g": "A10G", "a10": "A10", "l4": "L4", "a40": "A40", "a6000": "A6000", "rtxa6000": "A6000",
    "rtx3090": "RTX3090", "rtx4090": "RTX4090", "rtx5090": "RTX5090", "l40s": "L40S", "b200": "B200",
    "b300": "B300",
    "h200": "H200", "h200sxm": "H200", "mi300x": "MI300X", "mi300xoam": "MI300X",
    "rtxpro6000": "RTXPRO6000", "rtxproserver6000": "RTXPRO6000", "rtxpro6000ws": "RTXPRO6000",
    "rtxpro6000s": "RTXPRO6000", "rtx6000": "RTX6000", "rtxpro6000blackwellserveredition": "RTXPRO6000",
}  # fmt: skip
# Names that stand for parts of different memory: (name, more than this many GiB) -> catalog's name.
_BY_MEMORY: dict[str, tuple[tuple[float, str], ...]] = {
    "v100": ((24, "V100-32GB"), (0, "V100-16GB")),
    "v100sxm2": ((24, "V100-32GB"), (0, "V100-16GB")),
    "a100": ((60, "A100-80GB"), (0, "A100-40GB")),
    "a100sxm": ((60, "A100-80GB"), (0, "A100-40GB")),
    "a100sxm4": ((60, "A100-80GB"), (0, "A100-40GB")),
    "a100pcie": ((60, "A100-80GB-PCIE"), (0, "A100-40GB-PCIE")),
    "h100": ((85, "H100-94GB"), (0, "H100-80GB")),
    "h100sxm": ((0, "H100-80GB"),),
    "h100sxm5": ((0, "H100-80GB"),),
    "h100mega": ((0, "H100-80GB"),),
    "h100hbm3": ((0, "H100-80GB"),),
    "h100pcie": ((0, "H100-PCIE"),),
    "h100nvl": ((0, "H100-NVL"),),
}


MOST_GIB = 1024  # no GPU has more: such a number is in MiB
LEAST_GIB = 4  # none that serves has less: such a number is in TiB, or wrong


def _gib(memory: float | None) -> float | None:
    """A GPU's memory in GiB, whichever binary unit it was written in; None where that cannot be told."""
    if memory is None or memory < LEAST_GIB:
        return None
    return memory / 1024 if memory > MOST_GIB else memory


def catalog_gpu(name: str, memory_gib: float | None = None) -> str:
    """The catalog's name for the GPU that a cloud calls `name`, with this memory per GPU where it is known.

    Sources write GiB where they say MiB and the other way round: both are understood.
    A name of no GPU in the catalog comes back tidied: it can be priced and shown, and is not planned with.
    """
    found = _GIB.search(name)
    gib = float(found[1]) if found else _gib(memory_gib)
    bare = _GIB.sub("", _MAKERS.sub("", name))
    key = re.sub(r"[^a-z0-9]", "", bare.lower())
    if key in _PLAIN:
        return _PLAIN[key]
    if key in _BY_MEMORY:  # of unknown memory: taken for the smallest
        sizes = _BY_MEMORY[key]
        return next((known for least, known in sizes if (gib or 0) > least), sizes[-1][1])
    return re.sub(r"[^A-Za-z0-9]+", "-", _MAKERS.sub("", name).strip()).strip("-") or "unknown"
