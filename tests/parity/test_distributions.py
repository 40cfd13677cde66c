"""Distributions beside PyTorch's: densities, their gradients, moments, entropies, quantiles and divergences."""

import numpy as np
import pytest
import torch

import tinygrad_dl as td

RNG = np.random.default_rng(0)
A = np.abs(RNG.normal(size=(3, 2))) + 0.3
B = np.abs(RNG.normal(size=(3, 1))) + 0.2
P = 1 / (1 + np.exp(-RNG.normal(size=(3, 2))))
LOC, ROOT = RNG.normal(size=3), RNG.normal(size=(2, 3, 3))
S = ROOT @ ROOT.swapaxes(-1, -2) + np.eye(3)
REAL = RNG.normal(size=(4, 3, 2))
SHARE = RNG.uniform(0.1, 0.9, size=(4, 3, 2))
WHOLE = RNG.integers(0, 2, size=(4, 3, 2)).astype(float)

# The name, the parameters, those of another distribution for the divergence, and values.
CASES = {
    "normal": ("Normal", {"loc": A, "scale": B}, {"loc": B, "scale": A}, REAL),
    "normal, numbers": ("Normal", {"loc": 0.0, "scale": 1.5}, {"loc": 1.0, "scale": 1.0}, REAL.astype("float32")),
    "laplace": ("Laplace", {"loc": A, "scale": B}, {"loc": B, "scale": A}, REAL),
    "uniform": ("Uniform", {"low": -A, "high": B}, {"low": -A - 1, "high": B + 1}, SHARE / 10),
    "exponential": ("Exponential", {"rate": A}, {"rate": B}, np.abs(REAL)),
    "bernoulli": ("Bernoulli", {"probs": P}, {"probs": P / 2}, WHOLE),
    "bernoulli, logits": ("Bernoulli", {"logits": A - 1}, {"logits": A}, WHOLE),
    "categorical": ("Categorical", {"probs": P}, {"probs": A}, WHOLE[..., 0].astype(int)),
    "categorical, logits": ("Categorical", {"logits": A - 1}, {"logits": P}, WHOLE[..., 0].astype(int)),
    "gamma": ("Gamma", {"concentration": A, "rate": B}, {"concentration": B, "rate": A}, np.abs(REAL) + 0.1),
    "beta": (
        "Beta",
        {"concentration1": A, "concentration0": B},
        {"concentration1": B, "concentration0": A},
        SHARE,
    ),
    "dirichlet": ("Dirichlet", {"concentration": A}, {"concentration": P}, SHARE / SHARE.sum(-1, keepdims=True)),
    "vectors": (
        "MultivariateNormal",
        {"loc": LOC, "covariance_matrix": S},
        {"loc": -LOC, "covariance_matrix": S + np.eye(3)},
        RNG.normal(size=(4, 2, 3)),
    ),
    "vectors, precision": (
        "MultivariateNormal",
        {"loc": LOC, "precision_matrix": S},
        {"loc": -LOC, "scale_tril": np.linalg.cholesky(S)},
        RNG.normal(size=(4, 2, 3)),
    ),
}


def made(library, name, parameters, requires_grad=False):
    tensors = {
        key: library.tensor(value).requires_grad_(requires_grad) if isinstance(value, np.ndarray) else value
        for key, value in parameters.items()
    }
    return getattr(library.distributions, name)(**tensors), [t for t in tensors.values() if not isinstance(t, float)]


def facts(library, case):
    """What the distribution says, as arrays."""
    name, parameters, others, values = CASES[case]
    found, leaves = made(library, name, parameters, requires_grad=True)
    value = library.tensor(values)
    density = found.log_prob(value)
    if leaves:
        density.sum().backward()
    said = {
        "log_prob": density.detach(),
        "kl_divergence": library.distributions.kl_divergence(found, made(library, name, others)[0]).detach(),
        "entropy": found.entropy().detach(),
        "perplexity": found.perplexity().detach(),
        **{f"gradient {i}": leaf.grad for i, leaf in enumerate(leaves)},
        **{key: getattr(found, key).detach() for key in ("mean", "mode", "variance", "stddev")},
    }
    if case in ("normal", "normal, numbers", "laplace", "uniform", "exponential"):
        said["cdf"] = found.cdf(value).detach()
        said["icdf"] = found.icdf(library.tensor(SHARE.astype(values.dtype))).detach()
    if found.batch_shape:
        said["independent"] = library.distributions.Independent(found, 1).log_prob(value).detach()
        said["independent entropy"] = library.distributions.Independent(found, 1).entropy().detach()
    if name in ("Bernoulli", "Categorical"):
        for expand in (True, False):
            said[f"support {expand}"] = found.enumerate_support(expand)
    shapes = (
        found.batch_shape,
        found.event_shape,
        found.sample().shape,
        found.sample((5, 2)).shape,
        found.expand((4, *found.batch_shape)).sample().shape,
    )
    return {key: each.numpy() for key, each in said.items()}, [tuple(shape) for shape in shapes]


@pytest.mark.parametrize("case", CASES)
def test_distribution(case):
    (ours, our_shapes), (theirs, their_shapes) = facts(td, case), facts(torch, case)
    assert our_shapes == their_shapes
    for key, expected in theirs.items():
        tolerance = 1e-6 if expected.dtype == np.float32 else 1e-9
        np.testing.assert_allclose(ours[key], expected, tolerance, tolerance, err_msg=key)
        assert ours[key].dtype == expected.dtype, key


@pytest.mark.parametrize("name", ["lgamma", "digamma", "erfinv"])
def test_special_functions(name):
    points = [0.0, -0.0, 0.3, -0.7, 1 - 1e-12, 1.0, -1.0, 1.5, -2.5, 50.0, 1e10, 1e-300, np.inf, -np.inf, np.nan]
    for dtype in ("float32", "float64"):
        x = np.array(points, dtype)
        ours, theirs = getattr(td, name)(td.tensor(x)).numpy(), getattr(torch, name)(torch.tensor(x)).numpy()
        np.testing.assert_allclose(ours, theirs, *((1e-5, 0) if dtype == "float32" else (1e-12, 1e-15)))


def test_triangular_systems_and_cholesky():
    lower = np.linalg.cholesky(S)
    for upper in (False, True):
        for kwargs in ({}, {"left": False}, {"unitriangular": True}):
            results = []
            for library in (td, torch):
                a = library.tensor(lower.swapaxes(-1, -2).copy() if upper else lower).requires_grad_()
                b = library.tensor(ROOT[:1]).requires_grad_()
                x = library.linalg.solve_triangular(a, b, upper=upper, **kwargs)
                (x**2).sum().backward()
                results.append([each.detach().numpy() for each in (x, a.grad, b.grad)])
            for ours, theirs in zip(*results, strict=True):
                np.testing.assert_allclose(ours, theirs, 1e-9, 1e-12)
        results = []
        for library in (td, torch):
            a = library.tensor(S).requires_grad_()
            factor = library.linalg.cholesky(a, upper=upper)
            (factor**3).sum().backward()
            results.append([factor.detach().numpy(), a.grad.numpy()])
        for ours, theirs in zip(*results, strict=True):
            np.testing.assert_allclose(ours, theirs, 1e-9, 1e-12)
