"""Sums and products over one dimension, several or all."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand, module_of
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dtypes import as_dtype
from tinygrad_dl.core.promotion import INT64
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import is_known, values_of
from tinygrad_dl.inputs import real
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.pointwise._selection import finite, keep, unspoilt
from tinygrad_dl.ops.reduction._sums import ADD, OVER, add_up, broadcast_back, kept, over


@op(np.sum, (np.add, "reduce"), kind="reduction", linear=("input",), inputs={"input": real(), **OVER})
def sum(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    """The sum over one dimension, several (a tuple) or all; of integers and bools as int64.

    >>> x = td.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> td.sum(x), td.sum(x, dim=0, keepdim=True)
    (tensor(10.), tensor([[4., 6.]]))
    """
    dim = over(dim, input.ndim)
    if dtype is not None:
        return ADD(input, dim, as_dtype(dtype), None, keepdim)
    if input.dtype.kind in "biu":
        return ADD(input, dim, INT64, None, keepdim)
    return add_up(input, dim, keepdim)


sum.vjp(input=lambda g, dim, keepdim, input_shape: broadcast_back(g, input_shape, dim, keepdim))


@method
def nansum(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum of the elements that are numbers.

    Raises:
        TypeError: they are complex.

    >>> td.nansum(td.tensor([1.0, float("nan"), 2.0]))
    tensor(3.)
    """
    if input.dtype.kind == "c":
        raise TypeError(f"nansum: expected real numbers, got dtype {input.dtype}")
    return sum(np.where(np.isnan(input), input.dtype.type(0), input), dim, keepdim, dtype=dtype)


MULTIPLY: Any = np.multiply.reduce


def element_type(input: Any, dtype: Any) -> Any:
    """In which dtype to add or multiply up: the one asked for, int64 for integers."""
    if dtype is not None:
        return as_dtype(dtype)
    return INT64 if input.dtype.kind in "biu" else None


@op((np.multiply, "reduce"), kind="reduction", inputs={"input": real(), **OVER}, reference=np.prod)
def prod(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    """The product over one dimension, several or all; its gradient is right at zeros too, to every order.

    >>> x = td.tensor([2.0, 0.0, 4.0], requires_grad=True)
    >>> td.prod(x).backward()
    >>> x.grad
    tensor([0., 8., 0.])
    """
    return MULTIPLY(input, over(dim, input.ndim), element_type(input, dtype), None, keepdim)


def product_slope(g: Any, input: Any, out: Any, dim: Any, keepdim: bool) -> Any:
    """The product of all others. Dividing by an element does where there is no zero to divide by."""
    g, shape = kept(g, input.shape, dim, keepdim), input.shape
    dim = over(dim, len(shape))
    if 0 in shape or (is_known(input) and at_hand(input) and not np.any(input == 0)):
        return g * (kept(out, shape, dim, keepdim) / input)
    if not shape:
        return g
    count = len(shape)
    if dim is None:
        dims = list(range(count))
    else:
        dims = sorted(d % count for d in (dim if isinstance(dim, tuple | list) else (dim,)))
    order = [i for i in range(count) if i not in dims] + dims
    moved = np.transpose(input, order)
    size = 1
    for d in dims:
        size *= shape[d]
    rows = moved.reshape((*moved.shape[: count - len(dims)], size))
    others = before(rows) * np.flip(before(np.flip(rows, -1)), -1)
    if finite(input):  # 0 times infinity then is a product with a zero in it, of which another part overflowed
        others = keep(others, np.logical_not(np.isnan(values_of(others))))
    others = np.transpose(others.reshape(moved.shape), tuple(np.argsort(order).tolist()))
    return unspoilt(g * others, others)


def before(rows: Any) -> Any:
    """Along the last dimension: the product of all elements before each."""
    ones = module_of(rows).ones((*rows.shape[:-1], 1), rows.dtype)
    return np.concatenate([ones, np.cumprod(rows[..., :-1], axis=-1)], axis=-1)


prod.vjp(input=product_slope)
