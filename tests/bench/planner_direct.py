"""BOute's own method (2602.10729, sections 5.2 and 6) for any number of models and three objectives.

Bayesian optimisation over load fractions and an index into each model's candidate list. The latency's
Gaussian process works on its logarithm, with kernels over fractions and over candidates and their product;
combinations over the budget or the availability are never tried. The paper does not say how the acquisition
is optimised, how many are tried at once or how candidates are encoded: here it is maximised over a random
pool, four at once, and a candidate is its model's spend and capacity. Cost and quality are known exactly,
and half of the fractions are drawn close to the capacities: with many models both help the method.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from botorch.acquisition.multi_objective.monte_carlo import qExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
from botorch.exceptions.errors import ModelFittingError
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms.outcome import Standardize
from botorch.optim.optimize import optimize_acqf_discrete
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.multi_objective.box_decompositions.non_dominated import (
    FastNondominatedPartitioning,
)
from gpytorch.kernels import MaternKernel, ProductKernel, ScaleKernel
from gpytorch.mlls import ExactMarginalLogLikelihood
from planner_arena import Arena
from planner_lists import Listed, listed
from planner_spaces import shares_of
from torch import Tensor

from bouted.planner.design import Design
from bouted.planner.inside import numbered
from bouted.planner.splits import FloorSplits

Floats = npt.NDArray[np.float64]

CLOSE_TO_CAPACITY = 0.3
FIRST, POOL, BATCH, SAMPLES, FIT_STEPS, MOST_KNOWN = 24, 256, 4, 32, 50, 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Point:
    """Fractions, a candidate per model, and what is known without a judge: scaled cost and quality."""

    shares: Floats
    fleets: tuple[Listed, ...]
    features: Floats
    usd: float
    quality: float


def direct(arena: Arena, seed: int) -> None:
    """Random combinations first, then batches where the hypervolume is expected to grow most."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    lists = [listed(arena, m) for m in range(len(arena.problem.models))]
    known: list[tuple[_Point, float]] = []
    points = _pool(arena, lists, FIRST, rng)
    while points and not arena.late():
        for point in points:
            if arena.late():
                return
            known.append((point, _p95(arena, point)))
        points = _best(known[-MOST_KNOWN:], _pool(arena, lists, POOL, rng), seed)


def _p95(arena: Arena, point: _Point) -> float:
    """Scaled P95, at most 10: queues that only grow say no more than that."""
    bought = [(item.offer, item.template, item.count) for fleet in point.fleets for item in fleet.options]
    nodes = numbered(bought, None)
    design = Design(nodes=nodes, shares=shares_of(arena.problem, point.shares))
    return min(arena.judge(design).objectives[1], 10.0)


def _pool(arena: Arena, lists: list[tuple[Listed, ...]], n: int, rng: np.random.Generator) -> list[_Point]:
    """Random combinations that the budget, the availability and the floor admit."""
    problem, found = arena.problem, list[_Point]()
    room = {offer.id: offer.obtainable for offer in problem.offers}
    for _ in range(40 * n):
        fleets = tuple(fleets[int(rng.integers(len(fleets)))] for fleets in lists)
        counts = Counter[str]()
        for fleet in fleets:
            counts.update({item.offer.id: item.count for item in fleet.options})
        usd = sum(fleet.usd_per_hour for fleet in fleets)
        fits = usd <= arena.box.budget_usd_per_hour and all(counts[key] <= room[key] for key in counts)
        served = np.array([bool(fleet.options) for fleet in fleets])
        if fits and served.any():
            found.append(_at(arena, fleets, usd, _weights(fleets, rng) * served))
            if found[-1].quality > 1:
                found.pop()
        if len(found) == n:
            break
    return found


