"""scatter, scatter_reduce, index_reduce: many elements into one, by sum, product, mean, or the largest or smallest."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand, like, module_of
from tinygrad_dl.core.batching import Batch, every
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.methods import inplace_form
from tinygrad_dl.core.promotion import require_room, require_same
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.transforms import is_known, values_of
from tinygrad_dl.inputs import array, error, integers, one_of, real
from tinygrad_dl.ops._owned import no_view
from tinygrad_dl.ops.comparison.elementwise import isnan
from tinygrad_dl.ops.indexing.gather import (
    ROWS,
    _along_batch,
    _checked,
    _within,
    as_line,
    gathered,
    scatter_add,
    scatter_added,
    scattered,
    spots,
)
from tinygrad_dl.ops.pointwise._selection import keep
from tinygrad_dl.ops.pointwise.arithmetic import div
from tinygrad_dl.ops.pointwise.extremes import clamp_min
from tinygrad_dl.ops.pointwise.where import where
from tinygrad_dl.ops.shape.expand import expand
from tinygrad_dl.ops.shape.reshape import reshape
from tinygrad_dl.ops.tensor.conversion import clone

CASES = [
    dict(
        input=ROWS,
        dim=one_of(0, -2),
        index=integers(0, "n", shape="2 m"),
        src=real(0.4, 2.0, shape="2 m", distinct=True),
    ),
    dict(
        input=real(shape="n", min_side=1),
        dim=one_of(0),
        index=integers(0, "n", shape="3"),
        src=real(0.4, 2.0, shape="3", distinct=True),
    ),
]
MISFIT = [error(IndexError, "out of range", array(1), 0, array(2, dtype="int64"), array(2))]


def _naive(input: np.ndarray, dim: int, index: np.ndarray, src: np.ndarray, join: Any) -> np.ndarray:
    """One element after the other, to test against."""
    out = input.copy()
    for spot in np.ndindex(index.shape):
        target = list(spot)
        target[dim] = index[spot]
        out[tuple(target)] = join(out[tuple(target)], src[spot])
    return out


# -- the largest and the smallest ----------------------------------------------------------------------


@op(
    method=False,
    namespace="rules",
    exact=True,
    real=True,
    alike=("input", "src"),
    inputs=[{**case, "largest": one_of(False, True)} for case in CASES],
    errors=MISFIT,
    reference=lambda input, dim, index, src, largest=True: _naive(input, dim, index, src, max if largest else min),
)
def scatter_extreme(input: Array, dim: int, index: Array, src: Array, largest: bool = True) -> Array:
    """The largest (or smallest) of each element of the input and those of `src` that go there."""
    dim = _checked(input.shape, dim, index, "scatter_reduce", src)
    out = input.copy("C")
    (np.maximum if largest else np.minimum).at(out.reshape(-1), spots(index, dim, out.shape), src.reshape(-1))
    return out


def _shares(input: Any, src: Any, out: Any, dim: int, index: Any) -> tuple[Any, Any, Any]:
    """Which elements are the extreme one of their place, and how many there are at each."""
    input, src, out = values_of(input), values_of(src), values_of(out)
    there = gathered.generic(out, dim, index)
    ours, theirs = (
        (input == out) | ((input != input) & (out != out)),
        (src == there) | ((src != src) & (there != there)),
    )
    ones = theirs.astype(out.dtype)
    count = scatter_added.generic(ours.astype(out.dtype), dim, index, ones)
    return ours, theirs, np.maximum(count, 1)


def _extreme_src(g: Any, input: Any, src: Any, out: Any, dim: int, index: Any) -> Any:
    _, theirs, count = _shares(input, src, out, dim, index)
    return keep(gathered.generic(g / count, dim, index), theirs)


def _extreme_input(g: Any, input: Any, src: Any, out: Any, dim: int, index: Any) -> Any:
    ours, _, count = _shares(input, src, out, dim, index)
    return keep(g / count, ours)


def _extreme_src_tangent(t: Any, input: Any, src: Any, out: Any, dim: int, index: Any) -> Any:
    _, theirs, count = _shares(input, src, out, dim, index)
    return scatter_added.generic(module_of(t).zeros(input.shape, t.dtype), dim, index, keep(t, theirs)) / count


scatter_extreme.vjp(input=_extreme_input, index=None, src=_extreme_src)
scatter_extreme.jvp(
    input=lambda t, input, src, out, dim, index: _extreme_input(t, input, src, out, dim, index),
    src=_extreme_src_tangent,
)


@scatter_extreme.vmap
def _extreme_batch(input: Any, index: Any, src: Any, dim: int, largest: bool, batch: Batch) -> Any:
    tensors = [every(value, name, batch) for name, value in (("input", input), ("index", index), ("src", src))]
    return _along_batch(lambda x, d, i, s: scatter_extreme(x, d, i, s, largest), dim, *tensors)


# -- the product ---------------------------------------------------------------------------------------


@op(
    method=False,
    namespace="rules",
    alike=("input", "src"),
    inputs=[
        {**case, "input": real(0.4, 2.0, shape="n m" if i == 0 else "n", min_side=1)} for i, case in enumerate(CASES)
    ],
    errors=MISFIT,
    reference=lambda input, dim, index, src: _naive(input, dim, index, src, lambda a, b: a * b),
)
def scatter_product(input: Array, dim: int, index: Array, src: Array) -> Array:
    """Each element of the input times those of `src` that go there."""
    dim = _checked(input.shape, dim, index, "scatter_reduce", src)
    out = input.copy("C")
    np.multiply.at(out.reshape(-1), spots(index, dim, out.shape), src.reshape(-1))
    return out


def _others(input: Any, src: Any, dim: int, index: Any, recorded: bool) -> tuple[Any, Any]:
    """For each element of the input and of `src` the product of the others that go to its place.

    Without zeros the whole product over the element. Else the factors that are not zero are multiplied by themselves,
    and so are the zeros: recorded, their product has a derivative.
    """
    a, b = values_of(input) == 0, values_of(src) == 0
    count = scatter_added.generic(a.astype(src.dtype), dim, index, b.astype(src.dtype))
    known = is_known(count) and at_hand(count)
    if known and not np.any(values_of(count)):
        whole = scatter_product.generic(input, dim, index, src)
        return whole / input, gathered.generic(whole, dim, index) / src
    if recorded and known and np.any(values_of(count) > 2):
        raise RuntimeError(
            "scatter_reduce: got a second derivative of a product with more than two zeros among its factors, expected "
            "two at most"
        )
    ours, theirs = np.where(a, input, 0), np.where(b, src, 0)
    sums = (
        scatter_product.generic(np.where(a, 1, input), dim, index, np.where(b, 1, src)),
        count,
        scatter_added.generic(ours, dim, index, theirs),
        scatter_added.generic(ours * ours, dim, index, theirs * theirs),
    )
    return _without(input, a, *sums), _without(src, b, *[gathered.generic(each, dim, index) for each in sums])


def _without(factor: Any, is_zero: Any, rest: Any, count: Any, zeros: Any, squares: Any) -> Any:
    """The product of the other factors: of those that are no zeros, `rest`, and of no, one or two other zeros.

    z1 * z2 = ((z1 + z2)**2 - z1**2 - z2**2) / 2.
    """
    own = np.where(is_zero, factor, 0)
    zeros, squares, count = zeros - own, squares - own * own, count - is_zero
    product = np.where(count == 0, 1, np.where(count == 1, zeros, (zeros * zeros - squares) / 2))
    return rest / np.where(is_zero, 1, factor) * product


def _product_input(g: Any, input: Any, src: Any, dim: int, index: Any) -> Any:
    return g * _others(input, src, dim, index, is_recorded(input, src))[0]


def _product_src(g: Any, input: Any, src: Any, dim: int, index: Any) -> Any:
    return gathered.generic(g, dim, index) * _others(input, src, dim, index, is_recorded(input, src))[1]


def _product_src_tangent(t: Any, input: Any, src: Any, dim: int, index: Any) -> Any:
    part = t * _others(input, src, dim, index, is_recorded(input, src))[1]
    return scatter_added.generic(module_of(part).zeros(input.shape, part.dtype), dim, index, part)


def is_recorded(*values: Any) -> bool:
    """Whether what a rule makes of these values is recorded."""
    return any(isinstance(value, Tensor) and value.requires_grad for value in values)


scatter_product.vjp(input=_product_input, index=None, src=_product_src)
scatter_product.jvp(
    input=lambda t, input, src, dim, index: t * _others(input, src, dim, index, is_recorded(input, src))[0],
    src=_product_src_tangent,
)


@scatter_product.vmap
def _product_batch(input: Any, index: Any, src: Any, dim: int, batch: Batch) -> Any:
    tensors = [every(value, name, batch) for name, value in (("input", input), ("index", index), ("src", src))]
    return _along_batch(scatter_product, dim, *tensors)


# -- what users call -----------------------------------------------------------------------------------

REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


@composition
def scatter(
    input: Array, dim: int, index: Any, src: Array | None = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    """A copy of `input` with out[i, index[i, j, k], k] = src[i, j, k] for dim 1, and so on.

    Args:
        index: integers, with as many dimensions as `input`; its shape says how much of `src` is used.
        src: a tensor at least as large as `index`, or a number.
        reduce: "add" adds to what is there, "multiply" multiplies it.

    Of several values for one element the last one stays, and alone has a gradient; with `reduce` all go into it.

    Raises:
        ValueError: another `reduce`. TypeError: `src` has another dtype.
        IndexError: an index is out of range, or the shapes do not fit.

    >>> td.zeros(2, 3).scatter(1, td.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    if reduce not in (None, "add", "multiply"):
        raise ValueError(f"scatter: got reduce={reduce!r}, expected 'add', 'multiply' or None")
    src = value if src is None else src
    if 0 in index.shape and index.ndim != input.ndim:
        return clone(input)
    if not input.ndim or not index.ndim:
        return no_view(reshape(scatter(as_line(input), dim, as_line(index), src, reduce=reduce), input.shape))
    if isinstance(src, Tensor) and src.ndim:
        require_same(src.dtype, input.dtype)
    if reduce is None:
        if not isinstance(src, Tensor):
            require_room(as_array(src, exact=True), input.dtype)
        return scattered(input, dim, index, src)
    if not isinstance(src, Tensor):
        src = wrap(like(src, input, input.dtype))
    src = src if src.ndim else expand(src, index.shape)
    if reduce == "add":
        return scatter_add(input, dim, index, src)
    return scatter_product(input, dim, index, src[_within(index.shape)])


@composition
def scatter_reduce(
    input: Array, dim: int, index: Array, src: Array, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy of `input` whose out[i, index[i, j, k], k], for dim 1 and so on, is joined with src[i, j, k].

    Args:
        index: integers, no larger than `src`, elsewhere than in `dim` no larger than `input`.
        reduce: "sum", "prod", "mean", "amax" or "amin". Equal extreme elements share the gradient evenly.
        include_self: whether the element of `input` is one of those that are joined. Where nothing goes, it stays.

    Raises:
        ValueError: another `reduce`. TypeError: `src` has another dtype.
        IndexError: an index is out of range, or the shapes do not fit.

    >>> x, index = td.tensor([1.0, 2.0]), td.tensor([0, 0, 1])
    >>> td.scatter_reduce(x, 0, index, td.tensor([3.0, 5.0, 4.0]), "mean")
    tensor([3., 3.])
    >>> td.scatter_reduce(x, 0, index, td.tensor([3.0, 5.0, 4.0]), "amax", include_self=False)
    tensor([5., 4.])
    """
    if reduce not in REDUCTIONS:
        raise ValueError(f"scatter_reduce: got reduce={reduce!r}, expected one of {', '.join(map(repr, REDUCTIONS))}")
    require_same(src.dtype, input.dtype)
    if 0 in index.shape and index.ndim != input.ndim:
        return clone(input)
    shape = input.shape
    input, index, src = as_line(input), as_line(index), as_line(src)
    if src.shape != index.shape:
        src = src[_within(index.shape)]
    if not include_self or reduce == "mean":
        nothing, one = where(isnan(input), 0, 0), where(isnan(index), 1, 1)  # inside of vmap, for each example
        count = scatter_add(nothing, dim, index, one)
    if not include_self:
        input = where(count > 0, neutral(reduce, input), input).to(input.dtype)
    if reduce in ("sum", "mean"):
        found = scatter_added(input, dim, index, src)
        if reduce == "mean":
            count = count + 1 if include_self else clamp_min(count, 1)
            whole = not (found.is_floating_point() or found.is_complex())
            found = div(found, count, rounding_mode="floor" if whole else None).to(found.dtype)
    elif reduce == "prod":
        found = scatter_product(input, dim, index, src)
    else:
        found = scatter_extreme(input, dim, index, src, reduce == "amax")
    return reshape(found, shape)


def neutral(reduce: str, input: Any) -> Any:
    """What changes nothing when it is joined."""
    if reduce in ("sum", "mean", "prod"):
        return int(reduce == "prod")
    sign = -1 if reduce == "amax" else 1
    if input.is_floating_point():
        return sign * float("inf")
    if input.dtype == np.bool_:
        return int(sign > 0)
    info = np.iinfo(np.dtype(str(input.dtype).rpartition(".")[2]))
    return info.min if sign < 0 else info.max


@composition
def index_reduce(
    input: Array, dim: int, index: Array, source: Array, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy of `input` whose slices `index` along `dim` are joined with those of `source`: see `scatter_reduce`.

    Args:
        index: one dimension of integers, as many as `source` has slices.
        reduce: "prod", "mean", "amax" or "amin".

    >>> td.index_reduce(td.ones(2, 2), 0, td.tensor([1, 1]), td.tensor([[2.0, 3.0], [4.0, 5.0]]), "prod")
    tensor([[ 1.,  1.],
            [ 8., 15.]])
    """
    if reduce not in REDUCTIONS[1:]:
        raise ValueError(f"index_reduce: got reduce={reduce!r}, expected one of {', '.join(map(repr, REDUCTIONS[1:]))}")
    if source.ndim > 1:
        behind = source.ndim - 1 - dim % source.ndim
        index = expand(reshape(index, (-1, *(1,) * behind)), source.shape)
    return scatter_reduce(input, dim, index, source, reduce, include_self=include_self)


for _function in (scatter, scatter_reduce, index_reduce):
    attach(_function.__name__, _function)
    attach(f"{_function.__name__}_", inplace_form(_function, f"{_function.__name__}_"))
