"""The lower and the upper triangle of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
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
