"""A launcher that tells of every call that changes something, before it and after it."""

from collections.abc import Callable, Sequence

from bouted.reconcile.launcher import KnownNode, Launcher, NodeOrder, ReplicaOrder, Seen, SeenNode


class JournalledLauncher:
    """Passes everything on to `inner`."""

    def __init__(self, inner: Launcher, tell: Callable[[str], None]) -> None:
        self.name = inner.name
        self._inner = inner
        self._tell = tell

    def launch(self, order: NodeOrder) -> None:
        """Rent an instance."""
        self._around("launch", lambda: self._inner.launch(order))

    def start_replica(self, order: ReplicaOrder) -> None:
        """Start an engine."""
        self._around("start_replica", lambda: self._inner.start_replica(order))

    def stop_replica(self, name: str, node: str) -> None:
        """End an engine."""
        self._around("stop_replica", lambda: self._inner.stop_replica(name, node))

    def stop_node(self, name: str) -> None:
        """Give an instance back."""
        self._around("stop_node", lambda: self._inner.stop_node(name))

    def seen(self) -> Seen:
        """What exists now."""
        return self._inner.seen()

    def sweep(self, known: Sequence[KnownNode] = ()) -> tuple[SeenNode, ...]:
        """What the provider lists."""
        return self._inner.sweep(known)

    def renew(self, nodes: tuple[str, ...], for_s: float) -> None:
        """Hold the dead-man switch."""
        self._inner.renew(nodes, for_s)

    def _around(self, what: str, call: Callable[[], None]) -> None:
        self._tell(f"before {what}")
        call()
        self._tell(f"after {what}")
