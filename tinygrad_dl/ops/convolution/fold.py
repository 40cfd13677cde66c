"""unfold and fold: the patches of an image as columns, and columns added back into an image."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops.convolution import _plain as plain
from tinygrad_dl.ops.convolution._columns import padded, windows
from tinygrad_dl.ops.convolution._shapes import Pads, Sizes, conv_size, sizes, spatial


def _options(name: str, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Sizes, Sizes, Pads, Sizes]:
    kernel, dilation = sizes(kernel_size, 2, name, "kernel_size", 1), sizes(dilation, 2, name, "dilation", 1)
    around, steps = sizes(padding, 2, name, "padding"), sizes(stride, 2, name, "stride", 1)
    return kernel, dilation, tuple([(p, p) for p in around]), steps


def _naive_unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    batch = input if input.ndim == 4 else input[None]
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = (
        value if isinstance(value, tuple) else (value, value) for value in (kernel_size, dilation, padding, stride)
    )
    wide = np.pad(batch, [(0, 0), (0, 0), (ph, ph), (pw, pw)])
    ends = [n - d * (k - 1) for n, d, k in zip(wide.shape[2:], (dh, dw), (kh, kw), strict=True)]
    places = itertools.product(range(0, ends[0], sh), range(0, ends[1], sw))
    patches = [wide[:, :, y : y + dh * (kh - 1) + 1 : dh, x : x + dw * (kw - 1) + 1 : dw] for y, x in places]
    columns = [patch.reshape(len(batch), batch.shape[1] * kh * kw) for patch in patches]
    out = np.stack(columns, -1)
    return out if input.ndim == 4 else out[0]


PATCHES = {
    "kernel_size": one_of((2, 3), 2, (3, 1)),
    "dilation": one_of(1, (1, 2)),
    "padding": one_of(0, (2, 1), 1),
    "stride": one_of(1, (2, 1), (2, 3)),
}


@op(
    kind="folded",
    linear=("input",),
    namespace="functional",
    exact=True,
    inputs=[{"input": real(shape="n 2 4 5"), **PATCHES}, {"input": real(shape="3 4 5"), **PATCHES}],
    errors=[
        error(ValueError, "\\(N, C, H, W\\)", array(2, 3), 2),
        error(ValueError, "larger than the padded input", array(1, 1, 3, 3), 4),
        error(ValueError, "expected kernel_size to be one integer or 2 of them", array(1, 1, 3, 3), (2, 2, 2)),
        error(ValueError, "expected stride >= 1", array(1, 1, 3, 3), 2, stride=0),
        error(TypeError, "kernel_size: expected an integer", array(1, 1, 3, 3), 1.5),
    ],
    reference=_naive_unfold,
)
def unfold(input: Array, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Every patch that a kernel of this size sees, as a column: a convolution is a product with these.

    Args:
        input: (N, C, H, W), or (C, H, W) for one sample.
        kernel_size, dilation, padding, stride: one integer, or a pair; as in `conv2d`.

    Returns:
        (N, C * kernel height * kernel width, number of patches).

    Raises:
        ValueError: another number of dimensions, or a kernel larger than the padded input.

    >>> td.nn.functional.unfold(td.arange(6.0).reshape(1, 1, 2, 3), (2, 2))
    tensor([[[0., 1.],
             [1., 2.],
             [3., 4.],
             [4., 5.]]])
    """
    kernel, dilation, pads, steps = _options("unfold", kernel_size, dilation, padding, stride)
    if not 3 <= input.ndim <= 4:
        raise ValueError(f"unfold: expected an input of shape (N, C, H, W) or (C, H, W), got {input.shape}")
    batch = input if input.ndim == 4 else input[None]
    size = conv_size(batch.shape[2:], kernel, steps, pads, dilation)
    if min(size) < 1:
        raise ValueError(
            f"unfold: the kernel of size {kernel} with dilation {dilation} is larger than the padded input: got shape "
            f"{input.shape} with padding {pads}, expected a larger input"
        )
    if type(input) is np.ndarray:
        seen = windows(padded(batch, pads), kernel, steps, dilation, size)
    else:
        seen = plain.windows(plain.padded(batch, pads), kernel, steps, dilation, size)
    columns = seen.copy().reshape(len(batch), batch.shape[1] * math.prod(kernel), math.prod(size))
    return columns if input.ndim == 4 else columns[0]


