"""Products of matrices, and what belongs to them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.backends.gemm import product
from tinygrad_dl.core.batching import Batch, every
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.engine import unbroadcast
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.promotion import INT64, factor
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops._owned import no_view
from tinygrad_dl.ops.pointwise._selection import keep
from tinygrad_dl.ops.shape.reshape import reshape, unsqueeze


def as_rows(a: Any) -> Any:
    """All dimensions but the last one as one: (..., k) as (n, k)."""
    return a.reshape((math.prod(a.shape[:-1]), a.shape[-1]))


@op(
    np.matmul,
    linear=("input", "other"),
    operator="matmul",
    promote=True,
    inputs=[
        dict(input=real(shape="n k"), other=real(shape="k m")),
        dict(input=real(shape="... n k"), other=real(shape="... k m")),
        dict(input=real(shape="b n k"), other=real(shape="k m")),
        dict(input=real(shape="n k"), other=real(shape="b k m")),
        dict(input=real(shape="1 b n k"), other=real(shape="c 1 k m")),
        dict(input=real(shape="k"), other=real(shape="... k m")),
        dict(input=real(shape="... n k"), other=real(shape="k")),
        dict(input=real(shape="k"), other=real(shape="k")),
    ],
    errors=[
        error(ValueError, "the inner sizes differ", array(2, 3), array(4, 5)),
        error(ValueError, "tensors of 1 or more dimensions", array(), array(2)),
    ],
    reference=lambda input, other: np.matmul(input, other),
)
def matmul(input: Array, other: Array) -> Array:
    """The matrix product, `input @ other`: (..., n, k) with (..., k, m) gives (..., n, m).

    Leading dimensions broadcast; a 1-D tensor counts as a row on the left, as a column on the right, and
    its dimension is missing from the result.

    Raises:
        ValueError: the sizes `k` differ, or a tensor is 0-d.

    >>> td.tensor([[1.0, 2.0], [3.0, 4.0]]) @ td.tensor([1.0, 1.0])
    tensor([3., 7.])
    """
    if other.ndim == 2 and input.ndim > 2 and input.shape[-1] == other.shape[0]:
        # One large product is faster than many small ones.
        return product(as_rows(input), other).reshape(*input.shape[:-1], other.shape[1])
    return product(input, other)


def turned_of(a: Any) -> Any:
    """The last two dimensions exchanged: what a product's gradient multiplies by."""
    return a.T if a.ndim == 2 else a.swapaxes(-1, -2) if a.ndim > 2 else a


def _matmul_input(g: Any, input_shape: tuple[int, ...], other: Any) -> Any:
    """g @ other.T if len(input_shape) == other.ndim == 2 else
    g @ other.mT if len(input_shape) > 1 and other.ndim > 1 and g.shape[:-2] == input_shape[:-2] else None.
    """
    turned = turned_of(other)
    ndim = other.ndim
    if ndim == 2 and len(input_shape) > 1:
        return product(g, turned) if len(input_shape) == 2 else product(as_rows(g), turned).reshape(input_shape)
    if ndim == 1:
        return g * turned if len(input_shape) == 1 else np.expand_dims(g, -1) * turned
    if len(input_shape) == 1:
        row = np.squeeze(product(np.expand_dims(g, -2), turned), -2)
        return row if ndim == 2 else unbroadcast(row, input_shape)
    gx = product(g, turned)
    return gx if gx.shape == input_shape else unbroadcast(gx, input_shape)


def _matmul_other(g: Any, input: Any, other_shape: tuple[int, ...]) -> Any:
    """input.T @ g if input.ndim == len(other_shape) == 2 else
    input.mT @ g if input.ndim > 1 and len(other_shape) > 1 and g.shape[:-2] == other_shape[:-2] else None.
    """
    ndim = input.ndim
    if ndim > 2 and len(other_shape) <= 2:
        rows = as_rows(input)
        return product(turned_of(rows), as_rows(g) if len(other_shape) == 2 else g.reshape(-1))
    turned = turned_of(input)
    if ndim == 1:
        return g * turned if len(other_shape) == 1 else np.expand_dims(turned, -1) * np.expand_dims(g, -2)
    gx = product(turned, g)
    return gx if gx.shape == other_shape else unbroadcast(gx, other_shape)


