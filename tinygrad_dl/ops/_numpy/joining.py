"""Joining and splitting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops._numpy.arguments import as_tensor
from tinygrad_dl.ops.shape.joining import cat
from tinygrad_dl.ops.shape.splitting import tensor_split, unbind


def append(arr: Any, values: Any, axis: int | None = None) -> Tensor:
    """np.append: of flattened tensors, without an axis."""
    arr, values = as_tensor(arr), as_tensor(values)
    return cat([arr.reshape(-1), values.reshape(-1)], 0) if axis is None else cat([arr, values], axis)


def parts_along(default: int) -> Callable[..., Any]:
    """np.hsplit, np.vsplit and np.dsplit."""
    return lambda ary, indices_or_sections: NUMPY[np.split](
        ary, indices_or_sections, 0 if default == 1 and ary.ndim == 1 else default
    )


NUMPY[np.append] = append
NUMPY[np.hsplit], NUMPY[np.vsplit], NUMPY[np.dsplit] = parts_along(1), parts_along(0), parts_along(2)
NUMPY[np.array_split] = lambda ary, indices_or_sections, axis=0: list(
    tensor_split(ary, indices_or_sections if isinstance(indices_or_sections, int) else tuple(indices_or_sections), axis)
)
if hasattr(np, "unstack"):  # from NumPy 2.1 on
    NUMPY[np.unstack] = lambda x, *, axis=0: unbind(x, axis)
NUMPY[np.block] = lambda arrays: _block(arrays, _depth(arrays))


def _depth(arrays: Any) -> int:
    return 1 + max(map(_depth, arrays)) if isinstance(arrays, list) else 0


def _block(arrays: Any, depth: int) -> Any:
    """np.block: nested lists joined along the last dimension, those of the next level along the one before."""
    if not isinstance(arrays, list):
        return as_tensor(arrays)
    parts = [_block(each, depth - 1) for each in arrays]
    ndim = max([depth, *(p.ndim for p in parts)])
    return cat([p.reshape((1,) * (ndim - p.ndim) + p.shape) for p in parts], -depth)
