"""Products of vectors and matrices, added to a tensor or not, and matrices that are made of vectors or of others."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.methods import inplace_form
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import zeros
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.linalg import chains
from tinygrad_dl.ops.linalg.products import matmul
from tinygrad_dl.ops.shape.joining import cat


@method
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross products of vectors of 3 elements along a dimension: see `linalg.cross`.

    Args:
        input, other: tensors that broadcast, with as many dimensions.
        dim: by default the first one of size 3.

    Raises:
        ValueError: the dimensions are not as many, or not of size 3.

    >>> td.cross(td.tensor([1.0, 0.0, 0.0]), td.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    if dim is None and input.ndim == other.ndim:
        shape = np.broadcast_shapes(input.shape, other.shape)
        if 3 not in shape:
            raise ValueError(f"cross: got shapes {input.shape} and {other.shape}, expected a dimension of size 3")
        dim = shape.index(3)
    return chains.cross(input, other, dim=-1 if dim is None else dim)


@composition
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Vandermonde's matrix of a vector (n): the powers of its elements, (n, N), from the N-1st to the 0th.

    Args:
        N: how many powers; by default n.
        increasing: whether from the 0th on.

    Raises:
        ValueError: `x` is no vector, or N is negative.

    >>> td.vander(td.tensor([1, 2, 3]))
    tensor([[1, 1, 1],
            [4, 2, 1],
            [9, 3, 1]])
    """
    if x.ndim != 1 or (N is not None and N < 0):
        raise ValueError(f"vander: got shape {x.shape} and N={N}, expected a vector (n) and 0 or more")
    found = chains.powers(x, x.shape[0] if N is None else N)
    return found if increasing else found.flip(-1)


@composition
def chain_matmul(*matrices: Any) -> Tensor:
    """The product of one or more matrices, in the order that needs the fewest multiplications; see `linalg.multi_dot`.

    Raises:
        ValueError: there is none, or shapes do not fit.

    >>> td.chain_matmul(td.ones(2, 3), td.ones(3, 1))
    tensor([[3.],
            [3.]])
    """
    if not matrices or any(each.ndim != 2 for each in matrices):
        raise ValueError(f"chain_matmul: got shapes {[each.shape for each in matrices]}, expected one matrix or more")
    only: Tensor = matrices[0]
    return chains.multi_dot(matrices) if len(matrices) > 1 else only.clone()


