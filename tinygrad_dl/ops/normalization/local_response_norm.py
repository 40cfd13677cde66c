"""Local response normalisation: each element divided by the size of its neighbours in other channels."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.padding.pad import pad
from tinygrad_dl.ops.pooling.avg_pool import avg_pool2d
from tinygrad_dl.ops.tensor.conversion import laid_as


@composition
def local_response_norm(input: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """input / (k + alpha / size * sum of the squares of `size` neighbouring channels) ** beta, of (N, C, ...).

    Args:
        size: how many channels there are in a neighbourhood, the element's own in the middle; those that do not exist
            count as zeros.

    Raises:
        ValueError: less than 3 dimensions, or a size below 1.

    >>> td.nn.functional.local_response_norm(td.ones(1, 3, 1), 3, alpha=3.0, beta=1.0).flatten()
    tensor([0.3333, 0.2500, 0.3333])

    Source: https://papers.nips.cc/paper/4824 (section 3.3)
    """
    if input.ndim < 3:
        raise ValueError(f"local_response_norm: expected an input of shape (N, C, ...), got {input.shape}")
    if size < 1:
        raise ValueError(f"local_response_norm: expected size >= 1, got {size}")
    if 0 in input.shape:
        return laid_as(input, input)
    squares: Any = (input * input).reshape(*input.shape[:2], math.prod(input.shape[2:]))
    squares = pad(squares, (0, 0, size // 2, (size - 1) // 2))
    means: Any = avg_pool2d(squares.unsqueeze(1), (size, 1), 1).reshape(input.shape)
    return laid_as(input / (means * alpha + k) ** beta, input)
