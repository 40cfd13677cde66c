"""conv1d to conv_transpose3d: PyTorch's functions over the two operations that work in any number of dimensions."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.convolution._convolution import convolution, convolution_transpose
from tinygrad_dl.ops.convolution._shapes import convolution_options, transposed_options


def hashable(value: Any) -> Any:
    """A list as a tuple, so that options can be looked up."""
    return tuple(value) if type(value) is list else value


def convolve(
    k: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    """Convolution in k dimensions, of one sample too."""
    name = f"conv{k}d"
    if weight.ndim != k + 2 or not k + 1 <= input.ndim <= k + 2:
        raise ValueError(
            f"{name}: expected an input of {k + 2} dimensions (N, C, ...), or {k + 1} for one sample, and a weight of "
            f"{k + 2}, got an input of shape {tuple(input.shape)} and a weight of shape {tuple(weight.shape)}"
        )
    found = convolution_options(
        k, name, tuple(weight.shape[2:]), hashable(stride), hashable(padding), hashable(dilation)
    )
    result: Tensor
    if input.ndim == k + 2:
        result = convolution(input, weight, bias, *found, groups)
    else:
        result = convolution(input[None], weight, bias, *found, groups)[0]
    return result


def convolve_transposed(
    k: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    """Transposed convolution in k dimensions, of one sample too."""
    name = f"conv_transpose{k}d"
    if weight.ndim != k + 2 or not k + 1 <= input.ndim <= k + 2:
        raise ValueError(
            f"{name}: expected an input of {k + 2} dimensions (N, C, ...), or {k + 1} for one sample, and a weight of "
            f"{k + 2}, got an input of shape {tuple(input.shape)} and a weight of shape {tuple(weight.shape)}"
        )
    steps, pads, spread, size = transposed_options(
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
        result = convolution_transpose(input, weight, bias, steps, pads, spread, groups, size)
    else:
        result = convolution_transpose(input[None], weight, bias, steps, pads, spread, groups, size)[0]
    return result


@composition
def conv1d(
    input: Array, weight: Array, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Tensor:
    """Convolution over one dimension.

    `out[n, o, x] = bias[o] + sum(input[n, c, x * stride + i * dilation] * weight[o, c, i] for all c, i)`

    Args:
        input: (N, C, L), or (C, L) for one sample.
        weight: (O, C / groups, kernel).
        bias: (O,) or None.
        stride: how far the kernel moves each time.
        padding: zeros at both ends; "valid": none; "same": as many as keep the length (stride 1).
        dilation: the distance between places of the kernel.
        groups: into how many parts the channels are split, each with its own kernels.

    Returns:
        (N, O, floor((L + 2 padding - dilation (kernel - 1) - 1) / stride) + 1).

    Raises:
        ValueError: the shapes do not fit, or the kernel is larger than the padded input. TypeError: other dtypes.

    >>> td.nn.functional.conv1d(td.tensor([[[1.0, 2.0, 4.0]]]), td.tensor([[[-1.0, 1.0]]]))
    tensor([[[1., 2.]]])
    """
    return convolve(1, input, weight, bias, stride, padding, dilation, groups)


@composition
def conv2d(
    input: Array, weight: Array, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Tensor:
    """Convolution over two dimensions; as `conv1d`, with one number or a pair for each option.

    Args:
        input: (N, C, H, W), or (C, H, W) for one sample.
        weight: (O, C / groups, kernel height, kernel width).
        bias: (O,) or None.

    Raises:
        ValueError: the shapes do not fit, or the kernel is larger than the padded input. TypeError: other dtypes.

    >>> td.nn.functional.conv2d(td.ones(1, 1, 3, 3), td.ones(1, 1, 2, 2), padding=(0, 1))
    tensor([[[[2., 4., 4., 2.],
              [2., 4., 4., 2.]]]])
    """
    return convolve(2, input, weight, bias, stride, padding, dilation, groups)


@composition
def conv3d(
    input: Array, weight: Array, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Tensor:
    """Convolution over three dimensions; as `conv1d`, with one number or three for each option.

    Args:
        input: (N, C, D, H, W), or (C, D, H, W) for one sample.
        weight: (O, C / groups, kernel depth, height, width).
        bias: (O,) or None.

    Raises:
        ValueError: the shapes do not fit, or the kernel is larger than the padded input. TypeError: other dtypes.

    >>> td.nn.functional.conv3d(td.ones(1, 2, 4, 4, 4), td.ones(3, 2, 2, 2, 2), stride=2).shape
    (1, 3, 2, 2, 2)
    """
    return convolve(3, input, weight, bias, stride, padding, dilation, groups)


@composition
def conv_transpose1d(
    input: Array,
    weight: Array,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transpose of `conv1d` as a linear map: each number of the input, times the kernel, added up.

    With the same options it leads from the shape of conv1d's result back to that of its input, and is the
    gradient of conv1d.

    Args:
        input: (N, C, L), or (C, L) for one sample.
        weight: (C, O / groups, kernel).
        bias: (O,) or None.
        padding: how much is cut off at both ends of the result.
        output_padding: how much longer one end is: several lengths lead to the same one by a stride.
        stride, dilation, groups: those of the convolution of which this is the transpose.

    Returns:
        (N, O, (L - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1).

    Raises:
        ValueError: the shapes do not fit, or nothing is left. TypeError: other dtypes.

    >>> td.nn.functional.conv_transpose1d(td.tensor([[[1.0, 2.0]]]), td.tensor([[[1.0, 1.0, 1.0]]]), stride=2)
    tensor([[[1., 1., 3., 2., 2.]]])
    """
    return convolve_transposed(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composition
def conv_transpose2d(
    input: Array,
    weight: Array,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transpose of `conv2d`; as `conv_transpose1d`, with one number or a pair for each option.

    Args:
        input: (N, C, H, W), or (C, H, W) for one sample.
        weight: (C, O / groups, kernel height, kernel width).
        bias: (O,) or None.

    Raises:
        ValueError: the shapes do not fit, or nothing is left. TypeError: other dtypes.

    >>> td.nn.functional.conv_transpose2d(td.ones(1, 8, 7, 7), td.ones(8, 4, 3, 3), None, 2, 1, 1).shape
    (1, 4, 14, 14)
    """
    return convolve_transposed(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composition
def conv_transpose3d(
    input: Array,
    weight: Array,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transpose of `conv3d`; as `conv_transpose1d`, with one number or three for each option.

    Args:
        input: (N, C, D, H, W), or (C, D, H, W) for one sample.
        weight: (C, O / groups, kernel depth, height, width).
        bias: (O,) or None.

    Raises:
        ValueError: the shapes do not fit, or nothing is left. TypeError: other dtypes.

    >>> td.nn.functional.conv_transpose3d(td.ones(1, 2, 3, 3, 3), td.ones(2, 4, 2, 2, 2), stride=2).shape
    (1, 4, 6, 6, 6)
    """
    return convolve_transposed(3, input, weight, bias, stride, padding, output_padding, groups, dilation)
