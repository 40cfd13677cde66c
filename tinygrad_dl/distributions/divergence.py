"""The divergence of Kullback and Leibler between two distributions, by pairs of their classes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.distributions.discrete import Bernoulli, Categorical
from tinygrad_dl.distributions.distribution import Distribution
from tinygrad_dl.distributions.gamma import Beta, Dirichlet, Gamma
from tinygrad_dl.distributions.independent import Independent
from tinygrad_dl.distributions.multivariate import MultivariateNormal
from tinygrad_dl.distributions.univariate import Exponential, Laplace, Normal, Uniform
from tinygrad_dl.ops.activation.softplus import softplus
from tinygrad_dl.ops.linalg.cholesky import solve_triangular
from tinygrad_dl.ops.pointwise.gamma import digamma, lgamma

Formula = Callable[[Any, Any], Tensor]
FORMULAS: dict[tuple[type, type], Formula] = {}


def register_kl(type_p: type[Distribution], type_q: type[Distribution]) -> Callable[[Formula], Formula]:
    """Decorates the formula of `kl_divergence` for two classes, and their subclasses.

    Source: https://docs.pytorch.org/docs/stable/distributions.html#torch.distributions.kl.register_kl
    """

    def register(formula: Formula) -> Formula:
        FORMULAS[type_p, type_q] = formula
        return formula

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The expected value under p of log p(x) - log q(x), for each distribution of the batch.

    Raises:
        NotImplementedError: there is no formula for these two classes.

    >>> from tinygrad_dl.distributions import Normal, kl_divergence
    >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0))
    tensor(0.5000)

    Source: https://docs.pytorch.org/docs/stable/distributions.html#torch.distributions.kl.kl_divergence
    """
    for a in type(p).__mro__:
        for b in type(q).__mro__:
            if (a, b) in FORMULAS:
                return FORMULAS[a, b](p, q)
    raise NotImplementedError(
        f"kl_divergence: got {type(p).__name__} and {type(q).__name__}, expected two classes with a formula; "
        f"register_kl adds one"
    )


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    distance = (p.loc - q.loc).abs()
    return (q.scale / p.scale).log() + distance / q.scale - 1 + p.scale / q.scale * (-distance / p.scale).exp()


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    ratio = ((q.high - q.low) / (p.high - p.low)).log()
    return ratio.masked_fill((q.low > p.low) | (q.high < p.high), math.inf)


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - 1 - ratio.log()


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    zero = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    one = one.masked_fill(q.probs.eq(0), math.inf).masked_fill(p.probs.eq(0), 0)
    zero = zero.masked_fill(q.probs.eq(1), math.inf).masked_fill(p.probs.eq(1), 0)
    return one + zero


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    return terms.masked_fill(q.probs.eq(0), math.inf).masked_fill(p.probs.eq(0), 0).sum(-1)


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    return (
        q.concentration * (p.rate / q.rate).log()
        + lgamma(q.concentration)
        - lgamma(p.concentration)
        + (p.concentration - q.concentration) * digamma(p.concentration)
        + (q.rate - p.rate) * (p.concentration / p.rate)
    )


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1, keepdim=True)
    constant = lgamma(total)[..., 0] - lgamma(b.sum(-1)) + (lgamma(b) - lgamma(a)).sum(-1)
    return constant + ((a - b) * (digamma(a) - digamma(total))).sum(-1)


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet(p._pair, q._pair)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"kl_divergence: got vectors of {p.event_shape[0]} and {q.event_shape[0]} numbers, expected as many"
        )
    spread = (solve_triangular(q.scale_tril, p.scale_tril, upper=False) ** 2).sum((-2, -1))
    distance = (solve_triangular(q.scale_tril, (q.loc - p.loc)[..., None], upper=False) ** 2).sum((-2, -1))
    return q.half_log_det() - p.half_log_det() + 0.5 * (spread + distance - p.event_shape[0])


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError(
            f"kl_divergence: got events of {p.reinterpreted_batch_ndims} and {q.reinterpreted_batch_ndims} dimensions "
            f"of the batch, expected as many"
        )
    return p.sum(kl_divergence(p.base_dist, q.base_dist))
