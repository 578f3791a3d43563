"""Names of nodes and replicas, derived, so that a retry after a crash finds what it left behind."""

import re
from hashlib import blake2b


def node_name(deployment: str, slot: str, incarnation: int) -> str:
    """Name of the n-th node that fills `slot`: short, lower case, the same for every retry."""
    return f"bt-{deployment}-{slot_digest(slot)}-{incarnation}"


def slot_digest(slot: str) -> str:
    """What a node's name holds of its slot."""
    return blake2b(slot.encode(), digest_size=4).hexdigest()


def parse_node_name(deployment: str, name: str) -> tuple[str, int] | None:
    """The slot's digest and the incarnation in a name that `node_name` gave; None for any other name, those
    of other deployments among them."""
    found = re.fullmatch(rf"bt-{re.escape(deployment)}-([0-9a-f]{{8}})-([1-9][0-9]*)", name)
    return None if found is None else (found[1], int(found[2]))


def deployment_of(name: str) -> str:
    """The deployment whose node this is, by its name; "" for a name that `node_name` did not give."""
    found = re.fullmatch(r"bt-(.+)-[0-9a-f]{8}-[1-9][0-9]*", name)
    return "" if found is None else found[1]


def is_ours(deployment: str, name: str) -> bool:
    """The name carries this deployment's mark, and is no node's of one whose own name only begins so."""
    mark = f"bt-{re.escape(deployment)}-"
    theirs = re.fullmatch(rf"{mark}.+-[0-9a-f]{{8}}-[1-9][0-9]*", name)
    return re.fullmatch(rf"{mark}.+", name) is not None and theirs is None


def replica_name(node: str, position: int, incarnation: int) -> str:
    """Name of the n-th engine started at `position` of a node's template."""
    return f"{node}-r{position}" if incarnation == 1 else f"{node}-r{position}x{incarnation}"
