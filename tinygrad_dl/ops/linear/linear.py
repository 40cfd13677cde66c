"""The linear layer: one node."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand
from tinygrad_dl.backends.gemm import product, product_and_tangent, shifted_product
from tinygrad_dl.core.batching import Batch, every, in_last
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, error, real
from tinygrad_dl.ops.reduction._sums import sum_of_rows

LARGE = 2**14  # elements of an input, from which threads may add the bias to their parts of the product


def _naive_linear(input: Any, weight: Any, bias: Any = None) -> Any:
    out = np.einsum("...i,oi->...o", input, weight)
    return out if bias is None else out + bias


@op(
    namespace="functional",
    alike=("input", "weight"),
    inputs=[
        {"input": real(shape="n i"), "weight": real(shape="o i"), "bias": real(shape="o")},
        {"input": real(shape="... i"), "weight": real(shape="o i"), "bias": real(shape="o")},
        {"input": real(shape="... i"), "weight": real(shape="o i")},
    ],
    errors=[
        error(ValueError, "expected in_features=4 in the last dimension", array(2, 3), array(5, 4)),
        error(ValueError, "bias of shape \\(5,\\)", array(2, 4), array(5, 4), array(4)),
        error(TypeError, "same dtype", array(2, 4, dtype="int64"), array(5, 4)),
    ],
    reference=_naive_linear,
)
def linear(input: Array, weight: Array, bias: Array | None = None) -> Array:
    """input @ weight.T + bias.

    Args:
        input: (..., in_features).
        weight: (out_features, in_features).
        bias: (out_features,) or None.

    Returns:
        (..., out_features).

    Raises:
        ValueError: the shapes do not fit. TypeError: the dtypes differ.

    >>> td.nn.functional.linear(td.tensor([[1.0, 2.0]]), td.tensor([[3.0, 4.0]]), td.tensor([0.5]))
    tensor([[11.5000]])
    """
    if input.dtype is not weight.dtype and input.dtype != weight.dtype:
        raise TypeError(
            f"linear: expected input and weight of the same dtype, got {input.dtype} and {weight.dtype}; cast the "
            f"input with input.to(weight.dtype), or the module with module.to(input.dtype)"
        )
    if input.ndim == 2:
        rows = input
        if weight.ndim != 2 or input.shape[1] != weight.shape[1]:
            _misfit(input, weight)
    else:
        if weight.ndim != 2 or not input.ndim or input.shape[-1] != weight.shape[1]:
            _misfit(input, weight)
        rows = input.reshape(-1 if input.size else _rows(input), input.shape[-1])
    if bias is None:
        out = product(rows, weight.T)
    elif bias.shape != weight.shape[:1]:
        raise ValueError(f"linear: expected a bias of shape {weight.shape[:1]}, got {bias.shape}")
    elif input.size >= LARGE and type(input) is np.ndarray:
        out = shifted_product(rows, weight.T, bias)
    else:
        out = product(rows, weight.T)
        out += bias
    return out if rows is input else out.reshape(*input.shape[:-1], weight.shape[0])


def _rows(input: Any) -> int:
    """The number of rows, where -1 can't stand for it because there are no elements."""
    rows = 1
    for size in input.shape[:-1]:
        rows *= size
    return rows


def _misfit(input: Any, weight: Any) -> Any:
    if weight.ndim != 2:
        raise ValueError(f"linear: expected a weight of shape (out_features, in_features), got {weight.shape}")
    raise ValueError(
        f"linear: expected in_features={weight.shape[1]} in the last dimension of the input, got an input of shape "
        f"{input.shape}; reshape or flatten the input, or make the layer with the width that comes in"
    )


def _linear_weight(g: Any, input: Any, weight_shape: tuple[int, ...]) -> Any:
    """g.T @ input if g.ndim == 2 else None."""
    if g.ndim == 2:
        return product(g.T, input)
    rows = _rows(g)
    return product(np.reshape(g, (rows, weight_shape[0])).T, np.reshape(input, (rows, weight_shape[1])))


def _linear_input(g: Any, weight: Any, input_shape: tuple[int, ...]) -> Any:
    """g @ weight."""
    if g.ndim <= 2 or type(g) is not np.ndarray:
        return product(g, weight)
    return np.reshape(product(np.reshape(g, (_rows(g), weight.shape[0])), weight), input_shape)


