"""Loopback ports for keepers of this machine."""

import random
from collections.abc import Container, Iterator

from bouted.errors import Retryable

from .ports import is_free

PORTS = range(12_000, 32_000, 32)
"""Below those that the kernel hands out by itself. The ports up to the next one are for a node's engines, so
that no two keepers give out the same one before an engine listens there."""


def keeper_port(before: int | None, others: Container[object]) -> int:
    """The port that the keeper had `before` where that is free, or else one that no other has."""
    for port in _in_any_order(before):
        if (port == before or port not in others) and is_free(port):
            return port
    raise Retryable("no port of this machine is free for a keeper", after_s=1.0)


def _in_any_order(first: int | None) -> Iterator[int]:
    if first is not None:
        yield first
    yield from random.sample(PORTS, len(PORTS))
