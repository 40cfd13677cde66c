"""Pictures in other sizes, and channels moved into pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.creation import from_numpy, tensor
from tinygrad_dl.onnx.graph import Graph
from tinygrad_dl.onnx.pooling import back, planes, resampled, sides_of
from tinygrad_dl.onnx.table import Unsupported, converter, rewriting, without
from tinygrad_dl.onnx.values import Value
from tinygrad_dl.ops.padding.pad import pad
from tinygrad_dl.ops.pointwise.where import where
from tinygrad_dl.ops.vision.grid_sample import OFFSETS, combined, within
from tinygrad_dl.ops.vision.interpolate import interpolation_plan


@converter("interpolate")
def interpolate(
    g: Graph, input: Value, counts: Any, scales: Any, mode: str, align_corners: bool, antialias: bool, out: Any
) -> Value:
    dims = len(counts)
    if input.dtype.kind != "f":
        raise Unsupported(f"interpolation of {input.dtype} rounds after each dimension; convert to float first")
    if antialias:
        sides = (*(1,) * (input.ndim - dims), *sides_of(input, dims))
        return resampled(g, input, interpolation_plan(sides, counts, scales, mode, align_corners, antialias))
    x = planes(g, input, dims)
    attributes: dict[str, Any] = {"mode": "nearest", "nearest_mode": "floor"}
    coordinates = "asymmetric"
    if mode == "nearest-exact":
        attributes["nearest_mode"], coordinates = "round_prefer_ceil", "half_pixel"
    elif mode != "nearest":
        attributes = {"mode": "linear"} if mode != "bicubic" else {"mode": "cubic", "cubic_coeff_a": -0.75}
        coordinates = "align_corners" if align_corners else "half_pixel"
    attributes["coordinate_transformation_mode"] = coordinates
    if all(isinstance(each, float | int) for each in scales) and coordinates != "align_corners":
        factors = g.const([1.0, 1.0, *map(float, scales)], np.float32)
        made = g.op("Resize", x, None, factors, **attributes)
    else:
        made = g.op("Resize", x, None, None, g.ints([*x.shape[:2], *counts]), **attributes)
    return back(g, made, input, dims, out)


@rewriting("pixel_shuffle")
def pixel_shuffle(input: Any, upscale_factor: int) -> Any:
    *lead, c, h, w = input.shape
    r = upscale_factor
    n = len(lead)
    apart = input.reshape(*lead, c // (r * r), r, r, h, w)
    order = (*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return apart.permute(*order).reshape(*lead, c // (r * r), h * r, w * r)


@rewriting("pixel_unshuffle")
def pixel_unshuffle(input: Any, downscale_factor: int) -> Any:
    *lead, c, h, w = input.shape
    r = downscale_factor
    n = len(lead)
    apart = input.reshape(*lead, c, h // r, r, w // r, r)
    order = (*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    return apart.permute(*order).reshape(*lead, c * r * r, h // r, w // r)


@rewriting("channel_shuffle")
def channel_shuffle(input: Any, groups: int) -> Any:
    n, c, *sides = input.shape
    return input.reshape(n, groups, c // groups, *sides).transpose(1, 2).reshape(n, c, *sides)


@rewriting("grid_cells")
def grid_cells(places: Any, sizes: tuple[int, ...], mode: str, padding: str, align_corners: bool) -> Any:
    """As the op does it with arrays."""
    limits = np.array(sizes, np.float64)[:, None]
    first = places.round() if mode == "nearest" else places.floor()
    taps = first[..., None] + tensor(OFFSETS[mode], dtype=places.dtype)
    if mode == "bicubic" and padding != "zeros":
        taps = within(taps, tensor(limits, dtype=places.dtype), padding, align_corners)
    there = (taps >= 0) & (taps < tensor(limits, dtype=places.dtype))
    strides = np.cumprod([1, *sizes[:-1]])[:, None]
    index = combined(where(there, taps, 0.0).long() * from_numpy(strides), np.add)
    return where(combined(there, np.logical_and), index, -1)


@rewriting("sample")
def sample(input: Any, index: Any, weights: Any) -> Any:
    """The elements by their places, a zero behind them for the index -1, times their weights."""
    n, channels, size = input.shape
    _, count, several = index.shape
    places = where(index < 0, size, index).reshape(n, 1, count * several).expand(n, channels, count * several)
    chosen = pad(input, (0, 1)).gather(2, places).reshape(n, channels, count, several)
    return (chosen * weights[:, None]).sum(-1)


without("it is a part of the gradient of sampling", "sample_backward", "sample_weights_backward")
