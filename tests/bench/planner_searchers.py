"""Every searcher that is held against the others, by the name that rows show."""

from collections.abc import Mapping

from planner_direct import direct
from planner_gradient import gradient
from planner_nsga2 import nsga2
from planner_optuna import gaussian, tpe
from planner_ours import ours
from planner_run import OURS, Searcher
from planner_sobol import sobol
from planner_spaces import CountSpace, InsideSpace

SEARCHERS: Mapping[str, Searcher] = {
    OURS: ours,
    "paper's direct method": direct,
    "NSGA-II, raw counts": lambda arena, seed: nsga2(arena, CountSpace(arena), seed),
    "NSGA-II, MILP inside": lambda arena, seed: nsga2(arena, InsideSpace(arena), seed),
    "Optuna TPE, MILP inside": lambda arena, seed: tpe(arena, InsideSpace(arena), seed),
    "Optuna GP, MILP inside": lambda arena, seed: gaussian(arena, InsideSpace(arena), seed),
    "Sobol, raw counts": lambda arena, seed: sobol(arena, CountSpace(arena), seed),
    "Sobol, MILP inside": lambda arena, seed: sobol(arena, InsideSpace(arena), seed),
    "qLogNEHVI by gradient, MILP inside": lambda arena, seed: gradient(arena, InsideSpace(arena), seed),
}
