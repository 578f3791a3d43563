"""How the designs of a search stand: what to simulate first, what is still open, what to breed from."""

from bouted.planner.archive import Archive
from bouted.planner.front import front, shortfall
from bouted.planner.goals import Rule
from bouted.planner.judge import PLACES
from bouted.planner.pieces import Pieces
from bouted.planner.pool import Candidate, Pool
from bouted.planner.problem import PlanningProblem

# Designs that look this much too slow may still turn out fast enough: replicas share a queue's luck.
WORTH_A_LOOK = 0.25
# Candidates that are weighed in one round: those on offer longest make room for new ones.
MOST_OPEN = 1500
FAVOURED = 4
LEAST_BAD = 12
# With many simulations to spend, one of the looked-up front for every so many of them.
MOST_AT_ONCE, ENOUGH_FOR_ONE = 16, 32


class Standing:
    """Follows the pool and the archive of one search; looks at each candidate once."""

    def __init__(self, problem: PlanningProblem, pool: Pool, archive: Archive, pieces: Pieces) -> None:
        self._problem = problem
        self._pool = pool
        self._archive = archive
        self._pieces = pieces
        self._metric = problem.targets.objective
        self._offered: list[Candidate] = []
        self._seen = 0
        self._looked_up: list[Candidate] = []
        self._looked_at = 0

    def first(self, early: int) -> list[Candidate]:
        """What to simulate before anything is learned: the `early` best, then some along the front."""
        ranked = [item for item in self._ranked() if item not in self._archive]
        return [*ranked[:early], *self._along(ranked[early:])]

    def open(self) -> list[Candidate]:
        """What may be feasible and was not simulated, the latest found."""
        self._offered += [item for item in self._pool.since(self._seen) if self._near(item)]
        self._seen = len(self._pool)
        self._offered = [item for item in self._offered if item not in self._archive][-MOST_OPEN:]
        return self._offered

    def parents(self) -> list[Candidate]:
        """What to breed from: the front as simulated and as looked up, and its favoured end more often; with
        neither, what misses least."""
        candidates = {id(item.scored): item.candidate for item in self._archive.all}
        shown = front((item.scored for item in self._archive.good), self._metric)
        found = self._favoured([candidates[id(item)] for item in shown])
        if self._pieces.cheap:
            fresh = self._pool.since(self._looked_at)
            self._looked_at = len(self._pool)
            own = {id(item.scored): item for item in (*self._looked_up, *fresh)}
            looked_up = front((item.scored for item in own.values()), self._metric)
            self._looked_up = [own[id(item)] for item in looked_up]
            found += self._favoured(self._looked_up)
        return found or self.by_cost()[:LEAST_BAD]

    def by_cost(self) -> list[Candidate]:
        """Candidates that look feasible, cheapest first; then those that miss least, whatever they cost."""
        return sorted(
            self._pool.candidates,
            key=lambda item: (
                round(shortfall(self._problem, item.scored), 3),
                "budget" in item.scored.violated,
                item.scored.design.usd_per_hour,
                item.scored.estimate.p95_s(self._metric),
            ),
        )

    def _ranked(self) -> list[Candidate]:
        """What looks feasible, fastest first where the rule wants that, else cheapest first; then what may
        turn out so, and last what is over the budget, which no simulation mends."""
        found = sorted(self.by_cost(), key=lambda item: "budget" in item.scored.violated)
        if self._problem.preference.rule is Rule.FASTEST:
            found.sort(key=self._seconds_if_feasible)
        return found

    def _seconds_if_feasible(self, item: Candidate) -> float:
        return float("inf") if item.scored.violated else item.scored.estimate.p95_s(self._metric)

    def _along(self, ranked: list[Candidate]) -> list[Candidate]:
        """With many simulations to spend, some of the looked-up front at once, evenly spread."""
        wanted = min(MOST_AT_ONCE, self._problem.effort.evaluations // ENOUGH_FOR_ONE)
        shown = front((item.scored for item in ranked), self._metric)
        own = {id(item.scored): item for item in ranked}
        return [own[id(item)] for item in shown[:: max(1, len(shown) // max(1, wanted))]][:wanted]

    def _near(self, candidate: Candidate) -> bool:
        broken = set(candidate.scored.violated)
        if broken & {"budget", "capacity", "quality_min", *PLACES}:
            return False
        return not self._pieces.cheap or shortfall(self._problem, candidate.scored) <= WORTH_A_LOOK

    def _favoured(self, shown: list[Candidate]) -> list[Candidate]:
        """These, and as many again of the end that the rule of choice wants."""
        rule = self._problem.preference.rule
        if rule is Rule.CHEAPEST:
            ends = shown[:FAVOURED]
        elif rule is Rule.FASTEST:
            ends = sorted(shown, key=lambda item: item.scored.estimate.p95_s(self._metric))[:FAVOURED]
        else:
            ends = []
        return shown + ends * (len(shown) // (2 * FAVOURED) + 1)
