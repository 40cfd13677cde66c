"""Histograms: counts have no gradient, sums of weights are linear in the weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.untracked import is_tracked, stripped
from tinygrad_dl.ops._numpy.arguments import as_tensor, floating, numbers
from tinygrad_dl.ops.indexing.slices import index_add


def summed(places: np.ndarray, weights: Any, count: int) -> Tensor:
    """The sum of the weights of each place from 0 on."""
    start = wrap(module_of(weights).zeros(count, weights.dtype))
    return index_add(start, 0, as_tensor(places), weights)


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Tensor:
    """np.bincount."""
    places = numbers(x)
    counts = wrap(np.bincount(np.asarray(places), minlength=minlength))
    if weights is None:
        return counts
    weights = as_tensor(weights).astype(np.float64)
    if weights.shape != np.shape(places):
        raise ValueError(f"got weights of shape {weights.shape}, expected {np.shape(places)}, one for each integer")
    return summed(np.asarray(places), weights, len(counts))


def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, Any]:
    """np.histogramdd."""
    points, bins = stripped(sample, []), stripped(bins, [])
    hist, edges = np.histogramdd(points, bins, range, density, stripped(weights, []))
    if is_tracked(weights):
        columns = np.atleast_2d(points).T if isinstance(sample, Tensor | np.ndarray) else points
        columns = np.asarray(points).T if np.ndim(points) == 2 and hasattr(points, "shape") else columns
        return weighted(columns, edges, density, weights), [wrap(each) for each in edges]
    return wrap(hist), [wrap(each) for each in edges]


def weighted(columns: Any, edges: Any, density: Any, weights: Any) -> Any:
    """The weights in bins of points, given by their coordinates; divided as a density, if that is asked for."""
    places, inside = [], np.ones(len(weights), bool)
    for column, each in zip(columns, edges, strict=True):
        place = np.searchsorted(each, column, side="right") - 1
        place[column == each[-1]] = len(each) - 2  # the last bin has its end
        inside &= (column >= each[0]) & (column <= each[-1])
        places.append(place)
    sizes = [len(each) - 1 for each in edges]
    flat = np.ravel_multi_index([place[inside] for place in places], sizes)
    hist = summed(flat, floating(weights)[np.flatnonzero(inside)], math.prod(sizes)).reshape(sizes)
    if density:
        hist = hist / np.sum(hist)
        for dim, each in enumerate(edges):
            hist = hist / np.diff(each).reshape((-1,) + (1,) * (len(edges) - dim - 1))
    return hist


def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> tuple[Any, Any]:
    """np.histogram."""
    points = np.asarray(stripped(a, []))
    hist, edges = np.histogram(points, stripped(bins, []), range, density, stripped(weights, []))
    if is_tracked(weights):
        return weighted([points.reshape(-1)], [edges], density, weights.reshape(-1)), wrap(edges)
    return wrap(hist), wrap(edges)


def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, Any, Any]:
    """np.histogram2d."""
    points, bins = [np.asarray(numbers(each)) for each in (x, y)], stripped(bins, [])
    of_arrays: Any = np.histogram2d  # its overloads know literal bins only
    hist, *edges = of_arrays(*points, bins, range, density, stripped(weights, []))
    found = weighted(points, edges, density, weights) if is_tracked(weights) else wrap(hist)
    return found, wrap(edges[0]), wrap(edges[1])


NUMPY[np.bincount], NUMPY[np.histogramdd] = bincount, histogramdd
NUMPY[np.histogram], NUMPY[np.histogram2d] = histogram, histogram2d
