"""What simulations taught so far, and what follows for others. Only the worker imports this."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bouted.perf.profile import Metric
from bouted.planner.archive import Archive
from bouted.planner.describe import Describer, Description
from bouted.planner.gains import Unsure, odds_within
from bouted.planner.pieces import Pieces
from bouted.planner.pool import Candidate
from bouted.planner.problem import PlanningProblem
from bouted.planner.surrogate import Belief, Surrogate, Taught

Floats = npt.NDArray[np.float64]

# Before anything is simulated, the cheap judge is taken to be this far off.
USUAL_ERROR = 0.1
# A simulation of the last search may be this far off in this one: loads, prices and mixes have moved.
PAST_DOUBT = 0.1
# Rows looked at for a belief: the good ones, the latest, and some of the rest.
LATEST, OTHERS = 96, 64
LEAST_WIDTH = 0.01
FIRST_FIT, FIT_AGAIN = 4, 1.6


class Learned:
    """The surrogate of one search, kept up to date with its archive."""

    def __init__(
        self, problem: PlanningProblem, archive: Archive, describer: Describer, pieces: Pieces
    ) -> None:
        self._problem = problem
        self._archive = archive
        self._describer = describer
        self._pieces = pieces
        past = problem.past if pieces.warm and pieces.cheap else ()
        self._past = [item for item in past if describer.understands(item)]
        self._past_rows = describer.rows(self._past)
        self._described: dict[int, Description] = {}
        self._surrogate: Surrogate | None = None
        self._fit_at = FIRST_FIT

    @property
    def usual(self) -> tuple[float, float]:
        """Mean and standard deviation of the log ratios of all designs alike."""
        taught = self._taught(self._problem.targets.objective)
        if len(taught.rows) < 2:
            return 0.0, USUAL_ERROR
        return float(taught.log_ratios.mean()), float(np.hypot(taught.log_ratios.std(), LEAST_WIDTH))

    def believed(self, candidates: Sequence[Candidate]) -> tuple[Unsure, Belief]:
        """What is believed of designs that were not simulated."""
        described = [self._describe(item) for item in candidates]
        rows = self._describer.rows(described)
        metric, targets = self._problem.targets.objective, self._problem.targets
        beliefs = {m: self._belief(m, rows) for m in Metric if targets.of(m) is not None or m is metric}
        odds = np.ones(len(candidates))
        for other, belief in beliefs.items():
            limit = targets.of(other)
            if other is not metric and limit is not None:
                odds = odds * odds_within(
                    limit, self._looked_up(candidates, other) + belief.mean, belief.width
                )
        estimates = [item.scored.estimate for item in candidates]
        belief = beliefs[metric]
        designs = Unsure(
            usd_per_hour=np.array([float(e.usd_per_hour) for e in estimates]),
            quality=np.array([e.quality_low for e in estimates]),
            mean=self._looked_up(candidates, metric) + belief.mean,
            width=np.maximum(belief.width, LEAST_WIDTH),
            odds=odds,
        )
        return designs, belief

    def _describe(self, item: Candidate) -> Description:
        if id(item) not in self._described:
            self._described[id(item)] = self._describer.describe(item.scored.design)
        return self._described[id(item)]

    def _looked_up(self, candidates: Sequence[Candidate], metric: Metric) -> Floats:
        """The cheap prediction, as a logarithm: the mean of what is believed. 0 without the cheap judge."""
        if not self._pieces.cheap:
            return np.zeros(len(candidates))
        seconds = np.array([item.scored.estimate.p95_s(metric) for item in candidates])
        return np.asarray(np.log(np.maximum(seconds, 1e-9)))

    def _belief(self, metric: Metric, rows: Floats) -> Belief:
        taught = self._taught(metric)
        if len(taught.rows) < FIRST_FIT:
            n = len(rows)
            mean = float(taught.log_ratios.mean()) if len(taught.rows) else 0.0
            return Belief(mean=np.full(n, mean), covariance=USUAL_ERROR**2 * np.eye(n))
        return self._fitted(taught).believe(taught, rows)

    def _fitted(self, taught: Taught) -> Surrogate:
        """The surrogate; learned anew each time the archive has grown by half, not more often."""
        known = len(self._archive)
        if self._surrogate is None or known >= self._fit_at:
            loads, structured = self._describer.loads, self._pieces.kernel
            self._surrogate = self._surrogate or Surrogate(
                loads, self._describer.dims, structured=structured, seed=self._problem.seed
            )
            self._surrogate.fit(taught)
            self._fit_at = max(known + 4, round(FIT_AGAIN * known))
        return self._surrogate

    def _taught(self, metric: Metric) -> Taught:
        """What is known of a metric: of the last search only for the objective."""
        all_ = self._archive.all
        older = all_[:-LATEST]
        good = [item for item in older if not item.scored.violated][-OTHERS // 2 :]
        some = [*older[:: max(1, 2 * len(older) // OTHERS)], *good, *all_[-LATEST:]]
        kept = list({id(item): item for item in some}.values())
        values = [item.log_p95(metric) if not self._pieces.cheap else item.log_ratio(metric) for item in kept]
        past = self._past if metric is self._problem.targets.objective else []
        rows = self._describer.rows([item.described for item in kept])
        return Taught(
            rows=np.vstack([self._past_rows[: len(past)], rows]),
            log_ratios=np.array([*(item.log_ratio for item in past), *values]),
            doubt=np.array([PAST_DOUBT] * len(past) + [0.0] * len(kept)),
        )
