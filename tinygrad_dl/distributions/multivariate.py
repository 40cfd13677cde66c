"""The normal distribution of vectors."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, ClassVar

from tinygrad_dl.core.modes import enable_grad
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import eye
from tinygrad_dl.distributions import constraints
from tinygrad_dl.distributions.distribution import Distribution
from tinygrad_dl.ops.linalg.cholesky import cholesky, solve_triangular
from tinygrad_dl.random import randn


class MultivariateNormal(Distribution):
    """The normal distribution of vectors of n numbers.

    Its density is exp(-d^T S^-1 d / 2) / sqrt((2 pi)^n det S), where d = x - loc.

    Args:
        loc: the mean, of shape (..., n).
        covariance_matrix: S, of shape (..., n, n), symmetric and positive definite; or
        precision_matrix: the inverse of S; or
        scale_tril: the lower triangular L with S = L L^T and a diagonal above 0.

    >>> from tinygrad_dl.distributions import MultivariateNormal
    >>> MultivariateNormal(td.zeros(2), td.eye(2)).log_prob(td.zeros(2))
    tensor(-1.8379)
    """

    has_rsample = True
    arg_constraints: ClassVar = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    made_of = ("loc", "scale_tril")
    support = constraints.real_vector

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        matrices = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        given = {name: matrix for name, matrix in matrices.items() if matrix is not None}
        if loc.ndim < 1 or len(given) != 1:
            raise ValueError(
                f"MultivariateNormal: got loc of {loc.ndim} dimensions and {' and '.join(given) or 'no matrix'}, "
                f"expected loc of 1 or more, and one of {', '.join(matrices)}"
            )
        ((name, matrix),) = given.items()
        n = loc.shape[-1]
        if matrix.ndim < 2 or matrix.shape[-2:] != (n, n):
            raise ValueError(
                f"MultivariateNormal: got {name} of shape {tuple(matrix.shape)}, expected (..., {n}, {n}) for a loc of "
                f"shape {tuple(loc.shape)}"
            )
        checks = Distribution._validate if validate_args is None else validate_args
        if checks:
            self._require(name, matrix, self.arg_constraints[name])
        if name == "scale_tril":
            self.scale_tril = matrix
        elif name == "covariance_matrix":
            self.scale_tril = cholesky(matrix)
        else:  # S^-1 = M M^T with M lower triangular; of S it is turned around, twice
            turned = cholesky(matrix.flip((-2, -1))).flip((-2, -1)).mT
            self.scale_tril = solve_triangular(turned, eye(n, dtype=loc.dtype), upper=False)
        batch = (loc[..., 0] + self.scale_tril[..., 0, 0]).shape
        self.loc, self.scale_tril = loc.expand(*batch, n), self.scale_tril.expand(*batch, n, n)
        super().__init__(batch, (n,), False)
        self.validate_args = checks

    @functools.cached_property
    def covariance_matrix(self) -> Tensor:
        """The covariances, L L^T."""
        with enable_grad():
            return self.scale_tril @ self.scale_tril.mT

    @functools.cached_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariances."""
        with enable_grad():
            inverse = solve_triangular(self.scale_tril, eye(self.event_shape[0], dtype=self.loc.dtype), upper=False)
            return inverse.mT @ inverse

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    @property
    def variance(self) -> Tensor:
        return (self.scale_tril**2).sum(-1)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        noise = randn(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + (self.scale_tril @ noise[..., None])[..., 0]

    def log_prob(self, value: Any) -> Tensor:
        distance = (self._checked(value) - self.loc)[..., None]
        squares = (solve_triangular(self.scale_tril, distance, upper=False) ** 2).sum((-2, -1))
        return -0.5 * (self.event_shape[0] * math.log(2 * math.pi) + squares) - self.half_log_det()

    def entropy(self) -> Tensor:
        return 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi)) + self.half_log_det()

    def half_log_det(self) -> Tensor:
        """log sqrt(det S)."""
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
