"""Covariances and correlations of variables, one a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.promotion import default
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.warning import warn
from tinygrad_dl.ops._numpy.arguments import as_tensor, floating
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.linalg.products import matmul
from tinygrad_dl.ops.pointwise.extremes import clamp
from tinygrad_dl.ops.pointwise.powers import sqrt
from tinygrad_dl.ops.shape.joining import cat
from tinygrad_dl.ops.shape.reshape import reshape, squeeze, unsqueeze


def _weights(name: str, given: Tensor | None, kinds: str, count: int) -> Tensor | None:
    """One of the two kinds of weights, if it fits."""
    if given is None:
        return None
    if given.ndim > 1 or given.numel() != count:
        raise RuntimeError(f"cov: expected {name} of shape ({count},), one for each column, got {tuple(given.shape)}")
    if given.dtype.kind not in kinds:
        raise RuntimeError(f"cov: expected {name} of {'integers' if 'i' in kinds else 'floats'}, got {given.dtype}")
    if (given < 0).any():
        raise RuntimeError(f"cov: expected {name} that are not negative, got the least {given.min().item()}")
    return reshape(given, -1)


@method
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """The matrix of the covariances of the rows of (variables, observations): sum (x - mean x) conj(y - mean y) / N.

    N is the count of observations less `correction`; with weights w = fweights * aweights,
    sum(w) - correction * sum(w * aweights) / sum(w).

    Args:
        input: (variables, observations), or (observations,) of one variable.
        correction: what is taken off the count: 1 for an unbiased estimate, 0 for the plain mean.
        fweights: integers, how often each observation counts.
        aweights: floats, how much each observation weighs.

    Returns:
        (variables, variables), a 0-d tensor for one variable.

    Raises:
        RuntimeError: more than 2 dimensions, booleans, or weights that are negative or of another shape or dtype.

    >>> td.cov(td.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input.ndim > 2:
        raise RuntimeError(f"cov: expected at most 2 dimensions, got shape {tuple(input.shape)}")
    if input.dtype == np.bool:
        raise RuntimeError("cov: expected numbers, got an input of bool; call .float() first")
    x = input if input.ndim == 2 else reshape(input, (1, -1))
    x = x if x.dtype.kind not in "iu" else x.to(default.dtype)
    count = x.shape[1]
    f, a = _weights("fweights", fweights, "iu", count), _weights("aweights", aweights, "f", count)
    w = f if a is None else a if f is None else f * a
    total: Any = count if w is None else w.sum()
    if w is not None and not total.item():
        raise RuntimeError("cov: got weights that add up to 0, expected some that are above 0")
    centre = x.sum(1) / total if w is None else (x * w).sum(1) / total
    x = x - unsqueeze(centre, 1)
    free: Any = total - correction if a is None else total - correction * (w * a).sum() / total
    if not isinstance(free, Tensor):
        free = wrap(np.asarray(float(free)))
    if free.item() <= 0:
        warn(f"cov: got {count} observations and correction={correction}, expected more: there is no degree of freedom")
    free = clamp(free, min=0)
    found = matmul(x, (x if w is None else x * w).mT.conj()) / free
    return squeeze(found)


@method
def corrcoef(input: Tensor) -> Tensor:
    """The matrix of the correlations of the rows of (variables, observations): cov(x, y) / (std(x) std(y)).

    Returns:
        (variables, variables), each from -1 to 1; a 0-d tensor for one variable.

    Raises:
        RuntimeError: more than 2 dimensions, or booleans.

    >>> td.corrcoef(td.tensor([[0.0, 1.0, 2.0], [4.0, 2.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input.ndim > 2:
        raise RuntimeError(f"corrcoef: expected at most 2 dimensions, got shape {tuple(input.shape)}")
    c = cov(input)
    if not c.ndim:
        return c / c
    spread = sqrt(c.diagonal().real if c.dtype.kind == "c" else c.diagonal())
    c = c / unsqueeze(spread, 1) / spread
    if c.dtype.kind == "c":
        return clamp(c.real, -1, 1) + 1j * clamp(c.imag, -1, 1)
    return clamp(c, -1, 1)


def _variables(m: Any, y: Any, rowvar: bool, dtype: Any) -> Tensor:
    """NumPy's two sets of variables as one, in float64 as NumPy computes it."""
    found = []
    for each in (m,) if y is None else (m, y):
        x = each if isinstance(each, Tensor) else wrap(as_array(each))
        x = x if dtype is None and x.dtype.kind not in "biu" else x.astype(np.dtype(dtype or np.float64))
        x = reshape(x, (1, -1)) if x.ndim < 2 else x
        found.append(x if rowvar or x.shape[0] == 1 else x.mT)
    return found[0] if y is None else cat(found, 0)


def _np_cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Tensor:
    counts = None if fweights is None else as_tensor(fweights)
    return cov(
        _variables(m, y, rowvar, dtype),
        correction=int(not bias) if ddof is None else ddof,
        fweights=counts,
        aweights=None if aweights is None else floating(aweights),
    )


NUMPY[np.cov] = _np_cov
NUMPY[np.corrcoef] = lambda x, y=None, rowvar=True, *, dtype=None: corrcoef(_variables(x, y, rowvar, dtype))
