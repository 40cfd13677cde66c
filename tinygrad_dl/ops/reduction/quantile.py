"""quantile and nanquantile: the elements below which given parts of all elements lie."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.indexing.gather import gather
from tinygrad_dl.ops.pointwise.arithmetic import lerp
from tinygrad_dl.ops.shape.permute import movedim
from tinygrad_dl.ops.shape.reshape import reshape, squeeze, unsqueeze
from tinygrad_dl.ops.sorting.sort import sort

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def in_rows(rows: Tensor, q: Tensor, interpolation: str, ignore_nan: bool) -> Tensor:
    """The quantiles (..., k) of rows (..., n) for the parts q (k,)."""
    values = sort(rows, -1).values
    last = values.shape[-1] - 1
    gone = np.isnan(values)
    if ignore_nan:
        rank = q * (last - gone.sum(-1, True).to(values.dtype))
        rank = np.where(rank < 0, 0 * rank, rank)  # of nothing but nan
    else:
        rank = np.where(gone[..., -1:], np.array(last, values.dtype), q * last)  # nan stand last
    if interpolation in ("lower", "higher", "nearest"):
        place = {"lower": np.floor, "higher": np.ceil, "nearest": np.rint}[interpolation](rank.detach())
        return gather(values, -1, place.long())
    low = np.floor(rank.detach())
    below, above = gather(values, -1, low.long()), gather(values, -1, np.ceil(rank.detach()).long())
    return lerp(below, above, rank - low if interpolation == "linear" else 0.5)


def _quantile(name: str, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str) -> Tensor:
    if input.dtype not in (np.float32, np.float64):
        raise RuntimeError(f"{name}: expected an input of float32 or float64, got {input.dtype}; call .float() first")
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"{name}: expected interpolation as one of {INTERPOLATIONS}, got {interpolation!r}")
    if not isinstance(q, Tensor):
        q = wrap(np.array(float(q), input.dtype))
    if q.ndim > 1:
        raise ValueError(f"{name}: expected q as a number or a 1-D tensor, got shape {tuple(q.shape)}")
    if q.dtype != input.dtype:
        raise RuntimeError(f"{name}: expected q of the input's dtype, {input.dtype}, got {q.dtype}; convert it")
    if is_known(q) and not ((q._data >= 0) & (q._data <= 1)).all():
        raise ValueError(f"{name}: expected q in the range [0, 1], got {q._data.tolist()}")
    if not input.numel():
        raise ValueError(f"{name}: expected an input with elements, got shape {tuple(input.shape)}")
    whole = dim is None or not input.ndim
    rows = reshape(input, -1) if whole else movedim(input, dim, -1)
    found = in_rows(rows, reshape(q, -1), interpolation, name == "nanquantile")
    if keepdim:
        found = reshape(found, (*(1,) * input.ndim, -1)) if whole else movedim(unsqueeze(found, -1), -1, dim)
        if not whole:  # q stood behind the dimension that was kept
            return squeeze(found, -1) if not q.ndim else movedim(found, -1, 0)
    return squeeze(found, -1) if not q.ndim else movedim(found, -1, 0)


@method
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The q-quantiles of all elements, or along a dimension: in order, the element at place q * (n - 1).

    Args:
        input: of float32 or float64.
        q: a number from 0 to 1, or a 1-D tensor of them of the input's dtype.
        dim: the dimension; None: all elements.
        keepdim: whether that dimension stays, of size 1.
        interpolation: what lies between two places: "linear", "lower" or "higher" (the element there), "nearest" (that
            which is nearer, at halves the one at the even place) or "midpoint" (their mean).

    Returns:
        The reduced shape, with the size of a 1-D `q` in front. nan where there is a nan; `nanquantile` leaves them out.

    Raises:
        RuntimeError: another dtype. ValueError: no elements, a `q` out of range, another interpolation.

    >>> td.quantile(td.tensor([0.0, 1.0, 4.0, 9.0]), 0.5)
    tensor(2.5000)
    >>> td.quantile(td.tensor([[0.0, 1.0], [4.0, 9.0]]), td.tensor([0.0, 0.75]), dim=1)
    tensor([[0.0000, 4.0000],
            [0.7500, 7.7500]])
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation)


@method
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """`quantile` of the elements that are numbers; of nothing but nan, nan.

    >>> td.nanquantile(td.tensor([float("nan"), 1.0, 2.0]), 0.5)
    tensor(1.5000)
    """
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation)
