"""What a node's keeper said of its engines, as the reconciler sees replicas. Pure."""

from collections.abc import Callable

from bouted.perf.reserve import GIB
from bouted.reconcile.fleet import Fetched
from bouted.reconcile.launcher import SeenReplica

from .node_look import FAILED, READY, KeptReplica, NodeLook


def seen_replicas(look: NodeLook, endpoint: Callable[[int], str]) -> tuple[SeenReplica, ...]:
    """The engines of one node. An engine has an endpoint from its first real token on."""
    return tuple(
        SeenReplica(
            name=kept.name,
            node=look.node,
            endpoint=endpoint(kept.port) if kept.phase == READY and kept.port else "",
            pid=kept.pid,
            progress="" if kept.phase == READY else kept.phase,
            last_word=_last_word(kept),
            unprepared=bool(kept.failed_in),
            version=kept.version,
            fetched=_fetched(kept),
        )
        for kept in look.replicas
    )


def _last_word(kept: KeptReplica) -> str:
    if kept.phase != FAILED:
        return ""
    word = kept.last_word or f"exit code {kept.exit_code}"
    return f"{kept.failed_in}: {word}" if kept.failed_in else word


def _fetched(kept: KeptReplica) -> Fetched | None:
    if kept.fetched_bytes is None:
        return None
    return Fetched(gib=kept.fetched_bytes / GIB, seconds=kept.fetch_s)


def runs(look: NodeLook, name: str) -> bool:
    """Whether the keeper has this engine, and it did not fail."""
    return any(kept.name == name and kept.phase != FAILED for kept in look.replicas)
