"""Optuna's multi-objective samplers: the tree-structured Parzen estimator, and its Gaussian process."""

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from planner_arena import Arena
from planner_spaces import Space

CONSTRAINT = "short"


def tpe(arena: Arena, space: Space, seed: int) -> None:
    """Multivariate TPE, with how far a design is from feasible as its constraint."""
    _run(arena, space, TPESampler(seed=seed, multivariate=True))


def gaussian(arena: Arena, space: Space, seed: int) -> None:
    """Optuna's Gaussian process with expected hypervolume improvement, under the same constraint."""
    sampler = GPSampler(seed=seed, deterministic_objective=True)
    _run(arena, space, sampler)


def _run(arena: Arena, space: Space, sampler: BaseSampler) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=["minimize"] * 3, sampler=sampler)
    while not arena.late():
        trial = study.ask()
        point = np.array([trial.suggest_float(f"x{i}", 0.0, 1.0) for i in range(space.dimensions)])
        if arena.late():
            return
        verdict = arena.judge(space.design(point))
        trial.set_constraint(CONSTRAINT, verdict.short)
        study.tell(trial, verdict.objectives)
