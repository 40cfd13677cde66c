"""Pooling layers."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.nn.layers._families import OfDimensions
from tinygrad_dl.nn.layers._tuples import _ntuple
from tinygrad_dl.nn.module import Module
from tinygrad_dl.ops.pooling import avg_pool, fractional_max_pool, lp_pool, max_pool, max_unpool
from tinygrad_dl.ops.pooling._windows import per_dim

# fmt: off
__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "FractionalMaxPool2d", "FractionalMaxPool3d",
    "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d",
    "MaxUnpool3d",
]
# fmt: on


def checked(owner: Module, dims: int, **options: Any) -> None:
    """Refuses options that no input could be pooled with."""
    for name, value in options.items():
        per_dim(type(owner).__name__, name, value, dims, 0 if name == "padding" else 1)


class MaxPool(OfDimensions):
    """What the max pools share: they differ in the number of dimensions that they take."""

    described = """The maximum of each window of {input}, as `functional.max_pool{k}d`.

    Args:
        kernel_size: the window's size; like stride, padding and dilation one number, or one for each dimension.
        stride: the distance between windows; by default kernel_size.
        padding: what is added at both ends, at most half the window; never the maximum.
        dilation: the distance between neighbours in a window.
        return_indices: whether to return where the maxima stand too.
        ceil_mode: whether a last window may reach beyond the end.

    >>> td.nn.MaxPool{k}d(2)(td.ones(1, 2, {fours})).shape
    (1, 2, {twos})
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode
        checked(self, self.dims, kernel_size=kernel_size, stride=self.stride, padding=padding, dilation=dilation)

    def forward(self, input: Any) -> Any:
        """The maxima; with their indices if `return_indices`."""
        pool = getattr(max_pool, f"max_pool{self.dims}d")
        return pool(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxUnpool(OfDimensions):
    """What the layers share that undo max pooling."""

    described = """What `MaxPool{k}d` took its maxima {input} from, zeros elsewhere; see `functional.max_unpool{k}d`.

    Args:
        kernel_size, stride, padding: those of the `MaxPool{k}d`.

    >>> pool, undo = td.nn.MaxPool{k}d(2, return_indices=True), td.nn.MaxUnpool{k}d(2)
    >>> undo(*pool(td.ones(1, 2, {fours}))).shape
    (1, 2, {fours})
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0):
        super().__init__()
        name, stride = type(self).__name__, kernel_size if stride is None else stride
        self.kernel_size = per_dim(name, "kernel_size", kernel_size, self.dims, 1)
        self.stride = per_dim(name, "stride", stride, self.dims, 1)
        self.padding = per_dim(name, "padding", padding, self.dims, 0)

    def forward(self, input: Any, indices: Any, output_size: Any = None) -> Any:
        """The maxima at their places."""
        undo = getattr(max_unpool, f"max_unpool{self.dims}d")
        return undo(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool(OfDimensions):
    """What the average pools of two and three dimensions share."""

    described = """The mean of each window of {input}, as `functional.avg_pool{k}d`.

    Args:
        kernel_size: the window's size; like stride and padding one number, or one for each dimension.
        stride: the distance between windows; by default kernel_size.
        padding: zeros at both ends, at most half the window.
        ceil_mode: whether a last window may reach beyond the end.
        count_include_pad: whether the padding counts in the mean.
        divisor_override: what to divide by instead of the number of elements; in one dimension there is none.

    >>> td.nn.AvgPool{k}d(2)(td.ones(1, 2, {fours})).shape
    (1, 2, {twos})
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode, self.count_include_pad = padding, ceil_mode, count_include_pad
        self.divisor_override = divisor_override
        checked(self, self.dims, kernel_size=kernel_size, stride=self.stride, padding=padding)

    def forward(self, input: Any) -> Any:
        """The means."""
        pool = getattr(avg_pool, f"avg_pool{self.dims}d")
        return pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class FractionalMaxPool(OfDimensions):
    """What the pools share of which the result has the size that is asked for."""

    described = """The maxima of windows at distances that are drawn, as `functional.fractional_max_pool{k}d`.

    Args:
        kernel_size: the window's size; one number, or one for each dimension.
        output_size: the sizes ({sides}) of the result, or one number for all.
        output_ratio: the sizes as shares of the input's, between 0 and 1, instead of `output_size`.
        return_indices: whether to return where the maxima stand too.
        _random_samples: (N, C, {k}) numbers from 0 to 1 to use instead of drawing them.

    Raises:
        ValueError: neither or both of output_size and output_ratio, or a ratio that is not between 0 and 1.

    >>> td.nn.FractionalMaxPool{k}d(1, output_ratio=0.5)(td.ones(1, 2, {fours})).shape
    (1, 2, {twos})
    """

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ):
        super().__init__()
        name, each = type(self).__name__, _ntuple(self.dims)
        self.kernel_size = per_dim(name, "kernel_size", kernel_size, self.dims, 1)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        if (output_size is None) == (output_ratio is None):
            raise ValueError(
                f"{name}: got {'neither' if output_size is None else 'both'} of output_size and output_ratio, expected "
                "one of them"
            )
        self.output_size = None if output_size is None else per_dim(name, "output_size", output_size, self.dims, 0)
        self.output_ratio = None if output_ratio is None else each(output_ratio)
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ValueError(f"{name}: expected output_ratio between 0 and 1, got {output_ratio}")

    def forward(self, input: Any) -> Any:
        """The maxima; with their indices if `return_indices`."""
        pool = getattr(fractional_max_pool, f"fractional_max_pool{self.dims}d")
        return pool(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples
        )


