"""The lower and the upper triangle of matrices."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.dtypes import as_dtype
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import Options, creation, finish
from tinygrad_dl.inputs import array, error, one_of, real


@op(
    kind="batched",
    inplace=True,
    linear=("input",),
    exact=True,
    inputs=dict(input=real(shape="... n m"), diagonal=one_of(0, 1, -1, 5)),
    errors=[error(RuntimeError, "at least 2 dimensions", array(3))],
    reference=lambda input, diagonal=0: np.tril(input, diagonal),
)
def tril(input: Array, diagonal: int = 0) -> Array:
    """The lower triangle of matrices (..., n, m), zero above diagonal number `diagonal`.

    >>> td.ones(2, 2).tril()
    tensor([[1., 0.],
            [1., 1.]])
    """
    _require_matrix(input, "tril")
    return np.tril(input, diagonal)


tril.vjp(input=lambda g, diagonal: np.tril(g, diagonal))


@op(
    kind="batched",
    inplace=True,
    linear=("input",),
    exact=True,
    inputs=dict(input=real(shape="... n m"), diagonal=one_of(0, 1, -1, 5)),
    errors=[error(RuntimeError, "at least 2 dimensions", array(3))],
    reference=lambda input, diagonal=0: np.triu(input, diagonal),
)
def triu(input: Array, diagonal: int = 0) -> Array:
    """The upper triangle of matrices (..., n, m), zero below diagonal number `diagonal`.

    >>> td.ones(2, 2).triu(1)
    tensor([[0., 1.],
            [0., 0.]])
    """
    _require_matrix(input, "triu")
    return np.triu(input, diagonal)


triu.vjp(input=lambda g, diagonal: np.triu(g, diagonal))


def _require_matrix(input: Any, what: str) -> None:
    if input.ndim < 2:
        raise RuntimeError(f"{what}: expected at least 2 dimensions, got shape {input.shape}; use diag() for vectors")


NUMPY[np.tril], NUMPY[np.triu] = lambda m, k=0: tril(m, k), lambda m, k=0: triu(m, k)


def _places(what: str, lower: bool, row: int, col: int, offset: int, dtype: Any, options: Any) -> Tensor:
    if row < 0 or col < 0:
        raise RuntimeError(f"{what}: expected sizes of 0 or more, got row={row} and col={col}")
    if dtype is not None and as_dtype(dtype).kind not in "iu":
        raise RuntimeError(f"{what}: expected a dtype of integers, got {as_dtype(dtype)}")
    rows = np.arange(row)
    edge = (rows + (offset + lower)).clip(0, col)  # in each row, where the lower triangle ends, or the upper one begins
    counts = edge if lower else col - edge
    ends = counts.cumsum()
    found = np.empty((2, int(ends[-1]) if row else 0), np.int64 if dtype is None else as_dtype(dtype))
    found[0] = rows.repeat(counts)
    found[1] = np.arange(found.shape[1]) - (ends - counts - (0 if lower else edge)).repeat(counts)
    return finish(found, what, options)


@creation
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Where the elements of the lower triangle of a (row, col) matrix stand, row by row.

    Args:
        offset: the number of the last diagonal that belongs to it.
        dtype: of integers; int64 by default.

    Returns:
        (2, count): the rows, and the columns.

    Raises:
        RuntimeError: a negative size, or another dtype.

    >>> td.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _places("tril_indices", True, row, col, offset, dtype, options)


@creation
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Where the elements of the upper triangle of a (row, col) matrix stand, row by row: as `tril_indices`.

    >>> td.triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
    """
    return _places("triu_indices", False, row, col, offset, dtype, options)
