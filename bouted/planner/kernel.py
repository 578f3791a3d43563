"""The kernels of the surrogate. Only the worker imports this.

Structured as BOute's surrogate is (2602.10729, section 6): a kernel over the load, one over deployment, and
their product as an interaction with a small learned weight, each with a scale of its own. So designs of
other fleets under the same load teach something, and so do other loads on the same fleet.
"""

from math import log

from gpytorch.constraints import GreaterThan
from gpytorch.kernels import AdditiveKernel, Kernel, MaternKernel, ProductKernel, ScaleKernel
from gpytorch.priors import GammaPrior, LogNormalPrior

# Weights at the start, of a target that is standardised: the interaction is small until data ask for it.
LOAD, DEPLOYMENT, INTERACTION = 0.5, 0.4, 0.1
SHORTEST = 0.05


def structured_kernel(loads: int, deployments: int) -> Kernel:
    """The kernel over rows of `loads` numbers of load and then `deployments` numbers of deployment."""
    load = _matern(2.5, range(loads))
    if not deployments:
        return _scaled(load, LOAD)
    deployment = _matern(1.5, range(loads, loads + deployments))
    interaction = _scaled(ProductKernel(load, deployment), INTERACTION)
    return AdditiveKernel(_scaled(load, LOAD), _scaled(deployment, DEPLOYMENT), interaction)


def plain_kernel(dims: int) -> Kernel:
    """One Matern kernel over everything, for the ablation."""
    return _scaled(_matern(2.5, range(dims)), LOAD + DEPLOYMENT + INTERACTION)


def _matern(smoothness: float, dims: range) -> MaternKernel:
    """A length for each dimension; the more there are, the longer each is expected to be."""
    usual = LogNormalPrior(loc=1.4 + 0.5 * log(len(dims)), scale=1.0)
    return MaternKernel(
        nu=smoothness,
        ard_num_dims=len(dims),
        active_dims=tuple(dims),
        lengthscale_prior=usual,
        lengthscale_constraint=GreaterThan(SHORTEST, initial_value=usual.mode),
    )


def _scaled(kernel: Kernel, weight: float) -> ScaleKernel:
    scaled = ScaleKernel(kernel, outputscale_prior=GammaPrior(2.0, 2.0 / weight))
    scaled.outputscale = weight
    return scaled
