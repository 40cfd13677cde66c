"""Several tensors into one: cat, stack and the functions made of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core import promotion
from tinygrad_dl.core.batching import inner
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, Arrays, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, error, one_of, real, reals
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.shape.expand import meshgrid
from tinygrad_dl.ops.shape.reshape import atleast_1d, atleast_2d, atleast_3d, reshape


def common(tensors: list[Any]) -> list[Any]:
    """The arrays in the dtype that PyTorch's promotion gives them."""
    first = tensors[0].dtype
    for each in tensors:
        if each.dtype is not first:
            dtype = promotion.result_dtype(tuple(tensors))
            return [np.asarray(a, dtype) for a in tensors]
    return tensors


def along(dim: int, index: Any) -> tuple[Any, ...]:
    """The index that applies `index` to dimension `dim` (counted from the front)."""
    return (*(slice(None),) * dim, index)


@op(
    np.concatenate,
    linear=("tensors",),
    method=False,
    exact=True,
    inputs=[dict(tensors=reals(real(shape="n m")), dim=one_of(0, 1, -1)), dict(tensors=reals(real(shape="n")))],
    errors=[error(ValueError, "cat", [array(2, 3), array(2, 4)], 0), error(ValueError, "at least one", [])],
    reference=lambda tensors, dim=0: np.concatenate(tensors, dim),
)
def cat(tensors: Arrays, dim: int = 0) -> Array:
    """The tensors one after the other along dimension `dim`; all other sizes are equal.

    1-D tensors without elements are skipped, as in PyTorch.

    Raises:
        ValueError: no tensors, or their other sizes differ.

    >>> td.cat([td.tensor([1.0, 2.0]), td.tensor([3.0])])
    tensor([1., 2., 3.])
    """
    if not tensors:
        raise ValueError("cat: expected at least one tensor, got an empty list")
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
            parts.append(module_of(g).zeros(shape, g.dtype))
            continue
        parts.append(g[along(dim, slice(start, start + shape[dim]))])
        start += shape[dim]
    return parts


cat.vjp(tensors=_cat_rule)


@cat.vmap
def _cat_batch(tensors: Any, dim: int) -> Any:
    ndim = max(each.ndim for each in tensors) - 1
    kept = [each for each in tensors if each.ndim - 1 == ndim or each.shape[1:] != (0,)]  # PyTorch skips empty ones
    return cat(kept, inner(dim, ndim))


concat = concatenate = cat
_of_rows = NUMPY[np.concatenate]


def _np_concatenate(tensors: Any, dim: int | None = 0) -> Any:
    """np.concatenate: of flattened tensors, for no dimension."""
    return _of_rows(tensors, dim) if dim is not None else cat([reshape(each, -1) for each in tensors], 0)


NUMPY[np.concatenate] = _np_concatenate


@op(
    np.stack,
    linear=("tensors",),
    method=False,
    exact=True,
    inputs=dict(tensors=reals(real(shape="n m")), dim=one_of(0, 1, 2, -1, -3)),
    errors=[error(ValueError, "same shape", [array(2), array(3)]), error(ValueError, "at least one", [])],
    reference=lambda tensors, dim=0: np.stack(tensors, dim),
)
def stack(tensors: Arrays, dim: int = 0) -> Array:
    """The tensors, all of one shape, side by side along a new dimension `dim`.

    Raises:
        ValueError: no tensors, or their shapes differ.

    >>> td.stack([td.tensor([1.0, 2.0]), td.tensor([3.0, 4.0])], dim=1)
    tensor([[1., 3.],
            [2., 4.]])
    """
    if not tensors:
        raise ValueError("stack: expected at least one tensor, got an empty list")
    first = tensors[0].shape
    for each in tensors:
        if each.shape != first:
            raise ValueError(f"stack: expected tensors of the same shape, got {first} and {each.shape}")
    dim = normal_dim(dim, len(first) + 1)
    wide = (*first[:dim], 1, *first[dim:])
    return np.concatenate([each.reshape(wide) for each in common(tensors)], dim)


