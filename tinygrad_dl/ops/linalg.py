"""Products of matrices, and what belongs to them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.engine import unbroadcast
from tinygrad_dl.op import Array, op
from tinygrad_dl.samples import array, error, real


def as_rows(a: Any) -> Any:
    """All dimensions but the last one as one: (..., k) as (n, k)."""
    return a.reshape((math.prod(a.shape[:-1]), a.shape[-1]))


@op(
    np.matmul,
    operator="matmul",
    promote=True,
    inputs=[
        dict(input=real(shape="n k"), other=real(shape="k m")),
        dict(input=real(shape="... n k"), other=real(shape="... k m")),
        dict(input=real(shape="b n k"), other=real(shape="k m")),
        dict(input=real(shape="n k"), other=real(shape="b k m")),
        dict(input=real(shape="1 b n k"), other=real(shape="c 1 k m")),
        dict(input=real(shape="k"), other=real(shape="... k m")),
        dict(input=real(shape="... n k"), other=real(shape="k")),
        dict(input=real(shape="k"), other=real(shape="k")),
    ],
    errors=[
        error(ValueError, "mismatch in its core dimension", array(2, 3), array(4, 5)),
        error(ValueError, "does not have enough dimensions", array(), array(2)),
    ],
    reference=lambda input, other: np.matmul(input, other),
)
def matmul(input: Array, other: Array) -> Array:
    """The matrix product, `input @ other`: (..., n, k) with (..., k, m) gives (..., n, m).

    Leading dimensions broadcast; a 1-D tensor counts as a row on the left, as a column on the right, and
    its dimension is missing from the result.

    Raises:
        ValueError: the sizes `k` differ, or a tensor is 0-d.

    >>> import tinygrad_dl as td
    >>> td.tensor([[1.0, 2.0], [3.0, 4.0]]) @ td.tensor([1.0, 1.0])
    tensor([3., 7.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    if other.ndim == 2 and input.ndim > 2 and input.shape[-1] == other.shape[0]:
        # One large product is faster than many small ones.
        return np.matmul(as_rows(input), other).reshape(*input.shape[:-1], other.shape[1])
    return np.matmul(input, other)


def _matmul_input(g: Any, input_shape: tuple[int, ...], other: Any) -> Any:
    ndim = other.ndim
    if ndim == 2 and len(input_shape) == 2:
        return g @ other.T
    if ndim == 1:
        return g * other if len(input_shape) == 1 else np.expand_dims(g, -1) * other
    if len(input_shape) == 1:
        return unbroadcast(np.squeeze(other @ np.expand_dims(g, -1), -1), input_shape)
    gx = g @ other.swapaxes(-1, -2)
    return gx if gx.shape == input_shape else unbroadcast(gx, input_shape)


def _matmul_other(g: Any, input: Any, other_shape: tuple[int, ...]) -> Any:
    ndim = input.ndim
    if len(other_shape) == 2:
        if ndim == 2:
            return input.T @ g
        if ndim > 2:
            return as_rows(input).T @ as_rows(g)
    if ndim == 1:
        return g * input if len(other_shape) == 1 else np.expand_dims(input, -1) * np.expand_dims(g, -2)
    if len(other_shape) == 1:
        return as_rows(input).T @ g.reshape(-1)
    gx = input.swapaxes(-1, -2) @ g
    return gx if gx.shape == other_shape else unbroadcast(gx, other_shape)


matmul.vjp(input=_matmul_input, other=_matmul_other)
