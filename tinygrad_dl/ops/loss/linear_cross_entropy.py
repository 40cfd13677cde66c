"""Cross-entropy of logits that a linear map makes."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.linear.linear import linear
from tinygrad_dl.ops.loss.cross_entropy import cross_entropy


@composition
def linear_cross_entropy(
    input: Array,
    linear_weight: Array,
    target: Array,
    *,
    linear_bias: Array | None = None,
    weight: Array | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """cross_entropy(linear(input, linear_weight, linear_bias), target).

    Args:
        input: (in_features,) or (N, in_features).
        linear_weight: (C, in_features), or (C, d1, ..., in_features) for a loss at each of d1 x ... places.
        target: classes, () or (N, d1, ...), or probabilities, (C,) or (N, C, d1, ...).
        linear_bias: (C,), or (C, d1, ...).
        weight, reduction, label_smoothing: as those of `cross_entropy`.
        ignore_index: a class whose examples do not count; by default -100. None of probabilities.
        options: accepted, and changes nothing: a `LinearCrossEntropyOptions`.

    Raises:
        ValueError: the shapes do not fit, or an ignore_index of probabilities.

    >>> x, weight = td.ones(2, 3), td.zeros(4, 3)
    >>> td.nn.functional.linear_cross_entropy(x, weight, td.tensor([0, 3]))
    tensor(1.3863)
    """
    if input.ndim not in (1, 2) or linear_weight.ndim < 2 or input.shape[-1] != linear_weight.shape[-1]:
        raise ValueError(
            f"linear_cross_entropy: expected an input (in_features,) or (N, in_features) and a linear_weight "
            f"(C, ..., in_features), got shapes {input.shape} and {linear_weight.shape}"
        )
    count, more = linear_weight.shape[0], linear_weight.shape[1:-1]
    if linear_bias is not None and linear_bias.shape != (count, *more):
        raise ValueError(
            f"linear_cross_entropy: expected a linear_bias of shape {(count, *more)}, got {linear_bias.shape}"
        )
    if more and input.ndim == 1:
        raise ValueError(
            f"linear_cross_entropy: expected an input (N, in_features) with a linear_weight of shape "
            f"{linear_weight.shape}, got {input.shape}"
        )
    shape = (*input.shape[:-1], count, *more)
    if ignore_index is not None and target.shape == shape:
        raise ValueError(
            f"linear_cross_entropy: got ignore_index={ignore_index} with probabilities, expected it with classes"
        )
    rows = count * math.prod(more)
    flat: Any = linear_weight.reshape(rows, linear_weight.shape[-1])
    logits: Any = linear(input, flat, None if linear_bias is None else linear_bias.reshape(rows))
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(
        logits.reshape(shape),
        target,
        weight=weight,
        ignore_index=ignored,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
