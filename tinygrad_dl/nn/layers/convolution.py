"""Convolutions in one, two and three dimensions, their transposes, and the patches of images."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_dl.core.device import check_device
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn import init
from tinygrad_dl.nn.checks import whole
from tinygrad_dl.nn.layers._families import OfDimensions, WithOptions
from tinygrad_dl.nn.layers.linear import empty_parameter
from tinygrad_dl.nn.module import member
from tinygrad_dl.nn.parameter import Parameter
from tinygrad_dl.ops.convolution._shapes import convolution_options, sizes
from tinygrad_dl.ops.convolution.convolution import conv, conv_transpose
from tinygrad_dl.ops.convolution.fold import fold, unfold
from tinygrad_dl.ops.padding.pad import pad

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "Fold", "Unfold"]
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class Convolution(OfDimensions):
    """What convolutions and transposed convolutions share: their options and parameters."""

    weight: Parameter
    bias: Parameter | None
    transposed = False

    def _configure(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        """Checks and keeps the options, and makes the parameters."""
        check_device(device)
        name = type(self).__name__
        self.in_channels = whole(self, "in_channels", in_channels, int(self.transposed))
        self.out_channels = whole(self, "out_channels", out_channels, 1)
        self.groups = whole(self, "groups", groups, 1)
        for what, channels in (("in_channels", self.in_channels), ("out_channels", self.out_channels)):
            if channels % self.groups:
                raise ValueError(f"{name}: expected {what} divisible by groups={groups}, got {channels}")
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"{name}: expected a padding_mode among {PADDING_MODES}, got {padding_mode!r}")
        self.kernel_size = sizes(kernel_size, self.dims, name, "kernel_size", 1)
        self.stride = sizes(stride, self.dims, name, "stride", 1)
        self.dilation = sizes(dilation, self.dims, name, "dilation", 1)
        self.padding = padding if isinstance(padding, str) else sizes(padding, self.dims, name, "padding")
        self.padding_mode = padding_mode
        first, second = self.out_channels, self.in_channels // self.groups
        if self.transposed:
            first, second = self.in_channels, self.out_channels // self.groups
        self.weight = empty_parameter((first, second, *self.kernel_size), dtype, device)
        self.register_parameter("bias", empty_parameter((self.out_channels,), dtype, device) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the weight and bias anew, uniform in +-1 / sqrt(fan in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(max(math.prod(self.weight.shape[1:]), 1))
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        none = (0,) * self.dims
        output_padding = getattr(self, "output_padding", none)
        parts += [f"padding={self.padding}"] if self.padding != none else []
        parts += [f"dilation={self.dilation}"] if self.dilation != (1,) * self.dims else []
        parts += [f"output_padding={output_padding}"] if output_padding != none else []
        parts += [f"groups={self.groups}"] if self.groups != 1 else []
        parts += ["bias=False"] if self.bias is None else []
        parts += [f"padding_mode={self.padding_mode}"] if self.padding_mode != "zeros" else []
        return ", ".join(parts)


class _Conv(Convolution):
    """What convolutions share."""

    described = """Convolution of {input}, with O channels instead of C; see `functional.conv{k}d`.

    Args:
        in_channels, out_channels: C and O.
        kernel_size, stride, dilation: one integer, or one for each dimension.
        padding: how much is added at both ends, one integer or one for each dimension; or "same", "valid".
        groups: into how many parts the channels are split, each with its own kernels.
        bias: whether a number is added for each output channel.
        padding_mode: what is added: "zeros", "reflect", "replicate" or "circular".

    The weight, (O, C / groups, {kernel}), and the bias, (O,), start uniform in +-1 / sqrt(fan in), where the fan in
    is the number of elements of weight[0].

    Raises:
        ValueError, TypeError: options that do not fit together; an input of another shape.

    >>> td.nn.Conv{k}d(3, 8, kernel_size=3, padding="same")(td.ones(2, 3, {fours})).shape
    (2, 8, {fours})
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        shape = (in_channels, out_channels, kernel_size, stride, padding, dilation)
        self._configure(*shape, groups, bias, padding_mode, device, dtype)
        # Says here what would be refused at the first call.
        self._around = [n for pair in self._pairs()[::-1] for n in pair]

    def _pairs(self) -> tuple[tuple[int, int], ...]:
        """The padding as numbers: before and after, for each dimension."""
        name = type(self).__name__
        return convolution_options(self.dims, name, self.kernel_size, self.stride, self.padding, self.dilation)[1]

    def forward(self, input: Any) -> Tensor:
        """The convolution of a batch (N, C, ...), or of one sample (C, ...)."""
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            if any(self._around):
                input = pad(input, self._around, self.padding_mode)
            padding = 0
        return conv[self.dims - 1](
            input,
            member(self, "weight"),
            member(self, "bias"),
            self.stride,
            padding,
            self.dilation,
            self.groups,
        )


