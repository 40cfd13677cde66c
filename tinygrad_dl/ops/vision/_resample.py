"""Weighted sums along dimensions: average pooling, interpolation, and their gradients, the same turned round.

A `Resampling` has one linear map for each of the last dimensions, and a factor. Going down it makes the result from the
input; going up, transposed, the input's gradient from the result's.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand, like, module_of
from tinygrad_dl.backends.gemm import product
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, drawn, error, one_of
from tinygrad_dl.ops.pointwise._selection import finite
from tinygrad_dl.ops.pooling._windows import Axis, in_blocks, sliding, sweep
from tinygrad_dl.ops.reduction._sums import ones


class Sums:
    """The sum of each window of a dimension."""

    def __init__(self, axis: Axis):
        self.axis, self.size, self.count = axis, axis.size, axis.windows

    def down(self, x: Any, dim: int) -> Any:
        return sweep(x, dim, self.axis, np.add, 0)

    def up(self, g: Any, dim: int) -> Any:
        after, shape = (slice(None),) * (-1 - dim), list(g.shape)
        shape[dim] = self.size
        tiles = self.axis.tiles
        gx = module_of(g).empty(shape, g.dtype) if tiles else module_of(g).zeros(shape, g.dtype)
        for to, of in self.axis.parts:
            if tiles:
                gx[(..., of, *after)] = g[(..., to, *after)]
            else:
                gx[(..., of, *after)] += g[(..., to, *after)]
        return gx

    def dense(self) -> Any:
        """The map as a matrix, (count, size)."""
        matrix = np.zeros((self.count, self.size))
        for to, of in self.axis.parts:
            matrix[range(self.count)[to], range(self.size)[of]] += 1
        return matrix


class Choice:
    """The elements at given places, which do not decrease."""

    def __init__(self, size: int, index: Any):
        self.size, self.count, self.index = size, len(index), index
        self.present, self.firsts = np.unique(index, return_index=True)

    def down(self, x: Any, dim: int) -> Any:
        return x.take(like(self.index, x), dim)

    def up(self, g: Any, dim: int) -> Any:
        shape = list(g.shape)
        shape[dim] = self.size
        gx = module_of(g).zeros(shape, g.dtype)
        to: tuple[Any, ...] = (..., like(self.present, g), *(slice(None),) * (-1 - dim))
        gx[to] = np.add.reduceat(g, like(self.firsts, g), dim)
        return gx

    def dense(self) -> Any:
        """The map as a matrix, (count, size)."""
        return np.eye(self.size)[self.index]


class Repeats:
    """Each element so many times: the sums of windows turned round."""

    def __init__(self, size: int, times: int):
        self.sums = Sums(sliding(size * times, times, times, 0, 1, False))
        self.size, self.count = size, size * times

    def down(self, x: Any, dim: int) -> Any:
        return self.sums.up(x, dim)

    def up(self, g: Any, dim: int) -> Any:
        return self.sums.down(g, dim)

    def dense(self) -> Any:
        """The map as a matrix, (count, size)."""
        return self.sums.dense().T


class Product:
    """The product with a matrix, (count, size), of which only the columns `seen` are kept if others are zeros."""

    def __init__(self, matrix: Any, size: int | None = None, seen: Any = None):
        self.count, self.size = len(matrix), matrix.shape[1] if size is None else size
        self.matrices, self.seen = {matrix.dtype: matrix}, seen

    @classmethod
    def of(cls, size: int, index: Any, weights: Any) -> Product:
        """The map whose results are sums of the elements at `index`, (count, k), times the weights of that shape."""
        seen, places = np.unique(index, return_inverse=True)
        matrix = np.zeros((len(index), len(seen)))
        np.add.at(matrix, (np.arange(len(index))[:, None], places.reshape(index.shape)), weights)
        return cls(matrix, size, None if len(seen) == size else seen)

    def down(self, x: Any, dim: int) -> Any:
        return apart(self._in(x.dtype, module_of(x)), x if self.seen is None else x.take(like(self.seen, x), dim), dim)

    def up(self, g: Any, dim: int) -> Any:
        found = apart(self._in(g.dtype, module_of(g)).T, g, dim)
        if self.seen is None:
            return found
        shape = list(g.shape)
        shape[dim] = self.size
        gx = module_of(g).zeros(shape, g.dtype)
        gx[(..., like(self.seen, g), *(slice(None),) * (-1 - dim))] = found
        return gx

    def down_in_bytes(self, x: Any, dim: int) -> Any:
        """`down` of uint8, as PyTorch and Pillow compute it: of weights of 15 bits, and rounded."""
        if np.uint8 not in self.matrices:
            matrix = self._in(np.dtype(np.float64))
            bits = min(22, int(np.ceil(np.log2((2**15 - 0.5) / matrix.max()))) - 1)
            whole = np.trunc(matrix * 2**bits + np.copysign(0.5, matrix))
            # Nothing is rounded in the product: sums of whole numbers below 2**24, else 2**53, are exact.
            exact = np.float32 if 255 * np.abs(whole).sum(1).max() < 2**24 else np.float64
            self.matrices[np.uint8] = (whole / 2**bits).astype(exact)
        matrix = self.matrices[np.uint8]
        x = x if self.seen is None else x.take(self.seen, dim)
        means = _along(matrix, x.astype(matrix.dtype), dim)
        means += 0.5
        return np.clip(np.floor(means, out=means), 0, 255, out=means).astype(np.uint8)

    def _in(self, dtype: Any, module: Any = np) -> Any:
        key = dtype if module is np else (dtype, module.__name__)
        found = self.matrices.get(key)
        if found is None:
            found = next(iter(self.matrices.values())).astype(dtype)
            self.matrices[key] = found = found if module is np else module.asarray(found)
        return found

    def dense(self) -> Any:
        """The map as a matrix, (count, size)."""
        matrix = next(iter(self.matrices.values()))
        if self.seen is None:
            return matrix
        whole = np.zeros((self.count, self.size))
        whole[:, self.seen] = matrix
        return whole


def apart(matrix: Any, x: Any, dim: int) -> Any:
    """The product with the matrix along a dimension, in which an element without weight counts for nothing.

    0 times an infinity or nan is nan, so where there is one each result is made of the elements that it sees.
    """
    with np.errstate(invalid="ignore"):
        out = _along(matrix, x, dim)
    if not at_hand(out) or finite(out):
        return out
    x, out = np.moveaxis(x, dim, -1), np.moveaxis(out, dim, -1)
    for i, row in enumerate(matrix):
        seen = row.nonzero()[0]
        out[..., i] = product(x[..., seen], row[seen])
    return np.moveaxis(out, -1, dim)


def _along(matrix: Any, x: Any, dim: int) -> Any:
    count, size = matrix.shape
    if dim == -1:
        return product(x.reshape(math.prod(x.shape[:-1]), size), matrix.T).reshape(*x.shape[:-1], count)
    last = math.prod(x.shape[dim + 1 :])
    out = product(matrix, x.reshape(math.prod(x.shape[:dim]), size, last))
    return out.reshape(*x.shape[:dim], count, *x.shape[dim + 1 :])


class Resampling:
    """A linear map for each of the last dimensions, and a factor for the results: a number, or one for each."""

    def __init__(self, maps: tuple[Any, ...], factor: Any = 1.0):
        self.maps, self.dims, self.factor = maps, len(maps), factor
        self.sizes = tuple([each.size for each in maps])
        self.counts = tuple([each.count for each in maps])
        # One window over everything: a product with ones.
        self.one = all(isinstance(each, Sums) and each.axis.tiles and each.count == 1 for each in maps) and isinstance(
            factor, float
        )
        self.blocks = not any(isinstance(each, Product) for each in maps)  # the BLAS has its own threads

    def __repr__(self) -> str:
        return f"Resampling({self.sizes} -> {self.counts})"

    def scaled(self, x: Any) -> Any:
        """x times the factor, in x's dtype."""
        if isinstance(self.factor, float):
            return x if self.factor == 1 else x * self.factor
        return x * like(self.factor, x, x.dtype)


