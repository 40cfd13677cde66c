"""Slices along a dimension, picked and placed by 1-D indices: index_select, index_add and their like."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.attach import inplace_form
from tinygrad_dl.composition import composition
from tinygrad_dl.op import Array, op
from tinygrad_dl.ops.gather import ROWS, at, require_in_range
from tinygrad_dl.ops.indexing import accumulate, getitem, integers_first, plain_index, setitem, store, with_items
from tinygrad_dl.ops.shape import expand, normal_dim, reshape
from tinygrad_dl.samples import array, error, integers, one_of, real
from tinygrad_dl.tensor import Tensor, as_array


@op(
    exact=True,
    inputs=[
        dict(input=ROWS, dim=one_of(0, -2), index=integers(0, "n", shape="k")),
        dict(input=real(shape="b n m", min_side=1), dim=one_of(1), index=integers(0, "n", shape="3")),
    ],
    errors=[
        error(IndexError, "index 1 is out of range for dim 0 of size 1", array(1, 2), 0, array(2, dtype="int64")),
        error(IndexError, "1-D index", array(2, 2), 0, array(1, 1, dtype="int64")),
    ],
    reference=lambda input, dim, index: np.take(input, index, dim),
)
def index_select(input: Array, dim: int, index: Array) -> Array:
    """The slices along `dim` that the 1-D `index` names, copied.

    Raises:
        IndexError: an index is negative or too large, or `index` has several dimensions.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2, 3]).index_select(0, td.tensor([2, 0]))
    tensor([3, 1])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.index_select.html
    """
    dim, index = _checked_line(input.shape, dim, index, "index_select")
    if not input.ndim and index.size != 1:
        raise IndexError(f"index_select: expected one index into a 0-d tensor, got {index.size}")
    return input.take(index, dim) if input.ndim else input.copy()


def _checked_line(shape: tuple[int, ...], dim: int, index: np.ndarray, what: str) -> tuple[int, np.ndarray]:
    """The dimension counted from the front and the index in one dimension, after a look at whether they fit."""
    dim = normal_dim(dim, len(shape))
    if index.ndim > 1:
        raise IndexError(f"{what}: expected a 1-D index, got shape {index.shape}")
    require_in_range(index, shape[dim] if shape else 1, dim, what)
    return dim, index.reshape(-1)


index_select.vjp(
    input=lambda g, dim, index, input_shape: (
        accumulate.duck(g, at(normal_dim(dim, len(input_shape)), index.reshape(-1)), input_shape) if input_shape else g
    ),
    index=None,
)


@op(
    inputs=[
        dict(input=ROWS, dim=one_of(0), index=integers(0, "n", shape="3"), source=real(shape="3 m")),
        dict(
            input=real(shape="m n", min_side=1),
            dim=one_of(-1),
            index=integers(0, "n", shape="2"),
            source=real(shape="m 2"),
            alpha=one_of(2.0, -1),
        ),
    ],
    errors=[
        error(IndexError, "out of range", array(1, 2), 0, array(2, dtype="int64"), array(2, 2)),
        error(ValueError, "expected a source of shape", array(2, 2), 0, array(1, dtype="int64"), array(2, 2)),
    ],
    reference=lambda input, dim, index, source, alpha=1: _naive_index_add(input, dim, index, source, alpha),
)
def index_add(input: Array, dim: int, index: Array, source: Array, *, alpha: Any = 1) -> Array:
    """A copy of `input` with `alpha` times slice i of `source` added to its slice index[i], along `dim`.

    >>> import tinygrad_dl as td
    >>> td.zeros(3).index_add(0, td.tensor([0, 0, 2]), td.ones(3))
    tensor([2., 0., 1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.index_add.html
    """
    dim, index = _checked_line(input.shape, dim, index, "index_add")
    expected = (*input.shape[:dim], index.size, *input.shape[dim + 1 :])
    if source.shape != expected:
        raise ValueError(f"index_add: expected a source of shape {expected}, got {source.shape}")
    if alpha != 1:
        source = source * alpha
    return input + accumulate.duck(source.astype(input.dtype), at(dim, index), input.shape)


def _naive_index_add(input: np.ndarray, dim: int, index: np.ndarray, source: np.ndarray, alpha: Any) -> np.ndarray:
    """`index_add` by NumPy, to test against."""
    out = np.moveaxis(input, dim, 0).copy()
    for i, each in zip(index, np.moveaxis(source, dim, 0), strict=True):
        out[i] += alpha * each
    return np.moveaxis(out, 0, dim)


index_add.vjp(
    input=lambda g: g,
    index=None,
    source=lambda g, dim, index, alpha: (
        index_select.duck(g, dim, index) if alpha == 1 else index_select.duck(g, dim, index) * alpha
    ),
)


@composition
def index_copy(input: Array, dim: int, index: Any, source: Any) -> Tensor:
    """A copy of `input` in which slice index[i] is slice i of `source`, along `dim`.

    >>> import tinygrad_dl as td
    >>> td.zeros(3).index_copy(0, td.tensor([2]), td.ones(1))
    tensor([0., 0., 1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_copy.html
    """
    dim, line = _checked_line(input.shape, dim, as_array(index), "index_copy")
    result: Tensor = setitem(input, at(dim, line), source)
    return result


@composition
def index_fill(input: Array, dim: int, index: Any, value: Any) -> Tensor:
    """A copy of `input` in which the slices along `dim` that `index` names are filled with `value`.

    >>> import tinygrad_dl as td
    >>> td.zeros(3).index_fill(0, td.tensor([0, 2]), 1.0)
    tensor([1., 0., 1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_fill.html
    """
    if not input.ndim:  # one element, as if in a dimension of size 1
        result: Tensor = reshape(index_fill(reshape(input, (1,)), dim, index, value), ())
        return result
    line = as_array(index).reshape(-1)
    result = setitem(input, at(normal_dim(dim, input.ndim), line), value)
    return result


@composition
def index_put(input: Array, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """A copy of `input` with `values` at `input[indices]`: stored, or with `accumulate` added.

    >>> import tinygrad_dl as td
    >>> td.zeros(3).index_put((td.tensor([0, 0]),), td.tensor(1.0), accumulate=True)
    tensor([2., 0., 0.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_put.html
    """
    index, _ = plain_index(tuple(indices))
    result: Tensor
    if not accumulate:
        result = with_items(input, index, values)
    elif (split := integers_first(index)) is None:
        added = expand(values, np.empty(input.shape, bool)[index].shape)
        result = input + _accumulate(added, index, input.shape)
    else:
        first, rest = split
        result = setitem(input, first, index_put(getitem(input, first), rest, values, True))
    return result


_accumulate = accumulate


@composition
def index_put_(self: Tensor, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """The in-place form of `index_put`: changes the tensor and returns it."""
    if accumulate:
        return self._assign(index_put(self, indices, values, True), "index_put_")
    return store(self, tuple(indices), values, "index_put_")


_methods: tuple[Any, ...] = (index_copy, index_fill, index_put, index_put_)
_in_place: tuple[Any, ...] = (index_add, index_copy, index_fill)
for _function in _methods:
    setattr(Tensor, _function.__name__, _function)
for _function in _in_place:
    setattr(Tensor, f"{_function.__name__}_", inplace_form(_function, f"{_function.__name__}_"))
