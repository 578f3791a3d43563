"""What the cheap judge gets wrong, learned from simulated designs. Only the worker imports this.

A Gaussian process models the logarithm of simulated over looked-up P95, so that the cheap prediction is its
mean; over the load and the deployment of a design. Quality and cost of a design are known exactly and need no
model. The targets other than the objective share the objective's kernel: fitted once, used for each.
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from botorch.exceptions.errors import ModelFittingError
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.kernels import Kernel
from gpytorch.likelihoods import FixedNoiseGaussianLikelihood
from gpytorch.means import ZeroMean
from gpytorch.mlls import ExactMarginalLogLikelihood
from scipy.linalg import cho_solve, cholesky, solve_triangular

from bouted.planner.kernel import plain_kernel, structured_kernel

Floats = npt.NDArray[np.float64]

THREADS = 1
FIT_STEPS = 12
# A fit looks at no more rows than this, the latest.
FIT_ROWS = 64
# The least relative error the cheap judge is taken to have: a few equal ratios do not prove it exact.
LEAST_ERROR = 0.03
# The least noise, as a share of the variance of what is learned.
LEAST_NOISE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taught:
    """What is known: rows that describe designs, log ratios, and the standard deviation of what is wrong with
    each beyond the common noise (0 for simulations of this search)."""

    rows: Floats
    log_ratios: Floats
    doubt: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Belief:
    """Log ratios of designs that were not simulated: their means, and how they vary together."""

    mean: Floats
    covariance: Floats

    @property
    def width(self) -> Floats:
        """Standard deviation of each."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 1e-12))

    def given(self, i: int) -> "Belief":
        """The belief once design `i` turned out as believed: no mean moves, and doubt shrinks around it."""
        column = self.covariance[:, i]
        shrunk = self.covariance - np.outer(column, column) / max(float(column[i]), 1e-12)
        return Belief(mean=self.mean, covariance=shrunk)


class Surrogate:
    """A kernel over rows of `loads` numbers of load and then numbers of deployment, all about 0..1."""

    def __init__(self, loads: int, dims: int, *, structured: bool, seed: int) -> None:
        torch.set_num_threads(THREADS)
        torch.manual_seed(seed)
        self._kernel: Kernel = structured_kernel(loads, dims - loads) if structured else plain_kernel(dims)
        self._kernel.double()
        self._noise = LEAST_NOISE

    def fit(self, taught: Taught) -> None:
        """Learn lengths, weights and noise from what is known."""
        rows = torch.tensor(taught.rows[-FIT_ROWS:], dtype=torch.double)
        values, _, scale = _standard(taught)
        doubt = (taught.doubt[-FIT_ROWS:] / scale) ** 2 + LEAST_NOISE
        likelihood = FixedNoiseGaussianLikelihood(
            noise=torch.tensor(doubt, dtype=torch.double), learn_additional_noise=True
        ).double()
        model = SingleTaskGP(
            rows,
            torch.tensor(values[-FIT_ROWS:], dtype=torch.double)[:, None],
            likelihood=likelihood,
            covar_module=self._kernel,
            mean_module=ZeroMean(),
            outcome_transform=None,
        )
        mll = ExactMarginalLogLikelihood(model.likelihood, model)
        before = deepcopy(self._kernel.state_dict())
        try:
            fit_gpytorch_mll(mll, optimizer_kwargs={"options": {"maxiter": FIT_STEPS}})
        except ModelFittingError:
            # Rows that hardly differ can make every attempt fail: what was learned before still serves.
            self._kernel.load_state_dict(before)
        else:
            self._noise = LEAST_NOISE + float(likelihood.second_noise.detach())
        self._kernel.eval()

    def believe(self, taught: Taught, rows: Floats) -> Belief:
        """What is believed of designs with these rows."""
        values, mean, scale = _standard(taught)
        n = len(taught.rows)
        with torch.no_grad():
            both = torch.tensor(np.vstack([taught.rows, rows]), dtype=torch.double)
            kernel = self._kernel(both).to_dense().numpy()
        noise = self._noise + (taught.doubt / scale) ** 2
        factor = cholesky(kernel[:n, :n] + np.diag(noise), lower=True)
        across = kernel[:n, n:]
        middle = across.T @ cho_solve((factor, True), values)
        part = solve_triangular(factor, across, lower=True)
        covariance = kernel[n:, n:] - part.T @ part
        return Belief(mean=mean + scale * middle, covariance=scale**2 * covariance)


def _standard(taught: Taught) -> tuple[Floats, float, float]:
    """Log ratios less their mean and over their spread, and both. What is in doubt weighs less."""
    weights = 1 / (LEAST_ERROR**2 + taught.doubt**2)
    mean = float(np.average(taught.log_ratios, weights=weights))
    spread = float(np.sqrt(np.average((taught.log_ratios - mean) ** 2, weights=weights)))
    scale = max(spread, LEAST_ERROR)
    return (taught.log_ratios - mean) / scale, mean, scale


def warm() -> None:
    """Do a tiny piece of work, so that everything that loads on first use is loaded."""
    rows = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    taught = Taught(rows=rows, log_ratios=np.array([0.0, 0.1, 0.1, 0.3]), doubt=np.zeros(4))
    surrogate = Surrogate(1, 2, structured=True, seed=0)
    surrogate.fit(taught)
    surrogate.believe(taught, rows + 0.5)
