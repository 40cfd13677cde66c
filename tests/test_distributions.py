"""Distributions: draws have the moments they should, gradients reach parameters through them, mistakes are named."""

import functools
import math

import pytest

import tinygrad_dl as td
from tinygrad_dl.distributions import (
    Bernoulli,
    Beta,
    Categorical,
    Dirichlet,
    Exponential,
    Gamma,
    Independent,
    Laplace,
    MultivariateNormal,
    Normal,
    Uniform,
    constraints,
    kl_divergence,
    register_kl,
)

COVARIANCE = td.tensor([[2.0, 0.5], [0.5, 1.0]])
CASES = {
    "normal": lambda: Normal(td.tensor([0.0, 2.0]), 1.5),
    "laplace": lambda: Laplace(td.tensor([0.0, 2.0]), 0.5),
    "uniform": lambda: Uniform(td.tensor([0.0, 2.0]), 3.0),
    "exponential": lambda: Exponential(td.tensor([1.0, 2.0])),
    "bernoulli": lambda: Bernoulli(td.tensor([0.2, 0.7])),
    "gamma": lambda: Gamma(td.tensor([0.5, 3.0]), 2.0),
    "beta": lambda: Beta(td.tensor([0.5, 3.0]), 2.0),
    "dirichlet": lambda: Dirichlet(td.tensor([0.5, 1.0, 3.0])),
    "vectors": lambda: MultivariateNormal(td.tensor([1.0, -1.0]), COVARIANCE),
    "independent": lambda: Independent(Normal(td.zeros(3), td.tensor([1.0, 2.0, 3.0])), 1),
}


@pytest.mark.parametrize("case", CASES)
def test_draws_have_the_moments_of_the_distribution(case):
    td.manual_seed(0)
    distribution = CASES[case]()
    draws = distribution.sample((20000,))
    assert draws.shape == (20000, *distribution.batch_shape, *distribution.event_shape)
    assert td.allclose(draws.mean(0), distribution.mean, rtol=0.05, atol=0.05)
    assert td.allclose(draws.var(0), distribution.variance, rtol=0.1, atol=0.05)
    assert bool(distribution.support.check(draws).all())
    # The entropy is the mean of -log_prob.
    assert td.allclose(-distribution.log_prob(draws).mean(0), distribution.entropy(), rtol=0.05, atol=0.05)


def test_categorical_draws_as_often_as_its_probabilities_say():
    td.manual_seed(0)
    draws = Categorical(td.tensor([[1.0, 3.0], [1.0, 0.0]])).sample((4000,))
    assert draws.dtype == td.int64 and draws.shape == (4000, 2)
    assert abs(draws[:, 0].float().mean().item() - 0.75) < 0.03 and not draws[:, 1].any()


@pytest.mark.parametrize("case", [case for case in CASES if case != "bernoulli"])
def test_gradients_go_through_draws(case):
    """The gradient of a mean of many draws is that of the expected value."""
    td.manual_seed(0)
    distribution = CASES[case]()
    names = distribution.made_of or ("loc",)
    base = distribution.base_dist if case == "independent" else distribution
    leaves = [getattr(base, name).detach().clone().requires_grad_() for name in names]
    fixed = {} if distribution.made_of else {"scale": base.scale}
    made = type(base)(**dict(zip(names, leaves, strict=True)), **fixed)
    weights = td.arange(1.0, 1 + made.mean.numel()).reshape(made.mean.shape)
    expected = td.autograd.grad((made.mean * weights).sum(), leaves, allow_unused=True)
    found = td.autograd.grad((made.rsample((20000,)).mean(0) * weights).sum(), leaves)
    for ours, theirs in zip(found, expected, strict=True):
        assert td.allclose(ours, td.zeros_like(ours) if theirs is None else theirs, rtol=0.1, atol=0.1)


