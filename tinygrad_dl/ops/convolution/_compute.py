"""Convolutions and their gradients on arrays, each computed by the way that `_choice` names."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tinygrad_dl.ops.convolution import _columns as columns
from tinygrad_dl.ops.convolution import _deep as deep
from tinygrad_dl.ops.convolution import _depthwise as depthwise
from tinygrad_dl.ops.convolution import _lines as lines
from tinygrad_dl.ops.convolution import _phases as phases
from tinygrad_dl.ops.convolution import _plain as plain
from tinygrad_dl.ops.convolution import _rows as rows
from tinygrad_dl.ops.convolution import _shifted as shifted
from tinygrad_dl.ops.convolution import _winograd as winograd
from tinygrad_dl.ops.convolution._choice import shared, strip, way, way_back
from tinygrad_dl.ops.convolution._geometry import Geometry, geometry
from tinygrad_dl.ops.convolution._shapes import Pads, Sizes, spatial


def finite_or(way: Callable[[], np.ndarray], again: Callable[[], np.ndarray]) -> np.ndarray:
    """The gradient of a weight, by columns if it is not finite: this way may spread infinities and nans."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = way()
    return found if np.isfinite(found).all() else again()


def halves(array: np.ndarray, axis: int, groups: int = 1) -> list[np.ndarray]:
    """An array cut in two along a dimension, between two groups if there are several."""
    middle = groups // 2 * (array.shape[axis] // groups) if groups > 1 else array.shape[axis] // 2
    return [np.ascontiguousarray(each) for each in np.split(array, [middle], axis)]


