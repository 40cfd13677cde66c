"""Elementwise functions that are no op of PyTorch's, and ufuncs of several results or of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops._numpy.arguments import as_tensor, numbers
from tinygrad_dl.ops.pointwise.extremes import nan_to_num
from tinygrad_dl.ops.reduction import sum as sums


def nan_replaced(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Tensor:
    """np.nan_to_num; copy=False writes it to x."""
    found: Tensor = nan_to_num(x, nan, posinf, neginf)
    return found if copy else x._assign(found, "np.nan_to_num(copy=False)")


def fraction_and_whole(x: Any) -> tuple[Any, Any]:
    """np.modf: what is behind the point, and what is before it."""
    x = np.positive(x)
    whole = np.trunc(x)
    return np.where(np.isinf(x), 0, x - np.where(np.isinf(x), 0, whole)), whole


def real_if_close(a: Any, tol: float = 100) -> Any:
    """np.real_if_close: the real part, where the imaginary ones are within `tol` steps of the dtype of 0."""
    a = as_tensor(a)
    return np.real(a) if np.real_if_close(numbers(a), tol).dtype.kind != "c" else a


NUMPY[np.nan_to_num], NUMPY[np.modf], NUMPY[np.real_if_close] = nan_replaced, fraction_and_whole, real_if_close
NUMPY[np.divmod] = lambda x1, x2: (np.floor_divide(x1, x2), np.remainder(x1, x2))
NUMPY[np.fabs] = lambda x: np.absolute(x)
NUMPY[np.positive] = lambda x: x
if hasattr(np, "vecdot"):  # from NumPy 2.0 on, the others from 2.2 on
    NUMPY[np.vecdot] = lambda x1, x2: sums.sum(np.conjugate(x1) * x2, -1)
if hasattr(np, "matvec"):
    NUMPY[np.matvec] = lambda x1, x2: np.squeeze(np.matmul(x1, np.expand_dims(x2, -1)), -1)
    NUMPY[np.vecmat] = lambda x1, x2: np.squeeze(np.matmul(np.expand_dims(np.conjugate(x1), -2), x2), -2)
