"""Legal inputs of pooling, and references that go through the windows one by one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.inputs import one_of, real


def naive_windows(shape: Any, options: Any) -> Any:
    """For each output place: the places in the input that its window covers, in order."""
    edges: list[Any] = []
    for dim, size in enumerate(shape):
        if len(options) == 1:
            count = options[0][dim]
            edges.append([range(i * size // count, -(-(i + 1) * size // count)) for i in range(count)])
        else:
            (k, s, p, d), ceil_mode = (each[dim] for each in options[:4]), options[4]
            room = (size + 2 * p - d * (k - 1) - 1) / s
            count = (math.ceil(room) if ceil_mode else math.floor(room)) + 1
            windows = [range(i * s - p, i * s - p + d * (k - 1) + 1, d) for i in range(count)]
            edges.append([[j for j in w if 0 <= j < size] for w in windows if w.start < size])
    return edges


def naive_positions(input: Any, options: Any) -> Any:
    """Where in the flattened last dimensions the first maxima of the windows stand, one by one."""
    dims = len(options[0])
    shape = input.shape[input.ndim - dims :]
    edges = naive_windows(shape, options)
    rows = input.reshape(-1, *shape) if input.size else np.zeros((0, *shape), input.dtype)
    found = np.zeros((len(rows), *map(len, edges)), np.int64)
    for row, places in zip(rows, found, strict=True):
        for to in np.ndindex(places.shape):
            window = row[np.ix_(*(edge[i] for edge, i in zip(edges, to, strict=True)))]
            best = np.unravel_index(np.argmax(window), window.shape)
            at = [edge[i][j] for edge, i, j in zip(edges, to, best, strict=True)]
            places[to] = np.ravel_multi_index(at, shape)
    return found.reshape(*input.shape[: input.ndim - dims], *map(len, edges))


def naive_pick(values: Any, input: Any, options: Any) -> Any:
    """The values at the places of the maxima."""
    places = naive_positions(input, options)
    lead = input.shape[: input.ndim - len(options[0])]
    flat = values.reshape(*lead, math.prod(input.shape[len(lead) :]))
    return np.take_along_axis(flat, places.reshape(*lead, math.prod(places.shape[len(lead) :])), -1).reshape(
        places.shape
    )


def naive_give_back(g: Any, input: Any, options: Any) -> Any:
    """The gradient of the maxima, added up at their places."""
    places = naive_positions(input, options)
    total = np.zeros(input.shape, g.dtype)
    shape = input.shape[input.ndim - len(options[0]) :]
    for to in np.ndindex(places.shape):
        at = np.unravel_index(places[to], shape)
        total[(*to[: len(to) - len(shape)], *at)] += g[to]
    return total


ONE = [((2,), (2,), (0,), (1,), False), ((3,), (2,), (1,), (1,), True), ((2,), (1,), (0,), (2,), False)]
TWO = [
    ((2, 2), (2, 2), (0, 0), (1, 1), False),
    ((3, 2), (2, 1), (1, 0), (1, 2), False),
    ((3, 3), (2, 3), (1, 1), (1, 1), True),
]
THREE = [((2, 1, 2), (2, 1, 1), (0, 0, 1), (1, 1, 1), False)]


def _options(cases: Any) -> dict[str, Any]:
    return {"options": one_of(*cases)}


WINDOWS = [
    {"input": real(shape="... 6", distinct=True), **_options([*ONE, ((4,),), ((3,),)])},
    {"input": real(shape="n 5 4", distinct=True), **_options([*TWO, ((3, 2),)])},
    {"input": real(shape="n 6 4", distinct=True), **_options([*TWO, ((1, 1),)])},
    {"input": real(shape="n 2 2 3", distinct=True), **_options(THREE)},
    {"input": real(shape="n 9 8", distinct=True), **_options([((1, 1),), ((9, 8), (1, 1), (0, 0), (1, 1), False)])},
]
