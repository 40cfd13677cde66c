"""Reductions, cumulative sums and products, differences."""

from __future__ import annotations

from typing import Any

import tinygrad_dl as td
from tinygrad_dl import Tensor
from tinygrad_dl.array_api._operands import reduced, together

# fmt: off
__all__ = [
    "all", "any", "cumulative_prod", "cumulative_sum", "diff", "max", "mean", "min", "prod", "std", "sum", "var",
]
# fmt: on


def _total(x: Tensor, dtype: Any) -> Any:
    """The dtype of sums and products: unsigned integers stay unsigned."""
    return td.uint64 if dtype is None and x.dtype.kind == "u" else dtype


def all(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether all elements are true, or not zero, over all dimensions or those given."""
    found: Tensor = reduced(td.all, x.to(td.bool), axis, keepdims)
    return found


def any(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether an element is true, or not zero, over all dimensions or those given."""
    found: Tensor = reduced(td.any, x.to(td.bool), axis, keepdims)
    return found


def max(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest element over all dimensions or those given."""
    found: Tensor = reduced(td.amax, x, axis, keepdims)
    return found


def min(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest element over all dimensions or those given."""
    found: Tensor = reduced(td.amin, x, axis, keepdims)
    return found


def sum(x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The sum over all dimensions or those given; of integers in int64 or uint64."""
    found: Tensor = reduced(td.sum, x, axis, keepdims, dtype=_total(x, dtype))
    return found


def prod(x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The product over all dimensions or those given; of integers in int64 or uint64."""
    found: Tensor = reduced(td.prod, x, axis, keepdims, dtype=_total(x, dtype))
    return found


def mean(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean over all dimensions or those given."""
    found: Tensor = reduced(td.mean, x, axis, keepdims)
    return found


def var(x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance over all dimensions or those given: the sum of squares over n - correction."""
    found: Tensor = reduced(td.var, x, axis, keepdims, correction=correction)
    return found


def std(x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The standard deviation, the root of the variance."""
    found: Tensor = reduced(td.std, x, axis, keepdims, correction=correction)
    return found


def _cumulative(op: Any, name: str, x: Tensor, axis: int | None, dtype: Any, first: int | None) -> Tensor:
    if axis is None:
        if x.ndim > 1:
            raise ValueError(f"{name}: got axis=None for shape {x.shape}, expected a dimension")
        axis, x = 0, x.reshape(-1)
    made: Tensor = op(x, axis, dtype=_total(x, dtype))
    if first is None:
        return made
    shape = list(made.shape)
    shape[axis] = 1
    return td.cat([td.full(shape, first, dtype=made.dtype), made], axis)


def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """The sums of all elements up to each along a dimension; with `include_initial`, a 0 in front of them."""
    return _cumulative(td.cumsum, "cumulative_sum", x, axis, dtype, 0 if include_initial else None)


def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """The products of all elements up to each along a dimension; with `include_initial`, a 1 in front of them."""
    return _cumulative(td.cumprod, "cumulative_prod", x, axis, dtype, 1 if include_initial else None)


def diff(
    x: Tensor, /, *, axis: int = -1, n: int = 1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """The n-th differences between neighbours along a dimension, with tensors joined to its ends first."""
    parts = together(*(each for each in (prepend, x, append) if each is not None))
    joined = td.cat(parts, axis) if len(parts) > 1 else x
    return td.diff(joined, n, axis)
