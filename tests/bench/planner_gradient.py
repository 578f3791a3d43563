"""Plain BoTorch: three Gaussian processes over the cube, qLogNEHVI optimised by gradient from restarts."""

import numpy as np
import numpy.typing as npt
import torch
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.model_list_gp_regression import ModelListGP
from botorch.models.transforms.outcome import Standardize
from botorch.optim.optimize import optimize_acqf
from botorch.sampling.normal import SobolQMCNormalSampler
from gpytorch.mlls import SumMarginalLogLikelihood
from planner_arena import Arena, Verdict
from planner_spaces import Space
from scipy.stats import qmc
from torch import Tensor

Floats = npt.NDArray[np.float64]

logei._load_attempted = True  # as bouted's own surrogate: nothing is compiled on first use

FIRST = 24
BATCH = 4
RESTARTS, RAW = 4, 64
SAMPLES = 32
FIT_STEPS = 50
MOST_KNOWN = 200


def gradient(arena: Arena, space: Space, seed: int) -> None:
    """A Sobol start, then batches of `BATCH` where noisy expected hypervolume improvement is largest."""
    torch.manual_seed(seed)
    points = list(np.asarray(qmc.Sobol(space.dimensions, scramble=True, rng=seed).random(FIRST)))
    known: list[tuple[Floats, Verdict]] = []
    while not arena.late():
        for point in points:
            if arena.late():
                return
            known.append((point, arena.judge(space.design(point))))
        points = _next(known[-MOST_KNOWN:], seed, arena.left_s())


def _next(known: list[tuple[Floats, Verdict]], seed: int, most_s: float) -> list[Floats]:
    """Where to look next. Objectives are negated: BoTorch maximises. Infeasible means above zero short."""
    inputs = torch.tensor(np.array([point for point, _ in known]), dtype=torch.double)
    told = np.array([(*(min(x, 2.0) for x in v.objectives), min(v.short, 2.0)) for _, v in known])
    values = torch.tensor(told * np.array([-1, -1, -1, 1]), dtype=torch.double)
    growth = qLogNoisyExpectedHypervolumeImprovement(
        model=_fitted(inputs, values),
        ref_point=[-1.0, -1.0, -1.0],
        X_baseline=inputs,
        sampler=SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=seed),
        objective=IdentityMCMultiOutputObjective(outcomes=[0, 1, 2]),
        constraints=[lambda samples: samples[..., 3]],
        prune_baseline=True,
        cache_root=False,
    )
    found, _ = optimize_acqf(
        growth,
        bounds=torch.stack([torch.zeros(inputs.shape[1]), torch.ones(inputs.shape[1])]).double(),
        q=BATCH,
        num_restarts=RESTARTS,
        raw_samples=RAW,
        options={"maxiter": FIT_STEPS},
        sequential=True,
        timeout_sec=max(most_s, 1.0),
    )
    return list(found.numpy())


def _fitted(inputs: Tensor, values: Tensor) -> ModelListGP:
    parts = [
        SingleTaskGP(inputs, values[:, i : i + 1], outcome_transform=Standardize(m=1))
        for i in range(values.shape[1])
    ]
    model = ModelListGP(*parts)
    fit_gpytorch_mll(
        SumMarginalLogLikelihood(model.likelihood, model),
        optimizer_kwargs={"options": {"maxiter": FIT_STEPS}},
    )
    return model
