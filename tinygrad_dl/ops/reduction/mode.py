"""The element that occurs most often."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import accumulate, at_hand, module_of
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, error
from tinygrad_dl.ops.reduction.extrema import ALONG, Extreme, extreme, of_chosen, to_chosen
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.sorting._ranks import SMALL, back, behind


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
        return extreme(input, module_of(input).zeros((), np.int64), dim, keepdim)
    if not input.shape[dim]:
        raise IndexError(f"mode: expected a dimension with elements, got shape {input.shape} and dim={dim}")
    return extreme(input, back(last_of_most(behind(input, dim)), dim), dim, keepdim)


def last_of_most(rows: Any) -> Any:
    """Where the element that each row has most of stands last, (..., 1)."""
    few = rows.size <= SMALL or not at_hand(rows)  # a sort of positions takes less time than to look for them
    order = rows.argsort(-1, kind="stable") if few else None
    ordered = np.sort(rows, -1) if order is None else np.take_along_axis(rows, order, -1)
    module = module_of(rows)
    place = module.arange(rows.shape[-1])
    begins = module.zeros(rows.shape, np.intp)
    np.multiply(ordered[..., 1:] != ordered[..., :-1], place[1:], out=begins[..., 1:])
    before = place - accumulate(np.maximum, begins, -1)  # how many equal ones stand before
    longest = before.argmax(-1, keepdims=True)
    if order is not None:
        return np.take_along_axis(order, longest, -1)
    values = np.take_along_axis(ordered, longest, -1)
    equal = (rows == values) | ((values != values) & (place == 0))  # nan if all are
    found: np.ndarray = rows.shape[-1] - 1 - equal[..., ::-1].argmax(-1, keepdims=True)
    return found


mode.vjp(input=to_chosen)
mode.jvp(input=lambda t, indices, dim, keepdim: of_chosen(t, indices, dim, keepdim))
