"""Which nodes a scenario takes away. Equal places of different designs share their luck."""

from hashlib import blake2b
from math import exp

from bouted.planner.problem import PlannedNode, PlanningProblem


class Losses:
    """Decides for one problem which nodes are lost, scenario by scenario.

    A node is lost with the odds that it is taken back within the time that a replacement needs to serve:
    1 - exp(-hazard x (start + fetching its weights)). So a scenario shows the fleet as it is found at some
    moment, short of what was just lost. Nodes are lost independently: that whole pools go at once is what
    the spread rules are for.

    Scenario 0 loses nothing. Over the others each node's draws are spread evenly (a systematic sample), so
    that a node of odds p is lost in p of them, up to rounding, whatever the seed.
    """

    def __init__(self, problem: PlanningProblem) -> None:
        self._seed = problem.seed
        self._drawn = problem.robustness.scenarios - 1
        self._switching = problem.switching
        self._gib = {item.model: item.gib for item in problem.weights}

    def odds(self, node: PlannedNode) -> float:
        """The odds that the node is gone at some moment, 0..1."""
        return 1 - exp(-node.offer.hazard_per_hour * self.window_h(node))

    def window_h(self, node: PlannedNode) -> float:
        """Hours from the loss of a node until its replacement serves."""
        models = {shape.model for shape in node.template.replicas}
        fetched_gib = sum(self._gib.get(model, 0.0) for model in models)
        return self._switching.start_h + fetched_gib * self._switching.fetch_h_per_gib

    def lost(self, number: int, node: PlannedNode) -> bool:
        """Whether the node is gone in scenario `number`."""
        if number == 0:
            return False
        return (_luck(self._seed, node.slot) + (number - 1) / self._drawn) % 1.0 < self.odds(node)


def _luck(seed: int, slot: str) -> float:
    """A number in [0, 1) that depends on the seed and the place alone."""
    digest = blake2b(f"{seed}|{slot}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
