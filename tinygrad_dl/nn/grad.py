"""The gradients of convolutions as functions: `conv2d_input`, `conv2d_weight` and their like."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.composition import by_dimensions
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.namespaces import public
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.convolution._convolution import convolution_transpose, convolution_weight
from tinygrad_dl.ops.convolution._shapes import conv_size, convolution_options
from tinygrad_dl.ops.convolution.convolution import hashable

# fmt: off
__all__ = [
    "conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input", "conv3d_weight",
]
# fmt: on


def _options(name: str, k: int, input: Any, weight: Any, grad_output: Any, stride: Any, padding: Any, d: Any) -> Any:
    """The convolution's options in one form, after a look at whether these shapes belong to it."""
    found = convolution_options(k, name, weight[2:], hashable(stride), hashable(padding), hashable(d))
    sizes = conv_size(input[2:], weight[2:], *found)
    if len(input) != k + 2 or len(weight) != k + 2 or grad_output.shape != (input[0], weight[0], *sizes):
        raise ValueError(
            f"{name}: expected the gradient of a convolution of an input {tuple(input)} with a weight {tuple(weight)}, "
            f"got a gradient of shape {grad_output.shape}"
        )
    return found


@by_dimensions
def conv_nd_input(
    k: int,
    input_size: Any,
    weight: Array,
    grad_output: Array,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv{k}d` with respect to its input.

    Args:
        input_size: the input's shape, (N, C, {sides}).
        weight: (O, C / groups, {kernel}).
        grad_output: the gradient of the result, (N, O, {sides} of the result).
        stride, padding, dilation, groups: those of the convolution.

    Raises:
        ValueError: the shapes do not fit.

    >>> td.nn.grad.conv{k}d_input((1, 2, {fours}), td.ones(3, 2, {twos}), td.ones(1, 3, {twos}), stride=2).flatten()[:4]
    tensor([3., 3., 3., 3.])

    Source: https://docs.pytorch.org/docs/stable/nn.html
    """
    shape = tuple([int(n) for n in input_size])
    steps, pads, gaps = _options(f"conv{k}d_input", k, shape, weight.shape, grad_output, stride, padding, dilation)
    out: Tensor = convolution_transpose(grad_output, weight, None, steps, pads, gaps, groups, shape[2:])
    return out


@by_dimensions
def conv_nd_weight(
    k: int,
    input: Array,
    weight_size: Any,
    grad_output: Array,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv{k}d` with respect to its weight.

    Args:
        input: (N, C, {sides}).
        weight_size: the weight's shape, (O, C / groups, {kernel}).
        grad_output: the gradient of the result, (N, O, {sides} of the result).
        stride, padding, dilation, groups: those of the convolution.

    Raises:
        ValueError: the shapes do not fit.

    >>> x, g = td.ones(1, 2, {fours}), td.ones(1, 3, {twos})
    >>> td.nn.grad.conv{k}d_weight(x, (3, 2, {twos}), g, stride=2).flatten()[:2] / 2**{k}
    tensor([1., 1.])

    Source: https://docs.pytorch.org/docs/stable/nn.html
    """
    shape = tuple([int(n) for n in weight_size])
    steps, pads, gaps = _options(f"conv{k}d_weight", k, input.shape, shape, grad_output, stride, padding, dilation)
    out: Tensor = convolution_weight(input, grad_output, shape[2:], steps, pads, gaps, groups)
    return out


conv1d_input, conv2d_input, conv3d_input = conv_nd_input
conv1d_weight, conv2d_weight, conv3d_weight = conv_nd_weight

public(globals(), "")
