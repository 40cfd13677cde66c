"""any, all, and the number of elements that are not zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import reduce
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import axes_of, boolean, real
from tinygrad_dl.ops.reduction._sums import OVER, over

TRUTHS = [{"input": boolean(), **OVER}, {"input": real(), **OVER}]


@op(np.any, (np.logical_or, "reduce"), kind="reduction", differentiable=False, exact=True, inputs=TRUTHS)
def any(input: Array, dim: Any = None, keepdim: bool = False) -> Array:
    """Whether any element is nonzero, over one dimension, several or all; of uint8 a uint8, else a bool.

    >>> td.any(td.tensor([[False, True], [False, False]]), dim=1)
    tensor([ True, False])
    """
    found = reduce(np.logical_or, input, () if dim in ((), []) else over(dim, input.ndim), keepdim)
    return found if input.dtype != np.uint8 else found.astype(np.uint8)


@op(np.all, (np.logical_and, "reduce"), kind="reduction", differentiable=False, exact=True, inputs=TRUTHS)
def all(input: Array, dim: Any = None, keepdim: bool = False) -> Array:
    """Whether all elements are nonzero, over one dimension, several or all; of uint8 a uint8, else a bool.

    >>> td.all(td.tensor([[True, True], [False, True]]), dim=1)
    tensor([ True, False])
    """
    found = reduce(np.logical_and, input, () if dim in ((), []) else over(dim, input.ndim), keepdim)
    return found if input.dtype != np.uint8 else found.astype(np.uint8)


@op(
    np.count_nonzero,
    kind="reduction",
    differentiable=False,
    exact=True,
    inputs={"input": real(), "dim": axes_of("input")},
)
def count_nonzero(input: Array, dim: Any = None) -> Array:
    """How many elements are not zero.

    >>> td.count_nonzero(td.tensor([0.0, 1.0, 2.0]))
    tensor(2)
    """
    return np.count_nonzero(input if input.dtype.kind == "b" else input != 0, over(dim, input.ndim))
