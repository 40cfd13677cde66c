"""Pooling by the p-norm of each window."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_dl.core.composition import by_dimensions
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.pointwise.where import where
from tinygrad_dl.ops.pooling._windows import per_dim
from tinygrad_dl.ops.pooling.avg_pool import avg_pool2d, avg_pool3d, with_divisor
from tinygrad_dl.ops.pooling.max_pool import max_pool1d, max_pool2d, max_pool3d

MEANS = (with_divisor, avg_pool2d, avg_pool3d)
MAXIMA = (max_pool1d, max_pool2d, max_pool3d)


@by_dimensions
def lp_pool(
    dims: int, input: Array, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """(sum of x ** p) ** (1 / p) of each window of {input}, p being `norm_type`; no absolute value is taken.

    Args:
        norm_type: p; 1 for the sum, inf and -inf for the largest and the smallest absolute value.
        kernel_size: the window's size; like stride one number, or one for each dimension.
        stride: the distance between windows; by default kernel_size.
        ceil_mode: whether a last window may reach beyond the end; the sum is then what the mean of the elements in it
            gives for a whole window.

    Raises:
        ValueError: a window larger than the input, or other dimensions.

    >>> td.nn.functional.lp_pool{k}d(td.full((1, {twos}), 3.0), 1.0, 2).flatten() / 2**{k}
    tensor([3.])
    """
    if abs(norm_type) == math.inf:
        sign = math.copysign(1.0, norm_type)
        extremes: Any = MAXIMA[dims - 1](abs(input) * sign, kernel_size, stride, 0, 1, ceil_mode)
        return extremes * sign  # type: ignore[no-any-return]
    means: Any = MEANS[dims - 1](input**norm_type, kernel_size, stride, 0, ceil_mode)
    size = math.prod(per_dim(f"lp_pool{dims}d", "kernel_size", kernel_size, dims, 1))
    nothing: Any = means == 0  # where the root has no gradient, and that of the norm is 0
    root: Tensor = where(nothing, 0.0, (where(nothing, 1.0, means) * size) ** (1.0 / norm_type))
    return root


lp_pool1d, lp_pool2d, lp_pool3d = lp_pool
