"""Comparisons of whole tensors, which return a Python bool."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor, as_array
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.comparison.elementwise import isclose


@method
def allclose(input: Array, other: Array, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether `isclose` holds for all elements; a Python bool.

    >>> td.allclose(td.tensor([1.0]), td.tensor([1.0 + 1e-7]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan)._data.all())


@method
def equal(input: Array, other: Array) -> bool:
    """Whether two tensors have the same shape and elements; a Python bool.

    >>> td.equal(td.tensor([1, 2]), td.tensor([1, 2]))
    True
    """
    return bool(np.array_equal(as_array(input), as_array(other)))


@method
def is_nonzero(input: Tensor) -> bool:
    """Whether the one element of a tensor is not zero.

    >>> td.is_nonzero(td.tensor([0.0]))
    False
    """
    return bool(input)
