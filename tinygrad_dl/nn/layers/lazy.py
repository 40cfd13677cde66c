"""Layers that learn the width of their input from the first one: until then their parameters have no shape."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.hooks import RemovableHandle
from tinygrad_dl.nn.layers import convolution, linear, normalization
from tinygrad_dl.nn.module import Module
from tinygrad_dl.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from tinygrad_dl.nn.state import filled

# fmt: off
__all__ = [
    "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d", "LazyConv1d", "LazyConv2d", "LazyConv3d",
    "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d", "LazyInstanceNorm1d", "LazyInstanceNorm2d",
    "LazyInstanceNorm3d", "LazyLinear",
]
# fmt: on


class LazyModuleMixin(Module):
    """What modules share whose parameters get their shapes from the first input.

    A subclass makes such parameters as `UninitializedParameter`, and defines `initialize_parameters` with the arguments
    of its `forward`: it is called before the first call, and gives them their shapes by `materialize`. The module is
    then one of class `cls_to_become`, if there is one. Loading a state gives shapes too.

    >>> class Scale(td.nn.modules.lazy.LazyModuleMixin, td.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.weight = td.nn.UninitializedParameter()
    ...     def initialize_parameters(self, x):
    ...         self.weight.materialize(x.shape[-1:])
    ...         td.nn.init.ones_(self.weight)
    ...     def forward(self, x):
    ...         return x * self.weight
    >>> layer = Scale()
    >>> layer(td.ones(2, 3)).shape, layer.has_uninitialized_params()
    ((2, 3), False)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.lazy.LazyModuleMixin.html
    """

    cls_to_become: Any = None
    _initialize_hook: RemovableHandle

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._initialize_hook = self.register_forward_pre_hook(self._infer_parameters, with_kwargs=True)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Gives parameters and buffers without a shape those for such an input; subclasses define it."""
        raise NotImplementedError(
            f"{type(self).__name__}: got a lazy module without initialize_parameters(), expected it, with the "
            "arguments of forward()"
        )

    def has_uninitialized_params(self) -> bool:
        """Whether any parameter or buffer has no shape yet."""
        return any(map(is_lazy, (*self._parameters.values(), *self._buffers.values())))

    def _infer_parameters(self, module: Any, args: Any, kwargs: Any = None) -> None:
        """The hook of the first call, with which the module stops being lazy."""
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(
                f"{type(module).__name__}: got parameters without a shape after initialize_parameters(), expected that "
                "it gives one to each"
            )
        module._initialize_hook.remove()
        del module._initialize_hook
        if not any(module._hooks.values()):
            module._hooks = None  # a call of a module without tables of hooks takes the shortest way
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become


class LazyLayer(LazyModuleMixin):
    """What the lazy layers of this package share: only one number is missing, the width of the input."""

    width = "in_features"  # the attribute that is not known yet

    def _begin(self, width: int, *given: Any, **options: Any) -> None:
        """Sets the layer up with a width that stands for the one to come, and takes the tensors their shapes."""
        super().__init__(width, *given, **options)
        self._given = given, options
        setattr(self, self.width, 0)
        for name, parameter in self._parameters.items():
            if parameter is not None:
                self._parameters[name] = UninitializedParameter(dtype=parameter.dtype)
        for name, buffer in self._buffers.items():
            if buffer is not None and buffer.ndim:
                self._buffers[name] = UninitializedBuffer(dtype=buffer.dtype)

    def reset_parameters(self) -> None:
        """Does nothing: there are no numbers yet."""

    def reset_running_stats(self) -> None:
        """Does nothing: there are none yet."""

    def _found(self, input: Any) -> int:
        """The width of an input."""
        return int(input.shape[-1])

    def initialize_parameters(self, input: Any, *_: Any, **__: Any) -> None:
        """Gives parameters and buffers without a shape those for such an input, and their first values."""
        width = self._found(input)
        if self.has_uninitialized_params():
            given, options = self._given
            made = self.cls_to_become(width, *given, **options)
            for name, tensor in [*self._parameters.items(), *self._buffers.items()]:
                if is_lazy(tensor):
                    filled(tensor, getattr(made, name)._data)
        setattr(self, self.width, width)
        del self._given


class LazyLinear(LazyLayer, linear.Linear):
    """`Linear` whose in_features are those of the first input.

    >>> layer = td.nn.LazyLinear(2)
    >>> layer(td.ones(5, 3)).shape
    (5, 2)
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    """

    cls_to_become = linear.Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None):
        self._begin(0, out_features, bias, device, dtype)


class LazyConvolution(LazyLayer, convolution.Convolution):
    """What lazy convolutions and transposed convolutions share."""

    width = "in_channels"

    def _found(self, input: Any) -> int:
        if input.ndim - self.dims not in (1, 2):
            raise ValueError(
                f"{type(self).__name__}: expected an input of {self.dims + 2} dimensions, or {self.dims + 1} without a "
                f"batch, got {input.shape}"
            )
        return int(input.shape[-self.dims - 1])