matmul.vjp(input=_matmul_input, other=_matmul_other)


@matmul.vmap
def _matmul_batch(input: Any, other: Any, batch: Batch) -> Any:
    dims = [each.ndim - (name in batch.of) for name, each in (("input", input), ("other", other))]
    if batch.of == {"input"} and (dims[0] >= 2 >= dims[1] > 0 or dims == [1, 2]):
        return matmul(input, other)  # a stack of matrices, or rows, times one matrix
    a, b = every(input, "input", batch), every(other, "other", batch)
    if dims[0] == 1:
        a = a.unsqueeze(-2)
    if dims[1] == 1:
        b = b.unsqueeze(-1)
    ndim = max(a.ndim, b.ndim)
    a, b = [t.reshape(batch.size, *(1,) * (ndim - t.ndim), *t.shape[1:]) if t.ndim < ndim else t for t in (a, b)]
    out = matmul(a, b)
    if dims[1] == 1:
        out = out.squeeze(-1)
    return out.squeeze(-1 if dims[1] == 1 else -2) if dims[0] == 1 else out


# -- the same product under other names, which say what shapes they take ------------------------------


def _require_dims(what: str, expected: tuple[int, ...], *tensors: Any) -> None:
    found = tuple([each.ndim for each in tensors])
    if found != expected:
        shapes = ", ".join(str(tuple(each.shape)) for each in tensors)
        raise RuntimeError(f"{what}: expected tensors with {expected} dimensions, got shapes {shapes}; see matmul")


@composition
def mm(input: Array, mat2: Array) -> Tensor:
    """The product of two matrices, (n, k) and (k, m).

    >>> td.mm(td.ones(2, 3), td.ones(3, 1))
    tensor([[3.],
            [3.]])
    """
    _require_dims("mm", (2, 2), input, mat2)
    return matmul(input, mat2)


spmm = mm  # PyTorch's for sparse matrices, which takes dense ones too


@composition
def bmm(input: Array, mat2: Array) -> Tensor:
    """The products of two batches of matrices, (b, n, k) and (b, k, m).

    >>> td.bmm(td.ones(2, 3, 4), td.ones(2, 4, 5)).shape
    (2, 3, 5)
    """
    _require_dims("bmm", (3, 3), input, mat2)
    if input.shape[0] != mat2.shape[0]:
        raise RuntimeError(f"bmm: expected batches of one size, got shapes {input.shape} and {mat2.shape}")
    return matmul(input, mat2)


@composition
def mv(input: Array, vec: Array) -> Tensor:
    """The product of a matrix (n, k) and a vector (k).

    >>> td.mv(td.ones(2, 3), td.ones(3))
    tensor([3., 3.])
    """
    _require_dims("mv", (2, 1), input, vec)
    return matmul(input, vec)


@composition
def dot(input: Array, other: Array) -> Tensor:
    """The sum of the products of two vectors' elements.

    >>> td.dot(td.tensor([1.0, 2.0]), td.tensor([3.0, 4.0]))
    tensor(11.)
    """
    _require_dims("dot", (1, 1), input, other)
    return matmul(input, other)


@composition
def vdot(input: Array, other: Array) -> Tensor:
    """`dot` with the complex conjugate of `input`.

    >>> td.vdot(td.tensor([1j]), td.tensor([1j]))
    tensor(1.+0.j)
    """
    _require_dims("vdot", (1, 1), input, other)
    return matmul(np.conjugate(input) if input.dtype.kind == "c" else input, other)


@composition
def inner(input: Array, other: Array) -> Tensor:
    """Products summed over the last dimension of both.

    >>> td.inner(td.ones(2, 3), td.ones(4, 3)).shape
    (2, 4)
    """
    if not input.ndim or not other.ndim:
        result: Tensor = input * other
        return result
    if input.shape[-1] != other.shape[-1]:
        raise ValueError(f"inner: got shapes {input.shape} and {other.shape}, expected the same last dimension")
    from tinygrad_dl.ops.linalg.einsum import tensordot  # loaded when first needed

    return tensordot(input, other, ([-1], [-1]))