def go_down(x: Any, plan: Resampling) -> Any:
    """The results of an input."""
    lead = x.shape[: x.ndim - plan.dims]
    if plan.one:
        size = math.prod(plan.sizes)
        flat = x.reshape(math.prod(lead), size)
        sums = product(flat, ones(size, x.dtype)) if at_hand(x) else flat.sum(1)
        return plan.scaled(sums).reshape(*lead, *plan.counts)

    def work(out: Any, x: Any) -> None:
        for dim, each in enumerate(plan.maps, -plan.dims):
            x = each.down(x, dim)
        if isinstance(plan.factor, float):
            np.multiply(x, plan.factor, out=out)
        else:
            out[...] = plan.scaled(x)

    out = module_of(x).empty((*lead, *plan.counts), x.dtype)
    return _worked(work, out, x, plan)


def go_up(g: Any, plan: Resampling) -> Any:
    """The input's gradient of the results' gradient."""
    out = module_of(g).empty(g.shape[: g.ndim - plan.dims] + plan.sizes, g.dtype)
    if plan.one:
        out[...] = plan.scaled(g)
        return out

    def work(gx: Any, g: Any) -> None:
        g = plan.scaled(g)
        for dim in range(-1, -1 - plan.dims, -1):
            g = plan.maps[dim].up(g, dim)
        gx[...] = g

    return _worked(work, out, g, plan)


