"""Dropout that keeps mean and variance, for networks of `selu`."""

from __future__ import annotations

import math

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.messages import require_constants
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.dropout.dropout import keep_factors
from tinygrad_dl.random import Generator

LOWEST = -1.0507009873554805 * 1.6732632423543772  # what selu tends to for large negative numbers


def _dropped_to_lowest(
    name: str,
    input: Tensor,
    shape: tuple[int, ...],
    p: float,
    training: bool,
    inplace: bool,
    generator: Generator | None,
) -> Tensor:
    """Elements set to the lowest value, by a random mask of this shape, and all moved back to mean and variance."""
    require_constants(name, p=p)
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{name}: got p={p}, expected a probability between 0 and 1")
    if not training or p == 0.0:
        return input
    if input.dtype.kind not in "fV":
        raise TypeError(
            f"{name}: got a tensor of dtype {input.dtype}, expected a floating one; convert it with .float()"
        )
    if p == 1.0:
        result = input * 0.0
    else:
        kept = keep_factors(shape, float(p), input, generator) * (1 - p)  # 0 or 1
        scale = 1 / math.sqrt((1 - p) * (1 + p * LOWEST**2))
        result = (input * (kept * scale) + ((1 - kept) * (scale * LOWEST) - scale * p * LOWEST)).to(input.dtype)
    return input._assign(result, name) if inplace else result


@composition
def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """In training, sets elements to the lowest value of `selu` with probability `p`, and keeps mean and variance.

    With m the mask of the elements that are kept, and s = -1.7581: a (x m + s (1 - m)) + b, where a and b give numbers
    of mean 0 and variance 1 the same again.

    Raises:
        ValueError: `p` is not between 0 and 1.

    >>> _ = td.manual_seed(0)
    >>> len(set(td.nn.functional.alpha_dropout(td.ones(100), 0.5, training=True).tolist()))
    2

    Source: https://arxiv.org/abs/1706.02515
    """
    return _dropped_to_lowest("alpha_dropout", input, input.shape, p, training, inplace, generator)


@composition
def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """`alpha_dropout` of whole channels, of (N, C, ...).

    Raises:
        ValueError: `p` is not between 0 and 1, or the input has fewer than two dimensions in training.

    >>> _ = td.manual_seed(0)
    >>> out = td.nn.functional.feature_alpha_dropout(td.ones(1, 50, 3), 0.5, training=True)
    >>> bool((out.amax(-1) == out.amin(-1)).all())
    True
    """
    if input.ndim < 2 and training:
        raise ValueError(f"feature_alpha_dropout: got an input of shape {input.shape}, expected (N, C, ...)")
    shape = (*input.shape[:2], *(1,) * (input.ndim - 2))
    return _dropped_to_lowest("feature_alpha_dropout", input, shape, p, training, inplace, generator)
