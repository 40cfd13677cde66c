"""LAPACK's routines that NumPy does not have: SciPy calls them, one matrix at a time."""

from __future__ import annotations

from typing import Any

import numpy as np


def routine(name: str, *arrays: np.ndarray) -> Any:
    """LAPACK's routine of this name for the dtype that the arrays have in common."""
    try:
        from scipy.linalg import get_lapack_funcs
    except ImportError:
        raise ImportError(f"LAPACK's {name} needs SciPy: pip install 'tinygrad_dl[special]'") from None
    return get_lapack_funcs((name,), arrays)[0]


def _factored(name: str, a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.int32]:
    options = {} if name == "getrf" else {"lower": 1}
    factors, pivots, info = routine(name, a)(a, **options)
    first = 1 if name == "getrf" else 0  # SciPy counts these pivots from 0
    return np.ascontiguousarray(factors), (pivots + first).astype(np.int32), np.int32(info)


def _solved(name: str, factors: np.ndarray, pivots: np.ndarray, b: np.ndarray) -> np.ndarray:
    found, _ = routine(name, factors, b)(factors, pivots, b, lower=1)
    return np.ascontiguousarray(found)


# NumPy's loops over the matrices in front: one call, which compiled programs repeat as it is.
FACTORED = np.vectorize(_factored, excluded={0}, signature="(m,n)->(m,n),(k),()")
SOLVED = np.vectorize(_solved, excluded={0}, signature="(n,n),(n),(n,k)->(n,k)")


def factored(name: str, a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `getrf`, `sytrf` or `hetrf` make of each matrix: the factors in its place, pivots from 1 on, and info."""
    if not a.size:
        batch = a.shape[:-2]
        return a.copy(), np.zeros((*batch, min(a.shape[-2:])), np.int32), np.zeros(batch, np.int32)
    factors, pivots, info = FACTORED(name, a)
    return factors, pivots, np.asarray(info)


def solved(name: str, factors: np.ndarray, pivots: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The solutions by what `sytrf` or `hetrf` made; dimensions in front broadcast."""
    if not factors.size or not b.size:
        return np.zeros((*np.broadcast_shapes(factors.shape[:-2], b.shape[:-2]), *b.shape[-2:]), b.dtype)
    found: np.ndarray = SOLVED(name, factors, pivots, b)
    return found
