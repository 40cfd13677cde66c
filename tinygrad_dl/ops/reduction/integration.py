"""Integrals and derivatives of functions known at points: trapezoid, cumulative_trapezoid, gradient."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.ops._numpy.arguments import floating
from tinygrad_dl.ops.reduction.cumulative import cumsum
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.shape.joining import cat
from tinygrad_dl.ops.shape.permute import movedim
from tinygrad_dl.ops.shape.reshape import reshape


def _areas(name: str, y: Tensor, x: Any, dx: Any, dim: int) -> tuple[Tensor, Any, int]:
    """The sums of neighbours, by what the half of each is to be multiplied with, and the dimension."""
    if y.dtype == np.bool or (isinstance(x, Tensor) and x.dtype == np.bool):
        raise RuntimeError(f"{name}: expected numbers, got bool; call .float() first")
    if x is not None and dx is not None:
        raise TypeError(f"{name}: got x and dx, expected one of the two: points, or the distance between them")
    dim = normal_dim(dim, y.ndim)
    if not y.ndim:
        raise IndexError(f"{name}: expected y of at least one dimension, got a number")
    last = y.shape[dim] - 1
    if x is None:
        width: Any = 1 if dx is None else dx
    elif x.ndim:
        if x.ndim == 1:
            x = reshape(x, (-1, *(1,) * (y.ndim - dim - 1)))
        at = dim + x.ndim - y.ndim
        if at < 0 or x.shape[at] != y.shape[dim]:
            raise RuntimeError(
                f"{name}: expected one x for each y along dim {dim}, {y.shape[dim]}, got x of shape {tuple(x.shape)}"
            )
        width = x.narrow(at, 1, last) - x.narrow(at, 0, last) if last > 0 else 1
    else:
        width = x
    if last < 1:
        return y.narrow(dim, 0, 0), 1, dim
    return y.narrow(dim, 1, last) + y.narrow(dim, 0, last), width, dim


@composition
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The integral along a dimension by the trapezoidal rule: sum (y[i] + y[i + 1]) / 2 * (x[i + 1] - x[i]).

    Args:
        y: the values.
        x: the points that they belong to, 1-D or broadcast with `y`.
        dx: the distance between all points, in the place of `x`; 1 by default.
        dim: the dimension.

    Returns:
        The shape of `y` without the dimension; of less than two points, 0.

    Raises:
        RuntimeError: booleans, or not one point for each value. TypeError: `x` and `dx`. IndexError: a number.

    >>> td.trapezoid(td.tensor([1.0, 2.0, 4.0]), td.tensor([0.0, 1.0, 3.0]))
    tensor(7.5000)
    """
    areas, width, dim = _areas("trapezoid", y, x, dx, dim)
    result: Tensor = (areas * width).sum(dim) / 2
    return result


