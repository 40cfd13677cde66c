"""Normalisations that return what they divided by too: the mean and 1 / sqrt(variance + eps) of what was normalised."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.promotion import is_half
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import empty
from tinygrad_dl.ops.normalization.batch_norm import batch_norm
from tinygrad_dl.ops.normalization.group_norm import group_norm
from tinygrad_dl.ops.normalization.layer_norm import layer_norm
from tinygrad_dl.ops.pointwise.powers import rsqrt
from tinygrad_dl.ops.reduction.statistics import var_mean

Results = tuple[Tensor, Tensor, Tensor]


def moments(input: Any, dim: tuple[int, ...], eps: float, dtype: Any, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The mean over some dimensions, and 1 / sqrt(variance + eps); half precision is computed in float32."""
    exact = input.float() if is_half(input.dtype) else input
    variance, mean = var_mean(exact, dim, correction=0, keepdim=keepdim)
    return mean.to(dtype), rsqrt(variance + eps).to(dtype)


@composition
def native_layer_norm(
    input: Array, normalized_shape: Any, weight: Array | None, bias: Array | None, eps: float
) -> Results:
    """`layer_norm`, and the mean and 1 / sqrt(variance + eps) that it used.

    Args:
        input: its shape ends in `normalized_shape`, a tuple.
        weight, bias: of that shape, or None.

    Returns:
        (output, mean, rstd): the last two have size 1 in the dimensions that were normalised, and no gradient.

    Raises:
        ValueError: the shapes do not fit.

    >>> td.native_layer_norm(td.tensor([[1.0, 3.0]]), (2,), None, None, 0.0)
    (tensor([[-1.,  1.]]), tensor([[2.]]), tensor([[1.]]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.layer_norm.html
    """
    out = layer_norm(input, tuple(normalized_shape), weight, bias, eps)
    dims = tuple(range(input.ndim - len(normalized_shape), input.ndim))
    return out, *moments(input.detach(), dims, eps, (input if weight is None else weight).dtype, keepdim=True)


@composition
def native_group_norm(
    input: Array, weight: Array | None, bias: Array | None, N: int, C: int, HxW: int, group: int, eps: float
) -> Results:
    """`group_norm`, and the mean and 1 / sqrt(variance + eps) of each group.

    Args:
        input: (N, C, ...), of N * C * HxW elements.
        weight, bias: (C,), or None.
        group: the number of groups, which divides C.

    Returns:
        (output, mean, rstd): the last two of shape (N, group), differentiable as the first.

    Raises:
        ValueError: the shapes do not fit.

    >>> td.native_group_norm(td.tensor([[[1.0], [3.0]]]), None, None, 1, 2, 1, 1, 0.0)[1:]
    (tensor([[2.]]), tensor([[1.]]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.group_norm.html
    """
    if math.prod(input.shape) != N * C * HxW:
        raise ValueError(f"native_group_norm: got shape {input.shape}, expected {N} * {C} * {HxW} elements")
    out = group_norm(input, group, weight, bias, eps)
    return out, *moments(
        input.reshape(N, group, C // group * HxW), (2,), eps, (input if weight is None else weight).dtype
    )


@composition
def native_batch_norm(
    input: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Results:
    """`batch_norm`, and in training the mean and 1 / sqrt(variance + eps) of each channel of the batch.

    Args:
        input: (N, C) or (N, C, ...).
        weight, bias, running_mean, running_var: (C,), or None; see `td.nn.functional.batch_norm`.

    Returns:
        (output, mean, rstd): the last two of shape (C,), in evaluation (0,), without a gradient.

    Raises:
        ValueError: the shapes do not fit.

    >>> td.native_batch_norm(td.tensor([[1.0], [3.0]]), None, None, None, None, True, 0.1, 0.0)
    (tensor([[-1.],
            [ 1.]]), tensor([2.]), tensor([1.]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html
    """
    out = batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    dtype = (input if weight is None else weight).dtype
    if not training:
        return out, empty(0, dtype=dtype), empty(0, dtype=dtype)
    return out, *moments(input.detach(), (0, *range(2, input.ndim)), eps, dtype)
