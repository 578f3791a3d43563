"""Planning: sweep widely with the cheap judge, then simulate what is expected to matter, batch after batch.

Pure but for `clock` and `stop`: the same problem gives the same answer as long as its deadline is not reached
and nobody interrupts. It can be ended at any time; what it has is the answer.
"""

from collections.abc import Callable

import numpy as np

from bouted.planner.archive import Archive
from bouted.planner.design import Ended, Frontier, Progress, ScoredDesign
from bouted.planner.front import front, nearest, shortfall, with_bound
from bouted.planner.judge import PLACES
from bouted.planner.pieces import ALL, Pieces
from bouted.planner.pool import Candidate
from bouted.planner.problem import PlanningProblem, Rule
from bouted.planner.workshop import Workshop, workshop

OnProgress = Callable[[Progress], None]
OnJudged = Callable[[ScoredDesign], None]
Stop = Callable[[], bool]

# Before the sweep has ended, this many of the most promising are simulated after each of its parts.
EARLY = 3
# Of the simulations, this share at most goes to what looks best before anything is learned.
EARLY_SHARE = 0.4
# And of the looked-up front, one for every so many simulations to spend.
MOST_AT_ONCE, ENOUGH_FOR_ONE = 16, 32
BATCH = 8
# What simulations say of designs up to this much dearer than the cheapest corrects the latency asked for.
NEAR_CHEAPEST = 1.3
CORRECTED = (0.85, 1.15)
# Designs that look this much too slow may still turn out fast enough: replicas share a queue's luck.
WORTH_A_LOOK = 0.25
# Candidates that are weighed in one round: those on offer longest make room for new ones.
MOST_OPEN = 1500
# With nothing feasible after all, up to this many times the simulations asked for.
PERSISTENCE = 3
# Rounds in a row in which nothing is left to simulate, after which nothing will be.
IDLE_ROUNDS = 8
FAVOURED = 4
# After the sweep, one round of changes for so many of its asks.
CLIMB_EVERY = 24
LEAST_BAD = 12


def _ignore(_: ScoredDesign) -> None:
    """Nobody listens to single judgements."""


def _never() -> bool:
    """Nobody interrupts."""
    return False


def propose(
    problem: PlanningProblem,
    on_progress: OnProgress,
    clock: Callable[[], float],
    *,
    on_judged: OnJudged = _ignore,
    stop: Stop = _never,
    pieces: Pieces = ALL,
) -> Frontier:
    """The front of the problem, by its deadline. `clock` is seconds on any steady clock.

    `on_judged` is given every simulated design as it comes. When `stop` turns true the best so far is the
    answer; `Frontier.ended` says so.
    """
    return _Search(problem, on_progress, clock, on_judged, stop, pieces).run()


