"""NSGA-II, by pymoo."""

import numpy as np
from planner_arena import Arena, Verdict
from planner_spaces import Space
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.evaluator import Evaluator
from pymoo.core.problem import Problem
from pymoo.core.termination import NoTermination
from pymoo.problems.static import StaticProblem

POPULATION = 48


def nsga2(arena: Arena, space: Space, seed: int) -> None:
    """Generations until it is late; infeasible designs rank by how far they are from feasible."""
    problem = Problem(n_var=space.dimensions, n_obj=3, n_ieq_constr=1, xl=0.0, xu=1.0)
    algorithm = NSGA2(pop_size=POPULATION)
    algorithm.setup(problem, termination=NoTermination(), seed=seed, verbose=False)
    while not arena.late():
        asked = algorithm.ask()
        told: list[Verdict] = []
        for point in asked.get("X"):
            if arena.late():
                return
            told.append(arena.judge(space.design(point)))
        figures = StaticProblem(
            problem,
            F=np.array([verdict.objectives for verdict in told]),
            G=np.array([[verdict.short] for verdict in told]),
        )
        Evaluator().eval(figures, asked)
        algorithm.tell(infills=asked)