@composition
def trapz(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """`trapezoid` by its older name.

    >>> td.trapz(td.tensor([1.0, 2.0, 4.0]))
    tensor(4.5000)
    """
    result: Tensor = trapezoid(y, x, dx=dx, dim=dim)
    return result


@composition
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The running sums of what `trapezoid` adds up: the integrals from the first point to each other one.

    Returns:
        The shape of `y`, with one element less along the dimension.

    >>> td.cumulative_trapezoid(td.tensor([1.0, 2.0, 4.0]))
    tensor([1.5000, 4.5000])
    """
    areas, width, dim = _areas("cumulative_trapezoid", y, x, dx, dim)
    result: Tensor = cumsum(areas * width, dim) / 2
    return result


def _slopes(f: Tensor, spacing: Any, dim: int, edge_order: int) -> Tensor:
    """The derivatives along one dimension, whose points have distances `spacing` (h), or stand at 1-D `spacing`."""
    f = movedim(f, dim, -1)
    if f.dtype.kind in "biu":
        f = f / 1
    if isinstance(spacing, Tensor) and spacing.ndim:
        h = spacing[1:] - spacing[:-1]
        a, b = h[:-1], h[1:]
        first, last, inner = h[0], h[-1], (h[0], h[1] if len(h) > 1 else h[0], h[-2] if len(h) > 1 else h[0], h[-1])
    else:
        a = b = first = last = spacing
        inner = (spacing,) * 4
    rise = f[..., 1:] - f[..., :-1]
    if a is b:  # the point between has no part in it, be it infinite
        middle = (f[..., 2:] - f[..., :-2]) / (2 * a)
    else:
        middle = (a / b * rise[..., 1:] + b / a * rise[..., :-1]) / (a + b)
    ends = rise[..., :1] / first, rise[..., -1:] / last
    if edge_order == 2:
        h0, h1, g1, g0 = inner
        ends = (
            ends[0] + (rise[..., :1] / h0 - rise[..., 1:2] / h1) * (h0 / (h0 + h1)),
            ends[1] + (rise[..., -1:] / g0 - rise[..., -2:-1] / g1) * (g0 / (g0 + g1)),
        )
    return movedim(cat([ends[0], middle, ends[1]], -1), -1, dim)


@composition
def gradient(input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """Estimates of the derivatives of a function known at the points of a grid: central differences of second order.

    With the distances h to the point before and k to the next: (h/k (f[i+1] - f[i]) + k/h (f[i] - f[i-1])) / (h + k).

    Args:
        input: the values of the function, one dimension for each variable.
        spacing: the distance between points, one for all dimensions or a list with one for each, 1 by default; or a
            list of 1-D tensors, where the points stand along each.
        dim: a dimension or several; all by default.
        edge_order: 1 for simple differences at the edges, 2 for estimates of second order.

    Returns:
        A tuple of tensors of the input's shape, one for each dimension.

    Raises:
        RuntimeError: fewer than edge_order + 1 points along a dimension, a dimension twice, another `edge_order`, or
            not as much `spacing` as there are dimensions.

    >>> td.gradient(td.tensor([1.0, 4.0, 9.0, 16.0]))
    (tensor([3., 4., 6., 7.]),)
    """
    dims = range(input.ndim) if dim is None else [dim] if isinstance(dim, int) else [operator.index(d) for d in dim]
    dims = [normal_dim(d, input.ndim) for d in dims]
    if len({*dims}) < len(dims):
        raise RuntimeError(f"gradient: expected each dimension once, got dim={dim}")
    if edge_order not in (1, 2):
        raise RuntimeError(f"gradient: expected edge_order 1 or 2, got {edge_order}")
    listed = isinstance(spacing, list | tuple)
    each = list(spacing) if listed else [1 if spacing is None else spacing] * len(dims)
    if len(each) != len(dims):
        raise RuntimeError(f"gradient: expected spacing for each of {len(dims)} dimensions, got {len(each)}")
    for d, h in zip(dims, each, strict=True):
        if input.shape[d] <= edge_order:
            raise RuntimeError(
                f"gradient: expected at least {edge_order + 1} points along dim {d}, got shape {tuple(input.shape)}"
            )
        if isinstance(h, Tensor) and (h.ndim != 1 if listed else h.ndim > 0):
            raise RuntimeError(f"gradient: expected spacing as numbers or a list of 1-D tensors, got {tuple(h.shape)}")
        if isinstance(h, Tensor) and h.ndim and h.numel() != input.shape[d]:
            raise RuntimeError(
                f"gradient: expected a coordinate for each of {input.shape[d]} points along dim {d}, got {h.numel()}"
            )
    return tuple([_slopes(input, h, d, edge_order) for d, h in zip(dims, each, strict=True)])


def _np_gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """np.gradient: of one dimension a tensor, of several a tuple."""
    f = floating(f)
    many = f.ndim if axis is None else 1 if isinstance(axis, int) else len(axis)
    given = [wrap(as_array(h)) if np.ndim(h) and not isinstance(h, Tensor) else h for h in varargs] or [1]
    spacing = [*itertools.islice(itertools.cycle(given), many)] if len(given) == 1 else given
    found = gradient(f, spacing=spacing, dim=axis, edge_order=edge_order)
    return found[0] if len(found) == 1 else found


def _np_trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Tensor:
    tensors = [None if each is None else floating(each) for each in (y, x)]
    return trapezoid(tensors[0], tensors[1], dx=dx if x is None else None, dim=axis)  # type: ignore[arg-type]


NUMPY[np.gradient], NUMPY[np.trapezoid] = _np_gradient, _np_trapezoid
