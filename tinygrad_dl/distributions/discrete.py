"""Distributions of whole numbers: Bernoulli and categorical."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

from tinygrad_dl.core.modes import enable_grad, no_grad
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import arange, full_like, tensor
from tinygrad_dl.distributions import constraints
from tinygrad_dl.distributions.distribution import EPSILON, Distribution, broadcast_all
from tinygrad_dl.ops.activation.sigmoid import sigmoid
from tinygrad_dl.ops.activation.softmax import softmax
from tinygrad_dl.ops.loss.binary_cross_entropy import binary_cross_entropy_with_logits
from tinygrad_dl.ops.reduction.logsumexp import logsumexp
from tinygrad_dl.ops.shape.expand import broadcast_tensors
from tinygrad_dl.random import bernoulli, multinomial


class _ByProbability(Distribution):
    """A distribution that is given by probabilities or by their logits; the other is computed when it is first read."""

    def __init__(self, probs: Any, logits: Any) -> None:
        if (probs is None) == (logits is None):
            got = "neither" if probs is None else "both"
            raise ValueError(f"{type(self).__name__}: got {got} of probs and logits, expected one of them")

    @functools.cached_property
    def probs(self) -> Tensor:
        """The probabilities."""
        with enable_grad():  # also if a draw asks first
            return self._to_probs(self.logits)

    @functools.cached_property
    def logits(self) -> Tensor:
        """The logarithms of the probabilities, or of p / (1 - p)."""
        with enable_grad():
            return self._to_logits(self.probs.clamp(EPSILON, 1 - EPSILON))

    def _to_probs(self, logits: Tensor) -> Tensor:
        raise NotImplementedError

    def _to_logits(self, probs: Tensor) -> Tensor:
        raise NotImplementedError


class Bernoulli(_ByProbability):
    """1 with probability p, else 0.

    Args:
        probs: p, from 0 to 1; or
        logits: log(p / (1 - p)).

    >>> from tinygrad_dl.distributions import Bernoulli
    >>> Bernoulli(probs=0.25).log_prob(td.tensor(1.0))
    tensor(-1.3863)
    """

    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(probs, logits)
        name = "logits" if probs is None else "probs"
        (given,) = broadcast_all(logits if probs is None else probs)
        setattr(self, name, given)
        self.made_of = (name,)
        Distribution.__init__(self, given.shape, (), validate_args)

    def _to_probs(self, logits: Tensor) -> Tensor:
        return sigmoid(logits)

    def _to_logits(self, probs: Tensor) -> Tensor:
        return probs.log() - (-probs).log1p()

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        mode = (self.probs >= 0.5).to(self.probs.dtype)
        return mode.masked_fill(self.probs.eq(0.5), float("nan"))

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            return bernoulli(self.probs.expand(*self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Tensor:
        logits, value = broadcast_tensors(self.logits, self._checked(value))
        return -binary_cross_entropy_with_logits(logits, value.type_as(logits), reduction="none")

    def entropy(self) -> Tensor:
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values, along a new first dimension; for the whole batch if `expand`."""
        values = tensor([0.0, 1.0], dtype=self.probs.dtype).reshape(2, *(1,) * len(self.batch_shape))
        return values.expand(2, *self.batch_shape) if expand else values


class Categorical(_ByProbability):
    """One of the numbers 0 to n - 1, with a probability for each.

    Args:
        probs: the probabilities, of shape (..., n), which are divided by their sum; or
        logits: their logarithms, up to a constant.

    >>> from tinygrad_dl.distributions import Categorical
    >>> Categorical(td.tensor([1.0, 3.0])).probs
    tensor([0.2500, 0.7500])
    """

    arg_constraints: ClassVar = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(probs, logits)
        name = "logits" if probs is None else "probs"
        (given,) = broadcast_all(logits if probs is None else probs)
        if given.ndim < 1:
            raise ValueError(f"Categorical: got {name} of no dimensions, expected (..., n): one number for each value")
        if probs is None:
            self.logits = given - logsumexp(given, -1, keepdim=True)
        else:
            self.probs = given / given.sum(-1, keepdim=True)
        self.made_of = (name,)
        self._count = given.shape[-1]
        Distribution.__init__(self, given.shape[:-1], (), validate_args)

    def _to_probs(self, logits: Tensor) -> Tensor:
        return softmax(logits, -1)

    def _to_logits(self, probs: Tensor) -> Tensor:
        return probs.log()

    @property
    def support(self) -> constraints.Constraint:
        return constraints.integer_interval(0, self._count - 1)

    @property
    def mean(self) -> Tensor:
        return full_like(self.probs[..., 0].detach(), float("nan"))

    variance = mean

    @property
    def mode(self) -> Tensor:
        likeliest: Tensor = self.probs.argmax(-1)
        return likeliest

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        count = 1
        for size in sample_shape:
            count *= size
        rows = self.probs.detach().reshape(-1, self._count)
        return multinomial(rows, count, True).T.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Any) -> Tensor:
        value = self._checked(value).long()[..., None]
        shape = broadcast_tensors(value[..., 0], self.logits[..., 0])[0].shape
        logits = self.logits.expand(*shape, self._count)
        return logits.gather(-1, value.expand(*shape, 1))[..., 0]

    def entropy(self) -> Tensor:
        least = -3.4e38 if self.logits.dtype.itemsize < 8 else -1.7e308
        return -(self.logits.clamp(min=least) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values, along a new first dimension; for the whole batch if `expand`."""
        values = arange(self._count).reshape(self._count, *(1,) * len(self.batch_shape))
        return values.expand(self._count, *self.batch_shape) if expand else values