def test_a_gamma_draw_has_the_derivative_of_its_quantile():
    from tinygrad_dl.distributions.gamma import Quantile

    concentration = td.tensor([0.3, 1.0, 4.0, 30.0], dtype=td.float64, requires_grad=True)
    share = td.tensor([[0.1], [0.5], [0.99]], dtype=td.float64)
    quantile = lambda c: Quantile.apply(c.expand(3, 4), share)  # noqa: E731
    assert td.autograd.gradcheck(quantile, concentration, check_forward_ad=True, check_batched_grad=True)
    (gradient,) = td.autograd.grad(quantile(concentration).sum(), concentration, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_derivatives_of_factors_and_systems():
    root = td.randn(2, 3, 3, dtype=td.float64)
    a = (root @ root.mT + 3 * td.eye(3, dtype=td.float64)).requires_grad_()
    b = td.randn(3, 2, dtype=td.float64, requires_grad=True)
    checks = {"check_forward_ad": True, "check_batched_grad": True}
    for upper in (False, True):
        factor = functools.partial(td.linalg.cholesky, upper=upper)
        solve = functools.partial(td.linalg.solve_triangular, upper=upper)
        assert td.autograd.gradcheck(factor, a, **checks) and td.autograd.gradgradcheck(factor, a)
        assert td.autograd.gradcheck(solve, (a, b), **checks) and td.autograd.gradgradcheck(solve, (a, b))


def test_a_draw_leaves_no_graph_and_computes_probabilities_with_one():
    logits = td.tensor([0.0, 1.0], requires_grad=True)
    policy = Categorical(logits=logits)
    action = policy.sample()
    assert not action.requires_grad and policy.probs.requires_grad
    policy.log_prob(td.tensor(1)).backward()
    assert td.allclose(logits.grad, td.tensor([-0.2689, 0.2689]), atol=1e-4)


def test_expansion_and_text():
    wide = Normal(0.0, td.ones(2)).expand((3, 2))
    assert wide.batch_shape == (3, 2) and wide.sample().shape == (3, 2)
    assert repr(Normal(0.0, 1.0)) == "Normal(loc: 0.0, scale: 1.0)"
    assert repr(wide) == "Normal(loc: (3, 2), scale: (3, 2))"
    assert Independent(wide, 1).expand((5, 3)).sample().shape == (5, 3, 2)
    assert repr(Independent(wide, 1)) == "Independent(Normal(loc: (3, 2), scale: (3, 2)), 1)"


def test_divergences_of_classes_of_ones_own():
    class Point(Normal):
        pass

    assert kl_divergence(Point(0.0, 1.0), Normal(0.0, 1.0)) == 0.0

    @register_kl(Point, Uniform)
    def never(p, q):
        return p.loc * math.inf

    assert kl_divergence(Point(1.0, 1.0), Uniform(0.0, 1.0)) == math.inf
    with pytest.raises(NotImplementedError, match="got Normal and Uniform"):
        kl_divergence(Normal(0.0, 1.0), Uniform(0.0, 1.0))


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: Normal(0.0, -1.0), ValueError, "Normal: got scale of shape () with -1.0, expected above 0"),
        (lambda: Normal(td.tensor([0.0, math.nan]), 1.0), ValueError, "got loc of shape (2,) with nan, expected real"),
        (lambda: Uniform(1.0, 0.0), ValueError, "Uniform: got a low that is not below high"),
        (lambda: Categorical(), ValueError, "Categorical: got neither of probs and logits"),
        (lambda: Bernoulli(td.ones(1), td.ones(1)), ValueError, "Bernoulli: got both of probs and logits"),
        (lambda: Bernoulli(2.0), ValueError, "with 2.0, expected from 0.0 to 1.0"),
        (lambda: Categorical(td.tensor(1.0)), ValueError, "got probs of no dimensions"),
        (lambda: Dirichlet(1.0), ValueError, "got a concentration of no dimensions"),
        (lambda: Exponential(1.0).log_prob(td.tensor(-1.0)), ValueError, "got a value of shape () with -1.0"),
        (lambda: Normal(td.zeros(3), 1.0).log_prob(td.zeros(2)), ValueError, "got a value of shape (2,), expected one"),
        (lambda: Categorical(td.ones(3)).log_prob(td.tensor(3)), ValueError, "expected a whole number from 0 to 2"),
        (lambda: Bernoulli(0.5).rsample(), NotImplementedError, "rsample is not defined"),
        (lambda: MultivariateNormal(td.zeros(2)), ValueError, "and no matrix, expected loc of 1 or more"),
        (lambda: MultivariateNormal(td.zeros(2), td.eye(3)), ValueError, "got covariance_matrix of shape (3, 3)"),
        (lambda: MultivariateNormal(td.zeros(2), -td.eye(2)), ValueError, "expected symmetric and positive definite"),
        (lambda: MultivariateNormal(td.zeros(2), scale_tril=td.ones(2, 2)), ValueError, "expected lower triangular"),
        (lambda: Independent(Normal(0.0, 1.0), 1), ValueError, "expected at most the 0 dimensions of the batch"),
    ],
)
def test_mistakes_are_named(call, error, said):
    with pytest.raises(error) as raised:
        call()
    assert said in str(raised.value)


def test_checks_can_be_left_out():
    assert Exponential(1.0, validate_args=False).log_prob(td.tensor(-1.0)) == 1.0
    assert repr(constraints.unit_interval) == "from 0.0 to 1.0"