class LPPool(OfDimensions):
    """What the pools by p-norms share."""

    described = """(sum of x ** p) ** (1 / p) of each window of {input}, as `functional.lp_pool{k}d`.

    Args:
        norm_type: p.
        kernel_size: the window's size; like stride one number, or one for each dimension.
        stride: the distance between windows; by default kernel_size.
        ceil_mode: whether a last window may reach beyond the end.

    >>> td.nn.LPPool{k}d(2, 2)(td.ones(1, 2, {fours})).shape
    (1, 2, {twos})
    """

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False):
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode
        checked(self, self.dims, kernel_size=kernel_size, stride=kernel_size if stride is None else stride)

    def forward(self, input: Any) -> Any:
        """The norms."""
        pool = getattr(lp_pool, f"lp_pool{self.dims}d")
        return pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class AdaptivePool(OfDimensions):
    """What the adaptive pools share."""

    described = """The mean of each part of {input} cut into `output_size` parts.

    Args:
        output_size: the sizes of the last dimensions, or one number for all; None for the input's own.

    >>> td.nn.AdaptiveAvgPool{k}d(2)(td.ones(1, 2, {fours})).shape
    (1, 2, {twos})
    """

    def __init__(self, output_size: Any):
        super().__init__()
        self.output_size = output_size
        values = output_size if isinstance(output_size, tuple | list) else (output_size,)
        given = [1 if each is None else each for each in values]
        per_dim(type(self).__name__, "output_size", given, self.dims, 0)

    def forward(self, input: Any) -> Any:
        """The means of the parts."""
        return getattr(avg_pool, f"adaptive_avg_pool{self.dims}d")(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool(AdaptivePool):
    """What the adaptive max pools share."""

    described = """The maximum of each part of {input} cut into `output_size` parts.

    Args:
        output_size: the sizes of the last dimensions, or one number for all; None for the input's own.
        return_indices: whether to return where the maxima stand too.

    >>> td.nn.AdaptiveMaxPool{k}d(2)(td.ones(1, 2, {fours})).shape
    (1, 2, {twos})
    """

    def __init__(self, output_size: Any, return_indices: bool = False):
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Any) -> Any:
        """The maxima of the parts; with their indices if `return_indices`."""
        pool = getattr(max_pool, f"adaptive_max_pool{self.dims}d")
        return pool(input, self.output_size, self.return_indices)


class MaxPool1d(MaxPool, dims=1):
    """The maxima of windows over one dimension."""


class MaxPool2d(MaxPool, dims=2):
    """The maxima of windows over two dimensions."""


class MaxPool3d(MaxPool, dims=3):
    """The maxima of windows over three dimensions."""


class MaxUnpool1d(MaxUnpool, dims=1):
    """The maxima of windows over one dimension at their places."""


class MaxUnpool2d(MaxUnpool, dims=2):
    """The maxima of windows over two dimensions at their places."""


class MaxUnpool3d(MaxUnpool, dims=3):
    """The maxima of windows over three dimensions at their places."""


class AvgPool1d(AvgPool, dims=1):
    """The means of windows over one dimension."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ):
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        self.kernel_size, self.stride, self.padding = [
            tuple(each) if isinstance(each, tuple | list) else (each,)
            for each in (self.kernel_size, self.stride, self.padding)
        ]

    def forward(self, input: Any) -> Any:
        """The means."""
        return avg_pool.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )


class AvgPool2d(AvgPool, dims=2):
    """The means of windows over two dimensions."""


class AvgPool3d(AvgPool, dims=3):
    """The means of windows over three dimensions."""


class LPPool1d(LPPool, dims=1):
    """The p-norms of windows over one dimension."""


class LPPool2d(LPPool, dims=2):
    """The p-norms of windows over two dimensions."""


class LPPool3d(LPPool, dims=3):
    """The p-norms of windows over three dimensions."""


class FractionalMaxPool2d(FractionalMaxPool, dims=2):
    """The maxima of windows at distances that are drawn, over two dimensions."""


class FractionalMaxPool3d(FractionalMaxPool, dims=3):
    """The maxima of windows at distances that are drawn, over three dimensions."""


class AdaptiveAvgPool1d(AdaptivePool, dims=1):
    """The means of parts, over one dimension."""


class AdaptiveAvgPool2d(AdaptivePool, dims=2):
    """The means of parts, over two dimensions."""


class AdaptiveAvgPool3d(AdaptivePool, dims=3):
    """The means of parts, over three dimensions."""


class AdaptiveMaxPool1d(AdaptiveMaxPool, dims=1):
    """The maxima of parts, over one dimension."""


class AdaptiveMaxPool2d(AdaptiveMaxPool, dims=2):
    """The maxima of parts, over two dimensions."""


class AdaptiveMaxPool3d(AdaptiveMaxPool, dims=3):
    """The maxima of parts, over three dimensions."""
