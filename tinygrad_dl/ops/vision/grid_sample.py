"""Images and volumes read at places between their elements, and the places that affine maps lead to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import like
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.promotion import is_half
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops.vision._samples import sample
from tinygrad_dl.ops.vision._weights import far, near

MODES, PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
CUBIC = -0.75  # the slope of the weight at the distance 1


def within(places: Any, sizes: Any, padding: str, align_corners: bool) -> Any:
    """Places, in elements, moved into the image as the padding says; of arrays and of tensors.

    Those beyond an edge have no slope: there nothing changes with the place.
    """
    if padding == "zeros":  # all that is further out sees nothing but zeros too
        return np.minimum(np.maximum(places, -3), sizes + 2)
    if padding == "reflection":
        low = 0.0 if align_corners else -0.5
        span = np.maximum(sizes - 1 if align_corners else sizes, 1)  # between the mirrors; 1 of 0: cut off below
        away = np.where(places < low, low - places, places - low)
        extra = np.fmod(away, span)
        places = np.where(np.floor(away / span) % 2 == 0, extra, span - extra) + low
    return np.where((places > 0) & (places < sizes - 1), places, np.clip(np.floor(places), 0, sizes - 1))


def combined(parts: Any, ufunc: Any) -> Any:
    """(N, P, d, k), k values for each of d dimensions, as (N, P, k ** d): every choice of one for each, x fastest."""
    n, count, dims, several = parts.shape
    total = parts[:, :, 0]
    for dim in range(1, dims):
        total = ufunc(parts[:, :, dim, :, None], total[:, :, None, :]).reshape(n, count, several ** (dim + 1))
    return total


OFFSETS = {"nearest": [0.0], "bilinear": [0.0, 1.0], "bicubic": [-1.0, 0.0, 1.0, 2.0]}


def _mirrored(at: int, size: int, align_corners: bool) -> int:
    """A whole number thrown back by the edges until it lies between them."""
    while not 0 <= at < size and (size > 1 or not align_corners):
        at = -at - (not align_corners) if at < 0 else 2 * (size - 1) + (not align_corners) - at
    return at


def _naive_cells(places: Any, sizes: Any, mode: str, padding: str, align_corners: bool) -> Any:
    found = np.empty((*places.shape[:2], len(OFFSETS[mode]) ** len(sizes)), np.int64)
    for n, p, k in np.ndindex(found.shape):
        total, stride, rest = 0, 1, k
        for place, size in zip(places[n, p].tolist(), sizes, strict=True):
            rest, which = divmod(rest, len(OFFSETS[mode]))
            at = round(place) if mode == "nearest" else math.floor(place) + int(OFFSETS[mode][which])
            if mode == "bicubic" and padding == "reflection":
                at = _mirrored(at, size, align_corners)
            if mode == "bicubic" and padding != "zeros":
                at = min(max(at, 0), size - 1)
            total = total + stride * at if 0 <= at < size and total >= 0 else -1
            stride *= size
        found[n, p, k] = total
    return found


@op(
    kind="folded",
    namespace="rules",
    differentiable=False,
    inputs=[
        {
            "places": real(-9.0, 9.0, shape="n p 2"),
            "sizes": one_of((3, 2), (1, 4)),
            "mode": one_of("nearest", "bilinear", "bicubic"),
            "padding": one_of("zeros", "border", "reflection"),
            "align_corners": one_of(False, True),
        },
        {
            "places": real(-9.0, 9.0, shape="n p 3"),
            "sizes": one_of((3, 2, 2)),
            "mode": one_of("nearest", "bilinear"),
            "padding": one_of("zeros"),
            "align_corners": one_of(False),
        },
    ],
    errors=[error(ValueError, "2 coordinates", array(1, 1, 3), (2, 2), "nearest", "zeros", False)],
    reference=_naive_cells,
)
def grid_cells(places: Array, sizes: tuple[int, ...], mode: str, padding: str, align_corners: bool) -> Array:
    """(N, P, d) to (N, P, K): the elements around each place, in the flattened image; -1 where there is none.

    Args:
        places: where, in elements, x first.
        sizes: the sizes of the image, in the same order.
    """
    if places.shape[-1] != len(sizes):
        raise ValueError(f"grid_cells: expected places of {len(sizes)} coordinates, got shape {places.shape}")
    limits = like(np.array(sizes, places.dtype), places)[:, None]
    first = np.rint(places) if mode == "nearest" else np.floor(places)
    taps = first[..., None] + like(np.array(OFFSETS[mode], places.dtype), places)
    if mode == "bicubic" and padding != "zeros":
        taps = within(taps, limits, padding, align_corners)
    there = (taps >= 0) & (taps < limits)
    strides = like(np.cumprod([1, *sizes[:-1]]), places)[:, None]
    index = combined(np.where(there, taps, 0).astype(np.int64) * strides, np.add)
    return np.where(combined(there, np.logical_and), index, -1)


def grid_weights(places: Any, mode: str) -> Any:
    """The weights (N, P, K) of the elements that `grid_cells` names."""
    if mode == "nearest":
        return np.where(True, 1.0, np.floor(places[..., :1]))  # they do not change with the place
    share = places - np.floor(places)
    if mode == "bilinear":
        each = [1 - share, share]
    else:
        each = [far(share + 1, CUBIC), near(share, CUBIC), near(1 - share, CUBIC), far(2 - share, CUBIC)]
    return combined(np.stack(each, axis=-1), np.multiply)


@composition
def grid_sample(
    input: Array,
    grid: Array,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """The image (or volume) at the places that `grid` names: `out[n, :, i, j]` is `input[n]` at `grid[n, i, j]`.

    Args:
        input: (N, C, H, W), or (N, C, D, H, W).
        grid: (N, H', W', 2), or (N, D', H', W', 3): x first, then y, then z; -1 is the left (upper, front) edge, 1 the
            other one.
        mode: "bilinear", the weighted mean of the 4 (8) elements around a place; "nearest"; "bicubic", of 16 elements
            and for images alone.
        padding_mode: what lies outside: "zeros", the elements of the "border", or the image mirrored, "reflection".
        align_corners: whether -1 and 1 are the centres of the outermost elements, instead of their outer edges.

    Returns:
        (N, C, H', W'), or (N, C, D', H', W').

    Raises:
        ValueError: shapes that do not fit, an image without elements, an unknown mode. TypeError: no floating tensors.

    >>> image = td.tensor([[[[1.0, 3.0], [5.0, 7.0]]]])
    >>> td.nn.functional.grid_sample(image, td.tensor([[[[0.0, 0.0], [-0.5, 0.5]]]]))
    tensor([[[[4., 5.]]]])
    """
    for name, value, known in (("mode", mode, MODES), ("padding_mode", padding_mode, PADDINGS)):
        if value not in known:
            raise ValueError(f"grid_sample: expected {name} as one of {known}, got {value!r}")
    dims = input.ndim - 2
    if dims not in (2, 3) or grid.ndim != input.ndim or grid.shape[-1] != dims or grid.shape[0] != input.shape[0]:
        raise ValueError(
            f"grid_sample: expected an input (N, C, H, W) with a grid (N, H', W', 2), or (N, C, D, H, W) with "
            f"(N, D', H', W', 3), got shapes {input.shape} and {grid.shape}"
        )
    if mode == "bicubic" and dims == 3:
        raise ValueError(f"grid_sample: expected an input of 4 dimensions for mode 'bicubic', got shape {input.shape}")
    if 0 in input.shape[2:]:
        raise ValueError(f"grid_sample: expected an image with elements, got an input of shape {input.shape}")
    for name, tensor in (("input", input), ("grid", grid)):
        if tensor.dtype.kind not in "fV":
            raise TypeError(f"grid_sample: expected a floating {name}, got {tensor.dtype}")
    dtype, align = input.dtype, bool(align_corners)
    if is_half(dtype):  # nothing is computed in half precision, the places least of all
        return grid_sample(input.float(), grid.float(), mode, padding_mode, align).to(dtype)
    sizes = tuple(input.shape[:1:-1])
    limits = like(np.array(sizes, grid.dtype), grid)
    line: Any = grid.reshape(grid.shape[0], math.prod(grid.shape[1:-1]), dims)
    places = (line + 1) * ((limits - 1) / 2) if align else ((line + 1) * limits - 1) / 2
    if mode != "bicubic" or padding_mode == "zeros":
        places = within(places, limits, padding_mode, align)
    index = grid_cells(places, sizes, mode, padding_mode, align)
    out = sample(input.flatten(2), index, grid_weights(places, mode))
    return out.reshape(*input.shape[:2], *grid.shape[1:-1])


OF = {None: "images or volumes", 2: "images", 3: "volumes"}


def _sampler(name: str, dims: int | None) -> Any:
    def sampler(input: Array, grid: Array, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Tensor:
        for argument, value, known in (
            ("interpolation_mode", interpolation_mode, MODES),
            ("padding_mode", padding_mode, PADDINGS),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < len(known):
                raise TypeError(f"{name}: got {argument}={value!r}, expected the number of one of {known}")
        if dims is not None and input.ndim != dims + 2:
            raise ValueError(f"{name}: expected an input of {dims + 2} dimensions, got shape {input.shape}")
        return grid_sample(input, grid, MODES[interpolation_mode], PADDINGS[padding_mode], align_corners)

    sampler.__name__ = sampler.__qualname__ = name
    shape = "1, 1, 1" if dims == 3 else "1, 1"
    sampler.__doc__ = f"""`grid_sample` of {OF[dims]}, with numbers for modes.

    Args:
        input, grid, align_corners: as those of `td.nn.functional.grid_sample`.
        interpolation_mode: 0 "bilinear", 1 "nearest", 2 "bicubic".
        padding_mode: 0 "zeros", 1 "border", 2 "reflection".

    Raises:
        ValueError: shapes that do not fit. TypeError: another mode, or no floating tensors.

    >>> x = td.arange(4.0).reshape({shape}, 2, 2)
    >>> td.{name}(x, td.zeros({shape}, 1, {dims or 2}), 0, 0, False).item()
    1.5

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.grid_sample.html
    """
    return composition(sampler)


grid_sampler, grid_sampler_2d, grid_sampler_3d = (
    _sampler(name, dims) for name, dims in (("grid_sampler", None), ("grid_sampler_2d", 2), ("grid_sampler_3d", 3))
)


@composition
def affine_grid(theta: Array, size: Any, align_corners: bool | None = None) -> Tensor:
    """The places that affine maps lead to, as `grid_sample` takes them: `theta[n] @ (x, y, 1)` for each (x, y).

    Args:
        theta: (N, 2, 3), or (N, 3, 4) for volumes.
        size: (N, C, H, W) or (N, C, D, H, W) of the image that is to be made.
        align_corners: as that of `grid_sample`.

    Returns:
        (N, H, W, 2), or (N, D, H, W, 3).

    Raises:
        ValueError: theta and size do not fit, or a size is less than 1. TypeError: theta is not floating.

    >>> identity = td.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> td.nn.functional.affine_grid(identity, (1, 1, 1, 2)).flatten()
    tensor([-0.5000,  0.0000,  0.5000,  0.0000])
    """
    sides = tuple([int(n) for n in size])[2:]
    dims = len(sides)
    if dims not in (2, 3) or theta.ndim != 3 or tuple(theta.shape[1:]) != (dims, dims + 1) or theta.shape[0] != size[0]:
        raise ValueError(
            f"affine_grid: expected theta (N, 2, 3) with size (N, C, H, W), or (N, 3, 4) with (N, C, D, H, W), got "
            f"theta of shape {theta.shape} and size {tuple(size)}"
        )
    if theta.dtype.kind not in "fV":
        raise TypeError(f"affine_grid: expected a floating theta, got {theta.dtype}")
    if min(size) < 1:
        raise ValueError(f"affine_grid: expected a size of at least 1 in each dimension, got {tuple(size)}")
    exact = np.dtype("float64" if theta.dtype == "float64" else "float32")
    spots = []
    for n in sides:
        each = np.linspace(-1, 1, n, dtype=exact) if n > 1 else np.zeros(1, exact)
        spots.append(each if align_corners else each * ((n - 1) / n))
    ones = [np.ones(sides, exact)]
    points = np.stack([*np.meshgrid(*spots, indexing="ij")[::-1], *ones], -1).reshape(-1, dims + 1)
    out = Tensor(points).to(theta.dtype) @ theta.transpose(1, 2)
    return out.reshape(theta.shape[0], *sides, dims)  # type: ignore[no-any-return]