def _linear_bias(g: Any, bias_shape: tuple[int, ...]) -> Any:
    """sum(g, axis=0) if g.ndim == 2 else sum(g, axis=tuple(range(g.ndim - 1)))."""
    if g.ndim != 2:
        g = np.reshape(g, (_rows(g), *bias_shape))
    return sum_of_rows(g)


linear.vjp(input=_linear_input, weight=_linear_weight, bias=_linear_bias)
linear.jvp(
    input=lambda t, weight: linear.generic(t, weight),
    weight=lambda t, input: linear.generic(input, t),
    bias=lambda t: t,
)


@linear.value_and_jvp
def _linear_and_tangent(t: Any, input: Any, weight: Any, bias: Any) -> Any:
    tx, tw, tb = t
    fits = input.dtype == weight.dtype and weight.ndim == 2 and input.ndim and input.shape[-1] == weight.shape[1]
    if (
        not fits
        or not input.size
        or (bias is not None and bias.shape != weight.shape[:1])
        or tx is tw is None
        or not at_hand(input)
    ):
        return NotImplemented  # what does not fit is refused there
    x, tx = input.reshape(-1, input.shape[-1]), None if tx is None else tx.reshape(-1, input.shape[-1])
    pair = product_and_tangent(x, weight.T, tx, None if tw is None else tw.T, (bias, tb))
    return [each.reshape(*input.shape[:-1], weight.shape[0]) for each in pair]


@op(
    kind="batched",
    method=False,
    namespace="rules",
    alike=("input", "weight"),
    inputs=[
        {"input": real(shape="b n i"), "weight": real(shape="b o i"), "bias": real(shape="b o")},
        {"input": real(shape="... n i"), "weight": real(shape="... o i")},
    ],
    errors=[
        error(ValueError, "in_features=4 in the last dimension", array(2, 1, 3), array(2, 5, 4)),
        error(ValueError, "bias of shape \\(2, 5\\)", array(2, 1, 4), array(2, 5, 4), array(4)),
    ],
    reference=lambda input, weight, bias=None: (
        np.einsum("...ni,...oi->...no", input, weight) + (0.0 if bias is None else bias[..., None, :])
    ),
)
def linear_of_each(input: Array, weight: Array, bias: Array | None = None) -> Array:
    """`linear` of a stack of inputs, (..., n, in_features), by a weight (..., out, in_features) and a bias for each."""
    if input.shape[-1] != weight.shape[-1]:
        _misfit(input, weight[(0,) * (weight.ndim - 2)])
    out = product(input, weight.swapaxes(-1, -2))
    if bias is not None:
        if bias.shape != weight.shape[:-1]:
            raise ValueError(f"linear: expected a bias of shape {weight.shape[:-1]}, got {bias.shape}")
        out += bias[..., None, :]
    return out


def _bias_of_each(g: Any, bias_shape: tuple[int, ...]) -> Any:
    return np.reshape(g if g.shape[-2] == 1 else np.sum(g, axis=-2), bias_shape)


linear_of_each.vjp(
    input=lambda g, weight: product(g, weight),
    weight=lambda g, input: product(np.swapaxes(g, -1, -2), input),
    bias=_bias_of_each,
)
linear_of_each.jvp(
    input=lambda t, weight: linear_of_each.generic(t, weight),
    weight=lambda t, input: linear_of_each.generic(input, t),
    bias=lambda t, input: np.broadcast_to(np.expand_dims(t, -2), (*input.shape[:-1], t.shape[-1])),
)


@linear.vmap
def _linear_batch(input: Any, weight: Any, bias: Any, batch: Batch) -> Any:
    if "weight" not in batch.of:
        out = linear(input, weight, None if "bias" in batch.of else bias)
        if "bias" in batch.of:
            out = (out if "input" in batch.of else out.unsqueeze(0)) + in_last(bias, out.ndim - ("input" in batch.of))
        return out
    x = every(input, "input", batch)
    shape = x.shape[1:-1]
    rows = x if len(shape) == 1 else x.reshape(batch.size, math.prod(shape), x.shape[-1])
    out = linear_of_each(rows, weight, every(bias, "bias", batch))
    return out if out.shape[1:-1] == shape else out.reshape(batch.size, *shape, out.shape[-1])