stack.vjp(
    tensors=lambda g, tensors_shape, dim: [g[along(normal_dim(dim, g.ndim), i)] for i in range(len(tensors_shape))]
)


@stack.vmap
def _stack_batch(tensors: Any, dim: int) -> Any:
    return stack(tensors, inner(dim, tensors[0].ndim))


def several(name: str, tensors: Sequence[Any]) -> Sequence[Any]:
    """Several tensors, if they are no single one."""
    if isinstance(tensors, Tensor):
        raise TypeError(f"{name}: got one tensor, expected a list or tuple of tensors; {name}(list(x)) joins its rows")
    return tensors


@composition
def hstack(tensors: Sequence[Any]) -> Tensor:
    """The tensors side by side: along the first dimension if they are 1-D, else along the second.

    >>> td.hstack([td.zeros(2, 1), td.ones(2, 2)]).shape
    (2, 3)
    """
    tensors = [atleast_1d(t) for t in several("hstack", tensors)]
    return cat(tensors, 0 if tensors and tensors[0].ndim == 1 else 1)


@composition
def vstack(tensors: Sequence[Any]) -> Tensor:
    """The tensors one below the other: along the first dimension, 1-D tensors as rows.

    >>> td.vstack([td.zeros(3), td.ones(2, 3)]).shape
    (3, 3)
    """
    return cat([atleast_2d(t) for t in several("vstack", tensors)], 0)


@composition
def dstack(tensors: Sequence[Any]) -> Tensor:
    """The tensors one behind the other: along the third dimension.

    >>> td.dstack([td.zeros(3), td.ones(3)]).shape
    (1, 3, 2)
    """
    return cat([atleast_3d(t) for t in several("dstack", tensors)], 2)


@composition
def column_stack(tensors: Sequence[Any]) -> Tensor:
    """The tensors side by side, 1-D ones as columns.

    >>> td.column_stack([td.zeros(3), td.ones(3, 2)]).shape
    (3, 3)
    """
    columns = [t.reshape(-1, 1) if t.ndim < 2 else t for t in several("column_stack", tensors)]
    return cat(columns, 1)


row_stack = vstack
for _function, _numpy in (
    (hstack, np.hstack),
    (vstack, np.vstack),
    (dstack, np.dstack),
    (column_stack, np.column_stack),
):
    NUMPY[_numpy] = lambda tup, _function=_function: _function(list(tup))


@composition
def cartesian_prod(*tensors: Any) -> Tensor:
    """All choices of one element of each of several 1-D tensors, one a row; of one tensor, the tensor itself.

    Raises:
        ValueError: a tensor is not 1-D, or there is none.

    >>> td.cartesian_prod(td.tensor([1, 2]), td.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
    """
    if not tensors or any(each.ndim != 1 for each in tensors):
        raise ValueError(f"cartesian_prod: expected 1-D tensors, got shapes {[each.shape for each in tensors]}")
    grids = tensors if len(tensors) == 1 else [reshape(grid, -1) for grid in meshgrid(*tensors)]
    found: Tensor = grids[0] if len(grids) == 1 else stack(grids, 1)
    return found


@composition
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of `r` elements of a 1-D tensor, in the order of the elements, one a row.

    Args:
        r: how many.
        with_replacement: whether an element may be chosen again.

    Returns:
        (count, r); (0,) for r = 0.

    Raises:
        RuntimeError: another number of dimensions, or a negative r.

    >>> td.combinations(td.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    if input.ndim != 1:
        raise RuntimeError(f"combinations: expected a 1-D tensor, got shape {tuple(input.shape)}")
    if r < 0:
        raise RuntimeError(f"combinations: expected r of 0 or more, got {r}")
    if not r:
        return input.new_empty((0,))
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = np.array([*choose(range(input.shape[0]), r)], np.intp)
    found: Tensor = input[places.reshape(-1, r)]
    return found
