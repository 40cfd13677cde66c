"""Convolutions and their transposes; patches as columns and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.onnx.graph import Graph
from tinygrad_dl.onnx.pointwise import since
from tinygrad_dl.onnx.table import Unsupported, converter, without
from tinygrad_dl.onnx.values import Dim, Value, all_fixed, fixed
from tinygrad_dl.ops.convolution.fold import _options as of_patches


def pads_of(padding: Any) -> list[int]:
    """The widths before all dimensions, then those behind them."""
    return [before for before, _ in padding] + [after for _, after in padding]


@converter("convolution")
def convolution(
    g: Graph, input: Value, weight: Value, bias: Value | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Value:
    all_fixed("padding", pads_of(padding))
    kernel = all_fixed("kernel", weight.shape[2:])
    return g.op(
        "Conv",
        input,
        weight,
        bias,
        kernel_shape=list(kernel),
        strides=list(stride),
        pads=pads_of(padding),
        dilations=list(dilation),
        group=groups,
    )


@converter("convolution_transpose")
def convolution_transpose(
    g: Graph,
    input: Value,
    weight: Value,
    bias: Value | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    size: Any,
) -> Value:
    """The result's size says how much is added behind the usual one."""
    kernel = all_fixed("kernel", weight.shape[2:])
    options = zip(input.shape[2:], kernel, stride, padding, dilation, strict=True)
    usual = [(n - 1) * s - before - after + d * (k - 1) + 1 for n, k, s, (before, after), d in options]
    extra = [0 if size is None else fixed("output size", m - n) for m, n in zip(size or usual, usual, strict=True)]
    if any(not 0 <= more < max(s, d) for more, s, d in zip(extra, stride, dilation, strict=True)):
        raise Unsupported(f"its output padding {tuple(extra)} is not less than stride and dilation")
    return g.op(
        "ConvTranspose",
        input,
        weight,
        bias,
        kernel_shape=list(kernel),
        strides=list(stride),
        pads=pads_of(padding),
        dilations=list(dilation),
        group=groups,
        output_padding=extra if any(extra) else None,
    )


without("it is the gradient of a convolution", "convolution_weight")


@converter("unfold")
def unfold(g: Graph, input: Value, kernel_size: Any, dilation: Any, padding: Any, stride: Any, out: Any) -> Value:
    """The padded picture flattened, and from it the elements of all patches by their places."""
    kernel, steps, pads, strides = of_patches("unfold", kernel_size, dilation, padding, stride)
    lead, sides = input.ndim - 2, all_fixed("size", input.shape[-2:])
    (top, bottom), (left, right) = pads
    padded = g.op("Pad", input, g.ints([*(0,) * lead, top, left, *(0,) * lead, bottom, right]))
    height, width = sides[0] + top + bottom, sides[1] + left + right
    rows, columns = (
        np.arange(0, n - d * (k - 1), s) for n, k, d, s in zip((height, width), kernel, steps, strides, strict=True)
    )
    inner = [np.arange(k) * d for k, d in zip(kernel, steps, strict=True)]
    first = inner[0][:, None, None, None] + rows[None, None, :, None]
    second = inner[1][None, :, None, None] + columns[None, None, None, :]
    places = (first * width + second).reshape(kernel[0] * kernel[1], -1)
    flat = g.reshape(padded._replace(shape=input.shape), (*input.shape[:-2], height * width))
    return g.reshape(g.op("Gather", flat, g.const(places, np.int64), axis=lead)._replace(shape=None), out[0][1])


@converter("fold")
def fold(g: Graph, input: Value, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Value:
    kernel, steps, pads, strides = of_patches("fold", kernel_size, dilation, padding, stride)
    sizes = (output_size, output_size) if isinstance(output_size, int | Dim) else tuple(output_size)
    batch = g.unsqueeze(input, [0]) if input.ndim == 2 else input
    made = g.op(
        since(g, "Col2Im"),
        batch,
        g.ints(list(sizes)),
        g.const(list(kernel), np.int64),
        dilations=list(steps),
        pads=pads_of(pads),
        strides=list(strides),
    )
    return g.squeeze(made, [0]) if input.ndim == 2 else made