class Conv1d(_Conv, dims=1):
    """Convolution over one dimension."""


class Conv2d(_Conv, dims=2):
    """Convolution over two dimensions."""


class Conv3d(_Conv, dims=3):
    """Convolution over three dimensions."""


class _ConvTranspose(Convolution):
    """What transposed convolutions share."""

    described = """The transpose of `Conv{k}d`: {input} gives a larger one with O channels.

    Args:
        in_channels, out_channels: C and O.
        kernel_size, stride, padding, dilation, groups: those of the convolution of which this is the transpose.
        output_padding: how much longer one end of the result is; less than the stride or the dilation.
        bias: whether a number is added for each output channel.

    The weight is (C, O / groups, {kernel}). `layer(x, output_size=...)` chooses the sizes of the result.

    Raises:
        ValueError, TypeError: options that do not fit together; an input of another shape.

    >>> layer = td.nn.ConvTranspose{k}d(8, 3, 2, stride=2)
    >>> layer(td.ones(2, 8, {twos})).shape
    (2, 3, {fours})
    """

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        name = type(self).__name__
        if padding_mode != "zeros":
            raise ValueError(f"{name}: expected padding_mode='zeros', the only one there is here, got {padding_mode!r}")
        if isinstance(padding, str):
            raise ValueError(f"{name}: expected numbers as padding, got {padding!r}")
        self.output_padding = sizes(output_padding, self.dims, name, "output_padding")
        shape = (in_channels, out_channels, kernel_size, stride, padding, dilation)
        self._configure(*shape, groups, bias, padding_mode, device, dtype)

    def forward(self, input: Any, output_size: Any = None) -> Tensor:
        """The transposed convolution; `output_size`, if given, says which of the possible sizes is wanted."""
        more = self.output_padding
        if output_size is not None:
            more = self._padding_for(tuple(input.shape), tuple(output_size))
        return conv_transpose[self.dims - 1](
            input,
            member(self, "weight"),
            member(self, "bias"),
            self.stride,
            self.padding,
            more,
            self.groups,
            self.dilation,
        )

    def _padding_for(self, shape: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
        """The output padding with which the result of an input of this shape has the wanted sizes, or shape."""
        size, wanted = shape[-self.dims :], wanted[-self.dims :] if len(wanted) == len(shape) else wanted
        around: Any = self.padding  # of a transposed convolution never a word
        options = zip(size, self.kernel_size, self.stride, around, self.dilation, strict=True)
        least = tuple([(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, k, s, p, d in options])
        most = tuple([n + s - 1 for n, s in zip(least, self.stride, strict=True)])
        fits = len(wanted) == self.dims and all(a <= n <= b for a, n, b in zip(least, wanted, most, strict=True))
        if not fits:
            raise ValueError(
                f"{type(self).__name__}: expected an output_size between {least} and {most} for an input of size "
                f"{size}, got {wanted}"
            )
        return tuple([n - a for n, a in zip(wanted, least, strict=True)])


class ConvTranspose1d(_ConvTranspose, dims=1):
    """The transpose of `Conv1d`."""


class ConvTranspose2d(_ConvTranspose, dims=2):
    """The transpose of `Conv2d`."""


class ConvTranspose3d(_ConvTranspose, dims=3):
    """The transpose of `Conv3d`."""


class Unfold(WithOptions):
    """The patches of images as columns: (N, C, H, W) gives (N, C * kernel elements, patches); see `functional.unfold`.

    >>> td.nn.Unfold(kernel_size=(2, 3))(td.ones(1, 3, 4, 5)).shape
    (1, 18, 9)
    """

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1):
        super().__init__(kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)

    def forward(self, input: Any) -> Any:
        """The patches as columns."""
        return unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(WithOptions):
    """Columns added up into images: (N, C * kernel elements, patches) gives (N, C, *output_size).

    >>> td.nn.Fold(output_size=(4, 5), kernel_size=(2, 2))(td.ones(1, 12, 12)).shape
    (1, 3, 4, 5)
    """

    def __init__(self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1):
        super().__init__(
            output_size=output_size, kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride
        )

    def forward(self, input: Any) -> Any:
        """The columns added up."""
        return fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)
