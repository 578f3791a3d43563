"""What moving from the plan in force to another design saves, what it costs, and how long that lasts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import inf, isinf

from bouted.market.offers import Market
from bouted.planner.design import Design
from bouted.planner.moving import Fetching, drop_usd, start_usd
from bouted.planner.planned import PlannedNode
from bouted.planner.problem import PlanningProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What a move saves an hour (negative: costs) and costs once, fetching weights included.

    `holds_h` is how many hours the prices it rests on are expected to hold; infinite where none can move.
    """

    saves_usd_per_hour: Decimal
    costs_usd: Decimal
    fetching_usd: Decimal = Decimal(0)
    holds_h: float = inf

    @property
    def payback_h(self) -> float:
        """Hours until the saving has paid for the move; infinite when nothing is saved."""
        if self.saves_usd_per_hour <= 0:
            return inf
        return float(self.costs_usd / self.saves_usd_per_hour)

    @property
    def spread_usd_per_hour(self) -> Decimal:
        """What the move costs an hour while the prices hold."""
        return Decimal(0) if isinf(self.holds_h) else self.costs_usd / Decimal(str(self.holds_h))


def move_to(to: Design, old: Design, problem: PlanningProblem) -> Move:
    """The move from one design to another."""
    return Move(
        saves_usd_per_hour=old.usd_per_hour - to.usd_per_hour,
        costs_usd=moving_cost(to, old.nodes, problem),
        fetching_usd=fetching_cost(to, old.nodes, problem),
        holds_h=holds_h(to, old.nodes, problem),
    )


def moving_cost(design: Design, running: Sequence[PlannedNode], problem: PlanningProblem) -> Decimal:
    """Dollars that a move costs once: starting new nodes, fetching weights, keeping dropped ones a while."""
    started, dropped = changed(design, running)
    starting = sum((start_usd(node, problem) for node in started), Decimal(0))
    return starting + sum((drop_usd(node, problem) for node in dropped), Decimal(0))


def fetching_cost(design: Design, running: Sequence[PlannedNode], problem: PlanningProblem) -> Decimal:
    """Dollars of a move that are for bringing weights to the nodes it starts."""
    return Fetching(problem).nodes_usd(changed(design, running)[0])


def holds_h(design: Design, running: Sequence[PlannedNode], problem: PlanningProblem) -> float:
    """Hours that a move's saving is expected to last: the shortest life among the prices it rests on.

    Those are the prices of the nodes started and of the nodes dropped; a kept node costs the same either way.
    """
    started, dropped = changed(design, running)
    known = {life.offer_id: life.hours for life in problem.price_lives}
    rests_on = {node.offer.id for node in (*started, *dropped) if node.offer.market is not Market.OWNED}
    return min((known.get(offer_id, problem.price_life_h) for offer_id in rests_on), default=inf)


def kept_nodes(design: Design, running: Sequence[PlannedNode]) -> int:
    """How many running nodes a design keeps as they are."""
    wanted = Counter(node.slot for node in design.nodes)
    return (wanted & Counter(node.slot for node in running)).total()


def changed(
    design: Design, running: Sequence[PlannedNode]
) -> tuple[tuple[PlannedNode, ...], tuple[PlannedNode, ...]]:
    """The nodes that a move starts, and those it drops."""
    wanted = {node.slot: node for node in design.nodes}
    present = {node.slot: node for node in running}
    started = tuple(node for slot, node in wanted.items() if slot not in present)
    return started, tuple(node for slot, node in present.items() if slot not in wanted)