class _Search:
    """One search, from the sweep to the front."""

    def __init__(
        self,
        problem: PlanningProblem,
        on_progress: OnProgress,
        clock: Callable[[], float],
        on_judged: OnJudged,
        stop: Stop,
        pieces: Pieces,
    ) -> None:
        self._problem = problem
        self._on_progress = on_progress
        self._clock = clock
        self._started = clock()
        self._on_judged = on_judged
        self._stop = stop
        self._ended = Ended.DONE
        self._batch = BATCH if pieces.batch else 1
        self._pieces = pieces
        self._shop: Workshop = workshop(problem, pieces, self._late, self._tell_swept)
        self._archive: Archive = self._shop.archive
        self._offered: list[Candidate] = []
        self._seen = 0
        self._looked_up: list[Candidate] = []
        self._looked_at = 0

    def run(self) -> Frontier:
        """Sweep, simulate, learn, and put the front together."""
        wanted = self._problem.effort.evaluations
        for _ in self._shop.sweep.steps():
            self._look_early(round(EARLY_SHARE * wanted))
        self._climb()
        if wanted > 0:
            self._look_early(max(EARLY, round(EARLY_SHARE * wanted)))
            self._correct()
            self._learn()
            self._persist()
        return self._frontier()

    def _look_early(self, most: int) -> None:
        """Simulate the plan in force, then a few designs that look cheapest, or best by the rule."""
        incumbent = self._shop.sweep.incumbent
        if incumbent is not None and most > 0:
            self._simulate(incumbent)
        ranked = [item for item in self._ranked() if item not in self._archive]
        for candidate in (*ranked[:EARLY], *self._along(ranked[EARLY:])):
            if len(self._archive) < most and not self._late():
                self._simulate(candidate)

    def _along(self, ranked: list[Candidate]) -> list[Candidate]:
        """With many simulations to spend, some of the looked-up front at once, evenly spread."""
        wanted = min(MOST_AT_ONCE, self._problem.effort.evaluations // ENOUGH_FOR_ONE)
        shown = front((item.scored for item in ranked), self._problem.targets.objective)
        own = {id(item.scored): item for item in ranked}
        return [own[id(item)] for item in shown[:: max(1, len(shown) // max(1, wanted))]][:wanted]

    def _correct(self) -> None:
        """Choose fleet and split together once more, at the latency that simulations turn into the target."""
        cheapest = self._archive.cheapest
        metric = self._problem.targets.objective
        near = [
            item.log_ratio(metric)
            for item in self._archive.all
            if cheapest is not None and float(item.scored.design.usd_per_hour) <= NEAR_CHEAPEST * cheapest
        ]
        if near and not self._late():
            factor = float(np.exp(-np.median(near)))
            self._shop.sweep.until_it_holds(float(np.clip(round(factor, 2), *CORRECTED)))
            self._look_early(len(self._archive) + EARLY)

    def _learn(self) -> None:
        """Breed, choose and simulate until the effort is spent or nothing is left to simulate."""
        if self._late():
            return
        # Importing torch takes seconds; a search that has nothing to learn does not wait for it.
        from bouted.planner.choose import Chooser

        splits = self._shop.splits
        chooser = Chooser(self._problem, self._archive, self._shop.describer, splits.best_low, self._pieces)
        idle = round_ = 0
        while idle < IDLE_ROUNDS and len(self._archive) < self._problem.effort.evaluations:
            left = self._problem.effort.evaluations - len(self._archive)
            chosen = chooser.choose(self._open(), min(self._batch, left))
            idle = 0 if chosen else idle + 1
            for candidate in chosen:
                if self._late():
                    return
                self._simulate(candidate)
            if self._late() or len(self._archive) >= self._problem.effort.evaluations:
                return
            self._shop.breeder.breed(self._parents(), round_)
            round_ += 1

    def _persist(self) -> None:
        """While no simulated design is feasible, simulate more: cheapest first, then the least slow."""
        most = PERSISTENCE * self._problem.effort.evaluations
        for candidate in self._by_cost():
            if self._archive.good or len(self._archive) >= most or self._late():
                return
            if candidate not in self._archive:
                self._simulate(candidate)

    def _ranked(self) -> list[Candidate]:
        """What looks feasible: fastest first where the rule wants that, else cheapest first."""
        found = self._by_cost()
        if self._problem.preference.rule is Rule.FASTEST:
            metric = self._problem.targets.objective
            found.sort(key=lambda item: (bool(item.scored.violated), item.scored.estimate.p95_s(metric)))
        return found

    def _by_cost(self) -> list[Candidate]:
        """Candidates that look feasible, cheapest first; then those that miss least, whatever they cost."""
        return sorted(
            self._shop.pool.candidates,
            key=lambda item: (
                round(shortfall(self._problem, item.scored), 3),
                "budget" in item.scored.violated,
                item.scored.design.usd_per_hour,
                item.scored.estimate.p95_s(self._problem.targets.objective),
            ),
        )

    def _open(self) -> list[Candidate]:
        """What may be feasible and was not simulated, the latest found."""
        self._offered += [item for item in self._shop.pool.since(self._seen) if self._near(item)]
        self._seen = len(self._shop.pool)
        self._offered = [item for item in self._offered if item not in self._archive][-MOST_OPEN:]
        return self._offered

    def _near(self, candidate: Candidate) -> bool:
        broken = set(candidate.scored.violated)
        if broken & {"budget", "capacity", "quality_min", *PLACES}:
            return False
        return not self._pieces.cheap or shortfall(self._problem, candidate.scored) <= WORTH_A_LOOK

    def _climb(self) -> None:
        """Change what looks best again and again before anything dear is asked: a change costs a look-up."""
        if not self._pieces.cheap:
            return
        for _ in range(self._problem.effort.sweep // CLIMB_EVERY):
            if self._late():
                return
            self._shop.breeder.change(self._parents())

    def _parents(self) -> list[Candidate]:
        """What to breed from: the front as simulated and as looked up, and its favoured end more often; with
        neither, what misses least."""
        metric = self._problem.targets.objective
        candidates = {id(item.scored): item.candidate for item in self._archive.all}
        shown = front((item.scored for item in self._archive.good), metric)
        found = self._favoured([candidates[id(item)] for item in shown])
        if self._pieces.cheap:
            fresh = self._shop.pool.since(self._looked_at)
            self._looked_at = len(self._shop.pool)
            own = {id(item.scored): item for item in (*self._looked_up, *fresh)}
            looked_up = front((item.scored for item in own.values()), metric)
            self._looked_up = [own[id(item)] for item in looked_up]
            found += self._favoured(self._looked_up)
        return found or self._by_cost()[:LEAST_BAD]

    def _favoured(self, shown: list[Candidate]) -> list[Candidate]:
        """These, and as many again of the end that the rule of choice wants."""
        metric, rule = self._problem.targets.objective, self._problem.preference.rule
        if rule is Rule.CHEAPEST:
            ends = shown[:FAVOURED]
        elif rule is Rule.FASTEST:
            ends = sorted(shown, key=lambda item: item.scored.estimate.p95_s(metric))[:FAVOURED]
        else:
            ends = []
        return shown + ends * (len(shown) // (2 * FAVOURED) + 1)

    def _simulate(self, candidate: Candidate) -> None:
        if candidate in self._archive:
            return
        scored = self._shop.dear.score(candidate.scored)
        self._archive.add(candidate, scored)
        self._on_judged(scored)
        total = max(self._problem.effort.evaluations, len(self._archive))
        self._tell("simulate", len(self._archive), total, self._archive.cheapest)

    def _frontier(self) -> Frontier:
        judged = [item.scored for item in self._archive.all]
        if not judged:
            judged = [item.scored for item in self._shop.pool.candidates]
        bound = self._shop.pool.bound or 0.0
        designs = front((with_bound(item, bound) for item in judged), self._problem.targets.objective)
        least_bad = None if designs else nearest(self._problem, judged)
        return Frontier(
            designs=designs,
            incumbent=self._incumbent(bound),
            nearest=with_bound(least_bad, bound) if least_bad is not None else None,
            swept=self._shop.pool.swept,
            simulated=len(self._archive),
            seconds=self._clock() - self._started,
            seed=self._problem.seed,
            ended=self._ended,
            judged=self._archive.past(),
        )

    def _incumbent(self, bound: float) -> ScoredDesign | None:
        found = self._shop.sweep.incumbent
        if found is None:
            return None
        return with_bound(self._archive.of(found) or found.scored, bound)

    def _late(self) -> bool:
        if self._stop():
            self._ended = Ended.STOPPED
        elif self._clock() - self._started >= self._problem.effort.deadline_s:
            self._ended = Ended.DEADLINE
        return self._ended is not Ended.DONE

    def _tell_swept(self, done: int, best: float | None) -> None:
        self._tell("sweep", done, self._problem.effort.sweep, best)

    def _tell(self, stage: str, done: int, total: int, best: float | None) -> None:
        self._on_progress(
            Progress(
                stage=stage,
                done=done,
                total=max(total, done),
                best_usd_per_hour=best,
                seconds=self._clock() - self._started,
                bound_usd_per_hour=self._shop.pool.bound,
                deadline_s=self._problem.effort.deadline_s,
            )
        )