@composition
def outer(input: Array, vec2: Array) -> Tensor:
    """The matrix of all products of the elements of two vectors, (n) and (m): (n, m).

    >>> td.outer(td.tensor([1, 2]), td.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    _require_dims("outer", (1, 1), input, vec2)
    result: Tensor = unsqueeze(input, 1) * vec2
    return result


@composition
def kron(input: Array, other: Array) -> Tensor:
    """The Kronecker product: each element of `input` times the whole of `other`, side by side.

    >>> td.kron(td.eye(2), td.ones(1, 2))
    tensor([[1., 1., 0., 0.],
            [0., 0., 1., 1.]])
    """
    ndim = max(input.ndim, other.ndim)
    left = (1,) * (ndim - input.ndim) + input.shape
    right = (1,) * (ndim - other.ndim) + other.shape
    wide = reshape(input, [n for size in left for n in (size, 1)])
    wide = wide * reshape(other, [n for size in right for n in (1, size)])
    result: Tensor = no_view(reshape(wide, [a * b for a, b in zip(left, right, strict=True)]))
    return result


@op(
    promote=True,
    inplace=True,
    inputs=[
        dict(input=real(shape="n m"), mat1=real(shape="n k"), mat2=real(shape="k m")),
        dict(input=real(shape="m"), mat1=real(shape="n k"), mat2=real(shape="k m"), beta=one_of(0.5), alpha=one_of(2)),
        dict(input=real(shape="n 1"), mat1=real(shape="n k"), mat2=real(shape="k m"), beta=one_of(0), alpha=one_of(1)),
    ],
    errors=[
        error(ValueError, "the inner sizes differ", array(2, 2), array(2, 3), array(4, 2)),
        error(ValueError, "expected matrices", array(2), array(2), array(2, 2)),
        error(ValueError, "broadcast", array(3), array(2, 2), array(2, 2)),
    ],
    reference=lambda input, mat1, mat2, beta=1, alpha=1: beta * input + alpha * np.dot(mat1, mat2),
)
def addmm(input: Array, mat1: Array, mat2: Array, *, beta: complex = 1, alpha: complex = 1) -> Array:
    """beta * input + alpha * (mat1 @ mat2), for matrices (n, k) and (k, m); `input` broadcasts to (n, m).

    With beta = 0 what stands in `input` does not matter.

    >>> td.addmm(td.ones(2), td.eye(2), td.eye(2), alpha=3)
    tensor([[4., 1.],
            [1., 4.]])
    """
    if mat1.ndim != 2 or mat2.ndim != 2:
        raise ValueError(f"addmm: expected matrices, got shapes {mat1.shape} and {mat2.shape}; use baddbmm for batches")
    return _added(input, product(mat1, mat2), beta, alpha)


def _added(input: np.ndarray, out: np.ndarray, beta: Any, alpha: Any) -> np.ndarray:
    """beta * input + alpha * out, in the memory of `out`; of the factors of integers the fraction does not count."""
    if out.dtype.kind in "biu":
        beta, alpha = int(beta.real), int(alpha.real)
    if alpha != 1:
        out *= factor(alpha, out.dtype)
    if beta:
        out += input if beta == 1 else factor(beta, out.dtype) * input
    elif np.broadcast_shapes(input.shape, out.shape) != out.shape:
        raise ValueError(f"got an input of shape {input.shape}, expected one that broadcasts to {out.shape}")
    return out


def _scaled(g: Any, number: Any) -> Any:
    return g if number == 1 else g * number


def _added_input(g: Any, input_shape: tuple[int, ...], beta: Any) -> Any:
    g = _scaled(g, beta)
    return g if g.shape == input_shape else unbroadcast(g, input_shape)


addmm.vjp(
    input=_added_input,
    mat1=lambda g, mat2, alpha: _scaled(product(g, turned_of(mat2)), alpha),
    mat2=lambda g, mat1, alpha: _scaled(product(turned_of(mat1), g), alpha),
)

addmm.jvp(
    input=lambda t, beta: _scaled(t, beta),
    mat1=lambda t, mat2, alpha: _scaled(product(t, mat2), alpha),
    mat2=lambda t, mat1, alpha: _scaled(product(mat1, t), alpha),
)

addmm.decompose(lambda input, mat1, mat2, beta, alpha: _added_parts(input, np.matmul(mat1, mat2), beta, alpha))


def _added_parts(input: Any, out: Any, beta: Any, alpha: Any) -> Any:
    """beta * input + alpha * out, as ops of their own."""
    out = out if alpha == 1 else out * alpha
    return out + _scaled(input, beta) if beta else out


@op(
    promote=True,
    inplace=True,
    inputs=[
        dict(input=real(shape="b n m"), batch1=real(shape="b n k"), batch2=real(shape="b k m")),
        dict(
            input=real(shape="1 m"),
            batch1=real(shape="b n k"),
            batch2=real(shape="b k m"),
            beta=one_of(2),
            alpha=one_of(0.5),
        ),
    ],
    errors=[error(ValueError, "expected batches of matrices", array(2, 2), array(2, 2), array(2, 2))],
    reference=lambda input, batch1, batch2, beta=1, alpha=1: (
        beta * input + alpha * np.sum(batch1[..., None] * batch2[:, None], axis=2)
    ),
)
def baddbmm(input: Array, batch1: Array, batch2: Array, *, beta: complex = 1, alpha: complex = 1) -> Array:
    """beta * input + alpha * (batch1 @ batch2), for batches (b, n, k) and (b, k, m); `input` broadcasts to (b, n, m).

    >>> td.baddbmm(td.zeros(1), td.ones(2, 3, 4), td.ones(2, 4, 5)).shape
    (2, 3, 5)
    """
    if batch1.ndim != 3 or batch2.ndim != 3 or len(batch1) != len(batch2):
        raise ValueError(
            f"baddbmm: expected batches of matrices, (b, n, k) and (b, k, m), got {batch1.shape} and {batch2.shape}"
        )
    return _added(input, product(batch1, batch2), beta, alpha)


baddbmm.vjp(
    input=_added_input,
    batch1=lambda g, batch2, alpha: _scaled(product(g, turned_of(batch2)), alpha),
    batch2=lambda g, batch1, alpha: _scaled(product(turned_of(batch1), g), alpha),
)

baddbmm.jvp(
    input=lambda t, beta: _scaled(t, beta),
    batch1=lambda t, batch2, alpha: _scaled(product(t, batch2), alpha),
    batch2=lambda t, batch1, alpha: _scaled(product(batch1, t), alpha),
)

baddbmm.decompose(
    lambda input, batch1, batch2, beta, alpha: _added_parts(input, np.matmul(batch1, batch2), beta, alpha)
)


@op(
    linear=("input",),
    inputs=dict(input=real(shape="n m")),
    errors=[error(RuntimeError, "expected a matrix", array(2))],
    reference=lambda input: sum(input[i, i] for i in range(min(input.shape))) + 0 * np.sum(input),
)
def trace(input: Array) -> Array:
    """The sum of a matrix's diagonal; of integers and bools as int64.

    >>> td.tensor([[1.0, 2.0], [3.0, 4.0]]).trace()
    tensor(5.)
    """
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, got shape {input.shape}; use diagonal(...).sum(-1) for batches")
    return np.add.reduce(input.diagonal(), dtype=INT64 if input.dtype.kind in "biu" else None)


trace.vjp(input=lambda g, input_shape: keep(g, module_of(g).eye(*input_shape, dtype=bool)))
trace.decompose(lambda input: np.sum(np.diagonal(input)))


def _np_dot(a: Any, b: Any) -> Tensor:
    """np.dot: the last dimension of `a` with the last but one of `b`."""
    if not np.ndim(a) or not np.ndim(b):
        result: Tensor = a * b
    elif np.ndim(b) <= 2:
        result = matmul(a, b)
    else:
        from tinygrad_dl.ops.linalg.einsum import tensordot

        result = tensordot(a, b, ([-1], [-2]))
    return result


ger = alias("ger", outer)  # its deprecated name
for _function in (mm, bmm, mv, dot, vdot, inner, outer, kron):
    attach(_function.__name__, _function)
NUMPY[np.dot], NUMPY[np.inner], NUMPY[np.kron] = _np_dot, inner, kron
NUMPY[np.outer] = lambda a, b: outer(reshape(a, -1), reshape(b, -1))
NUMPY[np.vdot] = lambda a, b: vdot(reshape(a, -1), reshape(b, -1))
NUMPY[np.trace] = lambda a, offset=0, axis1=0, axis2=1: np.diagonal(a, offset, axis1, axis2).sum(-1)
