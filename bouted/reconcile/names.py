"""Names of nodes and replicas, derived, so that a retry after a crash finds what it left behind."""

from hashlib import blake2b


def node_name(deployment: str, slot: str, incarnation: int) -> str:
    """Name of the n-th node that fills `slot`: short, lower case, the same for every retry."""
    digest = blake2b(slot.encode(), digest_size=4).hexdigest()
    return f"bt-{deployment}-{digest}-{incarnation}"


def replica_name(node: str, position: int, incarnation: int) -> str:
    """Name of the n-th engine started at `position` of a node's template."""
    return f"{node}-r{position}" if incarnation == 1 else f"{node}-r{position}x{incarnation}"
