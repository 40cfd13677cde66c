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
from tinygrad_dl.ops.pooling._windows import per_dim
from tinygrad_dl.ops.pooling.avg_pool import pool_average_to
from tinygrad_dl.ops.vision._resample import Resampling, go_down, resample
from tinygrad_dl.ops.vision._weights import FILTERS, nearest, weighted

# mode -> the number of dimensions that it is for, with batch and channels.
DIMS = {"linear": (3,), "bilinear": (4,), "bicubic": (4,), "trilinear": (5,), "lanczos": (4,)}
MODES = ("nearest", "nearest-exact", *DIMS, "area")


@functools.lru_cache(maxsize=256)
def interpolation_plan(
    shape: Any, counts: Any, scales: Any, mode: str, align_corners: bool, antialias: bool
) -> Resampling:
    """The maps along the last dimensions of an input of that shape."""
    sizes = zip(shape[len(shape) - len(counts) :], counts, scales, strict=True)
    if mode.startswith("nearest"):
        return Resampling(tuple([nearest(*each, mode == "nearest-exact") for each in sizes]))
    return Resampling(tuple([weighted(*each, mode, align_corners, antialias) for each in sizes]))


def _naive(
    input: Any, counts: Any, scales: Any, mode: str = "nearest", align_corners: bool = False, antialias: bool = False
) -> Any:
    """Result by result, dimension by dimension."""
    for dim, (count, scale) in enumerate(zip(counts, scales, strict=True), input.ndim - len(counts)):
        x, size = np.moveaxis(input, dim, 0), input.shape[dim]
        scale = None if count == size and (antialias or mode.endswith("linear")) else scale
        step, out = 1 / scale if scale else size / count, np.zeros((count, *x.shape[1:]), input.dtype)
        step = (size - 1) / max(count - 1, 1) if align_corners and mode in DIMS else step
        for i in range(count):
            if mode == "nearest":
                out[i] = x[min(int(i * step), size - 1)]
            elif mode == "nearest-exact":
                out[i] = x[min(int((i + 0.5) * step), size - 1)]
            elif antialias:
                distances = [abs(j + 0.5 - (i + 0.5) * step) / max(step, 1) for j in range(size)]
                weights = np.array([_naive_weight(each, mode, -0.5) for each in distances])
                out[i] = np.tensordot(weights / weights.sum(), x, 1)
            else:
                place = i * step if align_corners else (i + 0.5) * step - 0.5
                for j in range(math.floor(place) - 1, math.floor(place) + 3):
                    out[i] += x[min(max(j, 0), size - 1)] * _naive_weight(abs(place - j), mode, -0.75)
        input = np.moveaxis(out, 0, dim)
    return input


def _naive_weight(d: float, mode: str, a: float) -> float:
    if mode == "lanczos":
        return math.sin(math.pi * d) * math.sin(math.pi * d / 3) * 3 / (math.pi * d) ** 2 if 0 < d < 3 else d == 0
    if mode != "bicubic":
        return max(0.0, 1 - d)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


@op(
    kind="batched",
    keeps_format=True,
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
        {
            "input": real(shape="n 7 4"),
            "counts": one_of((3, 4), (9, 3), (1, 2)),
            "scales": one_of((None, None)),
            "mode": one_of("bilinear", "bicubic", "lanczos"),
            "antialias": one_of(True),
        },
    ],
    errors=[
        error(TypeError, "floating", array(1, 4, dtype="int64"), (2,), (None,), mode="linear"),
        error(TypeError, "uint8", array(1, 4, dtype="int32"), (2,), (None,)),
    ],
    reference=_naive,
)
def resize(
    input: Array,
    counts: Any,
    scales: Any,
    mode: str = "nearest",
    align_corners: bool = False,
    antialias: bool = False,
) -> Array:
    """The last dimensions in the sizes `counts`; `scales` are the factors that were asked for, or None."""
    plan = interpolation_plan(input.shape, counts, scales, mode, align_corners, antialias)
    if input.dtype.kind not in "biu":
        return go_down(input, plan)
    weighs = not mode.startswith("nearest")
    if input.dtype != np.uint8 or mode in ("linear", "trilinear"):
        also = " or uint8" if input.dtype != np.uint8 else f" in mode {mode!r}"
        raise TypeError(
            f"interpolate: expected a floating tensor{also}, got {input.dtype}; convert it first with .float()"
        )
    for dim in range(-1, -1 - plan.dims, -1):
        along = plan.maps[dim]
        input = along.down_in_bytes(input, dim) if weighs else along.down(input, dim)
    return input


resize.vjp(
    input=lambda g, input_shape, counts, scales, mode, align_corners, antialias: resample.generic(
        g, interpolation_plan(input_shape, counts, scales, mode, align_corners, antialias), True
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
            "bilinear", "bicubic" and "lanczos" (with antialias alone) for two, "trilinear" for three, "area" (adaptive
            average pooling).
        align_corners: whether the first and last elements stay where they are, instead of the outer edges.
        recompute_scale_factor: whether the factor is computed again from the size that it leads to.
        antialias: whether a smaller picture is made of means over all elements that a result stands for, by the mode's
            filter stretched as far, as Pillow does; for "bilinear", "bicubic" and "lanczos".

    Floating tensors, and uint8, which is rounded after each dimension, in the modes for two dimensions and the nearest
    ones. Pictures with channels last stay so.

    Raises:
        ValueError: neither or both of size and scale_factor, an unknown mode, a mode for other dimensions, or one that
            does not go with align_corners or antialias.
        TypeError: a size that is not whole, or another dtype.

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
    if antialias and mode not in FILTERS:
        raise ValueError(f"interpolate: got antialias=True with mode {mode!r}, expected one of {tuple(FILTERS)}")
    if mode == "lanczos" and (align_corners or not antialias):
        raise ValueError(
            f"interpolate: got align_corners={align_corners} and antialias={antialias} with mode 'lanczos', expected "
            "antialias=True without align_corners"
        )
    if align_corners is not None and mode not in DIMS:
        raise ValueError(f"interpolate: got align_corners with mode {mode!r}, expected one of the modes {tuple(DIMS)}")
    counts, scales = _sizes(input.shape, size, scale_factor, dims)
    if recompute_scale_factor:
        if size is not None:
            raise ValueError(
                "interpolate: got recompute_scale_factor=True with a size, expected a scale_factor: from a size there "
                "is nothing to compute again"
            )
        scales = (None,) * dims
    if min(counts) < (mode != "area") or min(input.shape[2:]) < 1:
        raise ValueError(f"interpolate: expected sizes of at least 1, got {input.shape[2:]} to {counts}")
    if mode == "area":
        return pool_average_to(input, counts)
    return resize(input, counts, scales, mode, bool(align_corners), bool(antialias))


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
        return per_dim("interpolate", "size", values, dims, 0), (None,) * dims
    for factor in values:
        require_constants("interpolate", scale_factor=factor)
    factors = tuple([float(f) for f in values])
    return tuple([math.floor(n * f) for n, f in zip(shape[2:], factors, strict=True)]), factors
