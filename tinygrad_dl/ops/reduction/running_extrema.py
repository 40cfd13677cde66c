"""Running extreme values: cummax and cummin."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.inputs import axis_of, real
from tinygrad_dl.ops.reduction.cumulative import NO_DIM, running
from tinygrad_dl.ops.reduction.extrema import Extreme
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.sorting.sort import from_their_places, to_their_places

INPUTS = {"input": real(min_dims=1, distinct=True), "dim": axis_of("input")}


def extreme_so_far(ufunc: np.ufunc, input: np.ndarray, dim: int) -> Extreme:
    """Values by ufunc.accumulate, and where each stands: of equal ones, and of nan, the last so far."""
    values = running(ufunc, input, dim, None)
    if not input.ndim:
        return Extreme(values, module_of(input).zeros((), np.int64))
    dim = normal_dim(dim, input.ndim)
    new = input == values if input.dtype.kind != "f" else (input == values) | np.isnan(input)
    places = module_of(input).arange(input.shape[dim]).reshape((-1,) + (1,) * (input.ndim - dim - 1))
    return Extreme(values, running(np.maximum, np.where(new, places, 0), dim, None))


@op(
    kind="scan",
    outputs=Extreme,
    real=True,
    inputs=INPUTS,
    errors=NO_DIM,
    reference=lambda input, dim: _naive(input, dim, 1),
)
def cummax(input: Array, dim: int) -> Any:
    """The largest element so far at each place along a dimension, and where it stands: of equal ones the last.

    Args:
        input: real numbers; from a nan on, all are nan.
        dim: the dimension.

    Returns:
        A named tuple (values, indices); the gradients go to the elements at the indices.

    Raises:
        IndexError: there is no such dimension.

    >>> td.cummax(td.tensor([1, 3, 2, 3]), dim=0)
    Extreme(values=tensor([1, 3, 3, 3]), indices=tensor([0, 1, 1, 3]))
    """
    return extreme_so_far(np.maximum, input, dim)


@op(
    kind="scan",
    outputs=Extreme,
    real=True,
    inputs=INPUTS,
    errors=NO_DIM,
    reference=lambda input, dim: _naive(input, dim, -1),
)
def cummin(input: Array, dim: int) -> Any:
    """The smallest element so far at each place along a dimension, and where it stands: as `cummax`.

    >>> td.cummin(td.tensor([3, 1, 2, 1]), dim=0)
    Extreme(values=tensor([3, 1, 1, 1]), indices=tensor([0, 1, 1, 3]))
    """
    return extreme_so_far(np.minimum, input, dim)


def _naive(input: np.ndarray, dim: int, sign: int) -> Extreme:
    """Of distinct elements, prefix by prefix, to test against."""
    rows = np.moveaxis(input, dim, 0)
    at = np.array([np.argmax(sign * rows[: i + 1], 0) for i in range(len(rows))], np.int64).reshape(rows.shape)
    return Extreme(*(np.moveaxis(each, 0, dim) for each in (np.take_along_axis(rows, at, 0), at)))


for _op, _ufunc in ((cummax, np.maximum), (cummin, np.minimum)):
    _op.vjp(input=lambda g, input_shape, indices, dim: to_their_places(g, input_shape, indices, dim))
    _op.jvp(input=lambda t, indices, dim: from_their_places(t, indices, dim))
    NUMPY[_ufunc, "accumulate"] = lambda array, axis=0, function=_op: function(array, axis).values
