"""Which nodes of a fleet are missing, and how likely that is. Equal places of designs share their luck."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import exp, inf, log1p

from bouted.planner.planned import PlannedNode
from bouted.planner.problem import PlanningProblem

HOUR_S = 3600.0
# Kinds of nodes told apart, by how often they are lost; the rest are taken together.
MOST_KINDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """How a fleet may be found: without these nodes, with these odds, for this long."""

    missing: tuple[PlannedNode, ...]
    odds: float
    lasts_s: float


class Losses:
    """Tells for one problem how fleets are found at some moment, short of nodes that were just taken back.

    A node is missing from its loss until its replacement serves: `hazard x window` of the time, the window
    being the start and the fetching of its weights. Nodes are lost independently: that whole pools go at once
    is what the spread rules are for.
    """

    def __init__(self, problem: PlanningProblem) -> None:
        self._seed = problem.seed
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

    def shortages(self, nodes: Sequence[PlannedNode]) -> tuple[Shortage, ...]:
        """One for each kind of node that may be lost, likeliest first; their odds add up to `odds`.

        Nodes cut alike are of one kind, for losing either does the same. While losses are rare just one node
        of the kind is missing, the one that luck came closest to: that is exact. Where luck takes some of the
        fleet anyway, those are missing. Luck is spread evenly over the kinds (a systematic sample).
        """
        kinds = self._kinds(nodes)
        total = sum(self._expected(node) for kind in kinds for node in kind)
        found: list[Shortage] = []
        for number, kind in enumerate(kinds):
            luck = {node.slot: self._time(number / len(kinds), node) for kind in kinds for node in kind}
            taken = tuple(node for node in nodes if luck.get(node.slot, inf) < 1)
            missing = taken or (min(kind, key=lambda node: luck[node.slot]),)
            part = sum(self._expected(node) for node in kind) / total
            lasts_s = max(self.window_h(node) for node in missing) * HOUR_S
            found.append(Shortage(missing=missing, odds=part * self.odds(nodes), lasts_s=lasts_s))
        return tuple(found)

    def _kinds(self, nodes: Sequence[PlannedNode]) -> list[list[PlannedNode]]:
        """Nodes that may be lost, by template; the ones lost most often first, the last of many together."""
        by_template: dict[str, list[PlannedNode]] = {}
        for node in nodes:
            if self._expected(node) > 0:
                by_template.setdefault(node.template.id, []).append(node)
        kinds = sorted(by_template.values(), key=lambda kind: -sum(self._expected(node) for node in kind))
        rest = [node for kind in kinds[MOST_KINDS - 1 :] for node in kind]
        return [*kinds[: MOST_KINDS - 1], rest] if rest else kinds

    def _expected(self, node: PlannedNode) -> float:
        """How often the node is lost within its window."""
        return node.offer.hazard_per_hour * self.window_h(node)

    def _time(self, turn: float, node: PlannedNode) -> float:
        """When luck takes the node, in windows. Luck goes round once as `turn` goes from 0 to 1."""
        luck = (_luck(self._seed, node.slot) + turn) % 1.0
        return -log1p(-luck) / self._expected(node)


def _luck(seed: int, slot: str) -> float:
    """A number in [0, 1) that depends on the seed and the place alone."""
    digest = blake2b(f"{seed}|{slot}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
