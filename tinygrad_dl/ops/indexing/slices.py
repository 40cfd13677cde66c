"""Slices along a dimension: narrow, select, and the operations that pick and place them by 1-D indices."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.batching import Batch, every, inner
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.promotion import factor, require_room, require_same
from tinygrad_dl.core.tensor import Tensor, as_array
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.inputs import array, error, integers, one_of, real
from tinygrad_dl.ops._overload import alias, method, overload
from tinygrad_dl.ops._owned import no_view
from tinygrad_dl.ops.indexing._index import integers_first, plain_index
from tinygrad_dl.ops.indexing.gather import ROWS, as_line, at, require_in_range, require_long
from tinygrad_dl.ops.indexing.getitem import accumulate, getitem
from tinygrad_dl.ops.indexing.setitem import setitem, with_items
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.shape.expand import expand
from tinygrad_dl.ops.shape.reshape import reshape
from tinygrad_dl.ops.tensor.inplace import store


@op(
    linear=("input",),
    name="index_select",
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
def index_selected(input: Array, dim: int, index: Array) -> Array:
    """`index_select` of a tensor that is not 0-d.

    >>> import tinygrad_dl as td
    >>> td.index_select(td.tensor([1, 2]), 0, td.tensor([1]))
    tensor([2])
    """
    dim, index = _checked_line(input.shape, dim, index, "index_select")
    return input.take(index, dim)


def _checked_line(shape: tuple[int, ...], dim: int, index: Any, what: str) -> tuple[int, Any]:
    """The dimension counted from the front and the index in one dimension, after a look at whether they fit."""
    dim = normal_dim(dim, len(shape))
    if index.ndim > 1:
        raise IndexError(f"{what}: expected a 1-D index, got shape {index.shape}")
    if is_known(index):
        require_in_range(index, shape[dim], dim, what)
    return dim, index.reshape(-1)


index_selected.vjp(
    input=lambda g, dim, index, input_shape: accumulate.generic(
        g, at(normal_dim(dim, len(input_shape)), index.reshape(-1)), input_shape
    ),
    index=None,
)


@index_selected.vmap
def _index_selected_batch(input: Any, index: Any, dim: int, batch: Batch) -> Any:
    ndim = input.ndim - ("input" in batch.of)
    if "index" not in batch.of and ndim:
        return index_selected(input, inner(dim, ndim), index)
    x = every(input, "input", batch)
    picks = every(index, "index", batch)
    if not ndim:
        return x.reshape(batch.size, 1).gather(1, picks.reshape(batch.size, -1)).reshape(x.shape)
    at = inner(dim, ndim)
    picks = picks.reshape(batch.size, *(1,) * (at - 1), -1, *(1,) * (ndim - at))
    return x.gather(at, picks.expand(batch.size, *x.shape[1:at], picks.shape[at], *x.shape[at + 1 :]))


@overload(index_selected)
@composition
def index_select(input: Array, dim: int, index: Array) -> Tensor:
    """The slices along `dim` that the 1-D `index` names, copied. Of a 0-d tensor, `index` can only name it once.

    Raises:
        IndexError: an index is negative or too large, or `index` has several dimensions.

    >>> td.tensor([1, 2, 3]).index_select(0, td.tensor([2, 0]))
    tensor([3, 1])
    """
    result: Tensor
    if input.ndim:
        result = index_selected(input, dim, index)
        return result
    if math.prod(index.shape) != 1:
        raise IndexError(f"index_select: expected an index of one element for a 0-d tensor, got shape {index.shape}")
    result = no_view(reshape(index_selected(as_line(input), dim, index), ()))
    return result


@op(
    name="index_add",
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
def index_added(input: Array, dim: int, index: Array, source: Array, *, alpha: complex = 1) -> Array:
    """`index_add` of tensors that are not 0-d.

    >>> import tinygrad_dl as td
    >>> td.index_add(td.zeros(2), 0, td.tensor([1]), td.ones(1))
    tensor([0., 1.])
    """
    dim, index = _checked_line(input.shape, dim, index, "index_add")
    expected = (*input.shape[:dim], index.size, *input.shape[dim + 1 :])
    if source.shape != expected:
        raise ValueError(f"index_add: expected a source of shape {expected}, got {source.shape}")
    require_same(source.dtype, input.dtype)
    if alpha != 1:
        source = source * factor(alpha, source.dtype)
    return input + accumulate.generic(source.astype(input.dtype), at(dim, index), input.shape)


def _naive_index_add(input: np.ndarray, dim: int, index: np.ndarray, source: np.ndarray, alpha: Any) -> np.ndarray:
    """`index_add` by NumPy, to test against."""
    out = np.moveaxis(input, dim, 0).copy()
    for i, each in zip(index, np.moveaxis(source, dim, 0), strict=True):
        out[i] += alpha * each
    return np.moveaxis(out, 0, dim)


index_added.vjp(
    input=lambda g: g,
    index=None,
    source=lambda g, dim, index, alpha: (
        index_selected.generic(g, dim, index) if alpha == 1 else index_selected.generic(g, dim, index) * alpha
    ),
)

index_added.jvp(
    input=lambda t: t,
    source=lambda t, dim, index, alpha, input_shape: index_added.generic(
        module_of(t).zeros(input_shape, t.dtype), dim, index, t, alpha=alpha
    ),
)


@index_added.vmap
def _index_added_batch(input: Any, index: Any, source: Any, dim: int, alpha: Any, batch: Batch) -> Any:
    ndim = input.ndim - ("input" in batch.of)
    x, s = every(input, "input", batch), every(source, "source", batch)
    if not ndim:
        x, s = x.reshape(batch.size, 1), s.reshape(batch.size, -1)
    at = inner(dim, max(ndim, 1))
    if "index" not in batch.of:
        return index_added(x, at, index, s, alpha=alpha).reshape(batch.size, *x.shape[1 : ndim + 1])
    places = index.reshape(batch.size, *(1,) * (at - 1), -1, *(1,) * (x.ndim - 1 - at)).expand(s.shape)
    return x.scatter_add(at, places, s if alpha == 1 else s * alpha).reshape(batch.size, *x.shape[1 : ndim + 1])


@overload(index_added, inplace=True)
@composition
def index_add(input: Array, dim: int, index: Array, source: Array, *, alpha: Any = 1) -> Tensor:
    """A copy of `input` with `alpha` times slice i of `source` added to its slice index[i], along `dim`.

    A 0-d tensor counts as one of one element.

    >>> td.zeros(3).index_add(0, td.tensor([0, 0, 2]), td.ones(3))
    tensor([2., 0., 1.])
    """
    result: Tensor
    if input.ndim and source.ndim:
        result = index_added(input, dim, index, source, alpha=alpha)
    else:
        result = no_view(reshape(index_added(as_line(input), dim, index, as_line(source), alpha=alpha), input.shape))
    return result


@composition
def index_copy(input: Array, dim: int, index: Any, source: Array) -> Tensor:
    """A copy of `input` in which slice index[i] is slice i of `source`, along `dim`.

    >>> td.zeros(3).index_copy(0, td.tensor([2]), td.ones(1))
    tensor([0., 0., 1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_copy.html
    """
    result: Tensor
    if not input.ndim or not source.ndim:
        result = no_view(reshape(index_copy(as_line(input), dim, index, as_line(source)), input.shape))
        return result
    index = require_long(as_array(index) if is_known(index) else index, "index_copy")
    dim, line = _checked_line(input.shape, dim, index, "index_copy")
    expected = (*input.shape[:dim], *line.shape, *input.shape[dim + 1 :])
    if source.shape != expected:
        raise ValueError(f"index_copy: expected a source of shape {expected}, got {source.shape}")
    require_same(source.dtype, input.dtype)
    result = setitem(input, at(dim, line), source)
    return result


@composition
def index_fill(input: Array, dim: int, index: Any, value: Any) -> Tensor:
    """A copy of `input` in which the slices along `dim` that `index` names are filled with `value`.

    >>> td.zeros(3).index_fill(0, td.tensor([0, 2]), 1.0)
    tensor([1., 0., 1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_fill.html
    """
    line = require_long(as_array(index) if is_known(index) else index, "index_fill").reshape(-1)
    wide = as_line(input)
    if is_known(value):
        require_room(as_array(value, exact=True), input.dtype)
    result: Tensor = setitem(wide, at(normal_dim(dim, wide.ndim), line), value)
    return result if input.ndim else no_view(reshape(result, ()))


@method
def index_put(input: Array, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """A copy of `input` with `values` at `input[indices]`: stored, or with `accumulate` added.

    >>> td.zeros(3).index_put((td.tensor([0, 0]),), td.tensor(1.0), accumulate=True)
    tensor([2., 0., 0.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_put.html
    """
    index, _ = plain_index(tuple(indices), input.ndim)
    result: Tensor
    if not accumulate:
        result = with_items(input, index, values)
    elif (split := integers_first(index)) is None:
        added = expand(values, module_of(input).empty(input.shape, bool)[index].shape)
        result = input + _accumulate(added, index, input.shape)
    else:
        first, rest = split
        result = setitem(input, first, index_put(getitem(input, first), rest, values, True))
    return result


_accumulate = accumulate


@method
def index_put_(self: Tensor, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """The in-place form of `index_put`: changes the tensor and returns it."""
    if accumulate:
        return self._assign(index_put(self, indices, values, True), "index_put_")
    return store(self, tuple(indices), values, "index_put_")


@method
def put(input: Array, index: Any, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of `input` with the elements of `source` at `index` of the flattened tensor: stored, or added.

    Args:
        input: any shape.
        index: int64, from -n to n - 1 for n elements.
        source: as many elements as `index`, of the dtype of `input`.
        accumulate: whether to add.

    Raises:
        RuntimeError: another dtype. IndexError: an index out of range, or another number of elements.

    >>> td.put(td.tensor([[1, 2], [3, 4]]), td.tensor([1, 3]), td.tensor([9, 8]))
    tensor([[1, 9],
            [3, 8]])
    """
    if source.dtype != input.dtype:
        raise RuntimeError(f"put: expected a source of the input's dtype, {input.dtype}, got {source.dtype}")
    if index.dtype != np.int64:
        raise RuntimeError(f"put: expected an index of int64, got {index.dtype}; use .long()")
    if source.numel() != index.numel():
        raise IndexError(f"put: expected as many elements as indices, {index.numel()}, got {source.numel()}")
    line = index_put(reshape(input, -1), (reshape(index, -1),), reshape(source, -1), accumulate)
    result: Tensor = no_view(reshape(line, input.shape))
    return result


alias("put", put, inplace=True)
alias("index_copy", index_copy, inplace=True)
alias("index_fill", index_fill, inplace=True)


@method
def narrow(input: Array, dim: int, start: Any, length: int) -> Tensor:
    """`length` slices along `dim`, from number `start` on. A view.

    Raises:
        IndexError: there is no such dimension or start. RuntimeError: there are not that many, or no dimensions.

    >>> td.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])
    """
    if not input.ndim:
        raise RuntimeError("narrow: got a 0-d tensor, expected at least one dimension; unsqueeze(0) makes one")
    place = normal_dim(dim, input.ndim)
    size = input.shape[place]
    if isinstance(start, Tensor) and (start.ndim or start.dtype.kind not in "iu"):
        raise RuntimeError(
            f"narrow: got start={start.dtype}{list(start.shape)}, expected an integer, or a 0-d tensor of one"
        )
    first = operator.index(start)
    if not -size <= first <= size:
        raise IndexError(f"narrow: got start={start}, expected {-size} to {size} for dim {dim} of size {size}")
    first += size if first < 0 else 0
    if length < 0 or not 0 <= first <= first + length <= size:
        raise RuntimeError(
            f"narrow: got start={start} and length={length}, expected a range within dim {dim} of size {size}"
        )
    return getitem(input, (*(slice(None),) * place, slice(first, first + length)))


@method
def select(input: Array, dim: int, index: int) -> Tensor:
    """Slice number `index` along `dim`, without that dimension. A view.

    Raises:
        IndexError: there is no such slice.

    >>> td.tensor([[1, 2], [3, 4]]).select(1, 0)
    tensor([1, 3])
    """
    return getitem(input, (*(slice(None),) * normal_dim(dim, input.ndim), operator.index(index)))
