"""Distributions made of the gamma distribution: gamma, beta and Dirichlet. They need SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from tinygrad_dl.core.function import Function, once_differentiable
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import arange, from_numpy
from tinygrad_dl.distributions import constraints
from tinygrad_dl.distributions.distribution import Distribution, broadcast_all
from tinygrad_dl.ops._scipy import special
from tinygrad_dl.ops.pointwise.exponential import xlogy
from tinygrad_dl.ops.pointwise.gamma import digamma, lgamma
from tinygrad_dl.ops.shape.joining import stack
from tinygrad_dl.random import rand


class Quantile(Function):
    """What a draw of the gamma distribution with rate 1 stays below with the probability `share`.

    Of uniform shares it makes draws, as a function of the concentration, which gradients go through.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(concentration: Tensor, share: Tensor) -> Tensor:
        c = concentration.detach().numpy()
        return from_numpy(np.asarray(special().gammaincinv(c, share.detach().numpy()), c.dtype))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0], output)
        ctx.save_for_forward(inputs[0], output)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Any:
        return g * slope(*ctx.saved_tensors), None

    @staticmethod
    def jvp(ctx: Any, concentration: Tensor, share: Tensor | None) -> Tensor:
        return concentration * slope(*ctx.saved_tensors)


def slope(concentration: Tensor, value: Tensor) -> Tensor:
    """How fast a quantile grows with the concentration, where it has this value.

    Minus the derivative of the share below the value by the concentration, over the density. The share is the sum of
    terms value^(c + k) exp(-value) / Gamma(c + k + 1), each of which has a derivative that is known.
    """
    c, x = (each.detach().numpy().astype(np.float64) for each in (concentration, value))
    x = np.maximum(x, 1e-300)
    log, gammaln, psi = np.log(x), special().gammaln, special().psi
    k, total, last = 0, np.zeros(np.broadcast_shapes(c.shape, x.shape)), float(np.max(x + 10 * np.sqrt(x) + 50))
    while k < last:
        total += np.exp((c + k) * log - x - gammaln(c + k + 1)) * (log - psi(c + k + 1))
        k += 1
    density = np.exp((c - 1) * log - x - gammaln(c))
    slope = np.divide(-total, density, out=np.zeros_like(total), where=density > 0)
    return from_numpy(slope.astype(concentration.dtype))


def standard_gamma(concentration: Tensor, shape: Sequence[int]) -> Tensor:
    """Draws of the gamma distribution with rate 1, by its quantiles, which gradients go through."""
    share = rand(shape, dtype=concentration.dtype).clamp(min=1e-30)
    least = 1.2e-38 if concentration.dtype.itemsize < 8 else 2.3e-308
    draws: Tensor = Quantile.apply(concentration.expand(*shape), share)
    return draws.clamp(min=least)


class Gamma(Distribution):
    """The gamma distribution: density rate^c x^(c - 1) exp(-rate x) / Gamma(c) for x above 0.

    Args:
        concentration: c, above 0.
        rate: the inverse of the scale, above 0.

    >>> from tinygrad_dl.distributions import Gamma
    >>> Gamma(2.0, 1.0).log_prob(td.tensor(1.0))
    tensor(-1.)
    """

    has_rsample = True
    arg_constraints: ClassVar = {"concentration": constraints.positive, "rate": constraints.positive}
    made_of = ("concentration", "rate")
    support = constraints.nonnegative

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.rate.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        return self.concentration / self.rate**2

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return standard_gamma(self.concentration, self._extended_shape(sample_shape)) / self.rate

    def log_prob(self, value: Any) -> Tensor:
        found, c = self._checked(value), self.concentration
        return xlogy(c, self.rate) + xlogy(c - 1, found) - self.rate * found - lgamma(c)

    def entropy(self) -> Tensor:
        c = self.concentration
        return c - self.rate.log() + lgamma(c) + (1 - c) * digamma(c)


class Dirichlet(Distribution):
    """The Dirichlet distribution of vectors of numbers above 0 with the sum 1.

    Its density is the product of x_i^(c_i - 1), times Gamma(sum of c_i) over the product of Gamma(c_i).

    Args:
        concentration: c, of shape (..., n), above 0.

    >>> from tinygrad_dl.distributions import Dirichlet
    >>> Dirichlet(td.tensor([1.0, 1.0, 1.0])).log_prob(td.tensor([0.25, 0.25, 0.5]))
    tensor(0.6931)
    """

    has_rsample = True
    arg_constraints: ClassVar = {"concentration": constraints.independent(constraints.positive, 1)}
    made_of = ("concentration",)
    support = constraints.simplex

    def __init__(self, concentration: Any, validate_args: bool | None = None) -> None:
        (self.concentration,) = broadcast_all(concentration)
        shape = self.concentration.shape
        if not shape:
            raise ValueError("Dirichlet: got a concentration of no dimensions, expected (..., n)")
        super().__init__(shape[:-1], shape[-1:], validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def mode(self) -> Tensor:
        excess = (self.concentration - 1).clamp(min=0)
        total = excess.sum(-1, keepdim=True)
        mode: Tensor = excess / total.where(total > 0, float("nan"))
        corner = (self.concentration < 1).all(-1, keepdim=True)
        first = arange(self.event_shape[0]).eq(0)  # one of the corners, where the density is infinite
        found: Tensor = mode.where(~corner, first.to(mode.dtype))
        return found

    @property
    def variance(self) -> Tensor:
        total = self.concentration.sum(-1, keepdim=True)
        return self.concentration * (total - self.concentration) / (total**2 * (total + 1))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        parts = standard_gamma(self.concentration, self._extended_shape(sample_shape))
        return parts / parts.sum(-1, keepdim=True)

    def log_prob(self, value: Any) -> Tensor:
        c = self.concentration
        return xlogy(c - 1, self._checked(value)).sum(-1) + lgamma(c.sum(-1)) - lgamma(c).sum(-1)

    def entropy(self) -> Tensor:
        c, total, count = self.concentration, self.concentration.sum(-1), self.event_shape[-1]
        return lgamma(c).sum(-1) - lgamma(total) - (count - total) * digamma(total) - ((c - 1) * digamma(c)).sum(-1)


class Beta(Distribution):
    """The beta distribution of numbers from 0 to 1.

    Its density is x^(a - 1) (1 - x)^(b - 1) Gamma(a + b) / (Gamma(a) Gamma(b)).

    Args:
        concentration1: a, above 0.
        concentration0: b, above 0.

    >>> from tinygrad_dl.distributions import Beta
    >>> Beta(2.0, 2.0).log_prob(td.tensor(0.5))
    tensor(0.4055)
    """

    has_rsample = True
    arg_constraints: ClassVar = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    made_of = ("concentration1", "concentration0")
    support = constraints.unit_interval

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        super().__init__(self.concentration1.shape, (), validate_args)
        self._pair = Dirichlet(stack([self.concentration1, self.concentration0], -1), validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        return self._pair.mode[..., 0]

    @property
    def variance(self) -> Tensor:
        return self._pair.variance[..., 0]

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._pair.rsample(sample_shape)[..., 0]

    def log_prob(self, value: Any) -> Tensor:
        value = self._checked(value)
        return self._pair.log_prob(stack([value, 1 - value], -1))

    def entropy(self) -> Tensor:
        return self._pair.entropy()
