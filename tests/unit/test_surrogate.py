"""The surrogate: its kernels, what it learns, what past searches add, and what a batch does to its doubt."""

import warnings

import numpy as np
import numpy.typing as npt
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # linear_operator uses what torch would drop
    import torch
    from gpytorch.kernels import AdditiveKernel, Kernel, ProductKernel, ScaleKernel

    from bouted.planner.kernel import plain_kernel, structured_kernel
    from bouted.planner.surrogate import Surrogate, Taught

Floats = npt.NDArray[np.float64]

LOADS, DIMS = 2, 5


def rows(n: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).random((n, DIMS))


def wrong_by(at: Floats) -> Floats:
    """What the cheap judge gets wrong: a bit by load, a bit by deployment, and most where both are high."""
    return np.asarray(0.02 * at[:, 0] + 0.02 * at[:, 3] + 0.2 * at[:, 1] * at[:, 4])


def taught(n: int, seed: int = 0, doubt: float = 0.0) -> Taught:
    at = rows(n, seed)
    return Taught(rows=at, log_ratios=wrong_by(at), doubt=np.full(n, doubt))


def fitted(known: Taught, *, structured: bool = True) -> Surrogate:
    surrogate = Surrogate(LOADS, DIMS, structured=structured, seed=1)
    surrogate.fit(known)
    return surrogate


def matrix(kernel: Kernel, at: Floats) -> Floats:
    with torch.no_grad():
        return np.asarray(kernel.double()(torch.tensor(at)).to_dense().numpy())


@pytest.mark.parametrize("kernel", [structured_kernel(LOADS, DIMS - LOADS), plain_kernel(DIMS)])
def test_a_kernel_is_a_covariance(kernel: Kernel) -> None:
    found = matrix(kernel, rows(40))
    assert np.allclose(found, found.T)
    assert np.linalg.eigvalsh(found).min() > -1e-9


def test_the_structured_kernel_is_load_plus_deployment_plus_a_lighter_interaction() -> None:
    kernel = structured_kernel(LOADS, DIMS - LOADS)
    assert isinstance(kernel, AdditiveKernel)
    load, deployment, interaction = kernel.kernels
    weights = [part.outputscale.item() for part in (load, deployment, interaction)]
    assert all(isinstance(part, ScaleKernel) for part in kernel.kernels)
    assert isinstance(interaction.base_kernel, ProductKernel)
    assert weights[2] < min(weights[:2])
    moved = rows(2)
    moved[1, LOADS:] = moved[0, LOADS:]  # another load on the same fleet
    assert matrix(load, moved)[0, 1] < weights[0] - 1e-6
    assert matrix(deployment, moved)[0, 1] == pytest.approx(weights[1])


def test_what_holds_on_one_fleet_says_something_of_another_under_the_same_load() -> None:
    far = rows(2)
    far[1] = far[0]
    far[1, LOADS:] += 40.0
    structured = matrix(structured_kernel(LOADS, DIMS - LOADS), far)
    plain = matrix(plain_kernel(DIMS), far)
    assert structured[0, 1] > 0.3 * structured[0, 0]
    assert plain[0, 1] < 1e-3 * plain[0, 0]


@pytest.mark.parametrize("structured", [True, False])
def test_errors_that_follow_load_and_deployment_are_learned(structured: bool) -> None:
    known, new = taught(48), rows(60, seed=5)
    belief = fitted(known, structured=structured).believe(known, new)
    missed = belief.mean - wrong_by(new)
    assert np.sqrt(np.mean(missed**2)) < 0.35 * wrong_by(new).std()
    assert np.mean(np.abs(missed) < 2.5 * belief.width) > 0.8


def test_the_same_simulations_teach_the_same() -> None:
    known, new = taught(20), rows(10, seed=5)
    first, second = (fitted(known).believe(known, new) for _ in range(2))
    assert np.array_equal(first.mean, second.mean)
    assert np.array_equal(first.covariance, second.covariance)


def test_a_doubtful_past_moves_beliefs_less_than_a_simulation_of_now() -> None:
    at = rows(12)
    now = Taught(rows=at[:6], log_ratios=np.full(6, 0.0), doubt=np.zeros(6))
    odd = at[6:7]
    surrogate = fitted(taught(24))

    def believed(doubt: float) -> float:
        both = Taught(
            rows=np.vstack([now.rows, odd]),
            log_ratios=np.append(now.log_ratios, 0.3),
            doubt=np.append(now.doubt, doubt),
        )
        return float(surrogate.believe(both, odd).mean[0])

    assert abs(believed(0.0) - 0.3) < 0.05
    assert believed(0.2) < 0.8 * believed(0.0)


def test_a_chosen_design_makes_its_likes_less_doubtful_and_moves_no_mean() -> None:
    known, new = taught(12), rows(8, seed=3)
    new[1] = new[0] + 1e-3
    before = fitted(known).believe(known, new)
    after = before.given(0)
    assert np.array_equal(after.mean, before.mean)
    assert after.width[0] < 1e-3
    assert after.width[1] < 0.5 * before.width[1]
    assert np.all(after.width <= before.width + 1e-9)
