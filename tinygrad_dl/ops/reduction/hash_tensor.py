"""A number that tells tensors apart: all elements' bits, joined by "exclusive or"."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, error, integers, real
from tinygrad_dl.ops.reduction._sums import OVER, over

XOR: Any = np.bitwise_xor.reduce
WIDEST = {"f": np.float64, "V": np.float64, "u": np.uint64, "i": np.int64, "b": np.int64}


def _naive(input: Any, dim: Any = (), *, keepdim: bool = False, mode: int = 0) -> Any:
    """Whether each of the 64 bits is set an odd number of times, to test against."""
    bits, axes = input.astype(WIDEST[input.dtype.kind], "C").view(np.uint64), over(dim, input.ndim)
    odd = [np.sum((bits >> np.uint64(k)) & np.uint64(1), axes, keepdims=keepdim) % 2 << k for k in range(64)]
    return sum(odd)


@op(
    kind="reduction",
    differentiable=False,
    exact=True,
    inputs=[dict(input=real(min_side=1), **OVER), dict(input=integers(min_side=1), **OVER)],
    errors=[
        error(ValueError, "mode=1, expected 0", array(2), mode=1),
        error(ValueError, "dim of an empty tensor", array(0, 2)),
        error(IndexError, "of size 0", array(0, 2), 0),
        error(TypeError, "complex64", array(2, dtype="complex64")),
    ],
    reference=_naive,
)
def hash_tensor(input: Array, dim: Any = (), *, keepdim: bool = False, mode: int = 0) -> Array:
    """The bits of all elements, as float64 or 64-bit integers, joined by "exclusive or": uint64.

    Args:
        dim: one dimension or several; all by default.
        mode: 0, the only one there is.

    Raises:
        ValueError: another mode, or no `dim` of an empty tensor. IndexError: a dimension of size 0.
        TypeError: complex numbers.

    >>> td.hash_tensor(td.tensor([1, 2, 7]))
    tensor(4, dtype=uint64)
    """
    if mode != 0:
        raise ValueError(f"hash_tensor: got mode={mode}, expected 0, which joins the bits by exclusive or")
    if input.dtype.kind == "c":
        raise TypeError(f"hash_tensor: got {input.dtype}, expected real numbers; use td.view_as_real(x)")
    axes = over(dim, input.ndim)
    if not input.size:
        if axes is None:
            raise ValueError(f"hash_tensor: expected a dim of an empty tensor, got none and shape {input.shape}")
        for each in axes if isinstance(axes, tuple) else (axes,):
            if not input.shape[each]:
                raise IndexError(f"hash_tensor: got dim {each} of size 0, expected elements in each that is joined")
    wide = input.astype(WIDEST[input.dtype.kind])
    return XOR(wide.view(np.uint64), axes, None, None, keepdim)
