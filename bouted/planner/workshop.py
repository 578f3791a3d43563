"""Puts the parts of one search together."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bouted.planner.allowed import Allowed
from bouted.planner.archive import Archive
from bouted.planner.breed import Breeder
from bouted.planner.capacity import capacities_of
from bouted.planner.describe import Describer
from bouted.planner.drawn import DrawnFleets
from bouted.planner.inside import Inside
from bouted.planner.joined import Joined
from bouted.planner.judge import DearJudge, ProfilesJudge
from bouted.planner.outside import cube
from bouted.planner.pieces import Pieces
from bouted.planner.pool import Pool
from bouted.planner.problem import PlanningProblem
from bouted.planner.simulate_judge import SimulatedJudge
from bouted.planner.splits import FloorSplits
from bouted.planner.sweep import Sweep
from bouted.planner.together import Together
from bouted.quality.curve import QualityCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """The parts of one search, all about one problem and one pool."""

    splits: FloorSplits
    pool: Pool
    sweep: Sweep
    together: Together | None
    breeder: Breeder
    describer: Describer
    archive: Archive
    dear: DearJudge


def workshop(
    problem: PlanningProblem,
    pieces: Pieces,
    stop: Callable[[], bool],
    on_swept: Callable[[int, float | None], None],
    judge: DearJudge | None,
) -> Workshop:
    """The parts for a search of this problem. `stop` is asked often; `on_swept` is told of progress.

    Without a `judge` the event simulator judges.
    """
    capacities = capacities_of(problem)
    curve = QualityCurve.from_model(problem.quality, problem.seed)
    splits = FloorSplits(curve, problem.targets.quality_min, problem.seed)
    cheap = ProfilesJudge(problem, capacities, curve)
    inside = Inside(problem, capacities)
    fleets = inside if pieces.inside else DrawnFleets(problem, inside.columns)
    pool = Pool(problem, fleets, cheap, on_swept)
    space = cube(problem, splits)
    together = None
    if pieces.inside:
        together = Together(
            problem=problem,
            cube=space,
            pool=pool,
            joined=Joined(problem, capacities, curve),
            rng=np.random.default_rng((problem.seed, 4)),
            stop=stop,
        )
    describer = Describer(problem, capacities)
    return Workshop(
        splits=splits,
        pool=pool,
        sweep=Sweep(problem, space, pool, together, warm=pieces.warm, stop=stop),
        together=together,
        breeder=Breeder(
            problem=problem,
            cube=space,
            pool=pool,
            together=together,
            allowed=Allowed(problem),
            capacities=capacities,
            rng=np.random.default_rng((problem.seed, 2)),
            stop=stop,
        ),
        describer=describer,
        archive=Archive(problem.targets.objective, describer),
        dear=judge or SimulatedJudge(problem, capacities, cheap),
    )
