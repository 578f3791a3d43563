"""What the cheap judge gets wrong, learned from simulated designs. Only the worker imports this.

A Gaussian process models log(simulated / looked up) of the objective latency over what describes a
design. The next designs to simulate are taken from those the sweep found, so no optimiser runs and a step
takes tenths of a second: in turn the one of largest expected saving, and those by which the front's
hypervolume is expected to grow most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.logei import qLogExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.multi_objective.box_decompositions.non_dominated import NondominatedPartitioning
from gpytorch.means import ZeroMean
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch import Tensor

Floats = npt.NDArray[np.float64]

# BoTorch would compile a kernel on first use, behind a lock file that a killed worker leaves for ever and
# whose next user waits for ever. And the same problem must give the same bytes with a compiler and without.
logei._load_attempted = True

THREADS = 1
SAMPLES = 32
FIT_STEPS = 30
# The least relative error the cheap judge is taken to have: a few equal ratios do not prove it exact.
LEAST_ERROR = 0.03
# Designs on the floor are welcome: the hypervolume is measured from this far below it.
BELOW_FLOOR = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptable:
    """The worst that is acceptable: $/h, P95 in seconds, low quality."""

    usd_per_hour: float
    p95_s: float
    quality: float


class Surrogate:
    """Chooses what to simulate among known designs, numbered from 0.

    `features` are `designs x features`; `cheap` is `designs x 3`: $/h, looked-up P95 in seconds, low quality.
    """

    def __init__(self, features: Floats, cheap: Floats, worst: Acceptable, seed: int) -> None:
        torch.set_num_threads(THREADS)
        torch.manual_seed(seed)
        low, high = features.min(axis=0), features.max(axis=0)
        varying = high > low
        self._inputs = (features[:, varying] - low[varying]) / (high[varying] - low[varying])
        if not varying.any():
            self._inputs = np.zeros((len(features), 1))
        self._cheap = cheap
        self._worst = worst
        self._seed = seed
        self._points = torch.tensor(np.hstack([self._inputs, cheap]), dtype=torch.double)

    def pick(self, simulated: Mapping[int, float], open_: Sequence[int], n: int) -> tuple[int, ...]:
        """Up to `n` of the `open_` designs to simulate next, given the P95 of two or more simulated."""
        known = sorted(simulated)
        ratios = np.log([simulated[i] / self._cheap[i, 1] for i in known])
        mean, scale = float(ratios.mean()), max(float(ratios.std()), LEAST_ERROR)
        model = self._fitted(known, (ratios - mean) / scale)
        left = list(open_)
        picked: list[int] = []
        saving = self._best_saving(model, simulated, left, mean, scale)
        if saving is not None:
            picked.append(saving)
            left.remove(saving)
        if len(picked) < n and left:
            picked += self._growing(model, simulated, picked, left, mean, scale, n - len(picked))
        return tuple(picked)

    def _fitted(self, known: list[int], values: Floats) -> SingleTaskGP:
        dims = self._inputs.shape[1]
        model = SingleTaskGP(
            self._points[known],
            torch.tensor(values, dtype=torch.double)[:, None],
            covar_module=get_covar_module_with_dim_scaled_prior(
                ard_num_dims=dims, active_dims=list(range(dims))
            ),
            mean_module=ZeroMean(),
            outcome_transform=None,
        )
        mll = ExactMarginalLogLikelihood(model.likelihood, model)
        fit_gpytorch_mll(mll, optimizer_kwargs={"options": {"maxiter": FIT_STEPS}})
        return model

    def _best_saving(
        self, model: SingleTaskGP, simulated: Mapping[int, float], left: list[int], mean: float, scale: float
    ) -> int | None:
        """The design with the largest saving over the cheapest good one, times the odds that it is good."""
        good = [i for i, seconds in simulated.items() if seconds <= self._worst.p95_s]
        best = min((float(self._cheap[i, 0]) for i in good), default=self._worst.usd_per_hour)
        saved = np.maximum(0.0, best - self._cheap[left, 0])
        if not left or not saved.any():
            return None
        with torch.no_grad():
            posterior = model.posterior(self._points[left])
            middle = posterior.mean[:, 0] * scale + mean
            width = posterior.variance[:, 0].sqrt() * scale
        room = torch.tensor(np.log(self._worst.p95_s / self._cheap[left, 1]))
        odds = torch.special.ndtr((room - middle) / width.clamp_min(1e-6)).numpy()
        return left[int(np.argmax(saved * odds))]

    def _growing(
        self,
        model: SingleTaskGP,
        simulated: Mapping[int, float],
        picked: list[int],
        left: list[int],
        mean: float,
        scale: float,
        n: int,
    ) -> list[int]:
        """`n` designs, each expected to grow the front's hypervolume most if those before are as believed."""
        dims = self._inputs.shape[1]

        def values(samples: Tensor, X: Tensor | None = None) -> Tensor:
            assert X is not None
            usd, cheap, quality = X[..., dims], X[..., dims + 1], X[..., dims + 2]
            seconds = cheap * (samples[..., 0] * scale + mean).exp()
            return torch.stack([-usd.expand_as(seconds), -seconds, quality.expand_as(seconds)], dim=-1)

        worst = [-self._worst.usd_per_hour, -self._worst.p95_s, self._worst.quality - BELOW_FLOOR]
        with torch.no_grad():
            believed = model.posterior(self._points).mean[:, 0].numpy() * scale + mean
        seen = dict(simulated) | {i: float(self._cheap[i, 1] * np.exp(believed[i])) for i in picked}
        found: list[int] = []
        for _ in range(min(n, len(left))):
            front = np.array([(-self._cheap[i, 0], -s, self._cheap[i, 2]) for i, s in seen.items()])
            growth = qLogExpectedHypervolumeImprovement(
                model=model,
                ref_point=worst,
                partitioning=NondominatedPartitioning(
                    torch.tensor(worst, dtype=torch.double), torch.tensor(front)
                ),
                sampler=SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=self._seed),
                objective=GenericMCMultiOutputObjective(values),
            )
            open_ = [i for i in left if i not in seen]
            with torch.no_grad():
                gains = growth(self._points[open_][:, None, :])
            found.append(open_[int(torch.argmax(gains))])
            seen[found[-1]] = float(self._cheap[found[-1], 1] * np.exp(believed[found[-1]]))
        return found


def warm() -> None:
    """Do a tiny piece of work, so that everything that loads on first use is loaded."""
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    cheap = np.array([[1.0, 1.0, 0.5], [2.0, 0.8, 0.6], [3.0, 0.6, 0.7], [4.0, 0.5, 0.8]])
    worst = Acceptable(usd_per_hour=5.0, p95_s=2.0, quality=0.4)
    Surrogate(corners, cheap, worst, 0).pick({0: 1.1, 1: 0.9}, (2, 3), 2)
