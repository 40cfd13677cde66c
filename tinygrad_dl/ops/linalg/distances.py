"""The distances between the rows of two matrices."""

from __future__ import annotations

import math

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.distance._pairs import all_distances

MODES = {
    "use_mm_for_euclid_dist_if_necessary": 25,
    "use_mm_for_euclid_dist": 0,
    "donot_use_mm_for_euclid_dist": math.inf,
}


@composition
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """The p-norms of the differences of each row of one matrix and each of the other.

    Args:
        x1, x2: (..., P, M) and (..., R, M); dimensions in front broadcast.
        p: 0 or more; 0 counts the elements that differ, inf takes the largest difference.
        compute_mode: whether, for p = 2, they are sqrt(|a|**2 + |b|**2 - 2 a b), by a product of matrices:
            "use_mm_for_euclid_dist_if_necessary" where P or R is above 25, "use_mm_for_euclid_dist" always,
            "donot_use_mm_for_euclid_dist" never. It needs less time and memory, and is less exact for close rows.

    Returns:
        (..., P, R). The gradient of a distance of 0 is 0.

    Raises:
        ValueError: fewer than 2 dimensions, rows of different sizes, a negative p, or another mode.
        TypeError: the tensors are not floating.

    >>> td.cdist(td.tensor([[0.0, 0.0], [0.0, 1.0]]), td.tensor([[3.0, 4.0]]))
    tensor([[5.0000],
            [4.2426]])
    """
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ValueError(f"cdist: expected tensors (..., P, M) and (..., R, M), got {x1.shape} and {x2.shape}")
    if x1.dtype.kind not in "fV" or x2.dtype.kind not in "fV":
        raise TypeError(f"cdist: expected floating tensors, got {x1.dtype} and {x2.dtype}; convert them with .float()")
    if not p >= 0:
        raise ValueError(f"cdist: expected p of 0 or more, got {p}")
    if compute_mode not in MODES:
        raise ValueError(f"cdist: expected compute_mode as one of {', '.join(MODES)}, got {compute_mode!r}")
    by_product = p == 2 and max(x1.shape[-2], x2.shape[-2]) > MODES[compute_mode]
    if x1.ndim == x2.ndim == 2:
        alone: Tensor = all_distances(x1.unsqueeze(0), x2.unsqueeze(0), float(p), by_product)
        return alone.squeeze(0)
    batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    first, second = (x.expand(*batch, *x.shape[-2:]).reshape(math.prod(batch), *x.shape[-2:]) for x in (x1, x2))
    found: Tensor = all_distances(first, second, float(p), by_product)
    return found.reshape(*batch, *found.shape[-2:])
