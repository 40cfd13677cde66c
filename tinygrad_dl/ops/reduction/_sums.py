"""What reductions share: their dimensions, and fast sums and maxima of arrays."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of, reduce
from tinygrad_dl.backends.gemm import product
from tinygrad_dl.inputs import array, axes_of, error, one_of
from tinygrad_dl.ops.shape._dims import normal_dim

# The ufuncs' own reductions, which spare the calls that np.sum and its like make on the way to them.
ADD: Any = np.add.reduce

LARGEST: Any = np.maximum.reduce

# Of longer rows sums are made pairwise: in a product of float32 the error grows with the length.
WIDE = 2**14

SMALLEST: Any = np.minimum.reduce

ANY: Any = np.logical_or.reduce

ALL: Any = np.logical_and.reduce

OVER = {"dim": axes_of("input"), "keepdim": one_of(False, True)}


def over(dim: Any, ndim: int) -> Any:
    """The dimensions to reduce, as NumPy takes them: no dimensions are all in PyTorch, and 0-d tensors have 0 and -1.

    >>> over([0, 1], 2), over((), 2), over((0,), 0)
    ((0, 1), None, None)
    """
    if type(dim) is list:
        dim = tuple(dim)
    if type(dim) is not tuple or (dim and ndim):
        return dim
    for each in dim:
        normal_dim(each, ndim)
    if len(dim) > 1:
        raise ValueError(f"got the dimensions {dim}, expected different ones: a 0-d tensor has 0 and -1 for the same")
    return None


def kept(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """A reduced array with its reduced dimensions back, of size 1."""
    if keepdim or dim is None or not shape:
        return g
    sizes = list(shape)
    try:
        sizes[dim] = 1
    except TypeError:
        if not len(dim):
            return g  # no dimensions are all of them, see `over`
        for each in dim:
            sizes[each] = 1
    return g.reshape(tuple(sizes))


def broadcast_back(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """expand(g, shape) if dim is None or keepdim or not isinstance(dim, int) and len(dim) == len(shape) else
    expand(unsqueeze(g, dim if isinstance(dim, int) else dim[0]), shape) if isinstance(dim, int) or len(dim) == 1
    else None.

    A reduced array, repeated along the reduced dimensions; takes no memory.
    """
    g = kept(g, shape, dim, keepdim)
    if isinstance(g, np.generic):
        g = np.asarray(g)
    if type(g) is np.ndarray and g.flags.c_contiguous:  # what broadcast_to does, in a tenth of the time
        if g.ndim:
            strides = [0 if have != want else step for have, want, step in zip(g.shape, shape, g.strides, strict=True)]
        else:
            strides = [0] * len(shape)
        wide = np.ndarray(shape, g.dtype, g, 0, strides)
        wide.flags.writeable = False  # its elements share memory
        return wide
    return np.broadcast_to(g, shape)


@functools.lru_cache(maxsize=64)
def ones(count: int, dtype: Any) -> np.ndarray:
    """A vector of ones, made once; nothing may write to it."""
    made = np.ones(count, dtype)
    made.flags.writeable = False
    return made


def sum_of_rows(x: Any) -> Any:
    """The sum over the first of two dimensions, as a product with ones."""
    return product(ones(x.shape[0], x.dtype), x) if module_of(x) is np else np.sum(x, axis=0)


MANY = 512  # elements, below which NumPy's own reductions take less time


def is_rows(x: np.ndarray, dim: Any) -> bool:
    """Whether `dim` is the last dimension, whose rows are pieces of memory: for many of those there are faster ways."""
    return (
        x.size >= MANY
        and type(x) is np.ndarray
        and dim in (-1, x.ndim - 1)
        and x.dtype.char in "fd"
        and x.strides[-1] == x.itemsize
    )


def largest(x: np.ndarray, dim: Any, keepdim: bool) -> Any:
    """The largest elements. Of rows by their places, which NumPy finds several times as fast as the values."""
    if not is_rows(x, dim) or not x.flags.c_contiguous:
        return reduce(np.maximum, x, dim, keepdim)
    places = x.reshape(-1, x.shape[-1]).argmax(1)
    places += np.arange(0, x.size, x.shape[-1])
    return x.reshape(-1).take(places).reshape((*x.shape[:-1], 1) if keepdim else x.shape[:-1])


def dot_rows(a: Any, b: Any, dim: Any) -> Any:
    """The sum of a * b along a dimension, which is kept; of rows without the product in between."""
    if type(a) is type(b) is np.ndarray and a.shape == b.shape and is_rows(a, dim) and is_rows(b, dim):
        return _dots(a, b)[..., None]
    return ADD(a * b, axis=dim, keepdims=True)


def _dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The inner products of rows; long ones in pieces, so that rounding errors stay as small as in NumPy's sums."""
    pieces = a.shape[-1] // ROW
    total: np.ndarray
    if pieces < 4:
        total = np.vecdot(a, b)
        return total
    whole = pieces * ROW
    parts = [x[..., :whole].reshape(*x.shape[:-1], pieces, ROW) for x in (a, b)]
    total = ADD(np.vecdot(*parts), -1)
    return total if whole == a.shape[-1] else total + np.vecdot(a[..., whole:], b[..., whole:])


# Rows, and arrays this large, are summed as a product with ones, which BLAS does several times faster than NumPy's sum;
# long ones are cut into rows of this length, so that rounding errors stay as small as NumPy's.
ROW, LARGE, LONG = 1024, 32768, 32


def add_up(x: np.ndarray, dim: Any, keepdim: bool) -> Any:
    """The sum of a floating array, or inside of a transform of a tensor."""
    if type(x) is not np.ndarray:
        return np.sum(x, dim, keepdims=keepdim)
    if is_rows(x, dim) and (x.shape[-1] >= LONG or x.flags.c_contiguous):
        one = ones(x.shape[-1], x.dtype)
        # Long rows one by one: as fast.
        total = _dots(x, one) if x.shape[-1] >= LONG else product(x.reshape(-1, x.shape[-1]), one)
        return total.reshape((*x.shape[:-1], 1) if keepdim else x.shape[:-1])
    if dim is None and x.size >= LARGE and x.dtype.char in "fd" and x.flags.c_contiguous:
        flat = x.reshape(-1)
        whole = len(flat) // ROW * ROW
        rows = product(flat[:whole].reshape(-1, ROW), ones(ROW, x.dtype))
        total = ADD(rows) + ADD(flat[whole:])
        return np.asarray(total).reshape((1,) * x.ndim) if keepdim else total
    return ADD(x, dim, None, None, keepdim)


def count(shape: tuple[int, ...], lengths: tuple[int, ...]) -> int:
    """How many elements went into each element of a reduced array."""
    return math.prod(shape) // max(1, math.prod(lengths))


INTEGERS = [error(TypeError, "expected a floating dtype", array(2, dtype="int64"))]


def require_floating(dtype: Any) -> None:
    """Refuses integers, which have no mean among themselves."""
    if dtype.kind in "biu":
        raise TypeError(f"expected a floating dtype, got {dtype}; call .float() first")
