"""conv1d to conv_transpose3d: PyTorch's functions over the two operations that work in any number of dimensions."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.composition import by_dimensions, composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.convolution._convolution import convolution, convolution_transpose
from tinygrad_dl.ops.convolution._shapes import convolution_options, transposed_options


def hashable(value: Any) -> Any:
    """A list as a tuple, so that options can be looked up."""
    return tuple(value) if type(value) is list else value


def require_dims(name: str, k: int, input: Any, weight: Any) -> None:
    """Refuses an input and a weight of other numbers of dimensions."""
    if weight.ndim != k + 2 or not k + 1 <= input.ndim <= k + 2:
        raise ValueError(
            f"{name}: expected an input of {k + 2} dimensions (N, C, ...), or {k + 1} for one sample, and a weight of "
            f"{k + 2}, got an input of shape {tuple(input.shape)} and a weight of shape {tuple(weight.shape)}"
        )


@by_dimensions
def conv(
    k: int,
    input: Array,
    weight: Array,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Convolution of {input}; each option is one number, or one for each dimension.

    In one dimension, and so in each:
    `out[n, o, x] = bias[o] + sum(input[n, c, x * stride + i * dilation] * weight[o, c, i] for all c, i)`

    Args:
        input: (N, C, {sides}), or (C, {sides}) for one sample.
        weight: (O, C / groups, {kernel}).
        bias: (O,) or None.
        stride: how far the kernel moves each time.
        padding: zeros at both ends; "valid": none; "same": as many as keep the length (stride 1).
        dilation: the distance between places of the kernel.
        groups: into how many parts the channels are split, each with its own kernels.

    Returns:
        (N, O, ...), of each length L floor((L + 2 padding - dilation (kernel - 1) - 1) / stride) + 1.

    Raises:
        ValueError: the shapes do not fit, or the kernel is larger than the padded input. TypeError: other dtypes.

    >>> td.nn.functional.conv{k}d(td.ones(1, 3, {fours}), td.ones(2, 3, {fours})).flatten() / 4**{k}
    tensor([3., 3.])
    """
    name = f"conv{k}d"
    require_dims(name, k, input, weight)
    found = convolution_options(
        k, name, tuple(weight.shape[2:]), hashable(stride), hashable(padding), hashable(dilation)
    )
    result: Tensor
    if input.ndim == k + 2:
        result = convolution(input, weight, bias, *found, groups)
    else:
        result = convolution(input[None], weight, bias, *found, groups)[0]
    return result


@by_dimensions
def conv_transpose(
    k: int,
    input: Array,
    weight: Array,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transpose of `conv{k}d` as a linear map: each number of the input, times the kernel, added up.

    With the same options it leads from the shape of conv{k}d's result back to that of its input, and is the
    gradient of conv{k}d.

    Args:
        input: (N, C, {sides}), or (C, {sides}) for one sample.
        weight: (C, O / groups, {kernel}).
        bias: (O,) or None.
        padding: how much is cut off at both ends of the result.
        output_padding: how much longer one end is: several lengths lead to the same one by a stride.
        stride, dilation, groups: those of the convolution of which this is the transpose.

    Returns:
        (N, O, ...), of each length L (L - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Raises:
        ValueError: the shapes do not fit, a sample has no elements, or nothing is left. TypeError: other dtypes.

    >>> td.nn.functional.conv_transpose{k}d(td.ones(1, 3, {fours}), td.ones(3, 2, {fours}), stride=4).shape[:2]
    (1, 2)
    """
    name = f"conv_transpose{k}d"
    require_dims(name, k, input, weight)
    if 0 in input.shape[-k:]:
        raise ValueError(
            f"{name}: got an input of shape {tuple(input.shape)}, expected at least one element in each of its last "
            f"{k} dimensions; a batch may be empty"
        )
    steps, pads, more, size = transposed_options(
        k,
        name,
        tuple(input.shape[-k:]),
        tuple(weight.shape[2:]),
        hashable(stride),
        hashable(padding),
        hashable(output_padding),
        hashable(dilation),
    )
    result: Tensor
    if input.ndim == k + 2:
        result = convolution_transpose(input, weight, bias, steps, pads, more, groups, size)
    else:
        result = convolution_transpose(input[None], weight, bias, steps, pads, more, groups, size)[0]
    return result


conv1d, conv2d, conv3d = conv
conv_transpose1d, conv_transpose2d, conv_transpose3d = conv_transpose


@composition
def conv_tbc(input: Array, weight: Array, bias: Array, pad: int = 0) -> Tensor:
    """`conv1d` of sequences with the time first and the channels last.

    Args:
        input: (T, N, C).
        weight: (kernel, C, O).
        bias: (O,).
        pad: zeros at both ends of the time.

    Returns:
        (T + 2 pad - kernel + 1, N, O).

    Raises:
        ValueError: the shapes do not fit. TypeError: other dtypes.

    >>> td.nn.functional.conv_tbc(td.ones(3, 1, 2), td.ones(2, 2, 1), td.zeros(1)).flatten()
    tensor([4., 4.])
    """
    if input.ndim != 3 or weight.ndim != 3 or input.shape[2] != weight.shape[1]:
        raise ValueError(
            f"conv_tbc: expected an input (T, N, C) and a weight (kernel, C, O), got shapes {input.shape} and "
            f"{weight.shape}"
        )
    if bias.shape != weight.shape[2:]:
        raise ValueError(f"conv_tbc: expected a bias of shape {tuple(weight.shape[2:])}, got {bias.shape}")
    out: Any = conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad)
    return out.permute(2, 0, 1)  # type: ignore[no-any-return]
