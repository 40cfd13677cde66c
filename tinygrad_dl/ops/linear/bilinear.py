"""Bilinear forms of pairs of rows."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.linear.linear import linear


@composition
def bilinear(input1: Array, input2: Array, weight: Array, bias: Array | None = None) -> Tensor:
    """input1 @ weight[k] @ input2 + bias[k] for each output k.

    Args:
        input1: (..., in1_features).
        input2: (..., in2_features), of the same leading dimensions.
        weight: (out_features, in1_features, in2_features).
        bias: (out_features,) or None.

    Returns:
        (..., out_features).

    Raises:
        ValueError: the shapes do not fit.

    >>> td.nn.functional.bilinear(td.tensor([[1.0, 2.0]]), td.tensor([[3.0]]), td.ones(2, 2, 1))
    tensor([[9., 9.]])
    """
    if weight.ndim != 3:
        raise ValueError(f"bilinear: expected a weight (out, in1, in2), got shape {weight.shape}")
    count, one, two = weight.shape
    for name, input, width in (("input1", input1, one), ("input2", input2, two)):
        if input.ndim < 1 or input.shape[-1] != width:
            raise ValueError(f"bilinear: expected {width} features in the last dimension of {name}, got {input.shape}")
    if input1.shape[:-1] != input2.shape[:-1]:
        raise ValueError(
            f"bilinear: got inputs of shapes {input1.shape} and {input2.shape}, expected the same but for the last "
            "dimension"
        )
    if bias is not None and bias.shape != (count,):
        raise ValueError(f"bilinear: expected a bias of shape {(count,)}, got {bias.shape}")
    # (..., out, in2): each output's matrix applied to the first input, then the product with the second.
    middle: Any = linear(input1, weight.transpose(1, 2).reshape(count * two, one))
    middle = middle.reshape(*input1.shape[:-1], count, two)
    out: Tensor = (middle * input2.unsqueeze(-2)).sum(-1, dtype=middle.dtype)
    return out if bias is None else out + bias
