"""Making arrays: from data, from other libraries' arrays, and filled."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_dl as td
from tinygrad_dl import Tensor
from tinygrad_dl.array_api._operands import together
from tinygrad_dl.core.device import check_device
from tinygrad_dl.core.dtypes import as_dtype
from tinygrad_dl.core.promotion import default
from tinygrad_dl.creation import finish, from_dlpack

# fmt: off
__all__ = [
    "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "meshgrid",
    "ones", "ones_like", "tril", "triu", "zeros", "zeros_like",
]
# fmt: on


def _dtype(dtype: Any, otherwise: Any) -> np.dtype[Any]:
    return as_dtype(otherwise if dtype is None else dtype)


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor with the data of a tensor, an array, numbers or nested sequences; a tensor stays in the graph.

    Args:
        copy: True copies, False shares memory or raises, None shares it where it can.

    Raises:
        ValueError: `copy=False`, and memory can't be shared.

    >>> td.array_api.asarray([1.0, 2.0])
    tensor([1., 2.])
    """
    check_device(device)
    if isinstance(obj, Tensor):
        kept = dtype is None or obj.dtype == as_dtype(dtype)
        if copy is False and not kept:
            raise ValueError(f"asarray: got copy=False for a tensor of {obj.dtype}, expected dtype={obj.dtype}")
        changed = obj if kept else obj.to(dtype)
        return obj.clone() if kept and copy else changed
    if isinstance(obj, list | tuple) and any(isinstance(each, Tensor | list | tuple) for each in obj):
        parts = [asarray(each, dtype=dtype) for each in obj]
        if any(isinstance(each, Tensor) and each.requires_grad for each in parts):
            return td.stack(together(*parts))
    return td.asarray(obj, dtype=dtype, copy=copy)


def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The numbers from `start`, or 0, to `stop`, without it, in steps; none if they lead away from it.

    >>> td.array_api.arange(3)
    tensor([0, 1, 2])
    """
    if stop is None:
        start, stop = 0, start
    floating = any(isinstance(each, float) for each in (start, stop, step))
    kind = _dtype(dtype, default.dtype if floating else np.int64)
    return finish(np.arange(start, stop, step).astype(kind), "arange", {"device": device})


def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True
) -> Tensor:
    """Numbers at equal distances from `start` to `stop`, with it or without it.

    >>> td.array_api.linspace(0, 1, 4, endpoint=False)
    tensor([0.0000, 0.2500, 0.5000, 0.7500])
    """
    numbers = any(isinstance(each, complex) for each in (start, stop))
    kind = _dtype(dtype, td.promote_types(td.complex64, td.get_default_dtype()) if numbers else default.dtype)
    made = np.linspace(start, stop, num, endpoint=endpoint, dtype=kind)
    return finish(made, "linspace", {"device": device})


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Tensor:
    """A matrix with ones on the k-th diagonal and zeros elsewhere.

    >>> td.array_api.eye(2, k=1)
    tensor([[0., 1.],
            [0., 0.]])
    """
    return finish(np.eye(n_rows, n_cols, k=k, dtype=_dtype(dtype, default.dtype)), "eye", {"device": device})


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of zeros."""
    return td.zeros(shape, dtype=dtype, device=device)


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of ones."""
    return td.ones(shape, dtype=dtype, device=device)


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor with whatever lay in memory."""
    return td.empty(shape, dtype=dtype, device=device)


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor with every element `fill_value`, which gives the dtype too unless it is given."""
    return td.full((shape,) if isinstance(shape, int) else shape, fill_value, dtype=dtype, device=device)


def zeros_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros in the shape of x, and in its dtype unless another one is given."""
    return zeros(x.shape, dtype=dtype or x.dtype, device=device)


def ones_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones in the shape of x, and in its dtype unless another one is given."""
    return ones(x.shape, dtype=dtype or x.dtype, device=device)


def empty_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor in the shape and dtype of x, with whatever lay in memory."""
    return empty(x.shape, dtype=dtype or x.dtype, device=device)


def full_like(x: Tensor, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor in the shape and dtype of x with every element `fill_value`."""
    return full(x.shape, fill_value, dtype=dtype or x.dtype, device=device)


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Matrices with zeros above the k-th diagonal."""
    return td.tril(x, k)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Matrices with zeros below the k-th diagonal."""
    return td.triu(x, k)


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> tuple[Tensor, ...]:
    """The coordinates of a grid's points, one tensor for each of the 1-D arrays.

    Args:
        indexing: "xy" has the points of the first array along the second dimension, "ij" along the first.
    """
    return tuple(td.meshgrid(*arrays, indexing=indexing)) if arrays else ()
