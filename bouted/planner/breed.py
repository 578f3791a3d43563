"""New designs from good ones: other points of the cube around theirs, and their fleets and splits changed.

Changed fleets and splits need no integer programme, so there are many of them: a node less, a node
more, one for another, or cut another way; the load moved between models, or toward what each can carry.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bouted.market.offers import Offer
from bouted.planner.allowed import Allowed
from bouted.planner.capacity import Capacities, snap_factor
from bouted.planner.design import Design
from bouted.planner.inside import Ask, numbered
from bouted.planner.outside import Cube
from bouted.planner.planned import ModelShare, PlannedNode, Template
from bouted.planner.pool import Candidate, Pool
from bouted.planner.problem import PlanningProblem
from bouted.planner.together import Together

Floats = npt.NDArray[np.float64]
Bought = tuple[Offer, Template]

# Each round: asks near good ones and anywhere, and changed designs.
NEAR, ANYWHERE, CHANGED = 5, 2, 400
STEPS = (0.2, 0.08, 0.03)
# What a split moves by, at most; and the odds that a changed design has its fleet or its split changed.
SHARE_MOVES = (0.01, 0.05, 0.2)
FLEET_ODDS, SPLIT_ODDS = 0.7, 0.6
LEAST_FACTOR, MOST_FACTOR = 0.25, 1.1
SOBOL_POINTS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Breeder:
    """Fills a pool further, round after round."""

    problem: PlanningProblem
    cube: Cube
    pool: Pool
    together: Together | None
    allowed: Allowed
    capacities: Capacities
    rng: np.random.Generator
    stop: Callable[[], bool]

    def breed(self, parents: Sequence[Candidate], round_: int) -> None:
        """Add designs around the parents to the pool, and some from elsewhere."""
        self._ask_near(parents)
        self._ask_anywhere(round_)
        self._ask_together(round_)
        self.change(parents)

    def _ask_near(self, parents: Sequence[Candidate]) -> None:
        if not parents:
            return
        chosen = np.array([self._point(self._any(parents)) for _ in range(NEAR)])
        step = STEPS[self.rng.integers(len(STEPS))]
        self._answer(self.cube.near(chosen, NEAR, step, self.rng))

    def _ask_anywhere(self, round_: int) -> None:
        start = ANYWHERE * round_ % SOBOL_POINTS
        self._answer(self.cube.sobol(SOBOL_POINTS, self.problem.seed + 1)[start : start + ANYWHERE])

    def _answer(self, points: Floats) -> None:
        for point, ask in zip(points, self.cube.asks(points), strict=True):
            if self.stop():
                return
            self.pool.answer(point, ask)

    def _ask_together(self, round_: int) -> None:
        """Fleet and split chosen together somewhere along the front, every so many rounds."""
        if self.together is None or not self.together.due(round_):
            return
        asked, best = self.problem.targets.quality_min, self.cube.splits.best_low
        factor = snap_factor(self.rng.uniform(LEAST_FACTOR, MOST_FACTOR))
        height = round(self.rng.random() * 16) / 16
        self.together.design(factor, round(asked + height * max(0.0, best - asked), 4))

    def change(self, parents: Sequence[Candidate]) -> None:
        """Parents with another fleet, another split or both; only what keeps to every limit and the floor."""
        if not parents:
            return
        known = self._known(parents)
        chosen = [self._any(parents) for _ in range(CHANGED)]
        fleets = [self._other_fleet(item, known) for item in chosen]
        splits = np.array(
            [self._other_split(item, nodes) for item, nodes in zip(chosen, fleets, strict=True)]
        )
        quality = self.cube.splits.low(splits)
        floor = self.problem.targets.quality_min
        for item, nodes, split, (mean, low) in zip(chosen, fleets, splits, quality, strict=True):
            if self.stop():
                return
            ask = replace(item.ask, shares=tuple(float(x) for x in split))
            if low >= floor and self.allowed(Design(nodes=nodes, shares=self._shares(ask))):
                same = nodes is item.scored.design.nodes
                sharing = item.scored.design.sharing if same else ()
                self.pool.add(nodes, ask, None, (float(mean), float(low)), sharing)

    def _any(self, parents: Sequence[Candidate]) -> Candidate:
        return parents[int(self.rng.integers(len(parents)))]

    def _shares(self, ask: Ask) -> tuple[ModelShare, ...]:
        rules = self.problem.models
        return tuple(ModelShare(model=r.name, share=s) for r, s in zip(rules, ask.shares, strict=True))

    def _point(self, parent: Candidate) -> Floats:
        """Where a design lies in the cube, or close to it."""
        if parent.point is not None:
            return parent.point
        return self.cube.point(np.array(parent.ask.shares), parent.ask.factors)

    def _known(self, parents: Sequence[Candidate]) -> list[Bought]:
        """Every offer and cut that the parents use, without repeats."""
        nodes = {
            (node.offer.id, node.template): node for item in parents for node in item.scored.design.nodes
        }
        return [(node.offer, node.template) for node in nodes.values()]

    def _other_fleet(self, parent: Candidate, known: Sequence[Bought]) -> tuple[PlannedNode, ...]:
        nodes = parent.scored.design.nodes
        if self.rng.random() > FLEET_ODDS or not nodes or not known:
            return nodes
        bought = [(node.offer, node.template) for node in nodes]
        what = self.rng.integers(3)
        if what != 1:
            del bought[self.rng.integers(len(bought))]
        if what != 0:
            bought.append(known[int(self.rng.integers(len(known)))])
        return numbered([(offer, template, 1) for offer, template in bought], self.problem.incumbent)

    def _other_split(self, parent: Candidate, nodes: tuple[PlannedNode, ...]) -> Floats:
        split = np.array(parent.ask.shares)
        if len(split) == 1 or (self.rng.random() > SPLIT_ODDS and nodes is parent.scored.design.nodes):
            return split
        if self.rng.random() < 0.5:
            source, target = self.rng.permutation(len(split))[:2]
            most = SHARE_MOVES[self.rng.integers(len(SHARE_MOVES))]
            moved = min(most * self.rng.random(), split[source])
            split[source] -= moved
            split[target] += moved
        else:
            split += self.rng.random() * (self._carried(nodes) - split)
        return np.asarray(self.cube.splits.rounded(split[None])[0])

    def _carried(self, nodes: tuple[PlannedNode, ...]) -> Floats:
        """The split that makes every model's replicas equally busy."""
        index = {rules.name: m for m, rules in enumerate(self.problem.models)}
        carried = np.zeros(len(index))
        for node in nodes:
            for shape in node.template.replicas:
                carried[index[shape.model]] += self.capacities.weight(shape.id)
        if not carried.any():
            return np.full(len(index), 1 / len(index))
        return np.asarray(carried / carried.sum())
