"""Tensor[index].

Integers, slices, None and `...` show the tensor's memory; integer arrays and masks (tensors, arrays or lists) pick
elements and copy them. PyTorch's order of dimensions: integers are taken first, then the picks; picks that stand
beside each other put their dimensions in their place, others in front. Negative steps work, as in NumPy.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy import ndarray

from tinygrad_dl.backends.arrays import add_at, contiguous, is_array, module_of
from tinygrad_dl.core.batching import Batch, every
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import Lifted, applied
from tinygrad_dl.inputs import array, drawn, error, one_of, real
from tinygrad_dl.ops.indexing._batched import batched_index, is_mask
from tinygrad_dl.ops.indexing._index import (
    BASIC,
    Index,
    brought_to,
    integers_first,
    is_picks,
    plain_index,
    plain_parts,
    positions,
)

TWICE = np.array([1, 1])


def some_index(rng: np.random.Generator, input: np.ndarray) -> Any:
    """A basic index that fits the array."""
    parts: list[Any] = []
    for size in input.shape[: int(rng.integers(input.ndim + 1))]:
        low, high = sorted(rng.integers(-size - 1, size + 2, 2).tolist())
        slices = [slice(None), slice(low, high), slice(None, None, -1), slice(low, None, 2)]
        integer = int(rng.integers(-size, size)) if size else slice(None)
        parts.append([integer, *slices][int(rng.integers(5))])
    if rng.random() < 0.3:
        parts.insert(int(rng.integers(len(parts) + 1)), None)
    if rng.random() < 0.3:
        parts.append(...)
    return tuple(parts)


@op(
    linear=("input",),
    method=False,
    view=True,
    inputs=[dict(input=real(), index=drawn(some_index)), dict(input=real(min_dims=1), index=one_of(slice(1, None)))],
    errors=[
        error(IndexError, "index 2 is out of bounds", array(2, 3), 2),
        error(IndexError, "too many indices", array(2), (0, 0)),
    ],
    reference=lambda input, index: input[index],
)
def getitem(input: Array, index: Index) -> Array:
    """input[index] for an index of integers, slices, None and `...`. A view.

    Raises:
        IndexError: an integer is out of range, or there are more parts than dimensions.

    >>> import tinygrad_dl as td
    >>> td.tensor([[1.0, 2.0], [3.0, 4.0]])[:, 1]
    tensor([2., 4.])

    Source: https://numpy.org/doc/stable/user/basics.indexing.html
    """
    out = input[index]
    if type(out) is not ndarray and type(input) is ndarray:  # a number: with `...` NumPy gives a 0-d view
        out = input[(*index, ...) if type(index) is tuple else (index, ...)]
    return out


@op(
    linear=("input",),
    namespace="rules",
    exact=True,
    inputs=dict(
        input=real(shape="2 m"),
        index=one_of((slice(None, None, 2),)),
        size=drawn(lambda rng, input: (3, input.shape[1])),
    ),
    reference=lambda input, index, size: np.insert(input, 1, 0, axis=0),
)
def place(input: Array, index: Index, size: tuple[int, ...]) -> Array:
    """Zeros of shape `size` with `input` at `index`: the gradient of `getitem`.

    >>> import numpy as np
    >>> place(np.ones(2), slice(1, 3), (4,))
    tensor([0., 1., 1., 0.], dtype=float64)
    """
    out = module_of(input).zeros(size, input.dtype)
    out[index] = input
    return out


getitem.vjp(input=lambda g, input_shape, index: place.generic(g, index, input_shape))


@getitem.vmap
def _getitem_batch(input: Any, index: Any) -> Any:
    return getitem(input, (slice(None), *(index if type(index) is tuple else (index,))))


place.vjp(input=lambda g, index: g[index])


@place.vmap
def _place_batch(input: Any, index: Any, size: Any, batch: Batch) -> Any:
    return place(input, (slice(None), *(index if type(index) is tuple else (index,))), (batch.size, *size))


@op(
    linear=("input",),
    name="index",
    method=False,
    exact=True,
    inputs=[
        dict(input=real(shape="3 m"), index=one_of(np.array([0, -1, 0]), np.array([[1], [2]]), np.zeros(0, int))),
        dict(input=real(shape="3 4 m"), index=one_of((TWICE, np.array([-1, 3])), (slice(1), TWICE))),
        dict(input=real(shape="3 4"), index=one_of((TWICE, None, slice(1, 3)), (..., np.array([True, False] * 2)))),
        dict(input=real(), index=drawn(lambda rng, input: np.asarray(rng.random(input.shape) < 0.5))),
    ],
    errors=[
        error(IndexError, "index 2 is out of bounds", array(2, 3), np.array([0, 2])),
        error(IndexError, "boolean index did not match", array(2, 3), np.ones(3, bool)),
    ],
    reference=lambda input, index: input[index],
)
def index_(input: Array, index: Index) -> Array:
    """input[index] for an index with integer arrays or masks in it. A copy.

    >>> import tinygrad_dl as td
    >>> td.tensor([1.0, 2.0, 3.0])[[2, 0, 0]]
    tensor([3., 1., 1.])

    Source: https://numpy.org/doc/stable/user/basics.indexing.html
    """
    if type(index) is not tuple or not _falls(input.strides):
        return input[index]
    # As in PyTorch the result lies in memory as the input does; NumPy puts what was picked first.
    if (
        input.flags.c_contiguous
        and is_picks(index[-1])
        and all(type(part) is slice and part == WHOLE for part in index[:-1])
    ):
        return input.take(index[-1], len(index) - 1)
    return contiguous(input[index])


WHOLE = slice(None)


def _falls(strides: tuple[int, ...]) -> bool:
    """Whether the last dimension is the one whose elements lie closest, the one before it next, and so on."""
    return all(a >= b for a, b in itertools.pairwise(strides))


@op(
    linear=("input",),
    namespace="rules",
    inputs=[
        dict(
            input=real(shape="3 m"),
            index=one_of(np.array([0, -1, 0])),
            size=drawn(lambda rng, input: (2, input.shape[1])),
        ),
        dict(input=real(shape="2 2"), index=one_of((slice(None), TWICE)), size=one_of((2, 4))),
        dict(input=real(shape="2"), index=one_of((TWICE, 1), (TWICE, ..., 1)), size=one_of((2, 2))),
    ],
    reference=lambda input, index, size: _naive_accumulate(input, index, size),
)
def accumulate(input: Array, index: Index, size: tuple[int, ...]) -> Array:
    """Zeros of shape `size` with `input` added at `index`, repeatedly where indices repeat: the gradient of `index`.

    >>> import numpy as np
    >>> accumulate(np.ones(3), np.array([1, 1, 0]), (4,))
    tensor([1., 2., 0., 0.], dtype=float64)
    """
    out = module_of(input).zeros(size, input.dtype)
    parts = index if type(index) is tuple else (index,)
    if sum([is_array(part) for part in parts]) == 1 and any(is_mask(part) for part in parts):
        out[index] = input  # a single mask picks nothing twice
    elif input.size:
        # NumPy's add.at is fast in one dimension only.
        add_at(out.reshape(-1), positions(parts, size).reshape(-1), input.reshape(-1))
    return out


index_.vjp(input=lambda g, input_shape, index: accumulate.generic(g, index, input_shape))


@index_.vmap
def _index_batch(input: Any, index: Any, batch: Batch) -> Any:
    plan = batched_index(index, input.ndim - ("input" in batch.of), batch)
    return every(input, "input", batch)[plan.parts].movedim(plan.found, plan.wanted)


accumulate.vjp(input=lambda g, index: g[index])


@accumulate.vmap
def _accumulate_batch(input: Any, index: Any, size: Any, batch: Batch) -> Any:
    plan = batched_index(index, len(size), batch)
    values = every(input, "input", batch).movedim(plan.wanted, plan.found)
    return accumulate(values, plain_parts(plan.parts), (batch.size, *size))


def _naive_accumulate(input: np.ndarray, index: Any, size: tuple[int, ...]) -> np.ndarray:
    """`accumulate` by NumPy, to test against."""
    out = np.zeros(size, input.dtype)
    np.add.at(out, index, input)
    return out


def take_item(self: Tensor, index: Any) -> Any:
    """self[index]."""
    kind = type(index)
    if kind in BASIC:
        return getitem(self, index)
    index, basic = plain_index(index, self.ndim)
    if basic:
        return getitem(self, index)
    index = brought_to(self, index)
    split = integers_first(index)
    if any(isinstance(part, Lifted) for part in (index if type(index) is tuple else (index,))):
        picked, rest = (self, index) if split is None else (getitem(self, split[0]), split[1])
        return applied(index_.op, {"input": picked, "index": rest})
    return index_(self, index) if split is None else index_(getitem(self, split[0]), split[1])


for _name, _method in {"__getitem__": take_item}.items():
    attach(_name, _method)
