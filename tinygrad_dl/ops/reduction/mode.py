"""The element that occurs most often."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, error
from tinygrad_dl.ops.reduction.extrema import ALONG, Extreme, extreme, of_chosen, to_chosen
from tinygrad_dl.ops.shape._dims import normal_dim


@op(
    kind="reduction",
    outputs=Extreme,
    real=True,
    inputs=ALONG,
    errors=[error(IndexError, "expected a dimension with elements", array(2, 0))],
    reference=lambda input, dim, keepdim=False: Extreme(
        np.min(input, dim, keepdims=keepdim), np.argmin(input, dim, keepdims=keepdim)
    ),
)
def mode(input: Array, dim: Any = -1, keepdim: bool = False) -> Array:
    """The elements that occur most often along a dimension, of several the smallest; and where each stands last.

    Args:
        input: real numbers.
        dim: the dimension.
        keepdim: whether it stays, of size 1.

    Returns:
        A named tuple (values, indices); the gradient goes to the elements at the indices.

    Raises:
        IndexError: the dimension has no elements.

    >>> td.mode(td.tensor([3, 1, 3, 1, 2]))
    Extreme(values=tensor(1), indices=tensor(3))
    """
    dim = normal_dim(dim, input.ndim)
    if not input.ndim:
        return extreme(input, np.zeros((), np.int64), dim, keepdim)
    if not input.shape[dim]:
        raise IndexError(f"mode: expected a dimension with elements, got shape {input.shape} and dim={dim}")
    rows = np.moveaxis(input, dim, -1)
    order = np.argsort(rows, -1, kind="stable")
    values = np.take_along_axis(rows, order, -1)
    place = np.arange(values.shape[-1])
    starts = np.where(values[..., 1:] != values[..., :-1], place[1:], 0)
    run = place[1:] - np.maximum.accumulate(starts, -1)  # how many equal ones stand before
    longest = np.argmax(np.concatenate([np.zeros_like(run, shape=(*run.shape[:-1], 1)), run], -1), -1, keepdims=True)
    return extreme(input, np.moveaxis(np.take_along_axis(order, longest, -1), -1, dim), dim, keepdim)


mode.vjp(input=to_chosen)
mode.jvp(input=lambda t, indices, dim, keepdim: of_chosen(t, indices, dim, keepdim))