def _weights(fleets: tuple[Listed, ...], rng: np.random.Generator) -> Floats:
    """Any fractions half of the time; else about as the fleets' capacities, which seldom overloads one."""
    if rng.random() < 0.5:
        return rng.dirichlet(np.ones(len(fleets)))
    rates = np.array([fleet.rate_per_s for fleet in fleets])
    return np.asarray(rates * rng.lognormal(0.0, CLOSE_TO_CAPACITY, len(fleets)))


def _at(arena: Arena, fleets: tuple[Listed, ...], usd: float, weights: Floats) -> _Point:
    shares = FloorSplits.rounded((weights / weights.sum())[None])[0]
    spend = [fleet.usd_per_hour / arena.box.budget_usd_per_hour for fleet in fleets]
    rates = [fleet.rate_per_s / arena.problem.workload.rate_per_s for fleet in fleets]
    scaled = arena.box.scaled(usd, 0.0, arena.curve.low(shares))
    return _Point(
        shares=shares,
        fleets=fleets,
        features=np.concatenate([shares, spend, np.minimum(rates, 2.0)]),
        usd=scaled[0],
        quality=scaled[2],
    )


def _best(known: list[tuple[_Point, float]], pool: list[_Point], seed: int) -> list[_Point]:
    """The combinations of the pool to try next."""
    if not pool:
        return []
    models = len(known[0][0].shares)
    inputs = _inputs([point for point, _ in known])
    seconds = np.array([p95 for _, p95 in known])
    model = _fitted(inputs, torch.tensor(np.log(seconds), dtype=torch.double)[:, None], models)
    front = torch.stack([-inputs[:, -2], -torch.tensor(seconds, dtype=torch.double), -inputs[:, -1]], dim=1)
    worst = -torch.ones(3, dtype=torch.double)
    growth = qExpectedHypervolumeImprovement(
        model=model,
        ref_point=worst,
        # Declared for the slower partitioning; either will do.
        partitioning=FastNondominatedPartitioning(worst, front),  # type: ignore[arg-type]
        sampler=SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=seed),
        objective=GenericMCMultiOutputObjective(_values),
    )
    choices = _inputs(pool)
    with torch.no_grad():
        chosen, _ = optimize_acqf_discrete(growth, q=BATCH, choices=choices, unique=True)
    rows = [int(torch.nonzero(torch.all(choices == one, dim=1))[0, 0]) for one in chosen]
    return [pool[row] for row in rows]


def _values(samples: Tensor, X: Tensor | None = None) -> Tensor:
    assert X is not None
    seconds = samples[..., 0].exp()
    usd, quality = X[..., -2].expand_as(seconds), X[..., -1].expand_as(seconds)
    return torch.stack([-usd, -seconds, -quality], dim=-1)


def _inputs(points: list[_Point]) -> Tensor:
    rows = [np.concatenate([point.features, [point.usd, point.quality]]) for point in points]
    return torch.tensor(np.array(rows), dtype=torch.double)


def _fitted(inputs: Tensor, values: Tensor, models: int) -> SingleTaskGP:
    fractions, fleets = list(range(models)), list(range(models, 3 * models))
    over = MaternKernel(nu=2.5, ard_num_dims=models, active_dims=fractions)
    what = MaternKernel(nu=1.5, ard_num_dims=2 * models, active_dims=fleets)
    both = ProductKernel(
        MaternKernel(nu=2.5, ard_num_dims=models, active_dims=fractions),
        MaternKernel(nu=1.5, ard_num_dims=2 * models, active_dims=fleets),
    )
    model = SingleTaskGP(
        inputs,
        values,
        covar_module=ScaleKernel(over) + ScaleKernel(what) + ScaleKernel(both),
        outcome_transform=Standardize(m=1),
    )
    mll = ExactMarginalLogLikelihood(model.likelihood, model)
    # Fleets that hardly differ can make every attempt fail; the kernel as it starts is then used.
    with suppress(ModelFittingError):
        fit_gpytorch_mll(mll, optimizer_kwargs={"options": {"maxiter": FIT_STEPS}})
    return model.eval()
