"""The gated linear unit."""

from __future__ import annotations

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.activation.sigmoid import sigmoid


@composition
def glu(input: Array, dim: int = -1) -> Tensor:
    """The first half along a dimension, times the sigmoid of the second.

    Raises:
        ValueError: the dimension's size is odd.

    >>> td.nn.functional.glu(td.tensor([2.0, 0.0]))
    tensor([1.])
    """
    size = input.shape[dim]
    if size % 2:
        raise ValueError(f"glu: expected an even size to halve, got {size} in dimension {dim} of {input.shape}")
    front = (slice(None),) * (dim % input.ndim)
    result: Tensor = input[(*front, slice(size // 2))] * sigmoid(input[(*front, slice(size // 2, None))])
    return result
