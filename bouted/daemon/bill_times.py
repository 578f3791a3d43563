"""Writes down what providers say of when each node's bill began and ended, once for each new word."""

from collections.abc import Iterable
from dataclasses import dataclass

from bouted.reconcile.fleet import Node
from bouted.reconcile.observe import NodeTimes
from bouted.store.open import Store
from bouted.store.spend import correct_times


@dataclass(slots=True, kw_only=True)
class BillTimes:
    """Remembers what was said last of each machine that is listed; a name may have had several."""

    store: Store
    told: frozenset[NodeTimes] = frozenset()

    def note(self, said: Iterable[NodeTimes], nodes: Iterable[Node]) -> None:
        """Take in what was said now; `nodes` are rows, which mostly know the start already."""
        known = {node.name: node.launched_at for node in nodes}
        said = tuple(said)
        before, self.told = self.told, frozenset(said)
        correct_times(
            self.store,
            [
                times
                for times in said
                if times not in before
                and (times.ended_at is not None or times.started_at != known.get(times.name))
            ],
        )
