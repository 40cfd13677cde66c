"""What functions of matrices share: transposes, refusals, legal inputs."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import to_numpy, truth
from tinygrad_dl.core.batching import Batch, every
from tinygrad_dl.core.tensor import as_array
from tinygrad_dl.core.transforms import is_known

SMALL = 64  # rows of masks that are kept


class LinAlgError(np.linalg.LinAlgError, RuntimeError):
    """What a function of a matrix refuses because of the matrix's values: NumPy's error, and a RuntimeError.

    >>> try:
    ...     td.linalg.cholesky(-td.eye(2))
    ... except td.linalg.LinAlgError as error:
    ...     print(isinstance(error, ValueError), isinstance(error, RuntimeError))
    True True
    """

    __module__ = "tinygrad_dl.linalg"


def transposed(a: Any) -> Any:
    """Each matrix on its other side."""
    return a.swapaxes(-1, -2)


def turned(a: Any) -> Any:
    """Each matrix on its other side, conjugated."""
    return np.conjugate(a.swapaxes(-1, -2))


def above_diagonal(n: int) -> np.ndarray:
    """A mask of what stands above the diagonal of square matrices."""
    return _small_mask(n) if n <= SMALL else ~np.tri(n, dtype=bool)


@functools.lru_cache(maxsize=SMALL)
def _small_mask(n: int) -> np.ndarray:
    return ~np.tri(n, dtype=bool)


def require_square(what: str, a: Any) -> None:
    """Raises ValueError for anything but square matrices."""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f"{what}: got shape {tuple(a.shape)}, expected square matrices, (..., n, n)")


def require_finite(what: str, a: np.ndarray) -> None:
    """Raises LinAlgError for an infinity or a nan, with which LAPACK's iterations may have no end."""
    if not truth(np.isfinite(a).all()):
        raise LinAlgError(f"{what}: got a matrix with an element that is infinite or nan, expected finite ones")


def require_gauge(what: str, vectors: Any, turn: Any) -> None:
    """Raises where a gradient hangs on the factors of absolute value 1 up to which complex vectors are determined.

    Args:
        turn: the products of each vector with its gradient, a matrix: imaginary where the factor matters.
    """
    if not is_known(turn) or as_array(vectors).dtype.kind != "c" or not truth(np.any(np.imag(as_array(vectors)))):
        return
    along = np.diagonal(as_array(turn).imag, 0, -2, -1)
    if not np.allclose(to_numpy(along), 0, atol=1e-2, equal_nan=True):
        raise RuntimeError(
            f"{what}: got a gradient of complex vectors that changes if one of them is multiplied by a factor of "
            "absolute value 1, up to which they are determined, expected a function that does not, as of v.abs()"
        )


def side_by_side(batch: Batch, **matrices: Any) -> list[Any]:
    """Matrices of all examples with as many dimensions in front, to broadcast: for rules of vmap."""
    found = [every(a, name, batch) for name, a in matrices.items()]
    ndim = max(a.ndim for a in found)
    return [a.reshape(batch.size, *(1,) * (ndim - a.ndim), *a.shape[1:]) for a in found]


def some_matrices(rng: np.random.Generator, rows: int | None = None, columns: int | None = None) -> np.ndarray:
    """One or two matrices, real or complex, for the checks; square unless both sizes are given."""
    n = int(rng.integers(1, 5)) if rows is None else rows
    shape = (*[(), (2,)][int(rng.integers(2))], n, n if columns is None else columns)
    real = rng.standard_normal(shape)
    return real if rng.integers(2) else real + 1j * rng.standard_normal(shape)
