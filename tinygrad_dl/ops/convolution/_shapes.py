"""The shapes of convolutions: options in one form, sizes of results, and refusals that say what does not fit."""

from __future__ import annotations

import functools
import operator
from typing import Any

Sizes = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]  # before and after, for each spatial dimension


def sizes(value: Any, k: int, name: str, what: str, least: int = 0) -> Sizes:
    """One integer for all of k dimensions, or k of them, as a tuple.

    Raises:
        TypeError: no integers. ValueError: another count of them, or one below `least`.
    """
    try:
        found = tuple([operator.index(v) for v in value]) if isinstance(value, tuple | list) else ()
        found = found or (operator.index(value),) * k
    except TypeError:
        raise TypeError(f"{name}: {what}: expected an integer or {k} of them, got {value!r}") from None
    if len(found) == 1:
        found *= k
    if len(found) != k:
        raise ValueError(f"{name}: expected {what} to be one integer or {k} of them, got {value!r}")
    if min(found) < least:
        raise ValueError(f"{name}: expected {what} >= {least}, got {value!r}")
    return found


@functools.lru_cache(maxsize=512)
def convolution_options(
    k: int, name: str, kernel: Sizes, stride: Any, padding: Any, dilation: Any
) -> tuple[Sizes, Pads, Sizes]:
    """Stride, padding and dilation of a convolution as `convolution` takes them; words become numbers."""
    stride, dilation = sizes(stride, k, name, "stride", 1), sizes(dilation, k, name, "dilation", 1)
    if padding == "valid":
        return stride, ((0, 0),) * k, dilation
    if padding == "same":
        if max(stride) > 1:
            raise ValueError(
                f"{name}: got padding='same' with stride {stride}, expected a stride of 1; give the padding as a number"
            )
        total = [d * (size - 1) for size, d in zip(kernel, dilation, strict=True)]
        return stride, tuple([(t // 2, t - t // 2) for t in total]), dilation
    if isinstance(padding, str):
        raise ValueError(f"{name}: expected padding 'same', 'valid' or numbers, got {padding!r}")
    return stride, tuple([(p, p) for p in sizes(padding, k, name, "padding")]), dilation


def conv_size(size: Sizes, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes) -> Sizes:
    """The spatial sizes of a convolution's result; below 1 where the kernel does not fit."""
    return tuple(
        [
            (n + a + b - d * (k - 1) - 1) // s + 1
            for n, k, s, (a, b), d in zip(size, kernel, stride, pads, dilation, strict=True)
        ]
    )


def check_convolution(input: Any, weight: Any, bias: Any, groups: int) -> None:
    """Raises ValueError or TypeError if these do not fit together; calls nothing where they do."""
    k = weight.ndim - 2
    if (
        k >= 1
        and input.ndim == weight.ndim
        and groups >= 1
        and input.shape[1] == weight.shape[1] * groups
        and not weight.shape[0] % groups
        and (bias is None or bias.shape == weight.shape[:1])
        and input.dtype == weight.dtype
    ):
        return
    name = f"conv{k}d"
    if k < 1 or input.ndim != k + 2:
        raise ValueError(
            f"{name}: expected an input of {k + 2} dimensions (N, C, ...) for a weight of shape {weight.shape} "
            f"(out_channels, in_channels / groups, *kernel), got an input of shape {input.shape}"
        )
    _check_groups(name, groups)
    if weight.shape[0] % groups:
        raise ValueError(
            f"{name}: expected out_channels divisible by groups={groups}, got a weight of shape {weight.shape}, which "
            f"has {weight.shape[0]}"
        )
    if input.shape[1] != weight.shape[1] * groups:
        raise ValueError(
            f"{name}: expected {weight.shape[1] * groups} channels in dimension 1 of the input, for a weight of shape "
            f"{weight.shape} and groups={groups}, got an input of shape {input.shape}; the order is (N, C, ...): "
            f"move the channels there with movedim, or make the layer for {input.shape[1]} channels"
        )
    _check_rest(name, input, weight, bias, weight.shape[0])


def check_transposed(input: Any, weight: Any, bias: Any, groups: int) -> None:
    """The same for a transposed convolution, whose weight is (in_channels, out_channels / groups, *kernel)."""
    k = weight.ndim - 2
    if (
        k >= 1
        and input.ndim == weight.ndim
        and groups >= 1
        and input.shape[1] == weight.shape[0]
        and not weight.shape[0] % groups
        and (bias is None or bias.shape == (weight.shape[1] * groups,))
        and input.dtype == weight.dtype
    ):
        return
    name = f"conv_transpose{k}d"
    if k < 1 or input.ndim != k + 2:
        raise ValueError(
            f"{name}: expected an input of {k + 2} dimensions (N, C, ...) for a weight of shape {weight.shape} "
            f"(in_channels, out_channels / groups, *kernel), got an input of shape {input.shape}"
        )
    _check_groups(name, groups)
    if weight.shape[0] % groups:
        raise ValueError(
            f"{name}: expected in_channels divisible by groups={groups}, got a weight of shape {weight.shape}, which "
            f"has {weight.shape[0]}"
        )
    if input.shape[1] != weight.shape[0]:
        raise ValueError(
            f"{name}: expected {weight.shape[0]} channels in dimension 1 of the input, for a weight of shape "
            f"{weight.shape}, got an input of shape {input.shape}; the order is (N, C, ...): move the channels there "
            f"with movedim, or make the layer for {input.shape[1]} channels"
        )
    _check_rest(name, input, weight, bias, weight.shape[1] * groups)


def _check_groups(name: str, groups: Any) -> None:
    if groups < 1:
        raise ValueError(f"{name}: expected groups >= 1, got {groups}")


def _check_rest(name: str, input: Any, weight: Any, bias: Any, channels: int) -> None:
    if bias is not None and bias.shape != (channels,):
        raise ValueError(
            f"{name}: expected a bias of shape {(channels,)}, a number for each output channel, got {bias.shape}"
        )
    raise TypeError(
        f"{name}: expected an input and a weight of the same dtype, got {input.dtype} and {weight.dtype}; cast the "
        f"input with input.to(weight.dtype), or the module with module.to(input.dtype)"
    )


def check_kernel(name: str, input: Sizes, kernel: Sizes, pads: Pads, dilation: Sizes) -> None:
    """Raises ValueError if the kernel is larger than the padded input."""
    reach = tuple([d * (size - 1) + 1 for size, d in zip(kernel, dilation, strict=True)])
    whole = tuple([n + a + b for n, (a, b) in zip(input[2:], pads, strict=True)])
    if any(r > n for r, n in zip(reach, whole, strict=True)):
        dilated = f", {reach} with dilation {dilation}," if reach != kernel else ""
        raise ValueError(
            f"{name}: the kernel of size {kernel}{dilated} is larger than the padded input of size {whole}: got an "
            f"input of shape {input}, expected one at least as large as the kernel; use a smaller kernel, more "
            f"padding, or fewer layers that shrink the input"
        )


@functools.lru_cache(maxsize=512)
def transposed_options(
    k: int, name: str, input: Sizes, kernel: Sizes, stride: Any, padding: Any, output_padding: Any, dilation: Any
) -> tuple[Sizes, Pads, Sizes, Sizes]:
    """Stride, padding, dilation and the result's sizes of a transposed convolution, as `convolution_transpose` takes
    them."""
    stride, dilation = sizes(stride, k, name, "stride", 1), sizes(dilation, k, name, "dilation", 1)
    padding = sizes(padding, k, name, "padding")
    output_padding = sizes(output_padding, k, name, "output_padding")
    if any(p >= max(s, d) for p, s, d in zip(output_padding, stride, dilation, strict=True)):
        raise ValueError(
            f"{name}: expected output_padding less than the stride or the dilation, got output_padding "
            f"{output_padding}, stride {stride}, dilation {dilation}"
        )
    found = tuple(
        [
            (n - 1) * s - 2 * p + d * (size - 1) + more + 1
            for n, size, s, p, more, d in zip(input, kernel, stride, padding, output_padding, dilation, strict=True)
        ]
    )
    if min(found) < 1:
        raise ValueError(
            f"{name}: got an input of size {input} with a kernel of size {kernel}, stride {stride} and padding "
            f"{padding}, which gives a result of size {found}, expected 0 or more; use less padding"
        )
    return stride, tuple([(p, p) for p in padding]), dilation, found


def spatial(*slices: Any) -> Any:
    """An index of the last dimensions."""
    return (Ellipsis, *slices)
