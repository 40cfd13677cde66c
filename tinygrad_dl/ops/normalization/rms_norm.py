"""Normalisation by the root of the mean of squares, over the last dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.promotion import FLOAT32
from tinygrad_dl.core.tensor import Tensor


@composition
def rms_norm(input: Array, normalized_shape: Any, weight: Array | None = None, eps: float | None = None) -> Tensor:
    """x / sqrt(mean(x²) + eps) * weight, the mean over the last dimensions.

    Numbers of less than 32 bits are normalised in float32, and the result is of the input's dtype.

    Args:
        input: its shape ends in `normalized_shape`.
        normalized_shape: the sizes of the dimensions to normalise over (an int for the last alone).
        weight: of that shape, or None.
        eps: None for the distance between 1 and the next number of the dtype that it is computed in.

    Raises:
        ValueError: the shapes do not fit. TypeError: the input is not floating.

    >>> td.nn.functional.rms_norm(td.tensor([[1.0, 7.0], [3.0, 3.0]]), (2,), eps=0.0)
    tensor([[0.2000, 1.4000],
            [1.0000, 1.0000]])

    Source: https://arxiv.org/abs/1910.07467
    """
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    dtype = input.dtype
    if not shape or input.shape[-len(shape) :] != shape:
        raise ValueError(
            f"rms_norm: expected an input whose shape ends in the normalized shape {shape}, got {input.shape}"
        )
    if weight is not None and weight.shape != shape:
        raise ValueError(f"rms_norm: expected a weight of shape {shape}, got {weight.shape}")
    if dtype.kind not in "fcV":
        raise TypeError(f"rms_norm: expected a floating tensor, got {dtype}; convert it first with .float()")
    x = input.to(FLOAT32) if dtype.itemsize < 4 else input
    if eps is None:
        eps = float(np.finfo(x.dtype).eps)
    dims = tuple(range(-len(shape), 0))
    result: Any = x * ((x * x).mean(dims, True) + eps).rsqrt()
    if weight is not None:
        result = result * weight
    return result if result.dtype == dtype else result.to(dtype)  # type: ignore[no-any-return]
