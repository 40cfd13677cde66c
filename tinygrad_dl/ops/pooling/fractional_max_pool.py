"""Max pooling by factors that are no whole numbers: windows of one size at distances that are drawn."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.composition import by_dimensions
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, drawn, error, one_of, real
from tinygrad_dl.ops.pooling._max_pool import elements_at
from tinygrad_dl.ops.pooling._windows import check_dims, per_dim, require_floating
from tinygrad_dl.random import beside, uniform


def starts(samples: Any, size: int, kernel: int, count: int) -> Any:
    """Where `count` windows begin, for each random number u of (...): number i at int((i + u) a) - int(u a).

    With a = (size - kernel) / (count - 1) the windows reach from one end to the other, where the last one lies.
    """
    found = module_of(samples).full((*samples.shape, count), size - kernel)
    if count > 1:
        step = samples.dtype.type(size - kernel) / samples.dtype.type(count - 1)
        u = samples[..., None]
        places = module_of(samples).arange(count - 1, dtype=samples.dtype)
        found[..., :-1] = ((places + u) * step).astype(np.int64) - (u * step).astype(np.int64)
    return found


def _naive(input: Any, samples: Any, kernel: Any, counts: Any) -> Any:
    dims = len(kernel)
    found = np.empty((*input.shape[:-dims], *counts), np.int64)
    for at in np.ndindex(found.shape):
        lead, spots = at[:-dims], []
        for d, i in enumerate(at[-dims:]):
            size, u = input.shape[d - dims], float(samples[(*lead, dims - 1 - d if dims == 2 else d)])
            step = (size - kernel[d]) / max(counts[d] - 1, 1)
            start = size - kernel[d] if i == counts[d] - 1 else int((i + u) * step) - int(u * step)
            spots.append(range(start, start + kernel[d]))
        window = input[lead][np.ix_(*spots)]
        best = np.unravel_index(window.argmax(), window.shape)
        spot = [each[i] for each, i in zip(spots, best, strict=True)]
        found[at] = np.ravel_multi_index(spot, input.shape[-dims:])
    return found


def _some(rng: Any, input: Any, kernel: Any) -> Any:
    return rng.uniform(0, 1, (*input.shape[: -len(kernel)], len(kernel)))


@op(
    kind="batched",
    namespace="rules",
    differentiable=False,
    real=True,
    inputs=[
        {
            "input": real(shape="n c 5 7", distinct=True),
            "kernel": one_of((2, 3), (1, 1)),
            "counts": one_of((3, 2), (1, 4), (4, 5)),
            "samples": drawn(_some),
        },
        {
            "input": real(shape="n c 4 3 5", distinct=True),
            "kernel": one_of((2, 1, 3)),
            "counts": one_of((2, 3, 2), (1, 1, 1)),
            "samples": drawn(_some),
        },
    ],
    errors=[error(ValueError, "random numbers", array(1, 1, 4, 4), array(1, 2, 2), (2, 2), (2, 2))],
    reference=_naive,
)
def fractional_max_indices(input: Array, samples: Array, kernel: tuple[int, ...], counts: tuple[int, ...]) -> Array:
    """Where the maxima of the windows stand, as indices into the flattened last dimensions.

    Args:
        input: (..., H, W) or (..., D, H, W).
        samples: (..., 2) or (..., 3) random numbers from 0 to 1: for W and H, or for D, H and W.
    """
    dims = len(kernel)
    lead, sizes = input.shape[:-dims], input.shape[-dims:]
    if samples.shape != (*lead, dims):
        raise ValueError(f"expected random numbers of shape {(*lead, dims)}, got {samples.shape}")
    order = (1, 0) if dims == 2 else range(dims)  # PyTorch's
    parts: list[Any] = []
    for d, (size, k, count) in enumerate(zip(sizes, kernel, counts, strict=True)):
        begin = starts(samples[..., order[d]], size, k, count)
        parts.append(begin.reshape(*lead, *(1,) * d, count, *(1,) * (dims - 1 - d)))
    strides = [math.prod(sizes[d + 1 :]) for d in range(dims)]
    first: Any = sum(part * stride for part, stride in zip(parts, strides, strict=True))
    flat, best, found = input.reshape(*lead, math.prod(sizes)), np.array(0.0), np.array(0)
    for offsets in itertools.product(*map(range, kernel)):
        index = (first + sum(o * stride for o, stride in zip(offsets, strides, strict=True))).reshape(
            *lead, math.prod(counts)
        )
        values = np.take_along_axis(flat, index, -1)
        if not any(offsets):
            best, found = values, index
            continue
        larger = (values > best) | np.isnan(values)
        best, found = np.where(larger, values, best), np.where(larger, index, found)
    return found.reshape(*lead, *counts)


@by_dimensions
def fractional_max_pool(
    dims: int,
    input: Array,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Any = None,
) -> Any:
    """The maxima of windows of {input} at distances that are drawn, of which the result has the size that is asked for.

    Args:
        kernel_size: the window's size; one number, or one for each dimension.
        output_size: the sizes ({sides}) of the result, or one number for all.
        output_ratio: the sizes as shares of the input's, between 0 and 1, instead of `output_size`.
        return_indices: whether to return where the maxima stand too, as indices into the flattened ({sides}).
        _random_samples: (N, C, {k}) numbers from 0 to 1 to use instead of drawing them.

    Raises:
        ValueError: neither of the sizes, a size and a window too large for the input, other dimensions or samples.
        TypeError: the input is not floating.

    >>> td.nn.functional.fractional_max_pool{k}d(td.arange(8.0).reshape(1, {eight}), 1, 2).max()
    tensor(7.)

    Source: https://arxiv.org/abs/1412.6071
    """
    name = f"fractional_max_pool{dims}d"
    check_dims(name, input.shape, dims)
    for what, value in (("kernel_size", kernel_size), ("output_size", output_size)):
        if isinstance(value, tuple | list) and len(value) != dims:
            raise ValueError(f"{name}: expected {what} as one number or {dims}, got {value!r}")
    kernel = per_dim(name, "kernel_size", kernel_size, dims, 1)
    sizes = input.shape[-dims:]
    if output_size is not None:
        counts = per_dim(name, "output_size", output_size, dims, 0)
    elif output_ratio is None:
        raise ValueError(f"{name}: got neither output_size nor output_ratio, expected one of them")
    else:
        ratios = tuple(output_ratio) if isinstance(output_ratio, tuple | list) else (output_ratio,) * dims
        if len(ratios) != dims:
            raise ValueError(f"{name}: expected output_ratio as one number or {dims}, got {output_ratio!r}")
        counts = tuple([int(n * ratio) for n, ratio in zip(sizes, ratios, strict=True)])
    if any(m + k - 1 > n for m, k, n in zip(counts, kernel, sizes, strict=True)):
        raise ValueError(
            f"{name}: expected output_size + kernel_size - 1 of at most the input's size, got {counts} "
            f"and {kernel} for an input of shape {input.shape}"
        )
    require_floating(name, input.dtype)
    images: Any = input if input.ndim == dims + 2 else input[None]
    lead: Any = images.shape[:2]
    samples = (
        beside(uniform((*lead, dims), input.dtype, None, input), input) if _random_samples is None else _random_samples
    )
    if samples.dtype != input.dtype or samples.ndim != 3 or samples.shape[0] < lead[0]:
        raise ValueError(
            f"{name}: expected _random_samples of shape {(*lead, dims)} and dtype {input.dtype}, got {samples.shape} "
            f"and {samples.dtype}"
        )
    index = fractional_max_indices(images, samples[: lead[0]], kernel, counts)
    out = elements_at(images, index, dims)
    if images is not input:
        out, index = out[0], index[0]
    return (out, index) if return_indices else out


@by_dimensions
def fractional_max_pool_nd_with_indices(
    dims: int,
    input: Array,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Any = None,
) -> Any:
    """`fractional_max_pool{k}d` with `return_indices`, which is not read here.

    >>> maxima, places = td.nn.functional.fractional_max_pool{k}d_with_indices(td.arange(8.0).reshape(1, {eight}), 1, 2)
    >>> places.max()
    tensor(7)
    """
    return fractional_max_pool[dims - 1](input, kernel_size, output_size, output_ratio, True, _random_samples)


fractional_max_pool2d, fractional_max_pool3d = fractional_max_pool[1:]
fractional_max_pool2d_with_indices, fractional_max_pool3d_with_indices = fractional_max_pool_nd_with_indices[1:]
