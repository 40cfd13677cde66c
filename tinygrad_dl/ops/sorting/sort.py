"""Order: sort, topk, argsort, kthvalue; and where elements are: nonzero, unique, searchsorted.

NaN counts as larger than every number, as in PyTorch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import NUMPY, Tensor, as_array, wrap
from tinygrad_dl.inputs import array, axis_of, error, one_of, real
from tinygrad_dl.ops.indexing.gather import grid
from tinygrad_dl.ops.indexing.getitem import accumulate
from tinygrad_dl.ops.shape.reshape import normal_dim


class Sorted(NamedTuple):
    """Values in order, and where each of them stood."""

    values: Any
    indices: Any


def order(input: np.ndarray, dim: int, descending: bool) -> np.ndarray:
    """The indices that sort along `dim`; equal elements stay in the order they had."""
    if not input.ndim:
        return np.zeros((), np.int64)
    found: np.ndarray
    if not descending:
        found = input.argsort(dim, kind="stable")
        return found
    # Sorting the reversed elements and reversing the result puts the large ones first, equal ones in order.
    back = (*(slice(None),) * dim, slice(None, None, -1))
    found = input[back].argsort(dim, kind="stable")[back]
    found = input.shape[dim] - 1 - found
    return found


def picked(input: np.ndarray, indices: np.ndarray, dim: int) -> np.ndarray:
    """The elements at the indices along `dim`."""
    found: np.ndarray = input[grid(indices, dim)] if input.ndim else input.copy()
    return found


def to_their_places(g: Any, input_shape: tuple[int, ...], indices: Any, dim: int) -> Any:
    """The gradient of values picked at `indices`."""
    if not input_shape:
        return g[0].reshape(())
    return accumulate.duck(g[0], grid(indices, normal_dim(dim, len(input_shape))), input_shape)


@op(
    outputs=Sorted,
    exact=True,
    real=True,
    inputs=dict(
        input=real(min_dims=1, distinct=True),
        dim=axis_of("input"),
        descending=one_of(False, True),
        stable=one_of(False, True),
    ),
    errors=[error(IndexError, "got dim 2", array(2, 3), 2)],
    reference=lambda input, dim=-1, descending=False, stable=False: _naive_sort(input, dim, descending),
)
def sort(input: Array, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """The elements in order along `dim`, and their indices. Equal elements keep their order, `stable` or not.

    Returns:
        A named tuple (values, indices).

    >>> import tinygrad_dl as td
    >>> td.tensor([2.0, 3.0, 1.0]).sort(descending=True)
    Sorted(values=tensor([3., 2., 1.]), indices=tensor([1, 0, 2]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.sort.html
    """
    dim = normal_dim(dim, input.ndim)
    indices = order(input, dim, descending)
    return Sorted(picked(input, indices, dim), indices)


sort.vjp(input=lambda g, input_shape, indices, dim: to_their_places(g, input_shape, indices, dim))


def _naive_sort(input: np.ndarray, dim: int, descending: bool) -> Sorted:
    """`sort` of distinct elements by NumPy, to test against."""
    indices = np.argsort(-input if descending else input, dim)
    return Sorted(np.take_along_axis(input, indices, dim), indices)


@op(
    outputs=Sorted,
    exact=True,
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

    >>> import tinygrad_dl as td
    >>> td.tensor([1.0, 5.0, 3.0]).topk(2)
    Sorted(values=tensor([5., 3.]), indices=tensor([1, 2]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.topk.html
    """
    dim = normal_dim(dim, input.ndim)
    size = input.shape[dim] if input.ndim else 1
    if not 0 <= k <= size:
        raise ValueError(f"topk: expected k between 0 and {size}, the size of dim {dim}, got {k}")
    first = (*(slice(None),) * dim, slice(k))
    if 0 < k < size // 8 and size > 64:  # worth to set the k apart before sorting them
        apart = input.argpartition(size - k if largest else k - 1, dim)
        best = apart[(*first[:-1], slice(size - k, None))] if largest else apart[first]
        inner = order(picked(input, best, dim), dim, largest)
        indices = best[grid(inner, dim)]
    else:
        indices = order(input, dim, largest)
        indices = indices[first] if input.ndim else indices
    return Sorted(picked(input, indices, dim), indices)


topk.vjp(input=lambda g, input_shape, indices, dim: to_their_places(g, input_shape, indices, dim))


def _naive_topk(input: np.ndarray, k: int, dim: int, largest: bool) -> Sorted:
    """`topk` of distinct elements by NumPy, to test against."""
    values, indices = _naive_sort(input, dim, largest)
    return Sorted(np.take(values, range(k), dim), np.take(indices, range(k), dim))


@op(
    differentiable=False,
    exact=True,
    real=True,
    inputs=dict(input=real(min_dims=1, distinct=True), dim=axis_of("input"), descending=one_of(False, True)),
    errors=[error(IndexError, "got dim 2", array(2, 3), 2)],
    reference=lambda input, dim=-1, descending=False, stable=False: _naive_sort(input, dim, descending).indices,
)
def argsort(input: Array, dim: int = -1, descending: bool = False, stable: bool = False) -> Array:
    """The indices that put the elements in order along `dim`. Equal elements keep their order.

    >>> import tinygrad_dl as td
    >>> td.tensor([2.0, 3.0, 1.0]).argsort()
    tensor([2, 0, 1])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.argsort.html
    """
    return order(input, normal_dim(dim, input.ndim), descending)


@composition
def msort(input: Array) -> Tensor:
    """The values in order along the first dimension.

    >>> import tinygrad_dl as td
    >>> td.msort(td.tensor([[3, 1], [2, 4]]))
    tensor([[2, 1],
            [3, 4]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.msort.html
    """
    result: Tensor = sort(input, 0).values
    return result


@op(
    outputs=Sorted,
    exact=True,
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

    >>> import tinygrad_dl as td
    >>> td.tensor([5.0, 1.0, 3.0]).kthvalue(2)
    Sorted(values=tensor(3.), indices=tensor(2))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.kthvalue.html
    """
    dim = normal_dim(dim, input.ndim)
    size = input.shape[dim] if input.ndim else 1
    if not 1 <= k <= size:
        raise ValueError(f"kthvalue: expected k between 1 and {size}, the size of dim {dim}, got {k}")
    if not input.ndim:
        return Sorted(input.copy(), np.zeros((), np.int64))
    indices = order(input, dim, False).take([k - 1], dim)
    values = picked(input, indices, dim)
    return Sorted(values, indices) if keepdim else Sorted(values.squeeze(dim), indices.squeeze(dim))


def _kth_rule(g: Any, input_shape: tuple[int, ...], indices: Any, dim: int, keepdim: bool) -> Any:
    if not keepdim and input_shape:
        g, indices = [np.expand_dims(g[0], dim)], np.expand_dims(indices, dim)
    return to_their_places(g, input_shape, indices, dim)


kthvalue.vjp(input=_kth_rule)


def _naive_kth(input: np.ndarray, k: int, dim: int, keepdim: bool) -> Sorted:
    """`kthvalue` of distinct elements by NumPy, to test against."""
    found = [np.take(each, [k - 1], dim) for each in _naive_sort(input, dim, False)]
    return Sorted(*found) if keepdim else Sorted(*(each.squeeze(dim) for each in found))


# -- where elements are ------------------------------------------------------------------------------


@composition
def nonzero(input: Array, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not zero: a tensor (count, ndim), or a tuple of one tensor a dimension.

    >>> import tinygrad_dl as td
    >>> td.tensor([[0, 7], [8, 0]]).nonzero()
    tensor([[0, 1],
            [1, 0]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nonzero.html
    """
    data = as_array(input)
    if as_tuple:
        return tuple([wrap(each) for each in np.atleast_1d(data).nonzero()])
    return wrap(np.argwhere(data))


@composition
def argwhere(input: Array) -> Tensor:
    """`nonzero`: the indices of the elements that are not zero, (count, ndim).

    >>> import tinygrad_dl as td
    >>> td.argwhere(td.tensor([0.0, 2.0, 3.0]))
    tensor([[1],
            [2]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.argwhere.html
    """
    result: Tensor = nonzero(input)
    return result


@composition
def unique(
    input: Array,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements, or slices along `dim`, in order.

    Returns:
        The tensor alone, or a tuple with, as asked for, the index among them of each element of the input, and
        how often each of them occurs. Nothing of it has a gradient.

    >>> import tinygrad_dl as td
    >>> td.tensor([3, 1, 3]).unique(return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.unique.html
    """
    data = as_array(input)
    np_unique: Any = np.unique  # its overloads know literal flags only
    found = np_unique(data, False, return_inverse, return_counts, axis=dim, equal_nan=False)
    if not isinstance(found, tuple):
        return wrap(found)
    parts = list(found)
    if return_inverse:
        parts[1] = parts[1].reshape(data.shape if dim is None else -1)
    return tuple([wrap(each) for each in parts])


@composition
def searchsorted(
    sorted_sequence: Any, input: Array, *, out_int32: bool = False, right: bool = False, side: str | None = None
) -> Tensor:
    """Where the elements of `input` would be put in to keep the last dimension of `sorted_sequence` in order.

    Before equal elements, or with `right=True` behind them. With several dimensions, row by row.

    >>> import tinygrad_dl as td
    >>> td.searchsorted(td.tensor([1, 3, 5]), td.tensor([0, 3, 9]))
    tensor([0, 1, 3])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.searchsorted.html
    """
    if side not in (None, "left", "right"):
        raise ValueError(f"searchsorted: expected side 'left' or 'right', got {side!r}")
    rows, values = as_array(sorted_sequence), as_array(input)
    where: Any = side or ("right" if right else "left")
    kind = np.int32 if out_int32 else np.int64
    if rows.ndim < 2:
        return wrap(np.asarray(np.searchsorted(rows, values, where), kind))
    if rows.shape[:-1] != values.shape[:-1]:
        raise ValueError(
            f"searchsorted: got rows of shape {rows.shape} and values of shape {values.shape}, expected the same but "
            "for the last dimension"
        )
    out = np.empty(values.shape, kind)
    for spot in np.ndindex(rows.shape[:-1]):
        out[spot] = np.searchsorted(rows[spot], values[spot], where)
    return wrap(out)


@composition
def bucketize(input: Array, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The number of the interval between `boundaries`, a sorted 1-D tensor, in which each element lies.

    >>> import tinygrad_dl as td
    >>> td.bucketize(td.tensor([0, 3, 9]), td.tensor([1, 3, 5]))
    tensor([0, 1, 3])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.bucketize.html
    """
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


for _function in (nonzero, argwhere, unique, msort):
    setattr(Tensor, _function.__name__, _function)
NUMPY[np.sort] = lambda a, axis=-1, kind=None, order=None, stable=None: (
    (sort(a.reshape(-1), 0) if axis is None else sort(a, axis)).values
)
NUMPY[np.argsort] = lambda a, axis=-1, kind=None, order=None, stable=None: (
    argsort(a.reshape(-1), 0) if axis is None else argsort(a, axis)
)
