"""Systems of linear equations, and the inverse of a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.batching import Batch
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.engine import unbroadcast
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, drawn, error
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops.linalg._matrices import (
    LinAlgError,
    require_square,
    side_by_side,
    some_matrices,
    transposed,
)


def regular(rng: np.random.Generator) -> np.ndarray:
    """One or two square matrices that are far from singular ones."""
    a = some_matrices(rng)
    return a + 4 * np.eye(a.shape[-1])


@op(
    namespace="rules",
    name="solve",
    promote=True,
    linear=("B",),
    inputs=[
        dict(A=drawn(regular), B=drawn(lambda rng, A: rng.standard_normal((*A.shape[:-1], 2)))),
        dict(A=drawn(regular), B=drawn(lambda rng, A: some_matrices(rng, A.shape[-1], 3))),
    ],
    errors=[
        error(ValueError, r"got shapes \(2, 3\) and \(2, 1\)", array(2, 3), array(2, 1)),
        error(ValueError, r"got shapes \(2, 2\) and \(3, 1\)", array(2, 2), array(3, 1)),
        error(LinAlgError, "got a singular matrix", np.ones((2, 2)), np.ones((2, 1))),
    ],
    reference=lambda A, B: np.linalg.inv(A) @ B,
)
def systems(A: Array, B: Array) -> Array:
    """The X with A X = B, of matrices."""
    if A.ndim < 2 or A.shape[-1] != A.shape[-2] or B.ndim < 2 or B.shape[-2] != A.shape[-1]:
        raise ValueError(
            f"solve: got shapes {tuple(A.shape)} and {tuple(B.shape)}, expected square matrices (..., n, n) and "
            "(..., n, k), or vectors (..., n)"
        )
    try:
        return np.linalg.solve(A, B)
    except np.linalg.LinAlgError:
        raise LinAlgError("solve: got a singular matrix, expected one that has an inverse") from None


@systems.joint_vjp("A", "B")
def solve_slopes(g: Any, out: Any, A: Any, A_shape: Any, B_shape: Any) -> tuple[Any, Any]:
    """Of B: the solution of the transposed system; of A: minus its product with X."""
    of_b = systems.generic(transposed(A), g)
    return unbroadcast(-np.matmul(of_b, transposed(out)), A_shape), unbroadcast(of_b, B_shape)


systems.jvp(A=lambda t, A, out: -systems.generic(A, np.matmul(t, out)))


@systems.vmap
def _solve_batch(A: Any, B: Any, batch: Batch) -> Any:
    return systems(*side_by_side(batch, A=A, B=B))


@composition
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """The X with A X = B, or X A = B.

    Args:
        A: square matrices, (..., n, n).
        B: of shape (..., n, k), or (..., k, n) if not `left`; or, if `left`, vectors, (n,), or (..., n) with
            the dimensions in front that A has.
        left: whether A stands on the left of X.

    Returns:
        X, of B's shape, with the dimensions in front broadcast.

    Raises:
        ValueError: the shapes do not fit. linalg.LinAlgError: a matrix is singular.

    >>> td.linalg.solve(td.tensor([[2.0, 0.0], [0.0, 4.0]]), td.tensor([2.0, 2.0]))
    tensor([1.0000, 0.5000])
    """
    if B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1]):
        if not left:
            raise ValueError(
                f"solve: got left=False for vectors of shape {tuple(B.shape)}, expected matrices (..., k, n)"
            )
        return systems(A, B.unsqueeze(-1)).squeeze(-1)
    if left:
        return systems(A, B)
    return systems(A.transpose(-1, -2), B.transpose(-1, -2)).transpose(-1, -2)


@op(
    namespace="rules",
    kind="batched",
    floating=True,
    inputs=dict(A=drawn(regular)),
    errors=[
        error(ValueError, r"got shape \(2, 3\), expected square matrices", array(2, 3)),
        error(LinAlgError, "got a singular matrix", np.ones((2, 2))),
    ],
    reference=lambda A: np.linalg.solve(A, np.broadcast_to(np.eye(A.shape[-1]), A.shape)),
)
def inv(A: Array) -> Array:
    """The inverse of square matrices, (..., n, n).

    Where it is multiplied by a matrix B, `solve(A, B)` is more exact and takes less time.

    Raises:
        ValueError: the matrices are not square. linalg.LinAlgError: one is singular.

    >>> td.linalg.inv(td.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    require_square("inv", A)
    try:
        return np.linalg.inv(A)
    except np.linalg.LinAlgError:
        raise LinAlgError("inv: got a singular matrix, expected one that has an inverse") from None


inv.vjp(A=lambda g, out: -np.matmul(np.matmul(transposed(out), g), transposed(out)))
inv.jvp(A=lambda t, out: -np.matmul(np.matmul(out, t), out))
inverse = alias("inverse", inv)
