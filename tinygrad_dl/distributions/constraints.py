"""What parameters and values of distributions must be: conditions that are checked element by element.

>>> from tinygrad_dl.distributions import constraints
>>> constraints.positive.check(td.tensor([1.0, -1.0]))
tensor([ True, False])

Source: https://docs.pytorch.org/docs/stable/distributions.html#module-torch.distributions.constraints
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import as_tensor


class Constraint:
    """A condition on tensors.

    Args:
        name: how messages call it.
        condition: from a tensor to one of bools.
        event_dim: the number of last dimensions that one answer is for.
    """

    def __init__(self, name: str, condition: Callable[[Tensor], Tensor], event_dim: int = 0) -> None:
        self.name, self.condition, self.event_dim = name, condition, event_dim

    def check(self, value: Tensor) -> Tensor:
        """Where it holds."""
        return self.condition(value.detach())

    def __repr__(self) -> str:
        return self.name


def interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Numbers from a lower to an upper bound, both included."""
    return Constraint(f"from {lower_bound} to {upper_bound}", lambda x: (x >= lower_bound) & (x <= upper_bound))


def integer_interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Whole numbers from a lower to an upper bound, both included."""
    return Constraint(
        f"a whole number from {lower_bound} to {upper_bound}",
        lambda x: (x % 1).eq(0) & (x >= lower_bound) & (x <= upper_bound),
    )


def independent(base: Constraint, event_dim: int) -> Constraint:
    """A condition that must hold for all elements in the last dimensions."""
    return Constraint(base.name, lambda x: base.condition(x).flatten(-event_dim).all(-1), event_dim)


def _is_lower_cholesky(x: Tensor) -> Tensor:
    lower = x.tril().eq(x).flatten(-2).all(-1)
    positive: Tensor = (x.diagonal(dim1=-2, dim2=-1) > 0).all(-1)
    return lower & positive


def _is_positive_definite(x: Tensor) -> Tensor:
    values = x.numpy().astype(np.float64)
    symmetric = np.isclose(values, values.swapaxes(-1, -2), atol=1e-6).all((-1, -2))
    least = np.linalg.eigvalsh(np.where(np.isfinite(values), values, 0)).min(-1)
    return as_tensor(symmetric & (least > 0) & np.isfinite(values).all((-1, -2)))


real = Constraint("real", lambda x: x.eq(x))
real_vector = Constraint("a vector of real numbers", lambda x: x.eq(x).all(-1), 1)
boolean = Constraint("0 or 1", lambda x: x.eq(0) | x.eq(1))
positive = Constraint("above 0", lambda x: x > 0)
nonnegative = Constraint("0 or above", lambda x: x >= 0)
unit_interval = interval(0.0, 1.0)
simplex = Constraint(
    "of numbers of 0 and above with the sum 1", lambda x: (x >= 0).all(-1) & ((x.sum(-1) - 1).abs() < 1e-6), 1
)
lower_cholesky = Constraint("lower triangular with a diagonal above 0", _is_lower_cholesky, 2)
positive_definite = Constraint("symmetric and positive definite", _is_positive_definite, 2)
