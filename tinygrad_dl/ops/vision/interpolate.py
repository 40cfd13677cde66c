"""Images, sequences and volumes in another size: the nearest elements, or weighted means of the nearest ones."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.messages import require_constants
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops.pooling.avg_pool import pool_average_to
from tinygrad_dl.ops.vision._resample import Choice, Product, Repeats, Resampling, go_down, resample

# mode -> the number of dimensions that it is for, with batch and channels.
DIMS = {"linear": (3,), "bilinear": (4,), "bicubic": (4,), "trilinear": (5,)}
MODES = ("nearest", "nearest-exact", *DIMS, "area")


def _positions(size: int, count: int, scale: float | None, align_corners: bool) -> Any:
    """Where each result lies between the elements."""
    if align_corners:
        return np.arange(count) * ((size - 1) / (count - 1) if count > 1 else 0.0)
    return (np.arange(count) + 0.5) * (size / count if scale is None else 1 / scale) - 0.5


def _nearest(size: int, count: int, scale: float | None, exact: bool) -> Choice | Repeats:
    # In float32, as PyTorch computes it: a place on an edge falls on the same side.
    step = np.float32(size / count if scale is None else 1 / scale)
    places = np.arange(count, dtype=np.float32)
    index = np.floor((places + np.float32(0.5)) * step if exact else places * step)
    index = np.minimum(index.astype(np.int64), size - 1)
    if count % size == 0 and (index == np.arange(count) // (count // size)).all():
        return Repeats(size, count // size)
    return Choice(size, index)


def _linear(size: int, count: int, scale: float | None, align_corners: bool) -> Product:
    places = np.maximum(_positions(size, count, scale, align_corners), 0)
    if count == size:  # whatever the scale was that led to it
        places = np.arange(count)
    low = np.minimum(places.astype(np.int64), size - 1)
    share = np.minimum(places - low, 1)
    rows, matrix = np.arange(count), np.zeros((count, size))
    matrix[rows, low] = 1 - share
    matrix[rows, np.minimum(low + 1, size - 1)] += share
    return Product(matrix)


def _cubic(size: int, count: int, scale: float | None, align_corners: bool, a: float = -0.75) -> Product:
    places = _positions(size, count, scale, align_corners)
    low = np.floor(places).astype(np.int64)
    share, rows, matrix = places - low, np.arange(count), np.zeros((count, size))
    for offset in (-1, 0, 1, 2):
        x = np.abs(share - offset)
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        np.add.at(matrix, (rows, np.clip(low + offset, 0, size - 1)), np.where(x <= 1, near, far))
    return Product(matrix)


@functools.lru_cache(maxsize=256)
def interpolation_plan(shape: Any, counts: Any, scales: Any, mode: str, align_corners: bool) -> Resampling:
    """The maps along the last dimensions of an input of that shape."""
    maps: list[Any] = []
    for size, count, scale in zip(shape[len(shape) - len(counts) :], counts, scales, strict=True):
        if mode.startswith("nearest"):
            maps.append(_nearest(size, count, scale, mode == "nearest-exact"))
        else:
            maps.append((_cubic if mode == "bicubic" else _linear)(size, count, scale, align_corners))
    return Resampling(tuple(maps))


def _naive(input: Any, counts: Any, scales: Any, mode: str = "nearest", align_corners: bool = False) -> Any:
    """Result by result, dimension by dimension."""
    for dim, (count, scale) in enumerate(zip(counts, scales, strict=True), input.ndim - len(counts)):
        x, size = np.moveaxis(input, dim, 0), input.shape[dim]
        scale = None if count == size and mode.endswith("linear") else scale
        step, out = 1 / scale if scale else size / count, np.zeros((count, *x.shape[1:]), input.dtype)
        for i in range(count):
            if mode == "nearest":
                out[i] = x[min(int(i * step), size - 1)]
            elif mode == "nearest-exact":
                out[i] = x[min(int((i + 0.5) * step), size - 1)]
            else:
                place = i * (size - 1) / max(count - 1, 1) if align_corners else (i + 0.5) * step - 0.5
                for j in range(math.floor(place) - 1, math.floor(place) + 3):
                    out[i] += x[min(max(j, 0), size - 1)] * _naive_weight(abs(place - j), mode)
        input = np.moveaxis(out, 0, dim)
    return input


def _naive_weight(distance: float, mode: str) -> float:
    if mode != "bicubic":
        return max(0.0, 1 - distance)
    a = -0.75
    if distance <= 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    return a * distance**3 - 5 * a * distance**2 + 8 * a * distance - 4 * a if distance < 2 else 0.0


@op(
    kind="batched",
    linear=("input",),
    name="interpolate",
    namespace="rules",
    inputs=[
        {
            "input": real(shape="n 4"),
            "counts": one_of((8,), (3,), (7,)),
            "scales": one_of((None,)),
            "mode": one_of("nearest", "nearest-exact", "linear"),
            "align_corners": one_of(False, True),
        },
        {
            "input": real(shape="n 3 4"),
            "counts": one_of((6, 8), (7, 2), (1, 5)),
            "scales": one_of((None, None)),
            "mode": one_of("nearest", "bilinear", "bicubic"),
            "align_corners": one_of(False, True),
        },
        {"input": real(shape="n 3 4"), "counts": one_of((7, 10)), "scales": one_of((2.5, 2.5))},
    ],
    errors=[error(TypeError, "floating", array(1, 4, dtype="int64"), (2,), (None,), mode="linear")],
    reference=_naive,
)
def resize(input: Array, counts: Any, scales: Any, mode: str = "nearest", align_corners: bool = False) -> Array:
    """The last dimensions in the sizes `counts`; `scales` are the factors that were asked for, or None."""
    plan = interpolation_plan(input.shape, counts, scales, mode, align_corners)
    if input.dtype.kind not in "biu":
        return go_down(input, plan)
    if not mode.startswith("nearest"):
        raise TypeError(f"interpolate: expected a floating tensor, got {input.dtype}; convert it first with .float()")
    for dim, chosen in enumerate(plan.maps, -len(plan.maps)):
        input = chosen.down(input, dim)
    return input


resize.vjp(
    input=lambda g, input_shape, counts, scales, mode, align_corners: resample.generic(
        g, interpolation_plan(input_shape, counts, scales, mode, align_corners), True
    )
)


@composition
def interpolate(
    input: Array,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """The input in another size, (N, C, L), (N, C, H, W) or (N, C, D, H, W).

    Args:
        size: the sizes of the last dimensions; one number for all of them.
        scale_factor: how many times as large, instead of `size`.
        mode: "nearest", "nearest-exact" (which rounds from the middle of an element), "linear" for one dimension,
            "bilinear" and "bicubic" for two, "trilinear" for three, "area" (adaptive average pooling).
        align_corners: whether the first and last elements stay where they are, instead of the outer edges.
        recompute_scale_factor: whether the factor is computed again from the size that it leads to.
        antialias: not supported.

    Raises:
        ValueError: neither or both of size and scale_factor, an unknown mode, or a mode for other dimensions.
        NotImplementedError: antialias.

    >>> x = td.tensor([[[1.0, 3.0]]])
    >>> td.nn.functional.interpolate(x, scale_factor=2)
    tensor([[[1., 1., 3., 3.]]])
    >>> td.nn.functional.interpolate(x, size=3, mode="linear", align_corners=True)
    tensor([[[1., 2., 3.]]])
    """
    if mode not in MODES:
        raise ValueError(f"interpolate: expected a mode among {MODES}, got {mode!r}")
    dims = input.ndim - 2
    if input.ndim not in DIMS.get(mode, (3, 4, 5)):
        wanted = " or ".join(map(str, DIMS.get(mode, (3, 4, 5))))
        raise ValueError(
            f"interpolate: got an input of shape {input.shape}, expected {wanted} dimensions, with batch and channels, "
            f"for mode {mode!r}"
        )
    if antialias:
        raise NotImplementedError(
            "interpolate: got antialias=True, expected False: it is not supported; blur with avg_pool2d before"
        )
    if align_corners is not None and mode not in DIMS:
        raise ValueError(f"interpolate: got align_corners with mode {mode!r}, expected one of the modes {tuple(DIMS)}")
    counts, scales = _sizes(input.shape, size, scale_factor, dims)
    if recompute_scale_factor:
        scales = (None,) * dims
    if min(counts) < (mode != "area") or min(input.shape[2:]) < 1:
        raise ValueError(f"interpolate: expected sizes of at least 1, got {input.shape[2:]} to {counts}")
    if mode == "area":
        return pool_average_to(input, counts)
    result = resize(input, counts, scales, mode, bool(align_corners))
    return result


def _sizes(shape: Any, size: Any, scale_factor: Any, dims: int) -> tuple[Any, Any]:
    """The output sizes, and for each dimension the factor or None."""
    if (size is None) == (scale_factor is None):
        raise ValueError(
            "interpolate: expected one of size and scale_factor, got " + ("none" if size is None else "both")
        )
    given = size if scale_factor is None else scale_factor
    values = tuple(given) if isinstance(given, tuple | list) else (given,) * dims
    if len(values) != dims:
        what = "size" if scale_factor is None else "scale_factor"
        raise ValueError(f"interpolate: expected {what} as one number or {dims}, got {given!r}")
    if scale_factor is None:
        return tuple([int(n) for n in values]), (None,) * dims
    for factor in values:
        require_constants("interpolate", scale_factor=factor)
    factors = tuple([float(f) for f in values])
    return tuple([math.floor(n * f) for n, f in zip(shape[2:], factors, strict=True)]), factors
