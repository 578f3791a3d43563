"""Which designs to simulate next, a batch at a time. Only the worker imports this.

Candidates are screened by what the profiles say of them, then by how much the surrogate, which corrects that,
expects them to grow the front; the chosen are taken to turn out as believed before the next is chosen.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bouted.planner.archive import Archive
from bouted.planner.describe import Describer
from bouted.planner.front import unbeaten
from bouted.planner.gains import Unsure, Worst, expected_growth, expected_saving, expected_speedup
from bouted.planner.goals import Rule
from bouted.planner.learned import Learned
from bouted.planner.pieces import Pieces
from bouted.planner.pool import Candidate
from bouted.planner.problem import PlanningProblem

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Looked at closely: no more than this many; after the first of a batch, the best of them.
MOST, BEST = 192, 48
# Of a batch, the part that goes to what the rule of choice wants, where it wants one end of the front.
BY_RULE = 0.5
# Designs on the floor are welcome: the hypervolume is measured from this much of the way below it.
BELOW_FLOOR = 0.02
ENDS = (Rule.CHEAPEST, Rule.FASTEST)
LEAST_WIDTH = 0.01


class Chooser:
    """Chooses for one search."""

    def __init__(
        self,
        problem: PlanningProblem,
        archive: Archive,
        describer: Describer,
        best_low: float,
        pieces: Pieces,
    ) -> None:
        self._problem = problem
        self._metric = problem.targets.objective
        self._archive = archive
        self._pieces = pieces
        self._learned = Learned(problem, archive, describer, pieces)
        self._rng = np.random.default_rng((problem.seed, 3))
        floor = problem.targets.quality_min
        self._quality = floor - BELOW_FLOOR * max(best_low - floor, 0.05)

    def choose(self, open_: Sequence[Candidate], n: int) -> tuple[Candidate, ...]:
        """Up to `n` of the `open_` to simulate, most promising first; fewer where no more promise much."""
        if not open_:
            return ()
        values = np.array([self._value(item) for item in open_])
        worst = self._worst(values)
        known = self._known(worst)
        kept = self._screened(values, known, worst)
        if not len(kept):
            return ()
        designs, beliefs = self._learned.believed([open_[i] for i in kept])
        by_rule = round(BY_RULE * n) if self._problem.preference.rule in ENDS else 0
        chosen: list[int] = []
        for rank in range(min(n, len(kept))):
            if rank in (0, by_rule):  # gains only shrink as designs are chosen: the best stay the best
                gains = self._gains(known, designs, worst, by_rule=rank < by_rule)
                close = np.argsort(-gains, kind="stable")[:BEST]
            gains = self._gains(known, designs.only(close), worst, by_rule=rank < by_rule)
            gains[np.isin(close, chosen)] = -1.0
            best = int(close[np.argmax(gains)])
            if gains.max() <= 0 and chosen:
                break
            chosen.append(best)
            seconds = np.exp(designs.mean[best])
            known = np.vstack([known, [designs.usd_per_hour[best], seconds, designs.quality[best]]])
            beliefs = beliefs.given(best)
            designs = replace(designs, width=np.maximum(beliefs.width, LEAST_WIDTH))
        return tuple(open_[kept[i]] for i in chosen)

    def _value(self, item: Candidate) -> tuple[float, float, float]:
        estimate = item.scored.estimate
        return float(estimate.usd_per_hour), estimate.p95_s(self._metric), estimate.quality_low

    def _worst(self, values: Floats) -> Worst:
        """The box that counts: the budget, or what the dearest unbeaten design costs if that is less."""
        limit = self._problem.targets.of(self._metric)
        seconds = float(limit if limit is not None else values[:, 1].max())
        fast = values[values[:, 1] <= seconds]
        dearest = 1.1 * float(unbeaten(fast)[:, 0].max()) if len(fast) else np.inf
        budget = float(self._problem.budget.usd_per_hour)
        return Worst(usd_per_hour=min(budget, dearest) * (1 + 1e-9), p95_s=seconds, quality=self._quality)

    def _known(self, worst: Worst) -> Floats:
        return unbeaten(self._archive.values())

    def _screened(self, values: Floats, known: Floats, worst: Worst) -> Ints:
        """Those that may grow the front; of many, those that look best. Without the cheap judge: any."""
        if not self._pieces.cheap:
            return np.sort(self._rng.permutation(len(values))[:MOST])
        mean, width = self._learned.usual
        designs = Unsure(
            usd_per_hour=values[:, 0],
            quality=values[:, 2],
            mean=np.log(np.maximum(values[:, 1], 1e-9)) + mean,
            width=np.full(len(values), max(width, LEAST_WIDTH)),
            odds=np.ones(len(values)),
        )
        gains = sum(self._gains(known, designs, worst, by_rule=by_rule) for by_rule in (False, True))
        order = np.argsort(-np.asarray(gains), kind="stable")[:MOST]
        return order[np.asarray(gains)[order] > 0]

    def _gains(self, known: Floats, designs: Unsure, worst: Worst, *, by_rule: bool) -> Floats:
        """What each design is worth, by the rule of choice or by the front's hypervolume."""
        rule = self._problem.preference.rule
        inside = known[(known[:, 1] <= worst.p95_s) & (known[:, 0] <= worst.usd_per_hour)]
        if by_rule and rule is Rule.CHEAPEST:
            cheapest = inside[:, 0].min() if len(inside) else worst.usd_per_hour
            found = expected_saving(float(cheapest), designs, worst)
            if found.any():
                return found
        if by_rule and rule is Rule.FASTEST:
            fastest = inside[:, 1].min() if len(inside) else worst.p95_s
            return expected_speedup(float(fastest), designs)
        return expected_growth(inside, designs, worst)
