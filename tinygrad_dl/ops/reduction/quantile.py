"""quantile and nanquantile: the elements below which given parts of all elements lie."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.batching import Batch, every
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.engine import unbroadcast
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.inputs import one_of, real
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.indexing.gather import gathered, grid
from tinygrad_dl.ops.indexing.getitem import accumulate
from tinygrad_dl.ops.pointwise.arithmetic import straight_way
from tinygrad_dl.ops.shape.permute import movedim
from tinygrad_dl.ops.shape.reshape import reshape, unsqueeze
from tinygrad_dl.ops.sorting._ranks import has_nan, places

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")
ROUNDED: dict[str, Any] = {"lower": np.floor, "higher": np.ceil, "nearest": np.rint}
WAYS = {"interpolation": one_of(*INTERPOLATIONS), "ignore_nan": one_of(False, True)}
CASES = [
    dict(input=real(shape="... 5", distinct=True), q=real(0.05, 0.2, shape="2"), **WAYS),
    dict(input=real(shape="... 4", distinct=True), q=real(0.7, 0.95, shape=""), **WAYS),
]


class Neighbours(NamedTuple):
    """Where the elements around quantiles stand, (..., k), and what q is multiplied by for their ranks."""

    low: Any
    high: Any
    span: Any


def neighbours(rows: np.ndarray, q: np.ndarray, interpolation: str, ignore_nan: bool) -> Neighbours:
    """Of rows (..., n), for parts (k,), (..., k), or ()."""
    last = rows.shape[-1] - 1
    module = module_of(rows)
    span: Any = module.full((), last, rows.dtype)
    first: Any = 0
    if has_nan(rows):
        gone = np.isnan(rows).sum(-1, keepdims=True)
        if ignore_nan:
            span = np.maximum(last - gone, 0).astype(rows.dtype)
        else:  # nan stand last
            span, first = np.where(gone > 0, 0, span), np.where(gone > 0, last, 0)
    rank = (q if q.ndim else q[None]) * span
    ways = [ROUNDED[interpolation]] if interpolation in ROUNDED else [np.floor, np.ceil]
    ranks = np.concatenate([way(rank) for way in ways], -1).astype(np.int64) + first
    if ranks.ndim == 1 and not span.ndim and module is np:
        found = places(rows, ranks.tolist())
    else:
        found = places(rows, np.broadcast_to(ranks, (*rows.shape[:-1], ranks.shape[-1])))
    count = rank.shape[-1]
    return Neighbours(found[..., :count], found[..., -count:], span)


@op(
    namespace="rules",
    outputs=Neighbours,
    differentiable=False,
    inputs=CASES,
    reference=lambda input, q, interpolation, ignore_nan: _naive_neighbours(input, q, interpolation),
)
def quantile_neighbours(input: Array, q: Array, interpolation: str, ignore_nan: bool) -> Any:
    """Where the elements around the quantiles of rows stand."""
    return neighbours(input, q, interpolation, ignore_nan)


def again(index: int) -> Any:
    """How to derive one of the neighbours again."""
    return lambda input, q, interpolation, ignore_nan: quantile_neighbours.generic(input, q, interpolation, ignore_nan)[
        index
    ]


@op(
    namespace="rules",
    name="quantile",
    real=True,
    aux={name: again(i) for i, name in enumerate(Neighbours._fields)},
    inputs=CASES,
    reference=lambda input, q, interpolation, ignore_nan: (
        np.moveaxis(np.quantile(input, q, -1, method=interpolation), 0, q.ndim and -1)
        if q.ndim
        else np.quantile(input, q, -1, method=interpolation)
    ),
)
def quantiles(input: Array, q: Array, interpolation: str, ignore_nan: bool) -> Any:
    """The quantiles (..., k) of rows (..., n) for parts q (k,), or (...) for one part."""
    found = neighbours(input, q, interpolation, ignore_nan)
    out = np.take_along_axis(input, found.low, -1)
    if interpolation not in ROUNDED:
        out = straight_way(out, np.take_along_axis(input, found.high, -1), weight_of(q, found.span, interpolation))
    return (out if q.ndim else out[..., 0], *found)


def weight_of(q: Any, span: Any, interpolation: str) -> Any:
    """How far the quantile is from the lower of its neighbours to the higher one."""
    if interpolation == "midpoint":
        return module_of(span).full((), 0.5, span.dtype)
    rank = q * span
    return rank - np.floor(rank)


def _to_neighbours(
    g: Any, input_shape: tuple[int, ...], q: Any, low: Any, high: Any, span: Any, interpolation: str
) -> Any:
    """g * (1 - weight) at the lower neighbour, g * weight at the higher one."""
    g = g if q.ndim else np.expand_dims(g, -1)
    if interpolation in ROUNDED:
        return accumulate.generic(g, grid(low, -1), input_shape)
    weight = weight_of(q, span, interpolation)
    both = np.concatenate([g * (1 - weight), g * weight], -1)
    return accumulate.generic(both, grid(np.concatenate([low, high], -1), -1), input_shape)


def _rate(input: Any, low: Any, high: Any, span: Any) -> Any:
    """How fast the quantile grows with q; not at all among nan."""
    rate = (gathered.generic(input, -1, high) - gathered.generic(input, -1, low)) * span
    return np.where(span > 0, rate, 0.0)


def _to_q(g: Any, input: Any, q_shape: Any, low: Any, high: Any, span: Any, interpolation: str) -> Any:
    """g * (high - low) * span."""
    if interpolation != "linear":
        return module_of(g).zeros(q_shape, span.dtype)
    g = g if q_shape else np.expand_dims(g, -1)
    return unbroadcast(g * _rate(input, low, high, span), q_shape or (1,)).reshape(q_shape)


quantiles.vjp(input=_to_neighbours, q=_to_q)


def _of_neighbours(t: Any, q: Any, low: Any, high: Any, span: Any, interpolation: str) -> Any:
    """(1 - weight) * that of the lower neighbour, and weight * that of the higher one."""
    found = gathered.generic(t, -1, low)
    if interpolation not in ROUNDED:
        weight = weight_of(q, span, interpolation)
        found = found * (1 - weight) + gathered.generic(t, -1, high) * weight
    return found if q.ndim else found[..., 0]


def _of_q(t: Any, input: Any, low: Any, high: Any, span: Any, interpolation: str) -> Any:
    """t * (high - low) * span."""
    rate = _rate(input, low, high, span) if interpolation == "linear" else module_of(t).zeros(low.shape, span.dtype)
    return t * rate if t.ndim else t * rate[..., 0]


quantiles.jvp(input=_of_neighbours, q=_of_q)


def _aligned(input: Any, q: Any, batch: Batch) -> tuple[Any, Any]:
    """Rows of all examples, and parts that broadcast against them."""
    input = every(input, "input", batch)
    if "q" in batch.of:
        q = q.reshape(batch.size, *(1,) * (input.ndim - 2), q.shape[1] if q.ndim > 1 else 1)
    return input, q


@quantiles.vmap
def _quantiles_batch(input: Any, q: Any, interpolation: str, ignore_nan: bool, batch: Batch) -> Any:
    out = quantiles(*_aligned(input, q, batch), interpolation, ignore_nan)
    return out[..., 0] if "q" in batch.of and q.ndim == 1 else out


@quantile_neighbours.vmap
def _neighbours_batch(input: Any, q: Any, interpolation: str, ignore_nan: bool, batch: Batch) -> Any:
    found = quantile_neighbours(*_aligned(input, q, batch), interpolation, ignore_nan)
    span = found[2]
    span = span if span.ndim else span.expand(batch.size)
    return Neighbours(found[0], found[1], span)


def _naive_neighbours(input: np.ndarray, q: np.ndarray, interpolation: str) -> Neighbours:
    """By NumPy's quantiles of the positions in order."""
    order, last = np.argsort(input, -1), input.shape[-1] - 1
    methods: Any = (interpolation,) * 2 if interpolation in ROUNDED else ("lower", "higher")
    ranks = [np.quantile(np.arange(last + 1), np.atleast_1d(q), method=method).astype(int) for method in methods]
    return Neighbours(order[..., ranks[0]], order[..., ranks[1]], np.array(last, input.dtype))


