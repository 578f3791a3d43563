"""GPUs that catalogs name alike and instance types tell apart: slower boards, and slices."""

import re
from decimal import Decimal

# (what the instance type says, the name, the board's own name)
_BOARDS = (
    (re.compile("nvl|_NCC?[0-9]+adi?s_H100", re.IGNORECASE), "H100-80GB", "H100-NVL"),
    (re.compile("pcie", re.IGNORECASE), "H100-80GB", "H100-PCIE"),
    (re.compile("pcie|_NC[0-9]+ads_A100", re.IGNORECASE), "A100-80GB", "A100-80GB-PCIE"),
    (re.compile("pcie", re.IGNORECASE), "A100-40GB", "A100-40GB-PCIE"),
)


def on_board(gpu: str, instance_type: str) -> str:
    """The catalog's name for the board that this instance type has, where `gpu` alone does not say."""
    return next((own for told, name, own in _BOARDS if gpu == name and told.search(instance_type)), gpu)


def slice_of(gpu: str, part: Decimal) -> str:
    """The name of a part of a GPU, which is a kind of its own: a third of an A10 is an A10-0.333."""
    return f"{gpu}-{round(part, 3).normalize():f}"
