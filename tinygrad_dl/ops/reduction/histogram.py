"""Histograms: how many elements lie between given edges. Nothing of them has a gradient."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.promotion import is_floating
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.sorting._places import places_in


class Histogram(NamedTuple):
    """Counts, and the edges of the bins that they belong to."""

    hist: Any
    bin_edges: Any


def _limits(name: str, x: np.ndarray, low: Any, high: Any) -> tuple[Any, Any]:
    """Where the bins begin and end: if no range is given, the extreme elements; never without extent."""
    if low == high and x.size:
        low, high = x.min(), x.max()
    if not math.isfinite(low) or not math.isfinite(high):
        raise RuntimeError(f"{name}: expected a finite range, got [{low}, {high}]")
    if low > high:
        raise RuntimeError(f"{name}: expected a range whose end is not before its start, got [{low}, {high}]")
    return (low - 1, high + 1) if low == high and name == "histc" else (low, high)


def _require_floating(name: str, x: Tensor) -> None:
    if not is_floating(x.dtype):
        raise RuntimeError(f"{name}: expected a floating input, got {x.dtype}; call .float() first")


@method
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements lie in each of `bins` equal parts of the range from `min` to `max`, its end included.

    Args:
        input: floating, of any shape.
        bins: how many parts.
        min, max: the range; if they are equal, that of the elements. What lies outside of it does not count.

    Returns:
        (bins,), of the dtype of `input`.

    Raises:
        RuntimeError: no parts, an end before the start, a range that is not finite, or integers.

    >>> td.histc(td.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    _require_floating("histc", input)
    if bins <= 0:
        raise RuntimeError(f"histc: expected bins of at least 1, got {bins}")
    x = input._data.reshape(-1)
    low, high = _limits("histc", x, min, max)
    x = x[(x >= low) & (x <= high)]
    place = ((x - x.dtype.type(low)) * x.dtype.type(bins) / x.dtype.type(high - low)).astype(np.int64)
    return wrap(np.bincount(np.minimum(place, bins - 1), minlength=bins).astype(x.dtype))


def _edges(x: np.ndarray, bins: Any, range: Any, dim: int) -> np.ndarray:
    """The edges along one dimension."""
    if isinstance(bins, Tensor):
        if bins.ndim != 1:
            raise RuntimeError(f"histogram: expected 1-D edges, got shape {tuple(bins.shape)}")
        if bins.dtype != x.dtype:
            raise RuntimeError(f"histogram: expected edges of the input's dtype, {x.dtype}, got {bins.dtype}")
        return bins._data
    if bins <= 0:
        raise RuntimeError(f"histogram: expected bins of at least 1, got {bins} for dimension {dim}")
    if range is not None:
        low, high = range
    elif x.size:
        low, high = x.min(), x.max()
    else:
        low, high = 0.0, 1.0
    low, high = _limits("histogram", x[:0], low, high)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1).astype(x.dtype)


def _counted(
    points: np.ndarray, edges: Sequence[np.ndarray], weight: Tensor | None, density: bool, shape: tuple[int, ...]
) -> np.ndarray:
    """The counts, or weights, of points (N, D) between the edges of each dimension."""
    if weight is not None and tuple(weight.shape) != shape:
        raise RuntimeError(f"histogram: expected a weight of shape {shape}, got {tuple(weight.shape)}")
    if weight is not None and weight.dtype != points.dtype:
        raise RuntimeError(f"histogram: expected a weight of the input's dtype, {points.dtype}, got {weight.dtype}")
    sizes = [len(each) - 1 for each in edges]
    places, inside = [], np.ones(len(points), bool)
    for column, each in zip(points.T, edges, strict=True):
        place = places_in(each, column, "right") - 1
        place[column == each[-1]] = len(each) - 2  # the last bin has its end
        inside &= (column >= each[0]) & (column <= each[-1])
        places.append(place)
    flat = np.ravel_multi_index([place[inside] for place in places], sizes) if inside.any() else np.zeros(0, np.intp)
    chosen = None if weight is None else weight._data.reshape(-1)[inside]
    hist: np.ndarray = np.bincount(flat, chosen, math.prod(sizes)).astype(points.dtype).reshape(sizes)
    if density:
        hist = hist / hist.sum()
        for dim, each in enumerate(edges):
            hist = hist / np.diff(each).reshape((-1,) + (1,) * (len(edges) - dim - 1))
    return hist.astype(points.dtype)


@method
def histogram(
    input: Tensor, bins: Any, *, range: Any = None, weight: Tensor | None = None, density: bool = False
) -> Histogram:
    """How many elements lie in each bin, its start included, its end in the last bin alone; and the bins' edges.

    Args:
        input: floating, of any shape.
        bins: how many equal bins, or a 1-D tensor of increasing edges.
        range: (start, end) of equal bins; by default from the smallest to the largest element.
        weight: of the input's shape and dtype: what each element counts.
        density: whether to divide by the sum and the width of the bin, so that the integral is 1.

    Returns:
        A named tuple (hist, bin_edges) of shapes (bins,) and (bins + 1,).

    Raises:
        RuntimeError: no bins, a range that is not finite or whose end is before its start, another shape or dtype.

    >>> td.histogram(td.tensor([1.0, 2.0, 1.0]), bins=4, range=(0.0, 3.0))
    Histogram(hist=tensor([0., 2., 1., 0.]), bin_edges=tensor([0.0000, 0.7500, 1.5000, 2.2500, 3.0000]))
    """
    _require_floating("histogram", input)
    x = input._data.reshape(-1)
    edges = _edges(x, bins, range, 0)
    return Histogram(wrap(_counted(x[:, None], [edges], weight, density, tuple(input.shape))), wrap(edges.copy()))


@composition
def histogramdd(
    input: Tensor, bins: Any, *, range: Any = None, weight: Tensor | None = None, density: bool = False
) -> Histogram:
    """`histogram` in several dimensions: the last dimension of `input` holds the coordinates of a point.

    Args:
        input: (..., D), floating.
        bins: how many bins in all dimensions, a list with one number for each, or a list of 1-D tensors of edges.
        range: the starts and ends, one after the other: 2 D numbers.
        weight: (...), what each point counts.
        density: whether to divide by the sum and the volume of the bin.

    Returns:
        A named tuple (hist, bin_edges): a tensor of D dimensions, and a tuple of D tensors.

    >>> td.histogramdd(td.tensor([[0.0, 1.0], [1.0, 1.0]]), bins=[2, 1], range=[0.0, 1.0, 0.0, 1.0]).hist
    tensor([[1.],
            [1.]])
    """
    _require_floating("histogramdd", input)
    if input.ndim < 2:
        raise RuntimeError(f"histogramdd: expected an input of shape (..., D), got {tuple(input.shape)}")
    points = input._data.reshape(-1, input.shape[-1])
    count = points.shape[1]
    each = [bins] * count if isinstance(bins, int) else list(bins)
    if len(each) != count:
        raise RuntimeError(f"histogramdd: expected bins for each of {count} dimensions, got {len(each)}")
    if range is not None and len(range) != 2 * count:
        raise RuntimeError(f"histogramdd: expected a range of {2 * count} numbers, got {len(range)}")
    ranges = [None] * count if range is None else [*zip(range[::2], range[1::2], strict=True)]
    edges = [_edges(x, b, r, d) for d, (x, b, r) in enumerate(zip(points.T, each, ranges, strict=True))]
    hist = _counted(points, edges, weight, density, tuple(input.shape[:-1]))
    return Histogram(wrap(hist), tuple([wrap(found.copy()) for found in edges]))
