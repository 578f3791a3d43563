"""The integer programme over fleet and split together. Its variables, its rows, and what they mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bouted.perf.profile import Metric, Profile
from bouted.planner.capacity import LOOSEST, Capacities
from bouted.planner.lattice import Lattice
from bouted.planner.ontime import Line
from bouted.planner.pools import Pool
from bouted.planner.problem import PlanningProblem
from bouted.planner.programme import Programme
from bouted.planner.rows import Rows, Term

IN_TIME = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """Replicas of one profile in one pool: `variable` counts them."""

    pool: int
    profile: int
    variable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JointProgramme:
    """The programme, and which variables are instances (per pool, per offer), replicas, loads (of all
    replicas of a profile), and weights of splits."""

    programme: Programme
    bought: tuple[tuple[int, ...], ...]
    placings: tuple[Placing, ...]
    loads: tuple[int, ...]
    mixed: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loads:
    """Variables of one profile: the load of all its replicas, and what they answer in time per metric."""

    load: int
    in_time: Mapping[Metric, int]


def joint_programme(
    problem: PlanningProblem,
    pools: Sequence[Pool],
    profiles: Sequence[Profile],
    lines: Mapping[tuple[int, Metric], tuple[Line, ...]],
    capacities: Capacities,
    lattice: Lattice,
    floor: float,
    most_per_s: Sequence[float],
) -> JointProgramme:
    """The programme whose least value no design for these lines and this floor is below.

    `lines` bound what one replica of a profile answers in time, for every metric with a target; `most_per_s`
    is the highest load of one replica of each.
    """
    rows = Rows()
    bought = _buy(rows, problem, pools)
    placings = _place(rows, problem, pools, profiles, bought)
    mixed = tuple(rows.variable(high=1.0) for _ in lattice.low)
    loads = _serve(rows, problem, profiles, lines, placings, lattice, mixed, most_per_s)
    _stand(rows, problem, pools, profiles, capacities, placings, lattice, mixed)
    _quotas(rows, problem, pools, bought)
    rows.equal([Term(variable=v, factor=1.0) for v in mixed], 1.0)
    rows.at_least(
        [Term(variable=v, factor=float(low)) for v, low in zip(mixed, lattice.low, strict=True)],
        floor - lattice.excess,
    )
    return JointProgramme(
        programme=rows.programme(), bought=bought, placings=placings, loads=loads, mixed=mixed
    )


def _buy(rows: Rows, problem: PlanningProblem, pools: Sequence[Pool]) -> tuple[tuple[int, ...], ...]:
    """Instances of each offer. Whole numbers of a pool are whole numbers of its offers, cheapest first,
    unless quotas cut across them."""
    bought: list[tuple[int, ...]] = []
    for pool in pools:
        each = bool(problem.quotas) or len(pool.offers) == 1
        variables = tuple(
            rows.variable(cost=float(offer.usd_per_hour), high=offer.obtainable, whole=each)
            for offer in pool.offers
        )
        if not each:
            together = Term(variable=rows.variable(whole=True), factor=-1.0)
            rows.equal([*(Term(variable=variable, factor=1.0) for variable in variables), together], 0.0)
        bought.append(variables)
    return tuple(bought)


def _place(
    rows: Rows,
    problem: PlanningProblem,
    pools: Sequence[Pool],
    profiles: Sequence[Profile],
    bought: tuple[tuple[int, ...], ...],
) -> tuple[Placing, ...]:
    """Replicas fill the GPUs of what is bought."""
    names = [rules.name for rules in problem.models]
    found: list[Placing] = []
    for p, pool in enumerate(pools):
        here: list[Term] = [Term(variable=v, factor=-float(pool.gpu_count)) for v in bought[p]]
        for s, profile in enumerate(profiles):
            shape = profile.shape
            fits = shape.gpu == pool.gpu and shape.gpu_count <= pool.gpu_count * shape.instances
            if fits and pool.allowed[names.index(shape.model)]:
                variable = rows.variable(whole=True)
                found.append(Placing(pool=p, profile=s, variable=variable))
                here.append(Term(variable=variable, factor=float(shape.gpu_count)))
        rows.at_most(here, 0.0)
    return tuple(found)


def _serve(
    rows: Rows,
    problem: PlanningProblem,
    profiles: Sequence[Profile],
    lines: Mapping[tuple[int, Metric], tuple[Line, ...]],
    placings: tuple[Placing, ...],
    lattice: Lattice,
    mixed: tuple[int, ...],
    most_per_s: Sequence[float],
) -> tuple[int, ...]:
    """Every query is served, no queue grows, and enough are answered in time. The loads' variables."""
    workload = problem.workload
    rate = workload.rate_per_s
    metrics = tuple(metric for metric in Metric if problem.targets.of(metric) is not None)
    loads: list[_Loads] = []
    for s in range(len(profiles)):
        count = [Term(variable=p.variable, factor=1.0) for p in placings if p.profile == s]
        found = _Loads(load=rows.variable(), in_time={metric: rows.variable() for metric in metrics})
        loads.append(found)
        busy = [Term(variable=found.load, factor=1.0)]
        rows.at_most([*busy, *_times(count, -most_per_s[s])], 0.0)
        for metric in metrics:
            answered = Term(variable=found.in_time[metric], factor=1.0)
            for line in lines[s, metric]:
                lost = [Term(variable=found.load, factor=-line.slope), *_times(count, -line.most_per_s)]
                rows.at_most([answered, *lost], 0.0)
    for metric in metrics:
        rows.at_least([Term(variable=each.in_time[metric], factor=1.0) for each in loads], IN_TIME * rate)
    for m, rules in enumerate(problem.models):
        mine = [
            Term(variable=each.load, factor=1.0)
            for each, profile in zip(loads, profiles, strict=True)
            if profile.shape.model == rules.name
        ]
        share = _share(lattice, mixed, m, -rate)
        if mine or share:
            rows.equal([*mine, *share], 0.0)
    return tuple(each.load for each in loads)