@composition
def block_diag(*tensors: Any) -> Tensor:
    """The matrix with these matrices along its diagonal and zeros elsewhere.

    Args:
        tensors: of up to 2 dimensions; a vector counts as a row, a number as a matrix of one element.

    Raises:
        ValueError: a tensor has more than 2 dimensions.

    >>> td.block_diag(td.tensor([[1, 2]]), td.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    for i, each in enumerate(tensors):
        if each.ndim > 2:
            raise ValueError(f"block_diag: got shape {each.shape} as tensor {i}, expected up to 2 dimensions")
    matrices = [each.reshape(1, -1) if each.ndim < 2 else each for each in tensors]
    if not matrices:
        return zeros(1, 0)
    wide = sum(each.shape[1] for each in matrices)
    rows, before = [], 0
    for each in matrices:
        m, n = each.shape
        beside = [zeros(m, count, dtype=each.dtype) for count in (before, wide - before - n)]
        rows.append(cat([beside[0], each, beside[1]], 1))
        before += n
    return cat(rows, 0)


# -- a product added to a tensor --------------------------------------------------------------------------


def added(what: str, input: Tensor, product: Tensor, beta: complex, alpha: complex) -> Tensor:
    """beta * input + alpha * product, where `input` broadcasts to the product."""
    if np.broadcast_shapes(input.shape, product.shape) != product.shape:
        raise ValueError(
            f"{what}: got an input of shape {input.shape}, expected one that broadcasts to {product.shape}"
        )
    product = product if alpha == 1 else product * alpha
    if beta == 0:  # what stands in the input does not count
        return product
    return product + (input if beta == 1 else input * beta)


def whole(number: complex, dtype: Any) -> Any:
    """A factor as products of matrices of integers take it, without its fraction."""
    return int(number.real) if dtype.kind in "biu" else number


@method
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: complex = 1, alpha: complex = 1) -> Tensor:
    """beta * input + alpha * (mat @ vec), for a matrix (n, m) and a vector (m); `input` broadcasts to (n).

    With beta = 0 what stands in `input` does not matter.

    Raises:
        ValueError: the shapes do not fit. TypeError: the dtypes differ.

    >>> td.addmv(td.ones(2), td.eye(2), td.tensor([1.0, 2.0]), alpha=3)
    tensor([4., 7.])
    """
    if mat.ndim != 2 or vec.ndim != 1 or input.ndim > 1:
        raise ValueError(
            f"addmv: got shapes {input.shape}, {mat.shape} and {vec.shape}, expected (n) or (), (n, m) and (m)"
        )
    if not input.dtype == mat.dtype == vec.dtype:
        raise TypeError(f"addmv: got dtypes {input.dtype}, {mat.dtype} and {vec.dtype}, expected one")
    return added("addmv", input, matmul(mat, vec), whole(beta, mat.dtype), whole(alpha, mat.dtype))


@method
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: complex = 1, alpha: complex = 1) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2), for vectors (n) and (m); `input` broadcasts to (n, m).

    With beta = 0 what stands in `input` does not matter.

    Raises:
        ValueError: the shapes do not fit. TypeError: a factor of integers is none.

    >>> td.addr(td.zeros(2, 2), td.tensor([1.0, 2.0]), td.tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    if vec1.ndim != 1 or vec2.ndim != 1:
        raise ValueError(f"addr: got shapes {vec1.shape} and {vec2.shape}, expected vectors, (n) and (m)")
    if all(each.dtype.kind in "biu" for each in (input, vec1, vec2)):
        for name, number in (("beta", beta), ("alpha", alpha)):
            if not isinstance(number, int):
                raise TypeError(f"addr: got {name}={number!r} for integers, expected an integer")
    bools = all(each.dtype.kind == "b" for each in (input, vec1, vec2))
    scaled = vec1 if alpha == 1 else vec1 & bool(alpha) if bools else vec1 * alpha
    product = scaled[:, None] * vec2
    if bools:
        return added("addr", input & bool(beta), product, 1, 1)
    return added("addr", input, product, beta, 1)


@method
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: complex = 1, alpha: complex = 1) -> Tensor:
    """beta * input + alpha * the sum of the products batch1[i] @ batch2[i].

    Args:
        input: a tensor that broadcasts to (n, m); with beta = 0 what stands in it does not matter.
        batch1, batch2: of shapes (b, n, k) and (b, k, m).

    Raises:
        ValueError: the shapes do not fit. TypeError: the dtypes differ.

    >>> td.addbmm(td.zeros(1, 1), td.ones(2, 1, 3), td.ones(2, 3, 1))
    tensor([[6.]])
    """
    if batch1.ndim != 3 or batch2.ndim != 3 or batch1.shape[::2] != (batch2.shape[0], batch2.shape[1]):
        raise ValueError(f"addbmm: got shapes {batch1.shape} and {batch2.shape}, expected (b, n, k) and (b, k, m)")
    if not input.dtype == batch1.dtype == batch2.dtype:
        raise TypeError(f"addbmm: got dtypes {input.dtype}, {batch1.dtype} and {batch2.dtype}, expected one")
    count, n, k = batch1.shape
    product = matmul(batch1.transpose(0, 1).reshape(n, count * k), batch2.reshape(count * k, batch2.shape[2]))
    return added("addbmm", input, product, whole(beta, batch1.dtype), whole(alpha, batch1.dtype))


for _function in (addmv, addr, addbmm):
    attach(f"{_function.__name__}_", inplace_form(_function, f"{_function.__name__}_"))
NUMPY[np.vander] = lambda x, N=None, increasing=False: vander(x, N, increasing)
