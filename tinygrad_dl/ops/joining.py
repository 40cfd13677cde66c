"""Several tensors into one, and one into several: cat, stack, split, unbind and their like."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl import dtypes
from tinygrad_dl.op import Array, Arrays, op
from tinygrad_dl.ops.shape import normal_dim
from tinygrad_dl.samples import array, axis_of, drawn, error, one_of, real, reals


def common(tensors: list[Any]) -> list[Any]:
    """The arrays in the dtype that PyTorch's promotion gives them."""
    first = tensors[0].dtype
    for each in tensors:
        if each.dtype is not first:
            dtype = dtypes.result_dtype(tuple(tensors))
            return [np.asarray(a, dtype) for a in tensors]
    return tensors


def along(dim: int, index: Any) -> tuple[Any, ...]:
    """The index that applies `index` to dimension `dim` (counted from the front)."""
    return (*(slice(None),) * dim, index)


@op(
    np.concatenate,
    method=False,
    inputs=[
        dict(tensors=reals(real(shape="n m")), dim=one_of(0, 1, -1)),
        dict(tensors=reals(real(shape="n"))),
    ],
    errors=[error(ValueError, "cat", [array(2, 3), array(2, 4)], 0), error(ValueError, "at least one", [])],
    reference=lambda tensors, dim=0: np.concatenate(tensors, dim),
)
def cat(tensors: Arrays, dim: int = 0) -> Array:
    """The tensors one after the other along dimension `dim`; all other sizes are equal.

    1-D tensors without elements are skipped, as in PyTorch.

    Raises:
        ValueError: no tensors, or their other sizes differ.

    >>> import tinygrad_dl as td
    >>> td.cat([td.tensor([1.0, 2.0]), td.tensor([3.0])])
    tensor([1., 2., 3.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.cat.html
    """
    if not tensors:
        raise ValueError("cat needs at least one tensor, got an empty list")
    tensors = common(tensors)
    try:
        return np.concatenate(tensors, dim)
    except ValueError:
        rest = [t for t in tensors if t.shape != (0,)]
        if not rest or len(rest) == len(tensors):
            raise
        return np.concatenate(rest, dim)


def _cat_rule(g: Any, tensors_shape: list[tuple[int, ...]], dim: int) -> list[Any]:
    dim = normal_dim(dim, g.ndim)
    parts, start = [], 0
    for shape in tensors_shape:
        if len(shape) != g.ndim:  # a skipped one
            parts.append(np.zeros(shape, g.dtype))
            continue
        parts.append(g[along(dim, slice(start, start + shape[dim]))])
        start += shape[dim]
    return parts


cat.vjp(tensors=_cat_rule)
concat = concatenate = cat


@op(
    np.stack,
    method=False,
    inputs=dict(tensors=reals(real(shape="n m")), dim=one_of(0, 1, 2, -1, -3)),
    errors=[error(ValueError, "same shape", [array(2), array(3)]), error(ValueError, "at least one", [])],
    reference=lambda tensors, dim=0: np.stack(tensors, dim),
)
def stack(tensors: Arrays, dim: int = 0) -> Array:
    """The tensors, all of one shape, side by side along a new dimension `dim`.

    Raises:
        ValueError: no tensors, or their shapes differ.

    >>> import tinygrad_dl as td
    >>> td.stack([td.tensor([1.0, 2.0]), td.tensor([3.0, 4.0])], dim=1)
    tensor([[1., 3.],
            [2., 4.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.stack.html
    """
    if not tensors:
        raise ValueError("stack needs at least one tensor, got an empty list")
    return np.stack(common(tensors), dim)


stack.vjp(
    tensors=lambda g, tensors, dim: [g[along(normal_dim(dim, g.ndim), i)] for i in range(len(tensors))]
)


@op(
    outputs=tuple,
    view=True,
    inputs=dict(input=real(min_dims=1, min_side=1), dim=axis_of("input")),
    errors=[error(IndexError, "dim 2 is out of range", array(2, 3), 2)],
    reference=lambda input, dim=0: tuple(np.moveaxis(input, dim, 0)),
)
def unbind(input: Array, dim: int = 0) -> tuple[Array, ...]:
    """The slices along dimension `dim`, without that dimension, as a tuple of views.

    >>> import tinygrad_dl as td
    >>> td.tensor([[1, 2], [3, 4]]).unbind()
    (tensor([1, 2]), tensor([3, 4]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.unbind.html
    """
    dim = normal_dim(dim, input.ndim)
    if dim:
        input = np.moveaxis(input, dim, 0)
    return tuple([input[i, ...] for i in range(input.shape[0])])


unbind.vjp(input=lambda g, dim: np.stack(g, dim))