class LazyConv(LazyConvolution):
    """What lazy convolutions share."""

    def __init__(
        self,
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
        shape = (out_channels, kernel_size, stride, padding, dilation)
        self._begin(groups, *shape, groups, bias, padding_mode, device, dtype)


class LazyConvTranspose(LazyConvolution):
    """What lazy transposed convolutions share."""

    def __init__(
        self,
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
        shape = (out_channels, kernel_size, stride, padding, output_padding)
        self._begin(groups, *shape, groups, bias, dilation, padding_mode, device, dtype)


class LazyNorm(LazyLayer, normalization.RunningNorm):
    """What lazy batch norms and instance norms share."""

    width = "num_features"
    instances = False

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        self._begin(0, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _found(self, input: Any) -> int:
        dims, shapes = self.cls_to_become.dims, self.cls_to_become.shapes
        if input.ndim not in dims:
            raise ValueError(f"{type(self).__name__}: expected an input of shape {shapes}, got {input.shape}")
        return int(input.shape[1 if not self.instances or input.ndim == dims[-1] else 0])


class LazyConv1d(LazyConv, convolution.Conv1d):
    """`Conv1d` whose in_channels are those of the first input.

    >>> td.nn.LazyConv1d(8, 1)(td.ones(2, 3, 4)).shape
    (2, 8, 4)
    """

    cls_to_become = convolution.Conv1d


class LazyConv2d(LazyConv, convolution.Conv2d):
    """`Conv2d` whose in_channels are those of the first input.

    >>> td.nn.LazyConv2d(8, 1)(td.ones(2, 3, 4, 4)).shape
    (2, 8, 4, 4)
    """

    cls_to_become = convolution.Conv2d


class LazyConv3d(LazyConv, convolution.Conv3d):
    """`Conv3d` whose in_channels are those of the first input.

    >>> td.nn.LazyConv3d(8, 1)(td.ones(2, 3, 4, 4, 4)).shape
    (2, 8, 4, 4, 4)
    """

    cls_to_become = convolution.Conv3d


class LazyConvTranspose1d(LazyConvTranspose, convolution.ConvTranspose1d):
    """`ConvTranspose1d` whose in_channels are those of the first input.

    >>> td.nn.LazyConvTranspose1d(8, 2, stride=2)(td.ones(2, 3, 2)).shape
    (2, 8, 4)
    """

    cls_to_become = convolution.ConvTranspose1d


class LazyConvTranspose2d(LazyConvTranspose, convolution.ConvTranspose2d):
    """`ConvTranspose2d` whose in_channels are those of the first input.

    >>> td.nn.LazyConvTranspose2d(8, 2, stride=2)(td.ones(2, 3, 2, 2)).shape
    (2, 8, 4, 4)
    """

    cls_to_become = convolution.ConvTranspose2d


class LazyConvTranspose3d(LazyConvTranspose, convolution.ConvTranspose3d):
    """`ConvTranspose3d` whose in_channels are those of the first input.

    >>> td.nn.LazyConvTranspose3d(8, 2, stride=2)(td.ones(2, 3, 2, 2, 2)).shape
    (2, 8, 4, 4, 4)
    """

    cls_to_become = convolution.ConvTranspose3d


class LazyBatchNorm1d(LazyNorm, normalization.BatchNorm):
    """`BatchNorm1d` whose num_features are the channels of the first input.

    >>> td.nn.LazyBatchNorm1d()(td.ones(2, 3, 4)).shape
    (2, 3, 4)
    """

    cls_to_become = normalization.BatchNorm1d


class LazyBatchNorm2d(LazyNorm, normalization.BatchNorm):
    """`BatchNorm2d` whose num_features are the channels of the first input.

    >>> td.nn.LazyBatchNorm2d()(td.ones(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    cls_to_become = normalization.BatchNorm2d


class LazyBatchNorm3d(LazyNorm, normalization.BatchNorm):
    """`BatchNorm3d` whose num_features are the channels of the first input.

    >>> td.nn.LazyBatchNorm3d()(td.ones(2, 3, 4, 4, 4)).shape
    (2, 3, 4, 4, 4)
    """

    cls_to_become = normalization.BatchNorm3d


class LazyInstanceNorm1d(LazyNorm, normalization.InstanceNorm):
    """`InstanceNorm1d` whose num_features are the channels of the first input.

    >>> td.nn.LazyInstanceNorm1d()(td.ones(2, 3, 4)).shape
    (2, 3, 4)
    """

    cls_to_become = normalization.InstanceNorm1d
    instances = True


class LazyInstanceNorm2d(LazyNorm, normalization.InstanceNorm):
    """`InstanceNorm2d` whose num_features are the channels of the first input.

    >>> td.nn.LazyInstanceNorm2d()(td.ones(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    cls_to_become = normalization.InstanceNorm2d
    instances = True


class LazyInstanceNorm3d(LazyNorm, normalization.InstanceNorm):
    """`InstanceNorm3d` whose num_features are the channels of the first input.

    >>> td.nn.LazyInstanceNorm3d()(td.ones(2, 3, 4, 4, 4)).shape
    (2, 3, 4, 4, 4)
    """

    cls_to_become = normalization.InstanceNorm3d
    instances = True
