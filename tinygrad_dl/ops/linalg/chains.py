"""Products of vectors and of chains of matrices, and Vandermonde's matrices, under the names of torch.linalg."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import ones
from tinygrad_dl.ops.indexing import diagonal as indexing
from tinygrad_dl.ops.linalg.products import matmul
from tinygrad_dl.ops.reduction import sum as sums
from tinygrad_dl.ops.reduction.cumulative import cumprod
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.shape.joining import cat


@composition
def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross products of vectors of 3 elements along a dimension.

    Args:
        input, other: tensors that broadcast, with as many dimensions.
        dim: of size 3.

    Raises:
        ValueError: the dimensions are not as many, or not of size 3.

    >>> td.linalg.cross(td.tensor([1.0, 0.0, 0.0]), td.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    if input.ndim != other.ndim:
        raise ValueError(f"cross: got shapes {input.shape} and {other.shape}, expected as many dimensions")
    dim = normal_dim(dim, input.ndim)
    if input.shape[dim] != 3 or other.shape[dim] != 3:
        raise ValueError(
            f"cross: got shapes {input.shape} and {other.shape} along dimension {dim}, expected the size 3 there"
        )
    # The elements of (a_1, a_2, a_0) times those of (b_2, b_0, b_1), less the same the other way round.
    found: Tensor = input.roll(-1, dim) * other.roll(-2, dim) - input.roll(-2, dim) * other.roll(-1, dim)
    return found


@composition
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The sums of conj(x) * y along a dimension; the others broadcast.

    Raises:
        TypeError: the tensors are neither floating nor complex.

    >>> td.linalg.vecdot(td.tensor([[1.0, 2.0], [3.0, 4.0]]), td.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    for each in (x, y):
        if each.dtype.kind in "biu":
            raise TypeError(f"vecdot: got dtype {each.dtype}, expected floating or complex tensors; use (x * y).sum()")
    return sums.sum(x.conj() * y, dim)


@composition
def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices (..., n, m), as a view: `td.diagonal` of the last two dimensions.

    >>> td.linalg.diagonal(td.tensor([[[1, 2], [3, 4]]]))
    tensor([[1, 4]])
    """
    return indexing.diagonal(A, offset, dim1, dim2)


@composition
def vander(x: Tensor, N: int | None = None) -> Tensor:
    """Vandermonde's matrices of vectors (..., n): the powers of their elements from the 0th on, (..., n, N).

    Args:
        N: how many powers, 2 or more; by default n.

    Raises:
        ValueError: N is below 2.

    >>> td.linalg.vander(td.tensor([1, 2, 3]))
    tensor([[1, 1, 1],
            [1, 2, 4],
            [1, 3, 9]])
    """
    if not x.ndim:  # of one element
        x = x[None]
    if N is not None and N < 2:
        raise ValueError(f"vander: got N={N}, expected 2 or more")
    return powers(x, x.shape[-1] if N is None else N)


def powers(x: Tensor, count: int) -> Tensor:
    """x**0, x**1, ... in a last dimension."""
    if x.dtype.kind in "biu":
        x = x.long()
    first = ones(*x.shape, min(count, 1), dtype=x.dtype)
    if count < 2:
        return first
    return cat([first, cumprod(x[..., None].expand(*x.shape, count - 1), -1)], -1)


def _order(sizes: Sequence[int]) -> dict[tuple[int, int], int]:
    """Where to part each piece of a chain of matrices, sizes[i] x sizes[i + 1], for the fewest multiplications."""
    n = len(sizes) - 1
    cost = {(i, i): 0 for i in range(n)}
    parted = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            costs = [cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1] for k in range(i, j)]
            cost[i, j] = min(costs)
            parted[i, j] = i + costs.index(cost[i, j])
    return parted


@composition
def multi_dot(tensors: Any) -> Tensor:
    """The product of two or more matrices, in the order that needs the fewest multiplications.

    Args:
        tensors: matrices whose sizes follow each other; the first may be a vector, which counts as a row, and the last
            one, which counts as a column.

    Raises:
        ValueError: fewer than two, or shapes that do not fit. TypeError: their dtypes differ.

    >>> td.linalg.multi_dot([td.ones(2, 3), td.ones(3, 4), td.ones(4)])
    tensor([12., 12.])
    """
    tensors = list(tensors)
    if len(tensors) < 2:
        raise ValueError(f"multi_dot: got {len(tensors)} tensors, expected 2 or more")
    shapes = [tuple(each.shape) for each in tensors]
    dims = [len(shape) for shape in shapes]
    if not (set(dims[1:-1]) <= {2} and {dims[0], dims[-1]} <= {1, 2}):
        raise ValueError(f"multi_dot: got shapes {shapes}, expected matrices, with vectors at the ends at most")
    if len({each.dtype for each in tensors}) > 1:
        raise TypeError(f"multi_dot: got dtypes {[str(each.dtype) for each in tensors]}, expected one")
    if any(a[-1] != b[0] for a, b in itertools.pairwise(shapes)):
        raise ValueError(f"multi_dot: got shapes {shapes}, expected each as many rows as the one before has columns")
    sizes = [shapes[0][0] if dims[0] == 2 else 1, *(shape[0] for shape in shapes[1:])]
    parted = _order([*sizes, shapes[-1][1] if dims[-1] == 2 else 1])

    def product(i: int, j: int) -> Tensor:
        if i == j:
            return tensors[i]  # type: ignore[no-any-return]
        return matmul(product(i, parted[i, j]), product(parted[i, j] + 1, j))

    return product(0, len(tensors) - 1)


NUMPY[np.linalg.multi_dot] = lambda arrays: multi_dot(arrays)
