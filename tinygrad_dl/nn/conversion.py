"""Modules of other dtypes: what is done to all parameters and buffers of a module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar

from tinygrad_dl.core import dtypes, promotion
from tinygrad_dl.core.device import check_device, no_device
from tinygrad_dl.core.layout import ORDERS, preserve_format
from tinygrad_dl.core.modes import no_grad
from tinygrad_dl.nn.members import Members
from tinygrad_dl.ops.tensor.conversion import targets

C = TypeVar("C", bound="Converted[Any]")


class Converted(Members[C]):
    """The part of `Module` that converts what it contains."""

    def to(
        self,
        *args: Any,
        device: Any = None,
        dtype: Any = None,
        non_blocking: bool = False,
        memory_format: Any = preserve_format,
    ) -> Self:
        """Casts floating and complex parameters and buffers to a dtype, and moves all to a device, in place.

        Args:
            memory_format: the order of dimensions in memory, such as `td.channels_last`, of those of 4 (5) dimensions.

        Raises:
            TypeError: the dtype is neither floating nor complex. ValueError: there is no such device.

        >>> import tinygrad_dl as td
        >>> td.nn.Linear(1, 1).to(td.float64).weight.dtype
        tinygrad_dl.float64
        """
        dtype, device, _ = targets(args, dtype, device, False)
        check_device(device)
        found = None if dtype is None else dtypes.as_dtype(dtype)
        if found is not None and not promotion.is_differentiable(found):
            raise TypeError(
                f"to: got dtype {found}, expected a floating or complex one for a module; pass td.float32 or td.float64"
            )

        def converted(tensor: Any) -> Any:
            if found is not None and promotion.is_differentiable(tensor.dtype):
                tensor = tensor.to(found)
            if device is not None:
                tensor = tensor.to(device)
            if memory_format in ORDERS and len(ORDERS[memory_format]) != tensor.ndim:
                return tensor
            return tensor if memory_format is preserve_format else tensor.contiguous(memory_format=memory_format)

        return self._apply(converted)

    def _apply(self, fn: Callable[[Any], Any], recurse: bool = True) -> Self:
        """Puts `fn(tensor)` in the place of each parameter, its gradient and each buffer; returns itself.

        All conversions come here. A subclass that has tensors of its own, which it did not register, converts them too
        by defining this: `super()._apply(fn)`, then `self.mine = fn(self.mine)`. Parameters stay the same objects.

        Args:
            recurse: whether to do so in submodules too.
        """
        if recurse:
            for child in self.children():
                child._apply(fn)
        with no_grad():
            for parameter in self._parameters.values():
                if parameter is not None:
                    parameter.data = fn(parameter)
                    if parameter.grad is not None:
                        parameter.grad.data = fn(parameter.grad)
            for name, buffer in self._buffers.items():
                if buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def _cast(self, dtype: Any) -> Self:
        return self._apply(lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)

    def float(self) -> Self:
        """Casts to float32."""
        return self._cast(promotion.FLOAT32)

    def double(self) -> Self:
        """Casts to float64."""
        return self._cast(promotion.FLOAT64)

    def half(self) -> Self:
        """Casts to float16."""
        return self._cast(promotion.FLOAT16)

    def bfloat16(self) -> Self:
        """Casts to bfloat16, which needs the package ml_dtypes."""
        return self._cast(promotion.bfloat16())

    def type(self, dst_type: Any) -> Self:
        """Casts all parameters and buffers to a dtype, integers too."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Gives parameters and buffers new memory on a device, without copying their values.

        Args:
            recurse: whether to do so in submodules too.
        """
        check_device(device)
        return self._apply(lambda tensor: tensor.new_empty(tensor.shape, device=device), recurse=recurse)

    def share_memory(self) -> Self:
        """Moves parameters and buffers to memory that forked processes share; see `Tensor.share_memory_`."""
        return self._apply(lambda tensor: tensor.share_memory_())

    def cpu(self) -> Self:
        """Moves parameters and buffers to the CPU, in place; returns itself."""
        return self._apply(lambda tensor: tensor.cpu())

    def cuda(self, device: Any = None) -> Self:
        """Moves parameters and buffers to a GPU, in place; returns itself. ValueError: CuPy is not installed."""
        return self._apply(lambda tensor: tensor.cuda(device))

    def ipu(self, device: Any = None) -> Self:
        """Raises ValueError: tensors live on the CPU."""
        raise no_device("ipu")

    def mtia(self, device: Any = None) -> Self:
        """Raises ValueError: tensors live on the CPU."""
        raise no_device("mtia")

    def xpu(self, device: Any = None) -> Self:
        """Raises ValueError: tensors live on the CPU."""
        raise no_device("xpu")