def _stand(
    rows: Rows,
    problem: PlanningProblem,
    pools: Sequence[Pool],
    profiles: Sequence[Profile],
    capacities: Capacities,
    placings: tuple[Placing, ...],
    lattice: Lattice,
    mixed: tuple[int, ...],
) -> None:
    """Enough replicas of each model, and enough of them where nobody takes them away."""
    steady_share = 1 - problem.spot.max_share
    for m, rules in enumerate(problem.models):
        mine = [p for p in placings if profiles[p.profile].shape.model == rules.name]
        if rules.min_replicas > 0:
            rows.at_least([Term(variable=p.variable, factor=1.0) for p in mine], rules.min_replicas)
        if steady_share > 0:
            steady = [
                Term(
                    variable=p.variable,
                    factor=capacities.rate(profiles[p.profile].shape.id, LOOSEST),
                )
                for p in mine
                if not pools[p.pool].spot
            ]
            needed = _share(lattice, mixed, m, -steady_share * problem.workload.rate_per_s)
            rows.at_least([*steady, *needed], 0.0)


def _quotas(
    rows: Rows, problem: PlanningProblem, pools: Sequence[Pool], bought: tuple[tuple[int, ...], ...]
) -> None:
    for quota in problem.quotas:
        counted = [
            Term(variable=variable, factor=float(offer.gpu_count))
            for pool, variables in zip(pools, bought, strict=True)
            for offer, variable in zip(pool.offers, variables, strict=True)
            if quota.covers(offer)
        ]
        if counted:
            rows.at_most(counted, quota.gpus)


def _share(lattice: Lattice, mixed: tuple[int, ...], model: int, factor: float) -> list[Term]:
    """The share of one model, times `factor`, as a mix of the lattice's splits."""
    return [
        Term(variable=mixed[j], factor=factor * float(lattice.splits[j, model]))
        for j in np.flatnonzero(lattice.splits[:, model])
    ]


def _times(terms: Sequence[Term], factor: float) -> list[Term]:
    return [Term(variable=term.variable, factor=factor * term.factor) for term in terms]