def _unfold_rule(
    g: Any, input_shape: tuple[int, ...], kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> Any:
    return fold.generic(g, tuple(input_shape[-2:]), kernel_size, dilation, padding, stride)


unfold.vjp(input=_unfold_rule)


def _naive_fold(
    input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Any:
    batch = input if input.ndim == 3 else input[None]
    height, width = output_size
    channels = batch.shape[1] // math.prod(kernel_size)
    # Where each element of an image would go tells where each column's elements come from.
    numbers = np.arange(1.0, channels * height * width + 1).reshape(1, channels, height, width)
    places = _naive_unfold(numbers, kernel_size, dilation, padding, stride)[0].astype(int)
    total = np.zeros((len(batch), channels * height * width + 1), input.dtype)
    for n, columns in enumerate(batch):
        np.add.at(total[n], places, columns)
    out = total[:, 1:].reshape(len(batch), channels, height, width)
    return out if input.ndim == 3 else out[0]


@op(
    kind="folded",
    linear=("input",),
    namespace="functional",
    inputs=[
        {
            "input": real(shape="n 12 4"),
            "output_size": one_of((4, 5)),
            "kernel_size": one_of((2, 3)),
            "stride": one_of((2, 2)),
        },
        {
            "input": real(shape="8 12"),
            "output_size": one_of((3, 6)),
            "kernel_size": one_of((2, 2)),
            "stride": one_of((1, 2)),
            "padding": one_of((1, 0)),
        },
        {
            "input": real(shape="n 4 9"),
            "output_size": one_of((4, 6)),
            "kernel_size": one_of((2, 2)),
            "dilation": one_of((3, 1)),
            "padding": one_of((0, 2)),
            "stride": one_of((1, 1)),
        },
    ],
    errors=[
        error(ValueError, "\\(N, C \\* kernel elements, patches\\)", array(3), (3, 3), 2),
        error(ValueError, "expected 4 patches", array(1, 4, 5), (3, 3), 2),
        error(ValueError, "a multiple of the kernel's 4 elements", array(1, 5, 4), (3, 3), 2),
        error(ValueError, "no patch", array(1, 4, 4), (1, 1), 2),
    ],
    reference=_naive_fold,
)
def fold(input: Array, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Columns added up into an image, each element where `unfold` takes it from: the transpose of `unfold`.

    Args:
        input: (N, C * kernel height * kernel width, number of patches), or without N for one sample.
        output_size: the image's height and width.
        kernel_size, dilation, padding, stride: one integer, or a pair; as in `unfold`.

    Returns:
        (N, C, *output_size).

    Raises:
        ValueError: the columns are too many, too few, or of a height that the kernel does not divide.

    >>> td.nn.functional.fold(td.ones(1, 4, 2), (2, 3), (2, 2))
    tensor([[[[1., 2., 1.],
              [1., 2., 1.]]]])
    """
    kernel, dilation, pads, steps = _options("fold", kernel_size, dilation, padding, stride)
    size = sizes(output_size, 2, "fold", "output_size", 1)
    if not 2 <= input.ndim <= 3:
        raise ValueError(f"fold: expected an input of shape (N, C * kernel elements, patches), got {input.shape}")
    batch = input if input.ndim == 3 else input[None]
    count = math.prod(kernel)
    if batch.shape[1] % count:
        raise ValueError(
            f"fold: expected columns whose height is a multiple of the kernel's {count} elements, got an input of "
            f"shape {input.shape}"
        )
    patches = conv_size(size, kernel, steps, pads, dilation)
    if min(patches) < 1:
        raise ValueError(
            f"fold: an image with padding {pads} has no patch: got size {size}, expected at least the kernel's, "
            f"{kernel}"
        )
    if math.prod(patches) != batch.shape[2]:
        raise ValueError(
            f"fold: expected {math.prod(patches)} patches ({' x '.join(map(str, patches))}) for an image of size "
            f"{size}, got an input of shape {input.shape}"
        )
    channels = batch.shape[1] // count
    columns = batch.reshape(len(batch), channels, *kernel, *patches)
    total = module_of(batch).zeros(
        (len(batch), channels, *[n + a + b for n, (a, b) in zip(size, pads, strict=True)]), batch.dtype
    )
    add_columns(total, columns, steps, dilation)
    out = total[spatial(*[slice(a, a + n) for n, (a, _) in zip(size, pads, strict=True)])]
    return (out if input.ndim == 3 else out[0]).copy()


def add_columns(total: np.ndarray, columns: np.ndarray, stride: Sizes, dilation: Sizes) -> None:
    """Adds (N, C, *kernel, *patches) to (N, C, *size), each element where `windows` takes it from."""
    k = len(stride)
    kernel, patches = columns.shape[2 : 2 + k], columns.shape[2 + k :]
    for place in itertools.product(*[range(n) for n in kernel]):
        index = [
            slice(d * p, d * p + (m - 1) * s + 1, s)
            for d, p, s, m in zip(dilation, place, stride, patches, strict=True)
        ]
        total[spatial(*index)] += columns[spatial(*place, *(slice(None),) * k)]


def _fold_rule(g: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    return unfold.generic(g, kernel_size, dilation, padding, stride)


fold.vjp(input=_fold_rule)