def _parts(name: str, q: Any, input: Tensor) -> Tensor:
    """q as a tensor, if it is one that is understood."""
    if not isinstance(q, Tensor):
        q = wrap(np.array(float(q), input.dtype))
    if q.ndim > 1:
        raise ValueError(f"{name}: expected q as a number or a 1-D tensor, got shape {tuple(q.shape)}")
    if q.dtype != input.dtype:
        raise RuntimeError(f"{name}: expected q of the input's dtype, {input.dtype}, got {q.dtype}; convert it")
    if is_known(q) and not ((q._data >= 0) & (q._data <= 1)).all():
        raise ValueError(f"{name}: expected q in the range [0, 1], got {q._data.tolist()}")
    parts: Tensor = q
    return parts


def _quantile(name: str, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str) -> Tensor:
    if input.dtype not in (np.float32, np.float64):
        raise RuntimeError(f"{name}: expected an input of float32 or float64, got {input.dtype}; call .float() first")
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"{name}: expected interpolation as one of {INTERPOLATIONS}, got {interpolation!r}")
    q = _parts(name, q, input)
    if not input.numel():
        raise ValueError(f"{name}: expected an input with elements, got shape {tuple(input.shape)}")
    if dim is None or not input.ndim:
        rows, place = input if input.ndim == 1 else reshape(input, -1), None
    else:
        rows, place = movedim(input, dim, -1), dim % input.ndim
    if interpolation != "linear":
        q = q.detach()  # it says where to look, and no more
    found = quantiles(rows, q, interpolation, name == "nanquantile")
    if keepdim:
        found = reshape(found, (*(1,) * input.ndim, *q.shape)) if place is None else unsqueeze(found, place)
    result: Tensor = movedim(found, -1, 0) if q.ndim and found.ndim > 1 else found
    return result


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
