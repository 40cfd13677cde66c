"""Distributions of whole tensors, made of independent ones of their elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.distributions.constraints import Constraint
from tinygrad_dl.distributions.distribution import Distribution


class Independent(Distribution):
    """A distribution whose last dimensions of the batch are one event: their log probabilities are added.

    Args:
        base_distribution: any distribution.
        reinterpreted_batch_ndims: the number of dimensions of its batch that become dimensions of the event.

    >>> from tinygrad_dl.distributions import Independent, Normal
    >>> Independent(Normal(td.zeros(3), 1.0), 1).log_prob(td.zeros(3))
    tensor(-2.7568)
    """

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        shape = base_distribution.batch_shape
        if reinterpreted_batch_ndims > len(shape):
            raise ValueError(
                f"Independent: got reinterpreted_batch_ndims={reinterpreted_batch_ndims}, expected at most the "
                f"{len(shape)} dimensions of the batch"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        self.has_rsample = base_distribution.has_rsample
        cut = len(shape) - reinterpreted_batch_ndims
        super().__init__(shape[:cut], (*shape[cut:], *base_distribution.event_shape), validate_args)

    @property
    def support(self) -> Constraint:
        return self.base_dist.support

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Any) -> Tensor:
        return self.sum(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        return self.sum(self.base_dist.entropy())

    def sum(self, numbers: Tensor) -> Tensor:
        """The sum over the dimensions that belong to one event."""
        dims = tuple(range(-self.reinterpreted_batch_ndims, 0))
        return numbers.sum(dims) if dims else numbers

    def expand(self, batch_shape: Sequence[int]) -> Independent:
        inner = self.event_shape[: self.reinterpreted_batch_ndims]
        return Independent(self.base_dist.expand((*batch_shape, *inner)), self.reinterpreted_batch_ndims, False)

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"
