"""Layer normalisation: one node, with all gradients in one hand-written rule."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.backends.blocks import fixed_blocks
from tinygrad_dl.backends.gemm import multiply_alone, product
from tinygrad_dl.backends.threads import parallel_for_products
from tinygrad_dl.core.batching import Batch, every
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops._owned import add_, mul_
from tinygrad_dl.ops.pointwise._selection import straight
from tinygrad_dl.ops.reduction._sums import ADD, WIDE, dot_rows, ones, sum_of_rows

LARGE = 2**14  # elements, from which the gradients are made in blocks: small arrays have fewer calls otherwise


def _naive_layer_norm(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    axes = tuple(range(input.ndim - len(normalized_shape), input.ndim))
    out = (input - input.mean(axes, keepdims=True)) / np.sqrt(input.var(axes, keepdims=True) + eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def _as_rows(x: Any, count: int) -> Any:
    """The array with the normalised dimensions made one: (rows, count)."""
    if x.ndim == 2 and x.shape[1] == count:
        return x
    return np.reshape(x, (math.prod(x.shape) // count if count else 0, count))


@functools.lru_cache(maxsize=64)
def evenly(count: int, dtype: Any) -> np.ndarray:
    """A column of 1 / count, made once; nothing may write to it."""
    made = np.full((count, 1), 1 / max(count, 1), dtype)
    made.flags.writeable = False
    return made


def _shares(count: int, g: Any) -> Any:
    """`evenly`, as an array of the same module as another."""
    module = module_of(g)
    return evenly(count, g.dtype) if module is np else module.full((count, 1), 1 / max(count, 1), g.dtype)


def _row_means(x: Any) -> Any:
    """The mean of each row, as a column. A product with ones is faster than a sum."""
    return product(x, evenly(x.shape[1], x.dtype)) if module_of(x) is np else np.mean(x, axis=1, keepdims=True)


def _row_centres(x: Any) -> Any:
    """The mean of each row to be taken from it: the sum divided, which is the value itself where all are equal."""
    if module_of(x) is not np:
        return np.mean(x, axis=1, keepdims=True)
    return product(x, ones(x.shape[1], x.dtype).reshape(-1, 1)) / max(x.shape[1], 1)


def _outer(column: Any, row: Any) -> Any:
    """column * row: as a matrix product if both are arrays, which takes half the time."""
    return product(column, row) if type(column) is type(row) is np.ndarray else column * row


def _inverse_std(input: Any, normalized_shape: Any, eps: float) -> Any:
    """1 / sqrt(variance + eps) of each row, as a column."""
    rows = _as_rows(input, math.prod(normalized_shape))
    centered = rows - _row_centres(rows)
    return 1 / np.sqrt(_row_means(centered * centered) + eps)


@op(
    name="layer_norm",
    namespace="functional",
    aux={"inverse": _inverse_std},
    real=True,
    inputs=[
        {
            "input": real(shape="... 4"),
            "normalized_shape": one_of((4,)),
            "weight": real(shape="4"),
            "bias": real(shape="4"),
        },
        {"input": real(shape="n 2 3"), "normalized_shape": one_of((2, 3)), "weight": real(shape="2 3")},
        {"input": real(shape="... 5"), "normalized_shape": one_of((5,)), "eps": one_of(1e-5, 0.1)},
    ],
    errors=[error(ValueError, "ends in the normalized shape", array(2, 3), (4,))],
    reference=_naive_layer_norm,
)
def normalize_rows(
    input: Array, normalized_shape: Any, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-5
) -> Any:
    """`layer_norm` with `normalized_shape` a tuple."""
    k = len(normalized_shape)
    if not k or input.shape[-k:] != normalized_shape:
        raise ValueError(
            f"layer_norm: expected an input whose shape ends in the normalized shape {normalized_shape}, got "
            f"{input.shape}"
        )
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and value.shape != normalized_shape:
            raise ValueError(f"layer_norm: expected a {name} of shape {normalized_shape}, got {value.shape}")
    count = math.prod(normalized_shape)
    rows = _as_rows(input, count)
    if not rows.size:
        return input.copy(), module_of(rows).zeros((rows.shape[0], 1), rows.dtype)
    if type(rows) is not np.ndarray:
        return _plain_rows(rows, input.shape, weight, bias, eps)
    out, inverse = np.empty_like(rows), module_of(rows).empty((len(rows), 1), rows.dtype)
    weight = None if weight is None else weight.reshape(1, -1)
    bias = None if bias is None else bias.reshape(-1)

    one, blocks = ones(count, rows.dtype).reshape(-1, 1), fixed_blocks(len(rows), count)

    def work(first: int, last: int) -> None:
        for part in blocks[first:last]:
            x, here = rows[part], out[part]
            total = multiply_alone(x, one) if count <= WIDE else ADD(x, 1, keepdims=True)
            np.subtract(x, total / count, out=here)
            squares = np.vecdot(here, here)[:, None] if count <= WIDE else ADD(here * here, 1, keepdims=True)
            factor = np.divide(math.sqrt(count), np.sqrt(squares + count * eps), out=inverse[part])
            here *= factor if weight is None else multiply_alone(factor, weight)
            if bias is not None:
                here += bias

    parallel_for_products(work, len(blocks))
    return (out if rows is input else out.reshape(input.shape)), inverse


def _plain_rows(rows: Any, shape: tuple[int, ...], weight: Any, bias: Any, eps: float) -> Any:
    """The same in operations on whole arrays."""
    out = rows - np.mean(rows, axis=1, keepdims=True)
    inverse = 1 / np.sqrt(np.mean(out * out, axis=1, keepdims=True) + eps)
    out = out * inverse if weight is None else out * inverse * weight.reshape(1, -1)
    return (out if bias is None else out + bias.reshape(-1)).reshape(shape), inverse


@normalize_rows.joint_vjp("input", "weight", "bias")
def _layer_norm_rule(g: Any, input: Any, weight: Any, inverse: Any, normalized_shape: Any, needs: Any) -> Any:
    count = math.prod(normalized_shape)
    rows, g = _as_rows(input, count), _as_rows(g, count)
    gx = gw = gb = None
    if type(g) is type(rows) is np.ndarray and needs[0] and rows.size >= LARGE:
        gx, gw, gb = _blockwise_slope(g, rows, None if weight is None else weight.reshape(-1), inverse)
        return gx.reshape(input.shape), gw.reshape(normalized_shape), gb.reshape(normalized_shape)
    if needs[2]:
        gb = sum_of_rows(g).reshape(normalized_shape)
    if not rows.shape[1]:
        return straight(np.reshape(g, input.shape), input), np.reshape(g, normalized_shape), gb
    if needs[0] or needs[1]:
        centered = rows - _row_centres(rows)
        products = g * centered
    if needs[1]:
        gw = product(inverse.T, products).reshape(normalized_shape)
    if needs[0]:
        # inverse * (g * weight - mean(g * weight) - normalised * mean(g * weight * normalised))
        weight = None if weight is None else _as_rows(weight, count)
        share = _shares(count, g) if weight is None else weight.reshape(-1, 1) * (1 / count)
        level = product(g, share) * inverse
        tilt = product(products, share) * inverse * inverse * inverse
        gx = g * (inverse if weight is None else _outer(inverse, weight))
        gx = add_(mul_(centered, -tilt), add_(gx, -level))
        gx = gx if gx.shape == input.shape else np.reshape(gx, input.shape)
    return gx, gw, gb


@normalize_rows.joint_jvp("input", "weight", "bias")
def _layer_norm_tangent(t: Any, input: Any, weight: Any, inverse: Any, normalized_shape: Any) -> Any:
    count = math.prod(normalized_shape)
    rows = _as_rows(input, count)
    out: Any = None
    if t[0] is not None or t[1] is not None:
        normal = mul_(rows - _row_centres(rows), inverse)
    if t[1] is not None:
        out = normal * _as_rows(t[1], count)
    if t[0] is not None:
        change = _as_rows(t[0], count)
        change = change - _row_centres(change)
        tilt = dot_rows(normal, change, 1) / max(count, 1)
        change = mul_(add_(mul_(normal, -tilt), change), inverse)
        change = change if weight is None else mul_(change, _as_rows(weight, count))
        out = change if out is None else add_(out, change)
    if out is None:
        return t[2]
    out = out if t[2] is None else add_(out, _as_rows(t[2], count))
    return out if out.shape == input.shape else np.reshape(out, input.shape)


@normalize_rows.vmap
def _layer_norm_batch(input: Any, weight: Any, bias: Any, normalized_shape: Any, eps: float, batch: Batch) -> Any:
    if not {"weight", "bias"} & batch.of:
        return normalize_rows(input, normalized_shape, weight, bias, eps)
    out = normalize_rows(every(input, "input", batch), normalized_shape, None, None, eps)
    for value, name, joined in ((weight, "weight", np.multiply), (bias, "bias", np.add)):
        if value is not None:
            more = out.ndim - 1 - len(normalized_shape)
            of = value.reshape(batch.size, *(1,) * more, *value.shape[1:]) if name in batch.of else value
            out = joined(out, of)
    return out


def _blockwise_slope(g: np.ndarray, rows: np.ndarray, weight: Any, inverse: np.ndarray) -> Any:
    """The gradients of input, weight and bias: the rule above, block after block, on several threads."""
    number, count = rows.shape
    blocks = fixed_blocks(number, count)
    gx, parts = np.empty_like(rows), module_of(rows).empty((2, len(blocks), count), rows.dtype)
    share = evenly(count, g.dtype) if weight is None else weight.reshape(-1, 1) * g.dtype.type(1 / count)
    one, weight = ones(count, rows.dtype).reshape(-1, 1), None if weight is None else weight.reshape(1, -1)

    def work(first: int, last: int) -> None:
        for i in range(first, last):
            x, slope, factor, out = rows[blocks[i]], g[blocks[i]], inverse[blocks[i]], gx[blocks[i]]
            centered = x - multiply_alone(x, one) / count
            products = np.multiply(slope, centered, out=out)
            np.dot(factor.T, products, out=parts[0, i : i + 1])
            np.dot(ones(len(x), g.dtype), slope, out=parts[1, i])
            level, tilt = slope.dot(share), products.dot(share)
            level *= factor
            tilt *= factor * factor * factor
            np.multiply(slope, factor if weight is None else multiply_alone(factor, weight), out=out)
            out -= level
            centered *= tilt
            out -= centered

    parallel_for_products(work, len(blocks))
    return gx, *np.add.reduce(parts, 1)


@overload(normalize_rows)
@composition
def layer_norm(
    input: Array, normalized_shape: Any, weight: Array | None = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias, mean and variance over the last dimensions.

    Args:
        input: its shape ends in `normalized_shape`.
        normalized_shape: the sizes of the dimensions to normalise over (an int for the last alone).
        weight, bias: of that shape, or None.

    Raises:
        ValueError: the shapes do not fit.

    >>> td.nn.functional.layer_norm(td.tensor([[1.0, 3.0], [0.0, 8.0]]), (2,), eps=0.0)
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    return normalize_rows(input, shape, weight, bias, eps)
