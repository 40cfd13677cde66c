"""The distinct elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import as_array, wrap
from tinygrad_dl.ops._overload import method


@method
def unique(
    input: Array, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The different elements, or slices along `dim`, in order.

    Returns:
        The tensor alone, or a tuple with, as asked for, the index among them of each element of the input, and
        how often each of them occurs. Nothing of it has a gradient.

    >>> td.tensor([3, 1, 3]).unique(return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    data = as_array(input)
    np_unique: Any = np.unique  # its overloads know literal flags only
    found = np_unique(data, False, return_inverse, return_counts, axis=dim, equal_nan=False)
    if not isinstance(found, tuple):
        return wrap(found)
    parts = list(found)
    if return_inverse:
        parts[1] = parts[1].reshape(data.shape if dim is None else -1)
    return tuple([wrap(each) for each in parts])