def of_halves(
    way: Callable[..., np.ndarray],
    left: np.ndarray,
    right: np.ndarray,
    axes: tuple[int, int],
    options: Any,
    groups: int,
) -> list[np.ndarray]:
    """The results of `way` on the first halves of two arrays and on the second ones, cut along these dimensions."""
    each = (groups // 2, groups - groups // 2) if groups > 1 else (1, 1)
    pairs = zip(halves(left, axes[0], groups), halves(right, axes[1], groups), each, strict=True)
    return [way(a, b, *options, own) for a, b, own in pairs]


def turned(weight: np.ndarray, groups: int) -> np.ndarray:
    """(O, C / groups, *kernel) as (C, O / groups, *kernel), turned round; the same again turns it back."""
    o, each, *kernel = weight.shape
    found: np.ndarray = weight[spatial(*[slice(None, None, -1)] * len(kernel))]
    found = found.reshape(groups, o // groups, each, *kernel)
    return found.swapaxes(1, 2).reshape(groups * each, o // groups, *kernel)


def convolve(x: Any, weight: Any, out: Sizes, *options: Any) -> Any:
    """(N, C, *in) with (O, C / groups, *kernel) gives (N, O, *out); options: stride, pads, dilation, groups."""
    if type(x) is not np.ndarray:
        return plain.convolve(x, weight, out, *options)
    stride, pads, dilation, groups = options
    of = geometry(x, weight, out, *options)

    def by_columns(samples: Any) -> np.ndarray:
        return columns.convolve(x[samples], weight, out, stride, pads, dilation, groups)

    chosen = way(of)
    if chosen == "depthwise":
        return depthwise.convolve(x, weight, out, stride, pads, dilation)
    if chosen == "deep":
        return deep.convolve(x, weight, out, *options)
    if chosen == "winograd":
        return winograd.convolve(x, weight, out, pads, by_columns)
    if chosen == "halves":
        return _by_halves(x, weight, (out, stride, pads, dilation), groups)
    if chosen == "lines" and np.isfinite(weight).all():  # not all of the padding is multiplied by it
        return lines.convolve(x, weight, out, stride, pads, groups)
    if chosen in ("columns", "lines") or not x.size:
        return by_columns(slice(None))
    t = strip(of)
    along = rows.forward_lines(of.size, out, of.kernel, stride, pads, dilation, t)
    flat = weight.reshape(*weight.shape[:2], math.prod(of.kernel))
    return rows.apply(x, flat.transpose(2, 1, 0), along, of.kernel, out, by_columns if t > 1 else None)


def _by_halves(x: np.ndarray, weight: np.ndarray, options: tuple[Sizes, Sizes, Pads, Sizes], groups: int) -> np.ndarray:
    if groups > 1:
        return np.concatenate(of_halves(convolve, x, weight, (1, 0), options, groups), axis=1)
    first, second = of_halves(convolve, x, weight, (1, 1), options, 1)
    first += second
    return first


def convolve_with_tangent(
    x: np.ndarray, weight: np.ndarray, tx: Any, tw: Any, out: Sizes, *options: Any
) -> list[np.ndarray] | None:
    """A convolution and its tangent, where they share rows or columns; None where another way computes each alone."""
    of = geometry(x, weight, out, *options)
    chosen = way(of)
    if chosen not in ("rows", "columns") or not x.size:
        return None
    terms = [pair for pair in ((x, tw), (tx, weight)) if pair[0] is not None is not pair[1]]
    if chosen == "columns":
        return columns.convolve_sums([[(x, weight)], terms], out, *options)
    t = strip(of)
    along = rows.forward_lines(of.size, out, of.kernel, *options[:3], t)
    flat = [[(a, w.reshape(*w.shape[:2], -1).transpose(2, 1, 0)) for a, w in pairs] for pairs in ([(x, weight)], terms)]
    results, doubtful = rows.apply_sums(flat, along, of.kernel, out, t > 1)
    return None if doubtful else results


def convolve_transposed(
    g: Any, weight: Any, size: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> Any:
    """(N, O, *out) with (O, C / groups, *kernel) gives (N, C, *size)."""
    if type(g) is not np.ndarray:
        return plain.convolve_transposed(g, weight, size, stride, pads, dilation, groups)
    options = stride, pads, dilation, groups
    kernel, out, made = weight.shape[2:], g.shape[2:], g.shape[1]
    of = Geometry(len(g), weight.shape[1] * groups, made, kernel, size, out, *options, g.dtype)

    def by_columns(samples: Any) -> np.ndarray:
        return columns.convolve_transposed(g[samples], weight, size, *options)

    chosen, t = way_back(of)
    if chosen == "deep":
        return deep.convolve_transposed(g, weight, size, *options)
    if chosen == "winograd":
        return winograd.convolve_transposed(g, weight, size, pads, by_columns)
    if chosen == "halves":
        return _transposed_by_halves(g, weight, (size, stride, pads, dilation), groups)
    if chosen == "columns" or not np.isfinite(weight).all() or not g.size:
        return by_columns(slice(None))
    if chosen == "depthwise":
        return depthwise.convolve_transposed(g, weight, size, stride, pads)
    if chosen == "phases":
        return phases.convolve_transposed(g, weight, size, stride, pads, groups)
    if chosen == "rows":
        along = rows.backward_lines(out, size, kernel, stride, pads, t)
        flat = weight.reshape(*weight.shape[:2], math.prod(kernel))
        return rows.apply(g, flat.transpose(2, 0, 1), along, kernel, size, by_columns)
    back = of.turned()
    if chosen == "spread":
        return lines.spread(g, turned(weight, groups), size, back.pads, groups)
    if chosen == "lines":
        return lines.convolve(g, turned(weight, groups), size, back.stride, back.pads, groups)
    return convolve(g, turned(weight, groups), size, *back.options)


def _transposed_by_halves(
    g: np.ndarray, weight: np.ndarray, options: tuple[Sizes, Sizes, Pads, Sizes], groups: int
) -> np.ndarray:
    if groups == 1 and weight.shape[1] > g.shape[1]:
        return np.concatenate([convolve_transposed(g, w, *options, 1) for w in halves(weight, 1)], axis=1)
    first, second = of_halves(convolve_transposed, g, weight, (1, 0), options, groups)
    if groups > 1:
        return np.concatenate((first, second), axis=1)
    first += second
    return first


def convolve_weight(x: Any, g: Any, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int) -> Any:
    """(N, C, *in) with (N, O, *out) gives (O, C / groups, *kernel): the gradient of the weight."""
    if type(x) is not np.ndarray:
        return plain.convolve_weight(x, g, kernel, stride, pads, dilation, groups)
    options = stride, pads, dilation, groups
    of = Geometry(len(x), x.shape[1], g.shape[1], kernel, x.shape[2:], g.shape[2:], *options, x.dtype)
    by_columns = partial(columns.convolve_weight, x, g, kernel, *options)
    chosen = way(of)
    if shifted.fits(of) and x.size:
        return finite_or(partial(shifted.convolve_weight, x, g, kernel, pads, dilation), by_columns)
    if chosen == "depthwise":
        return depthwise.convolve_weight(x, g, kernel, stride, pads, dilation)
    if chosen == "deep":
        return deep.convolve_weight(x, g, kernel, *options)
    if chosen == "winograd":
        return finite_or(partial(winograd.convolve_weight, x, g, pads), by_columns)
    if chosen == "halves":
        return _weight_by_halves(x, g, (kernel, stride, pads, dilation), groups)
    both = shared(of)
    if both in ("lines", "columns"):  # the same to the bit, whether the input's gradient is computed at once or not
        back = of.turned().options
        from_slopes = (
            partial(lines.convolve_weight, g, x, kernel, *back[:2], groups)
            if both == "lines"
            else partial(columns.convolve_weight, g, x, kernel, *back)
        )
        found = finite_or(from_slopes, lambda: turned(by_columns(), groups))
        return np.ascontiguousarray(turned(found, groups))
    if chosen == "columns" or not x.size:
        return by_columns()
    if chosen == "lines":
        return finite_or(partial(lines.convolve_weight, x, g, kernel, stride, pads, groups), by_columns)
    along = rows.forward_lines(of.size, of.out, kernel, stride, pads, dilation, strip(of))
    found = rows.apply_weight(x, g, along, kernel)
    return np.ascontiguousarray(found.transpose(2, 1, 0)).reshape(of.made, of.channels, *kernel)


def _weight_by_halves(
    x: np.ndarray, g: np.ndarray, options: tuple[Sizes, Sizes, Pads, Sizes], groups: int
) -> np.ndarray:
    if groups > 1:
        return np.concatenate(of_halves(convolve_weight, x, g, (1, 1), options, groups), axis=0)
    return np.concatenate([convolve_weight(half, g, *options, 1) for half in halves(x, 1)], axis=1)


def gradients(
    g: np.ndarray, x: np.ndarray, weight: np.ndarray, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of a convolution's input and weight, which share columns of g, or its windows, where they can."""
    options = stride, pads, dilation, groups
    of = geometry(x, weight, g.shape[2:], *options)
    chosen = shared(of)
    if chosen and np.isfinite(weight).all():
        with np.errstate(invalid="ignore", over="ignore"):
            gx, gw = _at_once(chosen, of, g, x, weight)
        if np.isfinite(gw).all():  # the zeros around g are multiplied by x, too
            return gx, gw
    return convolve_transposed(g, weight, of.size, *options), convolve_weight(x, g, of.kernel, *options)


def _at_once(
    chosen: str, of: Geometry, g: np.ndarray, x: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both gradients by one of the ways of `shared`."""
    back, groups = of.turned().options, of.groups
    if chosen == "winograd":

        def by_columns(samples: Any) -> np.ndarray:
            return columns.convolve_transposed(g[samples], weight, of.size, *of.options)

        return winograd.gradients(x, g, weight, of.pads, by_columns)
    if chosen == "spread":
        return lines.spread_gradients(x, g, turned(weight, groups), of.pads, back[1], groups)
    if chosen == "lines":
        gx, gw = lines.gradients(g, x, turned(weight, groups), *back[:2], groups)
    else:
        gx, gw = columns.gradients(g, x, turned(weight, groups), *back)
    return gx, np.ascontiguousarray(turned(gw, groups))


def transposed_gradients(
    g: np.ndarray, x: np.ndarray, weight: np.ndarray, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of a transposed convolution's input x and weight, from g; by the same columns of it by a stride."""
    options = stride, pads, dilation, groups
    of = geometry(g, weight, x.shape[2:], *options)
    if max(stride) > 1 and way(of) == "columns" and x.size:
        return columns.gradients(g, x, weight, *options)
    return convolve(g, weight, of.out, *options), convolve_weight(g, x, of.kernel, *options)
