"""The paper's own method in our harness: Bayesian optimisation over the share and an index into each list.

As in the paper it evaluates by looking replicas up in the data base of profiles. The best that it looked up
are then judged by the event simulator, as many as any method may have judged. What the paper leaves open is
settled so: a third of the look-ups are random to begin with; four are made at a time; the acquisition
function is maximised over a fresh random pool; quality, a function of the share, is known; the share is
never below the floor's, and every second time it is the floor's.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from botorch.acquisition.multi_objective.logei import qLogExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
from botorch.exceptions.errors import ModelFittingError
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms.outcome import Standardize
from botorch.optim.optimize import optimize_acqf_discrete
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.multi_objective.box_decompositions.non_dominated import (
    NondominatedPartitioning,
)
from gpytorch.mlls import ExactMarginalLogLikelihood
from planner_paper_allocate import GPUS, Means
from planner_paper_judge import MODELS, Fleet, FleetJudge, Rates, fleet
from planner_paper_kernel import paper_kernel
from planner_paper_lists import Candidate, candidates
from planner_paper_parameters import EVALUATIONS, SEED, USD_PER_HOUR
from planner_paper_world import Floats
from torch import Tensor

LOOK_UPS, FIRST, BATCH = 64, 24, 4
POOL, SAMPLES, FIT_STEPS = 128, 16, 20
BELOW_FLOOR = 0.01
SUITED_AT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Point:
    """A fleet, and what describes it to the surrogate."""

    fleet: Fleet
    features: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Space:
    """What may be tried: a list per model, the floor's share, and how well each GPU suits each model."""

    lists: tuple[tuple[Candidate, ...], ...]
    least_share: float
    means: Means
    suitability: Floats

    def pool(self, n: int, rng: np.random.Generator) -> list[_Point]:
        """Random points within the budget and what can be had."""
        found: list[_Point] = []
        for _ in range(200 * n):
            if len(found) == n:
                break
            small, large = (some[int(rng.integers(len(some)))] for some in self.lists)
            used = np.add(small.gpus, large.gpus)
            usd = small.usd_per_hour + large.usd_per_hour
            if usd <= float(self.means.usd_per_hour) + 1e-9 and np.all(used <= self.means.available):
                share = self.least_share + (1 - self.least_share) * float(rng.random() * rng.integers(2))
                found.append(self._point(small, large, min(share, 0.999)))
        return found

    def _point(self, small: Candidate, large: Candidate, share: float) -> _Point:
        counts = np.array([small.gpus, large.gpus], dtype=np.float64)
        suited = float((counts * self.suitability).sum() / counts.sum())
        scaled = counts / np.maximum(np.array(self.means.available), 1)
        return _Point(
            fleet=fleet((*small.replicas, *large.replicas), share),
            features=np.concatenate([[share], scaled.ravel(), [suited]]),
        )


def paper_method(judge: FleetJudge, least_share: float, means: Means) -> list[Fleet]:
    """The fleets that the method would have judged for one floor, best first by the data base."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    space = _Space(
        lists=tuple(candidates(judge.rates, model, means) for model in MODELS),
        least_share=least_share,
        means=means,
        suitability=_suitability(judge.rates),
    )
    tried = space.pool(FIRST, rng)
    while tried and len(tried) < LOOK_UPS:
        seconds = np.array([judge.predicted_s(point.fleet) for point in tried])
        known = {point.fleet for point in tried}
        pool = [point for point in space.pool(POOL, rng) if point.fleet not in known]
        if len(pool) < BATCH:
            break
        tried += [pool[row] for row in _most_promising(tried, seconds, pool, least_share)]
    fleets = dict.fromkeys(point.fleet for point in tried)
    return sorted(fleets, key=judge.predicted_s)[:EVALUATIONS]


def _most_promising(
    tried: list[_Point], seconds: Floats, pool: list[_Point], least_share: float
) -> list[int]:
    """The points of the pool by which the front of latency and quality is expected to grow most.

    Quality is the share on 70B: any measure that rises with it has the same order, and it is known exactly.
    """
    known, open_ = _inputs(tried), _inputs(pool)
    speed = -torch.log(torch.tensor(seconds, dtype=torch.double))[:, None]
    worst = [float(speed.min()) - 0.1, least_share - BELOW_FLOOR]
    growth = qLogExpectedHypervolumeImprovement(
        model=_fitted(known, speed),
        ref_point=worst,
        partitioning=NondominatedPartitioning(
            torch.tensor(worst, dtype=torch.double), torch.cat([speed, known[:, :1]], dim=1)
        ),
        sampler=SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=SEED),
        objective=GenericMCMultiOutputObjective(_speed_and_share),
    )
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so do covariances that need a little more on their diagonal
        chosen, _ = optimize_acqf_discrete(growth, q=BATCH, choices=open_, unique=True)
    return [int(torch.nonzero(torch.all(open_ == one, dim=1))[0, 0]) for one in chosen]


def _speed_and_share(samples: Tensor, X: Tensor | None = None) -> Tensor:
    assert X is not None
    return torch.stack([samples[..., 0], X[..., 0].expand_as(samples[..., 0])], dim=-1)


def _fitted(inputs: Tensor, values: Tensor) -> SingleTaskGP:
    """The paper's Gaussian process of (minus the logarithm of) latency; as it was when no fit succeeds."""
    model = SingleTaskGP(
        inputs, values, covar_module=paper_kernel(inputs.shape[1] - 2), outcome_transform=Standardize(m=1)
    )
    mll = ExactMarginalLogLikelihood(model.likelihood, model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fits that stop early say so
        try:
            fit_gpytorch_mll(mll, optimizer_kwargs={"options": {"maxiter": FIT_STEPS}})
        except ModelFittingError:
            model.eval()
    return model


def _inputs(points: list[_Point]) -> Tensor:
    return torch.tensor(np.array([point.features for point in points]), dtype=torch.double)


def _suitability(rates: Rates) -> Floats:
    """Requests/s per dollar of the best layout, over the best GPU's: `models x GPUS`."""
    found = np.zeros((len(MODELS), len(GPUS)))
    for shape in rates.shapes:
        usd = float(USD_PER_HOUR[shape.gpu]) * shape.gpu_count
        at = MODELS.index(shape.model), GPUS.index(shape.gpu)
        found[at] = max(found[at], rates.rate(shape, SUITED_AT_S) / usd)
    return np.asarray(found / found.max(axis=1, keepdims=True))
