"""Sees to it that each kept node of this machine has a keeper that answers."""

import logging
import signal
from dataclasses import dataclass, field

from bouted.clock import Clock
from bouted.errors import Retryable

from .keepers import Keepers
from .local_kept_node import KeptNode
from .local_kept_nodes import KeptNodes
from .local_kept_record import KeptRecord
from .local_process import reap, signal_group
from .node_token import node_token

log = logging.getLogger(__name__)

HUNG_S = 30.0  # a keeper that lives and is silent for so long is killed, and started again


@dataclass(frozen=True, slots=True, kw_only=True)
class Tending:
    """Starts keepers. One that starts again on its folder finds its engines running."""

    nodes: KeptNodes
    keepers: Keepers[KeptRecord]
    clock: Clock
    _children: set[int] = field(default_factory=set, init=False)

    def token(self, name: str) -> str:
        """The secret of a node's keeper."""
        return node_token(self.nodes.place.root / "node.key", name)

    def reap(self) -> None:
        """Collect keepers of this process that have ended."""
        reap(self._children)

    def start(self, record: KeptRecord) -> None:
        """Start a node's keeper unless it runs. The caller is alone."""
        node = self.nodes.node(record.name)
        pid = node.start(record, self.token(record.name), self.clock.now())
        if pid is not None:
            self._children.add(pid)

    def require(self, record: KeptRecord) -> None:
        """Start the keeper of a node that lacks it. One that hangs is killed, and is missing then."""
        node = self.nodes.node(record.name)
        if node.lives():
            if self.keepers.word(record.name).silent_s(self.clock.now()) > HUNG_S:
                self._kill(node)
            return
        with self.nodes.place.alone():
            known = self.nodes.read(record.name)
            if known is None or node.ended_at(known) is not None:
                return
            try:
                self.start(known)
            except Retryable as error:
                log.warning("%s: %s", record.name, error)

    def _kill(self, node: KeptNode) -> None:
        log.warning("the keeper of %s has been silent for %.0f s and is killed", node.path.name, HUNG_S)
        process = node.process()
        if process is not None:
            signal_group(process, signal.SIGKILL)
        self.keepers.words.pop(node.path.name, None)  # the next one has its time
