"""Planning: sweep widely with the cheap judge, then simulate what is expected to matter, batch after batch.

Pure but for `clock` and `stop`: the same problem gives the same answer as long as its deadline is not reached
and nobody interrupts. It can be ended at any time; what it has is the answer.
"""

from collections.abc import Callable

import numpy as np

from bouted.planner.archive import Archive
from bouted.planner.design import Ended, Frontier, Progress, ScoredDesign
from bouted.planner.front import front, nearest, with_bound
from bouted.planner.judge import DearJudge
from bouted.planner.pieces import ALL, Pieces
from bouted.planner.pool import Candidate
from bouted.planner.problem import PlanningProblem
from bouted.planner.standing import Standing
from bouted.planner.workshop import Workshop, workshop

OnProgress = Callable[[Progress], None]
OnJudged = Callable[[ScoredDesign], None]
Stop = Callable[[], bool]

# Before the sweep has ended, this many of the most promising are simulated after each of its parts.
EARLY = 3
# Of the simulations, this share at most goes to what looks best before anything is learned.
EARLY_SHARE = 0.25
BATCH = 8
# What simulations say of designs up to this much dearer than the cheapest corrects the latency asked for.
NEAR_CHEAPEST = 1.3
CORRECTED = (0.85, 1.15)
# With nothing feasible after all, up to this many times the simulations asked for.
PERSISTENCE = 3
# Rounds in a row in which nothing is left to simulate, after which nothing will be.
IDLE_ROUNDS = 8
# After the sweep, one round of changes for so many of its asks.
CLIMB_EVERY = 32


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
    judge: DearJudge | None = None,
) -> Frontier:
    """The front of the problem, by its deadline. `clock` is seconds on any steady clock.

    `on_judged` is given every simulated design as it comes. When `stop` turns true the best so far is the
    answer; `Frontier.ended` says so. `judge` has the last word on designs in place of the event simulator.
    """
    return _Search(problem, on_progress, clock, on_judged, stop, pieces, judge).run()


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
        judge: DearJudge | None,
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
        self._shop: Workshop = workshop(problem, pieces, self._late, self._tell_swept, judge)
        self._archive: Archive = self._shop.archive
        self._standing = Standing(problem, self._shop.pool, self._archive, pieces)

    def run(self) -> Frontier:
        """Sweep, simulate, learn, and put the front together."""
        wanted = self._problem.effort.evaluations
        for _ in self._shop.sweep.steps():
            self._look_early(self._early_by_now())
        self._climb()
        if wanted > 0:
            self._look_early(max(EARLY, round(EARLY_SHARE * wanted)))
            self._correct()
            self._learn()
            self._persist()
        return self._frontier()

    def _early_by_now(self) -> int:
        """How many may be simulated so far: as the sweep goes on, better ones are found to spend them on."""
        effort = self._problem.effort
        swept = min(1.0, self._shop.pool.swept / effort.sweep)
        return max(1, round(swept * EARLY_SHARE * effort.evaluations)) if effort.evaluations else 0

    def _look_early(self, most: int) -> None:
        """Simulate the plan in force, then a few designs that look cheapest, or best by the rule."""
        incumbent = self._shop.sweep.incumbent
        if incumbent is not None and most > 0:
            self._simulate(incumbent)
        for candidate in self._standing.first(EARLY):
            if len(self._archive) < most and not self._late():
                self._simulate(candidate)

    def _correct(self) -> None:
        """Choose fleet and split together once more, at the latency that simulations turn into the target."""
        metric, together = self._problem.targets.objective, self._shop.together
        looks_best = self._standing.by_cost()[:1]
        if not looks_best or together is None or self._archive.cheapest is None or self._late():
            return
        most = NEAR_CHEAPEST * self._archive.cheapest
        near = [
            item.log_ratio(metric)
            for item in self._archive.all
            if float(item.scored.design.usd_per_hour) <= most
        ]
        factor = float(np.clip(round(float(np.exp(-np.median(near))), 2), *CORRECTED))
        together.until_it_holds(factor, looks_best[0])
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
            chosen = chooser.choose(self._standing.open(), min(self._batch, left))
            idle = 0 if chosen else idle + 1
            for candidate in chosen:
                if self._late():
                    return
                self._simulate(candidate)
            if self._late() or len(self._archive) >= self._problem.effort.evaluations:
                return
            self._shop.breeder.breed(self._standing.parents(), round_)
            round_ += 1

    def _persist(self) -> None:
        """While no simulated design is feasible, simulate more: cheapest first, then the least slow."""
        most = PERSISTENCE * self._problem.effort.evaluations
        for candidate in self._standing.by_cost():
            if self._archive.good or len(self._archive) >= most or self._late():
                return
            if candidate not in self._archive:
                self._simulate(candidate)

    def _climb(self) -> None:
        """Change what looks best again and again before anything dear is asked: a change costs a look-up."""
        if not self._pieces.cheap:
            return
        for _ in range(self._problem.effort.sweep // CLIMB_EVERY):
            if self._late():
                return
            self._shop.breeder.change(self._standing.parents())

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