def _worked(work: Any, out: Any, x: Any, plan: Resampling) -> Any:
    if not x.size:
        out[...] = 0
    elif plan.blocks:
        return in_blocks(work, out, (x,), plan.dims)
    elif out.size:
        work(out, x)
    return out


def _naive(input: Any, mapping: Resampling, up: bool) -> Any:
    x = input * mapping.factor if up else input
    for dim, each in enumerate(mapping.maps, -mapping.dims):
        matrix = each.dense().T if up else each.dense()
        x = np.moveaxis(np.tensordot(matrix, x, (1, dim)), 0, dim)
    return x if up else x * mapping.factor


def _fitting(rng: Any, mapping: Resampling, up: bool) -> Any:
    return rng.uniform(-2, 2, (3, *(mapping.counts if up else mapping.sizes)))


_TWO = Resampling((Sums(sliding(6, 3, 2, 1, 1, False)), Sums(sliding(4, 2, 2, 0, 1, False))), 0.5)
_MIXED = Resampling((Choice(5, np.array([0, 0, 2, 4, 4])), Product(np.arange(6.0).reshape(2, 3))))
_WHOLE = Resampling((Sums(sliding(2, 2, 2, 0, 1, False)), Sums(sliding(3, 3, 3, 0, 1, False))), 0.5)


@op(
    kind="batched",
    linear=("input",),
    namespace="rules",
    inputs=[
        {
            "mapping": one_of(_TWO, _MIXED, _WHOLE),
            "up": one_of(False, True),
            "input": drawn(
                lambda rng, mapping, up: rng.uniform(-2, 2, (3, *(mapping.counts if up else mapping.sizes)))
            ),
        }
    ],
    errors=[error(ValueError, "resample: expected", array(2, 2), _TWO, False)],
    reference=_naive,
)
def resample(input: Array, mapping: Resampling, up: bool) -> Array:
    """The plan's results of an input or, `up`, the input's gradient of the results'."""
    wanted = mapping.counts if up else mapping.sizes
    if input.shape[-mapping.dims :] != wanted:
        raise ValueError(f"resample: expected an input whose shape ends in {wanted}, got {input.shape}")
    return go_up(input, mapping) if up else go_down(input, mapping)


resample.vjp(input=lambda g, mapping, up: resample.generic(g, mapping, not up))
