"""Points of a scrambled Sobol sequence, one after the other."""

import numpy as np
from planner_arena import Arena
from planner_spaces import Space
from scipy.stats import qmc

AT_ONCE = 256


def sobol(arena: Arena, space: Space, seed: int) -> None:
    """Judge the designs at the points until it is late."""
    sequence = qmc.Sobol(space.dimensions, scramble=True, rng=seed)
    while not arena.late():
        for point in np.asarray(sequence.random(AT_ONCE)):
            if arena.late():
                return
            arena.judge(space.design(point))
