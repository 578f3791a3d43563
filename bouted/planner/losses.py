"""Which nodes of a fleet are missing, and how likely that is. Equal places of designs share their luck."""

from collections.abc import Sequence
from hashlib import blake2b
from math import exp, inf, log1p

from bouted.planner.problem import PlannedNode, PlanningProblem

HOUR_S = 3600.0


class Losses:
    """Tells for one problem how fleets are found at some moment, short of nodes that were just taken back.

    A node is missing from its loss until its replacement serves: `hazard x window` of the time, the window
    being the start and the fetching of its weights. Nodes are lost independently: that whole pools go at once
    is what the spread rules are for.
    """

    def __init__(self, problem: PlanningProblem) -> None:
        self._seed = problem.seed
        self._draws = max(1, problem.robustness.scenarios - 1)
        self._switching = problem.switching
        self._gib = {item.model: item.gib for item in problem.weights}

    def window_h(self, node: PlannedNode) -> float:
        """Hours from the loss of a node until its replacement serves."""
        models = {shape.model for shape in node.template.replicas}
        fetched_gib = sum(self._gib.get(model, 0.0) for model in models)
        return self._switching.start_h + fetched_gib * self._switching.fetch_h_per_gib

    def odds(self, nodes: Sequence[PlannedNode]) -> float:
        """The odds that at some moment any of them is missing, 0..1."""
        return 1 - exp(-sum(self._expected(node) for node in nodes))

    def missing(self, number: int, nodes: Sequence[PlannedNode]) -> tuple[PlannedNode, ...]:
        """The nodes missing in draw `number` (from 1 on), given that any is; none where none can be lost.

        They are those that luck takes; where it takes none, the one that it came closest to. Over the draws
        of a problem each node's luck is spread evenly (a systematic sample).
        """
        times = [self._time(number, node) for node in nodes]
        last = max(1.0, min(times, default=inf))
        return tuple(node for node, time in zip(nodes, times, strict=True) if time <= last and time < inf)

    def wait_s(self, nodes: Sequence[PlannedNode]) -> float:
        """Seconds until the last of these nodes is replaced."""
        return max((self.window_h(node) for node in nodes), default=0.0) * HOUR_S

    def _expected(self, node: PlannedNode) -> float:
        """How often the node is lost within its window."""
        return node.offer.hazard_per_hour * self.window_h(node)

    def _time(self, number: int, node: PlannedNode) -> float:
        """When this draw takes the node, in windows."""
        expected = self._expected(node)
        if expected <= 0:
            return inf
        luck = (_luck(self._seed, node.slot) + (number - 1) / self._draws) % 1.0
        return -log1p(-luck) / expected


def _luck(seed: int, slot: str) -> float:
    """A number in [0, 1) that depends on the seed and the place alone."""
    digest = blake2b(f"{seed}|{slot}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
