"""Parameter: a tensor that a module trains."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core import dtypes, promotion
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.device import check_device
from tinygrad_dl.core.tensor import Tensor, as_array, rebuild

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


class Parameter(Tensor):
    """A tensor that becomes a parameter of the module it is assigned to, and requires a gradient.

    Shares the memory of `data`.

    >>> layer = td.nn.Module()
    >>> layer.scale = td.nn.Parameter(td.ones(2))
    >>> [name for name, _ in layer.named_parameters()]
    ['scale']

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
    """

    @composition
    def __init__(self, data: Any = None, requires_grad: bool = True):
        self._data = np.empty(0, promotion.default.dtype) if data is None else as_array(data)
        self._edge = None
        if requires_grad:
            self.requires_grad_()

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        # As in PyTorch, its gradient does not go with it: a copy of a model begins anew.
        new: Parameter = rebuild(type(self), self._data.copy(), self.requires_grad)  # type: ignore[assignment]
        memo[id(self)] = new
        return new


class Buffer(Tensor):
    """A tensor that becomes a buffer of the module it is assigned to: state that is saved but not trained.

    >>> layer = td.nn.Module()
    >>> layer.total = td.nn.Buffer(td.zeros(1))
    >>> list(layer.state_dict())
    ['total']

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Buffer.html
    """

    persistent: bool = True

    @composition
    def __init__(self, data: Any = None, *, persistent: bool = True):
        self._data = np.empty(0, promotion.default.dtype) if data is None else as_array(data)
        self._edge = None
        if not persistent:
            self.persistent = False


class UninitializedTensorMixin:
    """What tensors share that have a dtype but no shape yet: a lazy layer gives them one by `materialize`."""

    __slots__ = ()
    cls_to_become: type[Tensor]

    @property
    def shape(self) -> Any:
        """Raises RuntimeError: there is none."""
        raise RuntimeError(
            f"{type(self).__name__}: got a tensor of a lazy layer that has no shape yet, expected one that has; call "
            "the layer once with an input, or load its state"
        )

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Makes it a parameter or buffer as any other, of this shape and numbers that nobody wrote yet."""
        check_device(device)
        tensor: Any = self
        tensor.__class__ = self.cls_to_become
        tensor.data = np.empty(shape, tensor.dtype if dtype is None else dtypes.as_dtype(dtype))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def is_lazy(param: Any) -> bool:
    """Whether it is a tensor without a shape."""
    return isinstance(param, UninitializedTensorMixin)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter that has no shape yet, as those of lazy layers before their first call.

    >>> td.nn.LazyLinear(2).weight
    <UninitializedParameter>

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.UninitializedParameter.html
    """

    cls_to_become = Parameter

    @composition
    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None):
        check_device(device)
        super().__init__(
            np.empty(0, promotion.default.dtype if dtype is None else dtypes.as_dtype(dtype)), requires_grad
        )


class UninitializedBuffer(UninitializedTensorMixin, Buffer):
    """A buffer that has no shape yet, as those of lazy layers before their first call.

    >>> td.nn.LazyBatchNorm1d().running_mean
    <UninitializedBuffer>

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.UninitializedBuffer.html
    """

    cls_to_become = Tensor

    @composition
    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True):
        check_device(device)
        data = np.empty(0, promotion.default.dtype if dtype is None else dtypes.as_dtype(dtype))
        super().__init__(data, persistent=persistent)
        if requires_grad:
            self.requires_grad_()
