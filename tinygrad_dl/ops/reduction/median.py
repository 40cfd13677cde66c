"""median, nanmedian: the element in the middle; of an even number of elements the lower of the two."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, axes_of, axis_of, error, one_of, real
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.reduction._sums import over
from tinygrad_dl.ops.reduction.extrema import Extreme, extreme, of_chosen, share_evenly, to_chosen
from tinygrad_dl.ops.sorting._ranks import back, behind, has_nan, places

KEPT = one_of(False, True)


def _lower(input: np.ndarray, dim: Any, keepdim: bool) -> Any:
    """The lower median by NumPy, to test against."""
    return np.quantile(input, 0.5, axis=None if dim == () else dim, method="lower", keepdims=keepdim)


def in_the_middle(rows: Any, ignore_nan: bool) -> Any:
    """Where the median of the last dimension stands, (..., 1): unless they are ignored, at the first nan."""
    total = rows.shape[-1]
    if not total:
        raise ValueError("median: got no elements, expected at least one to choose")
    if not has_nan(rows):
        return places(rows, [(total - 1) // 2])
    count = total - np.isnan(rows).sum(-1, keepdims=True)
    k = np.maximum(count - 1, 0) // 2
    if not ignore_nan:
        k = np.where(count < total, count, k)  # nan stand last, in their order
    return places(rows, k)


@op(
    kind="reduction",
    name="median",
    method=False,
    namespace="rules",
    real=True,
    inputs=dict(input=real(min_side=1, distinct=True), dim=axes_of("input"), keepdim=KEPT, ignore_nan=KEPT),
    errors=[error(ValueError, "got no elements", array(0))],
    reference=lambda input, dim=None, keepdim=False, ignore_nan=False: _lower(input, dim, keepdim),
)
def middle(input: Array, dim: Any = None, keepdim: bool = False, ignore_nan: bool = False) -> Array:
    """The median over dimensions: `median` without a dimension is that of all. Equal elements share the gradient."""
    dims = over(dim, input.ndim)
    if dims is None and not keepdim:
        row = input.reshape(-1)
        return row[in_the_middle(row, ignore_nan)].reshape(())
    dims = tuple(range(input.ndim)) if dims is None else (dims,) if isinstance(dims, int) else dims
    behind = np.moveaxis(input, dims, range(input.ndim - len(dims), input.ndim))
    head = behind.shape[: input.ndim - len(dims)]
    rows = behind.reshape(*head, prod(behind.shape[len(head) :]))
    out = np.take_along_axis(rows, in_the_middle(rows, ignore_nan), -1)[..., 0]
    return np.expand_dims(out, dims) if keepdim else out


middle.vjp(input=lambda g, input, out, dim, keepdim: share_evenly(g, input, out, dim, keepdim))


@op(
    kind="reduction",
    method=False,
    namespace="rules",
    outputs=Extreme,
    real=True,
    inputs=dict(input=real(min_dims=1, min_side=1, distinct=True), dim=axis_of("input"), keepdim=KEPT, ignore_nan=KEPT),
    reference=lambda input, dim, keepdim=False, ignore_nan=False: Extreme(
        _lower(input, dim, keepdim),
        np.argmax(input == _lower(input, dim, True), dim, keepdims=keepdim),
    ),
)
def median_dim(input: Array, dim: Any, keepdim: bool = False, ignore_nan: bool = False) -> Any:
    """The medians along one dimension and their indices; `median` with a dimension."""
    if not input.ndim:
        return extreme(input, module_of(input).zeros((), np.int64), dim, keepdim)
    return extreme(input, back(in_the_middle(behind(input, dim), ignore_nan), dim), dim, keepdim)


median_dim.vjp(input=to_chosen)
median_dim.jvp(input=lambda t, indices, dim, keepdim: of_chosen(t, indices, dim, keepdim))


@method
def median(input: Array, dim: Any = None, keepdim: bool = False) -> Any:
    """The element in the middle, of an even number the lower of the two; along a dimension, also where it stands.

    - `median(input)`: that of all elements. Equal ones share the gradient evenly.
    - `median(input, dim, keepdim)`: a namedtuple (values, indices); the gradient goes to the element at the index.

    It is nan where there is a nan; `nanmedian` leaves them out.

    Raises:
        ValueError: there is no element.

    >>> td.median(td.tensor([3.0, 1.0, 2.0, 4.0]))
    tensor(2.)
    >>> td.median(td.tensor([[3.0, 1.0, 2.0], [5.0, 4.0, 6.0]]), 1)
    Extreme(values=tensor([2., 5.]), indices=tensor([2, 0]))
    """
    return middle(input) if dim is None else median_dim(input, dim, keepdim)


@method
def nanmedian(input: Array, dim: Any = None, keepdim: bool = False) -> Any:
    """`median` of the elements that are not nan; nan if all are.

    >>> td.nanmedian(td.tensor([3.0, float("nan"), 1.0]))
    tensor(1.)
    """
    return middle(input, ignore_nan=True) if dim is None else median_dim(input, dim, keepdim, True)
