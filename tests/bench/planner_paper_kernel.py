"""The paper's kernel over load share and candidate fleets (section 5.2, appendix C), in GPyTorch.

k_f + w(c) w(c') k_c + phi k_f k_c: Matérn 5/2 over the share, Matérn 3/2 over the fleets, and their product.
The weight w(c) = exp(beta x suitability) grows without bound with the number of GPUs; suitability is
therefore the mean over the GPUs that a fleet has. The paper does not say how it is set: here it is how well a
GPU serves a model for its money, by the profiles, from 0 to 1.
"""

import torch
from gpytorch.constraints import Interval
from gpytorch.kernels import Kernel, MaternKernel, ProductKernel, ScaleKernel
from gpytorch.priors import GammaPrior
from torch import Tensor

STRONGEST = 3.0


class Suited(Kernel):  # type: ignore[misc]
    """`base` weighed on both sides by exp(beta x suitability), which is column `column` of the inputs."""

    has_lengthscale = False

    def __init__(self, base: Kernel, column: int) -> None:
        super().__init__()
        self.base, self.column = base, column
        self.register_parameter("beta", torch.nn.Parameter(torch.zeros(1, dtype=torch.double)))
        self.register_constraint("beta", Interval(-STRONGEST, STRONGEST, transform=None))

    def forward(
        self, x1: Tensor, x2: Tensor, diag: bool = False, last_dim_is_batch: bool = False, **params: object
    ) -> Tensor:
        """The weighed covariance."""
        w1 = torch.exp(self.beta * x1[..., self.column])
        w2 = torch.exp(self.beta * x2[..., self.column])
        base: Tensor = self.base.forward(
            self.base_inputs(x1), self.base_inputs(x2), diag=diag, last_dim_is_batch=last_dim_is_batch
        )
        weight: Tensor = w1 * w2 if diag else w1.unsqueeze(-1) * w2.unsqueeze(-2)
        return base * weight

    def base_inputs(self, x: Tensor) -> Tensor:
        """The columns that `base` looks at."""
        return x if self.base.active_dims is None else x.index_select(-1, self.base.active_dims)


def paper_kernel(fleet_columns: int) -> Kernel:
    """For inputs of the share, then `fleet_columns` that describe the fleets, then suitability."""
    fleets = list(range(1, 1 + fleet_columns))

    def over_share() -> Kernel:
        return MaternKernel(nu=2.5, active_dims=[0], lengthscale_prior=GammaPrior(3.0, 6.0))

    def over_fleets() -> MaternKernel:
        return MaternKernel(
            nu=1.5, ard_num_dims=fleet_columns, active_dims=fleets, lengthscale_prior=GammaPrior(3.0, 6.0)
        )

    suited = Suited(over_fleets(), column=1 + fleet_columns)
    parts = (over_share(), suited, ProductKernel(over_share(), over_fleets()))
    scaled = [ScaleKernel(part, outputscale_prior=GammaPrior(2.0, 1.5)) for part in parts]
    return scaled[0] + scaled[1] + scaled[2]
