"""Other element types, and complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl import dtypes
from tinygrad_dl.op import Array, op
from tinygrad_dl.samples import one_of, real
from tinygrad_dl.tensor import NUMPY, Tensor, wrap


@op(
    method=False,
    inputs=dict(input=real(), dtype=one_of(np.dtype("float32"), np.dtype("float64"))),
    reference=lambda input, dtype: np.array(input, dtype),
)
def cast(input: Array, dtype: Any) -> Array:
    """A copy with elements of another floating or complex dtype; `Tensor.to` is what users call.

    >>> import tinygrad_dl as td
    >>> td.ones(2).to(td.float64).dtype
    dtype('float64')
    """
    return input.astype(dtype)


# The engine gives every gradient its input's dtype.
cast.vjp(input=lambda g: g)


def astype(input: Any, dtype: Any, copy: bool = False) -> Tensor:
    """The tensor with elements of `dtype`: itself if they are already, unless `copy`. Differentiable.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2]).astype(td.float32)
    tensor([1., 2.])
    """
    tensor = input if isinstance(input, Tensor) else wrap(np.asarray(input))
    found = dtypes.as_dtype(dtype)
    if found == tensor._data.dtype:
        return tensor.clone() if copy else tensor
    if tensor._edge is None or not dtypes.is_differentiable(found):
        dtypes.category(found)
        return wrap(tensor._data.astype(found))
    return cast(tensor, found)  # type: ignore[no-any-return]


Tensor.astype = astype
if hasattr(np, "astype"):
    NUMPY[np.astype] = lambda x, dtype, /, *, copy=True, device=None: astype(x, dtype, copy)
