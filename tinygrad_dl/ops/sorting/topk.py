"""topk and kthvalue. NaN counts as larger than every number, as in PyTorch."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.backends.blocks import in_blocks
from tinygrad_dl.backends.transposing import along_rows
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops.indexing.gather import grid
from tinygrad_dl.ops.reduction.extrema import of_chosen
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.sorting._order import order
from tinygrad_dl.ops.sorting._ranks import back, behind, places
from tinygrad_dl.ops.sorting.sort import Sorted, _naive_sort, from_their_places, picked, to_their_places


@op(
    kind="scan",
    outputs=Sorted,
    real=True,
    inputs=[
        dict(input=real(shape="n", distinct=True, min_side=1), k=one_of(1), dim=one_of(0, -1)),
        dict(input=real(shape="n 4", distinct=True), k=one_of(0, 2, 4), largest=one_of(True, False)),
        dict(input=real(shape="70 n", distinct=True), k=one_of(3), dim=one_of(0), largest=one_of(True, False)),
    ],
    errors=[error(ValueError, "k between 0 and 3", array(2, 3), 4)],
    reference=lambda input, k, dim=-1, largest=True, sorted=True: _naive_topk(input, k, dim, largest),
)
def topk(input: Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The `k` largest (or smallest) elements along `dim`, in order, and their indices.

    Returns:
        A named tuple (values, indices). Of equal elements at the edge, any may be chosen.

    Raises:
        ValueError: there are fewer than `k` elements.

    >>> td.tensor([1.0, 5.0, 3.0]).topk(2)
    Sorted(values=tensor([5., 3.]), indices=tensor([1, 2]))
    """
    dim = normal_dim(dim, input.ndim)
    size = input.shape[dim] if input.ndim else 1
    if not 0 <= k <= size:
        raise ValueError(f"topk: expected k between 0 and {size}, the size of dim {dim}, got {k}")
    first = (*(slice(None),) * dim, slice(k))
    if 0 < k < size // 8 and size > 64:  # worth to set the k apart before sorting them
        best = set_apart(input, k, dim, largest)
        inner = order(picked(input, best, dim), dim, largest)
        indices = best[grid(inner, dim)]
    else:
        indices = order(input, dim, largest)
        indices = indices[first] if input.ndim else indices
    return Sorted(picked(input, indices, dim), indices)


def set_apart(input: Any, k: int, dim: int, largest: bool) -> Any:
    """The indices of the `k` largest or smallest elements along `dim`, in any order."""
    if type(input) is not np.ndarray:
        apart = np.argpartition(input, input.shape[dim] - k if largest else k - 1, dim)
        return np.take(apart, module_of(input).arange(k) + (input.shape[dim] - k if largest else 0), axis=dim)
    rows = along_rows(input, dim)
    size = rows.shape[-1]
    flat, chosen = rows.reshape(-1, size), slice(size - k, None) if largest else slice(k)
    best = np.empty((len(flat), k), np.int64)

    def some(start: int, stop: int) -> None:
        best[start:stop] = flat[start:stop].argpartition(size - k if largest else k - 1, -1)[:, chosen]

    in_blocks(some, *flat.shape)
    return np.moveaxis(best.reshape(*rows.shape[:-1], k), -1, dim)


topk.vjp(input=lambda g, input_shape, indices, dim: to_their_places(g, input_shape, indices, dim))
topk.jvp(input=lambda t, indices, dim: from_their_places(t, indices, dim))


def _naive_topk(input: np.ndarray, k: int, dim: int, largest: bool) -> Sorted:
    """`topk` of distinct elements by NumPy, to test against."""
    values, indices = _naive_sort(input, dim, largest)
    return Sorted(np.take(values, range(k), dim), np.take(indices, range(k), dim))


@op(
    kind="scan",
    outputs=Sorted,
    real=True,
    inputs=dict(
        input=real(shape="n 3", distinct=True), k=one_of(1, 2, 3), dim=one_of(1, -1), keepdim=one_of(False, True)
    ),
    errors=[error(ValueError, "k between 1 and 3", array(2, 3), 4), error(ValueError, "k between", array(2, 3), 0)],
    reference=lambda input, k, dim=-1, keepdim=False: _naive_kth(input, k, dim, keepdim),
)
def kthvalue(input: Array, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest element along `dim` (the first is k=1), and its index.

    Returns:
        A named tuple (values, indices), without that dimension unless `keepdim`.

    >>> td.tensor([5.0, 1.0, 3.0]).kthvalue(2)
    Sorted(values=tensor(3.), indices=tensor(2))
    """
    dim, k = normal_dim(dim, input.ndim), operator.index(k)
    size = input.shape[dim] if input.ndim else 1
    if not 1 <= k <= size:
        raise ValueError(f"kthvalue: expected k between 1 and {size}, the size of dim {dim}, got {k}")
    if not input.ndim:
        return Sorted(input.copy(), module_of(input).zeros((), np.int64))
    indices = back(places(behind(input, dim), [k - 1]), dim)
    values = picked(input, indices, dim)
    return Sorted(values, indices) if keepdim else Sorted(values.squeeze(dim), indices.squeeze(dim))


def _kth_rule(g: Any, input_shape: tuple[int, ...], indices: Any, dim: int, keepdim: bool) -> Any:
    if not keepdim and input_shape:
        g, indices = [np.expand_dims(g[0], dim)], np.expand_dims(indices, dim)
    return to_their_places(g, input_shape, indices, dim)


kthvalue.vjp(input=_kth_rule)
kthvalue.jvp(input=lambda t, indices, dim, keepdim: of_chosen(t, indices, dim, keepdim))


def _naive_kth(input: np.ndarray, k: int, dim: int, keepdim: bool) -> Sorted:
    """`kthvalue` of distinct elements by NumPy, to test against."""
    found = [np.take(each, [k - 1], dim) for each in _naive_sort(input, dim, False)]
    return Sorted(*found) if keepdim else Sorted(*(each.squeeze(dim) for each in found))
