"""softmax and its logarithm, without overflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import array_from, module_of
from tinygrad_dl.backends.blocks import in_blocks
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dtypes import as_dtype
from tinygrad_dl.inputs import axis_of, real
from tinygrad_dl.ops._owned import mul_
from tinygrad_dl.ops.reduction._sums import ADD, add_up, dot_rows, is_rows, largest

LARGE = 2**17  # elements, from which rows are worked on by several threads
ROWS = {"input": real(-40.0, 40.0, min_dims=1, min_side=1), "dim": axis_of("input")}


@op(
    kind="scan",
    floating=True,
    real=True,
    inputs=ROWS,
    reference=lambda input, dim: (
        np.exp(input - np.max(input, dim, keepdims=True))
        / np.sum(np.exp(input - np.max(input, dim, keepdims=True)), dim, keepdims=True)
    ),
)
def softmax(input: Array, dim: Any = None, *, dtype: Any = None) -> Array:
    """exp(input) / sum(exp(input)) along a dimension: weights between 0 and 1 that sum to 1.

    The largest element is subtracted first, so nothing overflows; -inf has the weight 0. A row of nothing
    but -inf has no weights: nan, as in PyTorch.

    >>> td.softmax(td.tensor([0.0, 0.0, 10.0]), dim=0)
    tensor([4.5396e-05, 4.5396e-05, 9.9991e-01])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html
    """
    if dtype is not None:
        input = in_real("softmax", input, dtype)
    if not input.size:
        ADD(input, dim)  # which refuses a dimension that there is not
        return input.copy()
    return (
        _weights(input, dim) if input.size < LARGE or type(input) is not np.ndarray else over_rows(_weights, dim, input)
    )


def in_real(name: str, input: np.ndarray, dtype: Any) -> np.ndarray:
    """The input in the dtype that was asked for, which has an order."""
    found = as_dtype(dtype)
    if found.kind == "c":
        raise TypeError(f"{name}: got dtype={dtype}, expected a floating one: complex numbers have no largest")
    return input.astype(found, copy=False)


def over_rows(function: Callable[..., Any], dim: Any, *arrays: np.ndarray) -> Any:
    """function(*arrays, dim), which can be told where to put its result; of rows in memory on several threads."""
    if not all(is_rows(x, dim) and x.flags.c_contiguous for x in arrays):
        return function(*arrays, dim)
    out = module_of(arrays[0]).empty(arrays[0].shape, arrays[0].dtype)
    count = out.shape[-1]
    rows = [x.reshape(-1, count) for x in (*arrays, out)]

    def work(start: int, stop: int) -> None:
        *parts, own = (x[start:stop] for x in rows)
        function(*parts, 1, own)

    in_blocks(work, len(rows[0]), count)
    return out


def _weights(x: np.ndarray, dim: Any, out: Any = None) -> Any:
    with np.errstate(invalid="ignore"):  # -inf - -inf in a row of nothing else
        e = array_from(np.subtract(x, largest(x, dim, True), out=out))
    np.exp(e, out=e)
    e /= add_up(e, dim, True)
    return e


def softmax_slope(g: Any, out: Any, dim: Any) -> Any:
    """out * (g - sum(g * out, axis=dim, keepdims=True))."""
    if type(g) is not np.ndarray or type(out) is not np.ndarray or g.size < LARGE or g.dtype != out.dtype:
        return mul_(g - dot_rows(g, out, dim), out)
    return over_rows(_slope_of_weights, dim, g, out)


def _slope_of_weights(g: np.ndarray, out: np.ndarray, dim: Any, slope: Any = None) -> Any:
    return mul_(np.subtract(g, dot_rows(g, out, dim), out=slope), out)


softmax.vjp(input=softmax_slope)
softmax.jvp(input=lambda t, out, dim: softmax_slope(t, out, dim))  # its matrix is symmetric


@op(
    kind="scan",
    floating=True,
    real=True,
    inputs=ROWS,
    reference=lambda input, dim: input - np.logaddexp.reduce(input, dim, keepdims=True),
)
def log_softmax(input: Array, dim: Any = None, *, dtype: Any = None) -> Array:
    """input - logsumexp(input) along a dimension: the logarithm of `softmax`, exact where softmax underflows.

    >>> td.log_softmax(td.tensor([0.0, 1000.0]), dim=0)
    tensor([-1000.,     0.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html
    """
    if dtype is not None:
        input = in_real("log_softmax", input, dtype)
    if not input.size:
        ADD(input, dim)  # which refuses a dimension that there is not
        return input.copy()
    return (
        _logarithms(input, dim)
        if input.size < LARGE or type(input) is not np.ndarray
        else over_rows(_logarithms, dim, input)
    )


def _logarithms(x: np.ndarray, dim: Any, out: Any = None) -> Any:
    with np.errstate(invalid="ignore"):  # -inf - -inf in a row of nothing else
        out = array_from(np.subtract(x, largest(x, dim, True), out=out))
    out -= np.log(add_up(np.exp(out), dim, True))
    return out


def log_softmax_slope(g: Any, out: Any, dim: Any) -> Any:
    """g - exp(out) * sum(g, axis=dim, keepdims=True)."""
    if type(g) is not np.ndarray or type(out) is not np.ndarray or g.dtype != out.dtype:
        return g - np.exp(out) * ADD(g, axis=dim, keepdims=True)
    if g.size < LARGE:
        return _slope_of_logarithms(g, out, dim)
    return over_rows(_slope_of_logarithms, dim, g, out)


def _slope_of_logarithms(g: np.ndarray, out: np.ndarray, dim: Any, slope: Any = None) -> Any:
    probabilities = np.asarray(np.exp(out, out=slope))  # of a 0-d array NumPy makes a number
    probabilities *= add_up(g, dim, True)
    return np.subtract(g, probabilities, out=probabilities)


log_softmax.vjp(input=log_softmax_slope)
log_softmax.jvp(input=lambda t, out, dim: t - dot_rows(np.exp(out), t, dim))
